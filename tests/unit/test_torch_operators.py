"""Every operator of PyTorch that the front end takes: the source graph computes what PyTorch does."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

from lutra.errors import LutraError  # noqa: E402
from lutra.front import load  # noqa: E402
from lutra.front.module.operators import TRANSLATORS  # noqa: E402


class Of(nn.Module):
    """A function as a module, with parameters by name."""

    def __init__(self, function, **parameters):
        super().__init__()
        self.function = function
        for name, value in parameters.items():
            setattr(self, name, nn.Parameter(value) if isinstance(value, torch.Tensor) else value)

    def forward(self, *args):
        return self.function(self, *args)


def rand(*shape):
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(shape))) * 4 - 2


def norm(channels, net):
    net.running_mean.copy_(rand(channels))
    net.running_var.copy_(rand(channels).abs() + 0.1)
    return net


PLANE = (2, 6, 8, 8)
CASES = {
    "conv1d": (nn.Conv1d(4, 6, 3, stride=2, padding=1), (2, 4, 9)),
    "conv2d": (nn.Conv2d(6, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)), PLANE),
    "conv2d grouped, without bias": (nn.Conv2d(6, 12, 3, groups=3, bias=False), PLANE),
    "conv2d same": (nn.Conv2d(6, 4, (4, 3), padding="same"), PLANE),
    "conv2d valid": (nn.Conv2d(6, 4, 3, padding="valid"), PLANE),
    "conv_transpose2d": (nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1), PLANE),
    "conv_transpose1d": (nn.ConvTranspose1d(4, 6, 4, stride=2, groups=2), (2, 4, 9)),
    "linear": (nn.Linear(8, 5), (2, 8)),
    "linear on the last of three axes": (nn.Linear(8, 5, bias=False), (2, 3, 8)),
    "batch_norm1d": (norm(6, nn.BatchNorm1d(6)), (2, 6, 5)),
    "batch_norm2d, not affine": (norm(6, nn.BatchNorm2d(6, affine=False)), PLANE),
    "prelu": (nn.PReLU(6, 0.3), PLANE),
    "prelu of one slope": (nn.PReLU(), PLANE),
    "max_pool2d": (nn.MaxPool2d(3, 2, padding=1), PLANE),
    "max_pool2d ceil": (nn.MaxPool2d(3, 2, ceil_mode=True), PLANE),
    "max_pool1d": (nn.MaxPool1d(2, dilation=2), (2, 4, 9)),
    "avg_pool2d": (nn.AvgPool2d((3, 2), 2, padding=1), PLANE),
    "avg_pool2d without padding": (nn.AvgPool2d(3, 2, padding=1, count_include_pad=False), PLANE),
    "avg_pool1d": (nn.AvgPool1d(3), (2, 4, 9)),
    "adaptive_avg_pool2d": (nn.AdaptiveAvgPool2d(1), PLANE),
    "adaptive_avg_pool2d to a size": (nn.AdaptiveAvgPool2d((2, None)), PLANE),
    "adaptive_avg_pool1d": (nn.AdaptiveAvgPool1d(3), (2, 4, 9)),
    "adaptive_max_pool2d": (nn.AdaptiveMaxPool2d(4), PLANE),
    "pixel_shuffle": (nn.PixelShuffle(2), (2, 8, 3, 5)),
    "pixel_unshuffle": (nn.PixelUnshuffle(2), PLANE),
    "adaptive_max_pool1d": (nn.AdaptiveMaxPool1d(3), (2, 4, 9)),
    "upsample1d exact": (nn.Upsample(scale_factor=2, mode="nearest-exact"), (2, 4, 9)),
    "channel_shuffle": (nn.ChannelShuffle(3), PLANE),
    "upsample": (nn.Upsample(scale_factor=2), PLANE),
    "upsample to a size": (nn.Upsample(size=(16, 24)), PLANE),
    "upsample1d": (nn.Upsample(scale_factor=3), (2, 4, 9)),
    "upsample exact": (nn.Upsample(scale_factor=2, mode="nearest-exact"), PLANE),
    "dropout, identity": (nn.Sequential(nn.Dropout(), nn.Identity(), nn.Flatten()), PLANE),
    "in place": (nn.Sequential(nn.ReLU(inplace=True), nn.Hardtanh(-1, 0.5, inplace=True)), PLANE),
}
MODULES = [nn.ReLU(), nn.ReLU6(), nn.Hardtanh(-0.5, 1.5), nn.LeakyReLU(0.2), nn.Sigmoid(), nn.Tanh(), nn.Hardsigmoid(),
           nn.Hardswish(), nn.SiLU(), nn.Mish(), nn.GELU(), nn.GELU("tanh"), nn.ELU(0.7), nn.SELU(), nn.CELU(0.5),
           nn.Softplus(), nn.Softmax(1), nn.LogSoftmax(-1)]
FUNCTIONS = {
    "add, alpha": lambda x: torch.add(x, 3, alpha=2) + torch.add(x, x[:, :1], alpha=0.5),
    "sub": lambda x: (1.5 - x) - x * 2, "rsub": lambda x: torch.rsub(x, 2.0), "mul": lambda x: x * x * 0.25,
    "div": lambda x: x / 3.0, "neg": lambda x: -x, "gt": lambda x: (x > 0.5) * 2.0, "ge": lambda x: (x >= 0.5) * 2.0,
    "clamp": lambda x: x.clamp(-1, 1),
    "clamp_": lambda x: x.clone().clamp_(min=0), "clamp max": lambda x: torch.clamp_max(torch.clamp_min(x, -1), 0.5),
    "maximum": lambda x: torch.maximum(x, torch.tensor(0.25)),
    "minimum": lambda x: torch.minimum(x, torch.tensor(0.25)), "sign": torch.sign, "abs": torch.abs,
    "floor": torch.floor, "ceil": torch.ceil, "round": torch.round, "sqrt": lambda x: torch.sqrt(x.abs()),
    "exp": torch.exp, "log": lambda x: torch.log(x.abs() + 1), "erf": torch.erf,
    "reciprocal": lambda x: torch.reciprocal(x.abs() + 1), "pow": lambda x: x.abs() ** 3,
    "mean": lambda x: x.mean((2, 3)), "mean, keepdim": lambda x: x.mean(1, keepdim=True), "sum": lambda x: x.sum(-1),
    "amax": lambda x: x.amax((2, 3)), "max": lambda x: x.max(1)[0], "argmax": lambda x: x.argmax(1),
    "max's indices": lambda x: torch.max(x, 1, keepdim=True)[1], "topk": lambda x: x.topk(2, 1)[0],
    "max_pool2d with indices": lambda x: F.max_pool2d(x, 2, return_indices=True)[0],
    "addcmul": lambda x: torch.addcmul(torch.tensor(0.5), x, torch.tensor(3.0), value=0.25),
    "view": lambda x: x.view(x.size(0), -1), "reshape": lambda x: x.reshape(2, 3, 16, 8),
    "flatten": lambda x: x.flatten(2), "unflatten": lambda x: x.unflatten(1, (2, 3)),
    "unsqueeze": lambda x: x.unsqueeze(1).squeeze(1), "permute": lambda x: x.permute(0, 2, 3, 1),
    "transpose": lambda x: x.transpose(-1, 1), "mT": lambda x: x.mT, "slice": lambda x: x[:, 1:5:2, ::2, 3:],
    "select": lambda x: x[:, 2], "index": lambda x: x[:, [3, 0, 0]], "last": lambda x: x[..., -1],
    "index_select": lambda x: x.index_select(1, torch.tensor([5, 1])), "flip": lambda x: x.flip(2, 3),
    "split": lambda x: torch.cat(x.split(4, 1)[::-1], 1), "split sizes": lambda x: x.split([1, 2, 3], 1)[2],
    "chunk": lambda x: torch.cat(torch.chunk(x, 3, 1)[::-1], 1), "unbind": lambda x: x.unbind(1)[1],
    "stack": lambda x: torch.stack([x[:, 0], x[:, 1]], 1), "stack last": lambda x: torch.stack([x, -x], -1),
    "pad": lambda x: F.pad(x, (1, 2, 0, 1)), "pad a value": lambda x: F.pad(x, (0, 0, 0, 0, 1, 2), value=0.5),
    "crop": lambda x: F.pad(x, (-1, 1, -2, 0)),
    "copies": lambda x: x.clone().contiguous().detach().to(torch.float64).float().double() * 0 + x,
    "channel views": lambda x: x.view(2, 2, 3, 8, 8).transpose(1, 2).reshape(2, 6, 8, 8),
    "zeros": lambda x: x + torch.zeros_like(x[:, :1]).mean((0, 1)),
    "expanded": lambda x: x * torch.ones(6, dtype=torch.float64).view(6, 1, 1).expand(6, 8, 8),
    "an axis expanded": lambda x: x[:, :, :1].expand(2, 6, 5, 8) * 2.0,
    "a thermometer": lambda x: ((x.unsqueeze(2) - torch.arange(-2.0, 2).double().view(4, 1, 1)).flatten(1, 2)),
    "comparisons that broadcast": lambda x: (x[:, None] > torch.arange(4.0).view(4, 1, 1, 1)).double().flatten(1, 2),
    "below": lambda x: (x < 0.5).double() * 2 + (x >= 0.25).double() + (x <= -1.0).double(),
    "planes from a constant": lambda x: 1 - x[:, :1] * torch.arange(5.0).double().view(1, 5, 1, 1),
    "silu by hand": lambda x: x * torch.sigmoid(x),
    "option A": lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 3, 3)),
}
PRODUCTS = {
    "mm": (Of(lambda m, x: torch.mm(x, m.w), w=rand(8, 5)), (2, 8)),
    "matmul": (Of(lambda m, x: x @ m.w, w=rand(8, 5)), (2, 3, 8)),
    "addmm": (Of(lambda m, x: torch.addmm(m.b, x, m.w), w=rand(8, 5), b=rand(5)), (2, 8)),
    "batch_norm": (Of(lambda m, x: F.batch_norm(x, m.v, m.v), v=rand(6).abs() + 1), PLANE),
}
ALL = {**CASES, **PRODUCTS, **{repr(m): (m, PLANE) for m in MODULES},
       **{name: (Of(lambda m, x, f=f: f(x)), PLANE) for name, f in FUNCTIONS.items()}}
SHAPES = sorted({shape for _, shape in ALL.values()})


def evaluated(net, *examples):
    net = net.double()
    model = load(net, examples)
    values = model.graph.evaluate(*(x.numpy() for x in examples))
    return [values[n] for n in model.graph.outputs]


class Many(nn.Module):
    """Many networks of one input in one: they are exported at once, which is what takes the time."""

    def __init__(self, nets):
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, x):
        return [net(x.clone()) for net in self.nets]


class InPlace(Many):
    """What works in place is exported in another form, in which fewer operators are left."""

    def forward(self, x):
        return super().forward(x.clone().mul_(1.0))


RUNS = [*((Many, s) for s in SHAPES), (InPlace, PLANE), (InPlace, (2, 4, 9))]


@pytest.mark.parametrize("many, shape", RUNS, ids=str)
def test_operators(many, shape):
    chosen = {name: net for name, (net, own) in ALL.items() if own == shape}
    x, net = rand(*shape), many(chosen.values())
    found = evaluated(net, x)
    with torch.no_grad():
        for name, got, wanted in zip(chosen, found, net(x), strict=True):
            assert got.shape == wanted.shape, name
            np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-13, atol=1e-13, err_msg=name)


class Seen(dict):
    """The table, and which of it was read."""

    def __init__(self):
        super().__init__(TRANSLATORS)
        self.names = set()

    def __getitem__(self, name):
        self.names.add(name)
        return super().__getitem__(name)


# PyTorch's releases differ in which of these they leave to others before a graph is exported; the last two are refused
OTHER_NAMES = {f"aten::{n}" for n in (
    "alias", "chunk", "constant_pad_nd", "contiguous", "dropout", "flatten", "mT", "relu6", "reshape", "to",
    "unflatten", "expand", "_native_batch_norm_legit", "greater", "greater_equal", "less",
    "less_equal")}


def test_every_translator_is_reached(monkeypatch):
    seen = Seen()
    monkeypatch.setattr("lutra.front.module.walk.TRANSLATORS", seen)
    for many, shape in RUNS:
        load(many([net for net, own in ALL.values() if own == shape]), rand(*shape))
    missing = {n for n in TRANSLATORS if n.startswith("aten::")} - seen.names - OTHER_NAMES
    assert not missing, " ".join(sorted(missing))


def test_several_inputs_and_outputs():
    net = Of(lambda m, a, b: {"sum": a + b, "rest": (a - b, a * 2)})
    a, b = rand(3, 4), rand(3, 4) * 0.5
    got = evaluated(net, a, b)
    for y, wanted in zip(got, (a + b, a - b, a * 2), strict=True):
        assert np.array_equal(y, wanted.numpy())
    model = load(net, (a, b))
    assert len(model.inputs) == 2 and model.inputs[0].shape == (None, 4)


def test_named_example():
    class Named(nn.Module):
        def forward(self, image, mask):
            return image * mask

    x = rand(2, 4)
    model = load(Named().double(), {"image": x, "mask": x})
    assert [p.name for p in model.inputs] == ["image", "mask"]


def test_inputs_that_no_output_needs_are_left_out():
    model = load(Of(lambda m, a, b: a * 2), (rand(2, 3), rand(2, 3)))
    assert len(model.inputs) == 1


def test_the_hash_is_that_of_graph_and_constants():
    def of(weight, factor=2.0):
        return load(Of(lambda m, x: (x @ m.w) * factor, w=weight), rand(2, 8)).sha256

    w = rand(8, 5)
    assert of(w) == of(w.clone())
    assert len({of(w), of(w * 2), of(w, 3.0), of(w.float().double())}) == 4


def test_the_front_end_leaves_evaluation_mode_and_numbers_alone():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout())
    before = {k: v.clone() for k, v in net.state_dict().items()}
    load(net.train(), rand(2, 3, 8, 8))
    assert not net.training
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def refused(net, x, *wanted):
    with pytest.raises(LutraError) as e:
        load(net, x)
    text = str(e.value)
    assert "\n" not in text
    for part in wanted:
        assert part in text, text
    return e.value


class Branching(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x * 2
        return x


class Unknown(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.LSTM(4, 4))

    def forward(self, x):
        y = torch.cumsum(x, 1)
        return torch.fft.fft(y).real


LINE = Unknown.forward.__code__.co_firstlineno + 1


FIRST = Branching.forward.__code__.co_firstlineno


@pytest.mark.parametrize("net, x, parts", [
    (Unknown(), (2, 3, 4), ("cumsum", f"test_torch_operators.py:{LINE}", "not supported, nor fft_fft")),
    (Branching(), (2, 3), ("depends on the values", f"operators.py:{FIRST + 1}")),
    (nn.Conv2d(3, 4, 3), (2, 5, 8, 8), ("(2, 5, 8, 8)", "cannot be run on the example")),
    (nn.Conv2d(3, 4, 3), (3, 8, 8), ("(batch, channels, ...)", "conv2d")),
    (nn.Linear(3, 4), (3,), ("example: its shape is (3,)",)),
    (nn.BatchNorm2d(4, track_running_stats=False), (2, 4, 3, 3), ("running statistics",)),
    (Of(lambda m, x: x.flatten(0)), (2, 3), ("batch axis",)),
    (Of(lambda m, x: x.squeeze()), (1, 3), ("two frames or more",)),
    (Of(lambda m, x: x.half()), (2, 3), ("float16",)),
    (Of(lambda m, x: x.sum()), (2, 3), ("batch axis",)),
    (Of(lambda m, x: x @ x.mT), (2, 3, 3), ("two branches",)),
    (Of(lambda m, x: x.expand(4, 2, 3)), (2, 3), ("expanded",)),
    (Of(lambda m, x: torch.tensor([2.0]) / x), (2, 3), ("constant by the network's data",)),
    (Of(lambda m, x: (x, torch.ones(2, 3))), (2, 3), ("does not depend on the network's input",)),
    (nn.AdaptiveAvgPool2d(3), (2, 3, 8, 8), ("windows of unlike size",)),
    (Of(lambda m, x: x[x > 0]), (2, 3), ("depends on the values of the network's data",)),
])
def test_what_is_not_supported_is_one_sentence(net, x, parts):
    refused(net, rand(*x).float(), *parts)


def test_an_example_is_needed_and_is_one():
    import lutra

    refused(nn.Linear(3, 4), "ecp5-85k", "example", "no tensor")
    refused(nn.Linear(3, 4), (rand(2, 3), rand(3, 3)), "frames")
    refused(nn.Linear(3, 4), (), "empty")
    with pytest.raises(LutraError, match="no example"):
        lutra.compile(nn.Linear(3, 4))
    with pytest.raises(LutraError, match="model file"):
        lutra.compile("model.onnx", rand(2, 3))
