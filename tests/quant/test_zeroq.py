"""Images distilled from BatchNorm statistics, sensitivities on them, and the command that needs no data."""

import copy
import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import lutra
import lutra.quant as q
from lutra.cli import call
from lutra.errors import LutraError
from lutra.quant import zeroq
from lutra.quant.search.kept import Kept
from lutra.quant.search.plan import BitPlan
from lutra.report import bits_page

PRIOR = zeroq.Prior((2, 8, 8), (0.0,), (1.0,))
MAKE = '''
import torch
from torch import nn


class Net(nn.Module):
    """Two convolutions that read one tensor, one behind them, and a linear layer."""

    def __init__(self, channels=2):
        super().__init__()
        self.a, self.b = nn.Conv2d(channels, 4, 3, padding=1, bias=False), nn.Conv2d(channels, 4, 1, bias=False)
        self.na, self.nb, self.nc = (nn.BatchNorm2d(4) for _ in range(3))
        self.c, self.last = nn.Conv2d(4, 4, 3, stride=2, bias=False), nn.Linear(4, 3)

    def forward(self, x):
        x = torch.relu(self.na(self.a(x))) + torch.relu(self.nb(self.b(x)))
        return self.last(torch.relu(self.nc(self.c(x))).mean((2, 3)))


def make():
    torch.manual_seed(0)
    net = Net()
    for _ in range(30):
        net(torch.rand(32, 2, 8, 8))
    return net.eval(), torch.zeros(1, 2, 8, 8)
'''
SCOPE = {"__name__": "made"}
exec(MAKE, SCOPE)


def network():
    return SCOPE["make"]()[0]


def fresh(seed):
    return torch.rand(16, 2, 8, 8, generator=torch.Generator().manual_seed(seed))


def seen_by(net, name, x):
    """What a module gets, (N, channels, places)."""
    found = []
    hook = net.get_submodule(name).register_forward_pre_hook(lambda _, args: found.append(args[0]))
    with torch.no_grad():
        net(x)
    hook.remove()
    return found[0].flatten(2)


def test_the_loss_falls_a_hundredfold_and_statistics_match():
    net = network().train()
    net.a.weight.requires_grad_(False)
    before = copy.deepcopy(net.state_dict())
    found = zeroq.distill(net, PRIOR, count=8, steps=150, seed=1)
    assert found.images.shape == (8, 2, 8, 8) and found.images.min() >= 0 and found.images.max() <= 1
    assert found.loss < found.before / 100
    assert net.training and not net.a.weight.requires_grad and net.c.weight.requires_grad
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    for name in ("na", "nb", "nc"):
        x, norm = seen_by(net.eval(), name, found.images), net.get_submodule(name)
        assert (x.mean((0, 2)) - norm.running_mean).square().sum() < found.loss
        assert (x.transpose(0, 1).flatten(1).std(1, correction=0) - norm.running_var.sqrt()).abs().max() < 0.05


def test_the_same_seed_gives_the_same_images():
    first, again, other = (zeroq.distill(network(), PRIOR, 4, 5, seed=s).images for s in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize(("statistic", "batch", "own"), [("batch", 96, 4), ("image", 96, 1), ("batch", 2, 2)])
def test_the_loss_is_the_papers(statistic, batch, own):
    """Of the noise that it begins with, by NumPy, of the input and one normalisation; the mean over batches."""
    norm = nn.BatchNorm2d(2).eval()
    norm.running_mean.copy_(torch.tensor([0.5, -1]))
    norm.running_var.copy_(torch.tensor([4, 0.25]))
    prior = zeroq.Prior.normalised((2, 4, 4), (0.5, 0.5), (0.25, 0.25))
    assert prior.low == (-2.0, -2.0) and prior.high == (2.0, 2.0) and prior.standard
    x = prior.noise(4, 7).numpy()
    losses = []
    for part in (x[i : i + own] for i in range(0, 4, own)):
        mean, deviation = part.mean((0, 2, 3)), part.std((0, 2, 3))
        losses.append(((mean - [0.5, -1]) ** 2 + (deviation - [2, 0.5]) ** 2).sum()
                      + (mean**2 + (deviation - 1) ** 2).sum())
    seen = []
    found = zeroq.distill(norm, prior, 4, 5, statistic, seed=7, batch=batch, start="noise", watch=seen.append)
    assert found.before == pytest.approx(sum(losses) / len(losses), rel=1e-4)
    assert found.loss < found.before and found.images.shape == x.shape
    assert [(s.done, s.total) for s in seen] == [(k, -(-4 // batch) * 5) for k in range(1, -(-4 // batch) * 5 + 1)]


def test_scenes_differ_as_photographs_do():
    prior = zeroq.Prior((3, 16, 24), (-9.0,), (9.0,), standard=True)
    x = prior.scenes(1000, 0)
    assert torch.equal(x, prior.scenes(1000, 0)) and not torch.equal(x, prior.scenes(1000, 1))
    torch.testing.assert_close(x.mean((0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(x.std((0, 2, 3)), torch.ones(3), atol=1e-4, rtol=0)
    assert torch.corrcoef(x.transpose(0, 1).reshape(3, -1))[0, 1].item() == pytest.approx(0.8, abs=0.02)
    assert 0.15 < x.mean((2, 3)).var(0).mean() < 0.35  # between images, as bright ones differ from dark ones
    for axis in (2, 3):  # leaves are opaque, of one colour, as wide as high
        same = (x.narrow(axis, 1, 15) == x.narrow(axis, 0, 15)).float().mean()
        assert 0.55 < same < 0.8
        power = torch.fft.fft(x, dim=axis).abs().square().mean((0, 1, 5 - axis))
        assert 1.5 < power[1] / power[2] < 3 and 1.5 < power[2] / power[4] < 3  # about 1/frequency along a line


def test_scenes_are_within_the_range_and_noise_where_there_are_no_places():
    prior = zeroq.Prior((2, 8, 8), (0.0, 1.0), (1.0, 5.0))
    x = prior.scenes(200, 3)
    assert bool((x >= prior.edges()[0]).all() and (x <= prior.edges()[1]).all())
    torch.testing.assert_close(x.mean((0, 2, 3)), torch.tensor([0.5, 3.0]), atol=0.05, rtol=0)
    torch.testing.assert_close(x.std((0, 2, 3)), torch.tensor([0.25, 1.0]), atol=0, rtol=0.1)  # clamped
    assert prior.deviation == (0.25 + 1) / 2
    for shape in ((5,), (3, 1, 1)):
        flat = zeroq.Prior(shape, (0.0,), (1.0,))
        assert torch.equal(flat.scenes(4, 1), flat.noise(4, 1))
    line = zeroq.Prior((2, 32), (-9.0,), (9.0,), standard=True).scenes(500, 2)
    assert line.shape == (500, 2, 32) and 0.5 < (line[..., 1:] == line[..., :-1]).float().mean() < 0.8


@pytest.mark.parametrize("change, what", [
    (lambda n: n.na.running_var.fill_(float("nan")), "na: its statistics are not finite"),
    (lambda n: n.nc.running_var.fill_(-1), "nc: .*negative"),
    (lambda n: [setattr(n, k, nn.Identity()) for k in ("na", "nb", "nc")], "no BatchNorm"),
    (lambda n: [setattr(n, k, nn.BatchNorm2d(4, track_running_stats=False)) for k in ("na", "nb", "nc")], "no BatchN"),
])
def test_networks_without_statistics_are_refused(change, what):
    net = network()
    change(net)
    with pytest.raises(LutraError, match=what):
        zeroq.distill(net, PRIOR, 2, 2)


def test_bad_options_are_refused():
    narrow = nn.Sequential(nn.Flatten(), nn.Linear(128, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)).eval()
    with pytest.raises(LutraError, match=r'2: statistics of 1 number.*"batch"'):
        zeroq.distill(narrow, PRIOR, 4, 1, "image")
    assert zeroq.distill(narrow, PRIOR, 4, 1).steps == 1
    for work, what in ((lambda: zeroq.distill(network(), PRIOR, 0), "0 images"),
                       (lambda: zeroq.distill(network(), PRIOR, batch=0), "batches of 0"),
                       (lambda: zeroq.distill(network(), PRIOR, statistic="both"), "'both'"),
                       (lambda: zeroq.distill(network(), PRIOR, start="zero"), "'zero'"),
                       (lambda: zeroq.Prior((2, 8), (1.0,), (0.5,)), "low lies below high"),
                       (lambda: zeroq.Prior((2, 8), (0.0,) * 3, (1.0,)), "3 numbers of low"),
                       (lambda: zeroq.Prior((), (0.0,), (1.0,)), "shape"),
                       (lambda: zeroq.Options(weights=(4, 4)), "weights"),
                       (lambda: zeroq.Options(activations=()), "activations")):
        with pytest.raises(LutraError, match=what):
            work()


def divergence(net, other, x):
    with torch.no_grad():
        a, b = (n(x).double().log_softmax(1) for n in (net, other))
    return F.kl_div(b, a, reduction="batchmean", log_target=True).item()


def test_sensitivities_are_divergences_of_one_layer_cast_alone():
    net, x = network(), fresh(0).contiguous(memory_format=torch.channels_last)  # the same order of sums
    base = q.Recipe(q.Fixed(8), q.Fixed(8, fraction=3))
    found = zeroq.sensitivities(net, x, ["a", "c"], (2, 3, 24), (4, 24), base, "max")
    other = copy.deepcopy(net)
    point = 3 - 1 - torch.ceil(torch.log2(net.c.weight.abs().max()))
    with torch.no_grad():
        other.c.weight.copy_(q.cast(net.c.weight, 3, point))
    assert found.weights["c"][3] == pytest.approx(divergence(net, other, x), rel=1e-9)
    assert found.weights["c"][3] > 0 == pytest.approx(found.weights["c"][24], abs=1e-9)
    other = copy.deepcopy(net)
    other.c.register_forward_pre_hook(lambda _, args: (q.cast(args[0], 4, 3, signed=False),))
    assert found.activations["c"][4] == pytest.approx(divergence(net, other, x), rel=1e-9)
    assert found.activations["c"][4] > 1e-6
    assert found.weights["a"][2] > found.weights["a"][3] and divergence(net, network(), x) == 0


def test_sensitivities_need_logits():
    net = network()
    net.last = nn.Linear(4, 1)
    with pytest.raises(LutraError, match="logits"):
        zeroq.sensitivities(net, fresh(0), ["a"], (4,), (8,), zeroq.BASE)
    net = network()
    net.last.bias.data.fill_(float("inf"))
    with pytest.raises(LutraError, match="not finite"):
        zeroq.sensitivities(net, fresh(0), ["a"], (4,), (8,), zeroq.BASE)


def test_what_is_kept_is_not_computed_again(tmp_path):
    net, runs = network(), []
    hook = net.register_forward_hook(lambda *_: runs.append(1))
    options = zeroq.Options(weights=(2, 4), count=4, steps=3)
    first = zeroq.search(net, PRIOR, {"size": 200}, options=options, keep=tmp_path)
    whole = len(runs)
    assert whole == 1 + 4 + 1 + 4 * 3  # layers, distillation, the reference, 4 layers of 3 casts
    stopped = next(tmp_path.glob("*.json"))
    stopped.write_text(json.dumps(dict(list(json.loads(stopped.read_text()).items())[:7])))
    again = zeroq.search(net, PRIOR, {"size": 200}, options=options, keep=tmp_path)
    assert again.plan == first.plan and torch.equal(again.images, first.images)
    assert len(runs) - whole == 1 + 1 + 5
    hook.remove()
    with torch.no_grad():
        net.a.weight[0, 0, 0, 0] += 1  # another network has other numbers
    zeroq.search(net, PRIOR, {"size": 200}, options=options, keep=tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == len(list(tmp_path.glob("*.pt"))) == 2
    stopped.write_text("[]")
    with pytest.raises(LutraError, match="damaged"):
        Kept(tmp_path, stopped.stem)


def test_a_plan_is_within_its_limit_and_better_than_uniform_bits():
    found = zeroq.search(network(), PRIOR, {"size": 123.0},
                         options=zeroq.Options(activations=(4, 8), count=8, steps=20))
    plan = found.plan
    uniform = {(u.bits.weights, u.bits.activations): u for u in plan.uniform}
    assert plan.cost["size"] <= 123 and uniform[4, 8].cost["size"] == 118
    assert plan.score <= uniform[4, 8].score
    assert plan.bits["a"] == plan.bits["b"]  # they read one tensor
    costs, scores = zip(*plan.frontier, strict=True)
    assert list(costs) == sorted(costs) and list(scores) == sorted(scores, reverse=True)
    assert (plan.cost["size"], plan.score) in plan.frontier
    free = zeroq.search(network(), PRIOR, {"size": 123.0}, images=found.images, ties=(),
                        options=zeroq.Options(activations=(4, 8)))
    assert free.plan.score <= plan.score


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(MAKE)
    return f"{path}:make"


def command(capsys, *arguments):
    code = call(["quantize", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


SHORT = ("--zero-shot", "--range", 0, 1, "--images", 4, "--steps", 3)


def test_the_command_writes_what_build_reads(script, tmp_path, capsys):
    out = tmp_path / "out"
    code, said, _ = command(capsys, script, *SHORT, "--bits", 4, "--weights", "2,4,6", "-o", out, "--json")
    told = json.loads(said)
    assert code == 0 and told["refused"] is None and told["next"] == f"lutra build {out / 'network.onnx'}"
    plan = BitPlan.read(out / "plan.json")
    assert plan.cost["size"] <= plan.limits["size"] == (72 + 8 + 144 + 12) / 2
    net = q.quantize(network(), plan.recipe(zeroq.BASE))
    net.load_state_dict(torch.load(out / "network.pt", weights_only=True))
    net.eval()
    x = fresh(3)[:4]
    with torch.no_grad():
        expected = net(x)
    found, images = plan.measured, torch.load(next((out / "search").glob("*.pt")), weights_only=True)
    with torch.no_grad():
        answers = [n(images).double().log_softmax(1) for n in (net, network())]
    assert found.chosen == pytest.approx(float(F.kl_div(*answers, log_target=True, reduction="batchmean")), abs=1e-12)
    assert (found.by, found.count, found.floating) == ("divergence", 4, 0.0)
    assert [bits.weights for bits, _ in found.uniform] == [6, 4] and found.uniform[0][1] < found.uniform[1][1]
    assert told["report"] == str(out / "report.html")
    report = (out / "report.html").read_text()
    assert report == bits_page(plan.data()) and report.count('class="mark"') == 4  # a chosen cell for each layer
    compiled = lutra.compile(out / "network.onnx").run(x.numpy())
    assert torch.equal(torch.as_tensor(compiled, dtype=torch.float64), expected.double())


def test_a_plan_is_edited_and_handed_back(script, tmp_path, capsys):
    out = tmp_path / "out"
    bits = {p: {"weights": w, "activations": 8} for p, w in (("a", 3), ("b", 7), ("c", 2), ("last", 8))}
    (tmp_path / "mine.json").write_text(json.dumps({"method": "by hand", "bits": bits}))
    code, said, _ = command(capsys, script, *SHORT, "--plan", tmp_path / "mine.json", "-o", out)
    assert code == 0 and "next: lutra build" in said
    assert BitPlan.read(out / "plan.json").measured is None
    net = q.quantize(network(), BitPlan.read(out / "plan.json").recipe(zeroq.BASE))
    net.load_state_dict(torch.load(out / "network.pt", weights_only=True))
    widths = {row.name: row.width for row in q.formats(net)}
    assert [widths[f"{p} (weight)"] for p in bits] == [3, 7, 2, 8]
    assert "Not measured" in (out / "report.html").read_text()


@pytest.mark.parametrize("arguments, what", [
    ((), "no way of choosing"), (("--zero-shot", "--bits", 4), "what range"), (SHORT, "nothing limits"),
    ((*SHORT, "--bits", 4, "--size", 9), "give one"), ((*SHORT, "--size", 9), "least that can be reached is 59"),
    ((*SHORT, "--bits", 4, "--weights", "a"), "'a' is no list"), ((*SHORT, "--plan", "none.json"), "cannot be read"),
    (("--zero-shot", "--net", "resnet8", "--bits", 4), "checkpoint"), (("--zero-shot", "--net", "nothing"), "nothing"),
])
def test_what_the_user_can_mend_is_said(script, tmp_path, capsys, arguments, what):
    code, _, err = command(capsys, script, *arguments, "-o", tmp_path / "out")
    assert code == 2 and what in err


def test_a_checkpoint_of_the_zoo(tmp_path, capsys):
    from lutra.train.subject import of_zoo
    from lutra.zoo.trainable import trainable

    plan = trainable("small_cnn")
    torch.save({"state_dict": {f"module.{k}": v for k, v in plan.make(plan.bits).state_dict().items()}},
               tmp_path / "net.pt")
    subject = of_zoo("small_cnn", tmp_path / "net.pt")
    net, prior = subject.net, subject.prior
    assert prior.shape == (1, 28, 28) and prior.high == (255 / 256,) and not prior.standard
    assert torch.equal(next(net.parameters()), torch.load(tmp_path / "net.pt")["state_dict"][
        "module." + next(iter(net.state_dict()))])
    code, _, err = command(capsys, tmp_path / "net.pt", "--net", "resnet8", "--zero-shot", "--bits", 4)
    assert code == 2 and "not this network's weights" in err
