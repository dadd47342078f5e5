"""Quantisers with real scales in modules: learned ones of lutra.quant, and those of PyTorch's own quantisation."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch.ao.quantization.fx._decomposed")  # registers the operators of quantized_decomposed
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

import lutra  # noqa: E402
import lutra.quant as q  # noqa: E402
from lutra.errors import LutraError  # noqa: E402
from lutra.front import load  # noqa: E402
from lutra.ops.source import BipolarQuant, Conv, MatMul, MultiThreshold, QuantizeLinear  # noqa: E402

UNIT = torch.ops.quantized_decomposed


def rand(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(2)) * 4 - 2


def there_and_back(x, scale, zero, low=-128, high=127, kind=torch.int8):
    return UNIT.dequantize_per_tensor(UNIT.quantize_per_tensor(x, scale, zero, low, high, kind),
                                      scale, zero, low, high, kind)


class Converted(nn.Module):
    """As torchao's convert_pt2e leaves a network: integers of weights, a quantiser before and behind each layer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("conv", (rand(6, 3, 3, 3) * 60).round().to(torch.int8))
        self.register_buffer("conv_scale", torch.linspace(0.003, 0.011, 6))
        self.register_buffer("conv_zero", torch.zeros(6, dtype=torch.int64))
        self.register_buffer("linear", (rand(4, 24) * 60).round().to(torch.int8))
        self.bias = nn.Parameter(rand(6))

    def forward(self, x):
        x = there_and_back(x, 0.0173, -3)
        w = UNIT.dequantize_per_channel(self.conv, self.conv_scale, self.conv_zero, 0, -127, 127, torch.int8)
        y = there_and_back(F.relu(F.conv2d(x, w, self.bias, stride=2)), 0.021, -128)
        w = UNIT.dequantize_per_tensor(self.linear, 0.0071, 0, -127, 127, torch.int8)
        return there_and_back(F.linear(F.max_pool2d(y, 1).flatten(1), w), 0.05, 7)


def test_pytorch_s_own_quantisation(cache):
    net, x = Converted(), rand(200, 3, 5, 5)
    model = load(net, x[:1])
    ops = [n.op for n in model.graph.nodes]
    assert [(op.lo, op.hi) for op in ops if isinstance(op, QuantizeLinear)] == [(-128, 127)] * 3
    (conv,), (linear,) = ([op for op in ops if isinstance(op, kind)] for kind in (Conv, MatMul))
    assert np.array_equal(conv.quant[0].array, net.conv.numpy())
    assert np.array_equal(linear.quant[0].array.T, net.linear.numpy())
    acc = lutra.compile(net, x[:1], "xcu280", fps=100_000, cache=cache)
    steps = (acc.run(x) - net(x)) / 0.05
    assert (steps.abs() < 1e-5).all()  # the same integers; single precision scales them


def test_a_scale_for_each_channel_of_the_data():
    class Channels(nn.Module):
        def forward(self, x):
            scale, zero = torch.tensor([0.25, 0.5, 1.0]), torch.tensor([0, 1, -2])
            codes = UNIT.quantize_per_channel(x, scale, zero, 1, -8, 7, torch.int8)
            return UNIT.dequantize_per_channel(codes, scale, zero, 1, -8, 7, torch.int8)

    x = rand(4, 3, 5) * 3
    graph = load(Channels(), x).graph
    assert np.array_equal(graph.evaluate(x.numpy())[graph.outputs[0]], Channels()(x).numpy())


class Small(nn.Module):
    """Two layers with a normalisation between them."""

    def __init__(self):
        super().__init__()
        self.first, self.bn, self.last = nn.Linear(12, 16), nn.BatchNorm1d(16), nn.Linear(16, 4)

    def forward(self, x):
        return self.last(F.relu(self.bn(self.first(x))))


@pytest.mark.parametrize("recipe", [
    {"weights": q.Scaled(4), "activations": q.Scaled(4)}, {"weights": q.Scaled(3, per_channel=True), "activations":
                                                           q.Scaled(5)}], ids=["per tensor", "per channel"])
def test_learned_scales(recipe, cache):
    """Real scales round in single precision: the integers are equal, what they are worth is to that precision."""
    torch.manual_seed(0)
    x, net = rand(300, 12), Small().eval()
    q.quantize(net, q.Recipe(elementwise=q.Fixed(8), first_last=4, **recipe))
    q.calibrate(net, [x])
    acc = lutra.compile(net, x[:1], fps=100_000, cache=cache)
    end = acc.lowered.output
    steps = (net(x).detach().double().numpy() - end.offset.array) / end.scale.array
    assert np.array_equal(np.rint(steps), acc.run(x, raw=True)) and np.abs(steps - np.rint(steps)).max() < 0.01


class Signs(nn.Module):
    """Binary and ternary data."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.weight = nn.Parameter(rand(16, 12))

    def forward(self, x):
        x = q.cast(x, 6, 3)
        w = q.cast(self.weight, 4, 2)
        y = F.linear(x, w)
        if self.kind == "binary":
            return torch.ops.lutra.binary(y, torch.tensor(0.5))
        return torch.ops.lutra.ternary(y, torch.tensor(0.25), torch.tensor(1.5))


@pytest.mark.parametrize("kind, op", [("binary", BipolarQuant), ("ternary", MultiThreshold)])
def test_few_values(kind, op, cache):
    net, x = Signs(kind), rand(300, 12)
    assert any(isinstance(n.op, op) for n in load(net, x[:1]).graph.nodes)
    assert (lutra.compile(net, x[:1], fps=100_000, cache=cache).run(x) == net(x)).all()


@pytest.mark.parametrize("function, said", [
    (lambda x: torch.ops.lutra.scaled(x, torch.tensor(0.1), -5, 9), "levels from -5 to 9"),
    (lambda x: torch.ops.lutra.cast(x, x[:, :1] * 2, 4, True, "RND", "SAT"), "computed from the network's data"),
    (lambda x: torch.ops.lutra.ternary(x, torch.ones(3), torch.ones(3)), "one scale"),
])
def test_what_no_quantiser_says(function, said):
    class Net(nn.Module):
        def forward(self, x):
            return function(x)

    with pytest.raises(LutraError, match=said):
        load(Net(), rand(2, 3))
