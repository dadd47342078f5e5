"""From a torch module to an accelerator: integers and RTL give the network's own outputs, on every bit."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
import train_fixed_point  # noqa: E402  (of examples/)
from torch import nn  # noqa: E402

import lutra  # noqa: E402
import lutra.quant as q  # noqa: E402
from lutra.cli import call  # noqa: E402
from lutra.errors import LutraError  # noqa: E402


def rand(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 4 - 2


@pytest.fixture(scope="module")
def digits():
    return train_fixed_point.trained(epochs=1)


@pytest.fixture(scope="module")
def acc(digits, cache):
    net, x, _ = digits
    return lutra.compile(net, x[:1], device="ecp5-85k", fps=50_000, cache=cache)


def test_what_a_user_does(digits, acc):
    net, x, _ = digits
    y = acc.run(x)
    assert isinstance(y, torch.Tensor) and y.dtype == torch.float64
    assert (y == net(x)).all()
    assert np.array_equal(acc.run(x.numpy()), net(x).detach().numpy())
    assert torch.equal(acc.reference(x), y)


def test_the_rtl_gives_the_same(digits, acc):
    net, x, _ = digits
    assert (acc.simulate(x[:3], stalls=0.3) == net(x[:3])).all()
    assert acc.verify(x[:10]) == 100


def test_it_is_saved_and_loaded(digits, acc, cache, tmp_path):
    _, x, _ = digits
    again = lutra.load(acc.save(tmp_path / "build"), cache=cache)
    assert torch.equal(again.run(x[:50]), acc.run(x[:50]))
    assert again.facts == acc.facts and acc.facts.name == "Net" and len(acc.facts.sha256) == 64
    assert "train_fixed_point.py:" in (tmp_path / "build" / "report.html").read_text()


def test_places_are_modules_and_lines(digits, acc):
    net, x, _ = digits
    rows = lutra.explain(net, x[:1]).rows
    assert acc.input_names == ("x",)
    first = train_fixed_point.Net.forward.__code__.co_firstlineno + 1
    assert [r.at for r in rows if r.operation == "conv"] == [
        f"conv2d 'conv{k}' (train_fixed_point.py:{first + k})" for k in (1, 2)]
    assert any(r.at.startswith("cast 'bn2' (train_fixed_point.py") for r in rows)
    assert len({(r.at, r.operation) for r in rows}) == len(rows)
    assert not any(r.became in ("pending", "not looked at") for r in rows)


def prepared(net, x, **recipe):
    """Statistics that are not those of a fresh network, then casts."""
    torch.manual_seed(0)
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.uniform_(m.weight, -1.5, 1.5)
            nn.init.normal_(m.bias)
            nn.init.normal_(m.running_mean)
            nn.init.uniform_(m.running_var, 0.3, 3.0)
    chosen = {"weights": q.Fixed(4), "activations": q.Fixed(4), "elementwise": q.Fixed(8), "first_last": 6, **recipe}
    net.eval()
    q.quantize(net, q.Recipe(**chosen))
    q.calibrate(net, [x])
    return net


class Mixed(nn.Module):
    """Depthwise and strided convolutions, PReLU, a mean, a shortcut that grows, an excitation, several outputs."""

    def __init__(self):
        super().__init__()
        self.stem, self.bn = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.wide, self.prelu = nn.Conv2d(8, 8, 3, 2, 1, groups=8), nn.PReLU(8)
        self.point, self.last = nn.Conv2d(8, 16, 1), nn.Linear(16, 5)
        self.gain = nn.Parameter(torch.tensor([0.3, 1.7, -0.6, 1.1, 0.9, -1.2, 0.5, 2.0]).view(8, 1, 1))

    def forward(self, x):
        x = F.hardtanh(self.bn(self.stem(x)), -1.0, 1.5, inplace=True)
        y = self.prelu(self.wide(x) * self.gain)
        y = torch.relu_(self.point(y))
        y += F.pad(F.avg_pool2d(x, 2), (0, 0, 0, 0, 4, 4))
        a, b = y.chunk(2, dim=1)
        y = torch.cat([b, a - b], 1)
        return self.last(y.mean((2, 3))), y.amax((2, 3))


class Excited(nn.Module):
    """Channels weighted by what a mean over them says; an activation that is no straight line."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 5)
        self.down, self.up = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)

    def forward(self, x):
        x = F.relu6(self.first(x))
        x = x * F.hardsigmoid(self.up(F.silu(self.down(F.adaptive_avg_pool2d(x, 1)))))
        return self.last(x.mean((2, 3)))


class Sequence1d(nn.Module):
    """A network of one spatial axis."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv1d(2, 6, 5, padding=2), nn.BatchNorm1d(6), nn.ReLU(), nn.MaxPool1d(2),
                                  nn.Conv1d(6, 4, 3, stride=2), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 3))

    def forward(self, x):
        return self.body(x)


class ByHand(nn.Module):
    """Two branches from an input each, every cast in the user's own forward; of the sum the low bits alone are kept."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(8, 6), nn.Linear(5, 6), nn.Linear(6, 4)

    def forward(self, x, z):
        a, b, c = (q.cast(layer.weight, 4, 3) for layer in (self.a, self.b, self.c))
        bias = q.cast(self.a.bias, 8, 6)
        x, z = q.cast(x, 5, 3), q.cast(z, 4, 2, "TRN", "SAT_SYM")
        y = q.cast(F.linear(x, a, bias), 8, 4, "RND_CONV") + q.cast(F.linear(z, b), 7, 4, "RND_MIN_INF")
        return F.linear(q.cast(y, 6, 3, "TRN_ZERO", "WRAP"), c)


@pytest.mark.parametrize("recipe", [
    {}, {"activations": q.Fixed(3, overflow="SAT_SYM"), "elementwise": q.Fixed(6, rounding="RND_CONV")},
    {"weights": q.KHot(6, 2), "elementwise": q.Fixed(8, rounding="TRN", overflow="SAT")},
    {"weights": q.Fixed(3, per_channel=True), "activations": q.Fixed(5, rounding="RND_ZERO")},
    {"weights": q.Binary()}, {"weights": q.Ternary()},
], ids=["fixed", "modes", "k-hot", "per channel", "binary", "ternary"])
@pytest.mark.parametrize("make, shape", [(Mixed, (3, 8, 8)), (Sequence1d, (2, 16))])
def test_networks_are_exact(make, shape, recipe, cache):
    x = rand(64, *shape)
    net = prepared(make(), x, **recipe)
    acc = lutra.compile(net, x[:1], "xcu280", fps=10_000, cache=cache)
    ours, theirs = acc.run(x * 1.3), net(x * 1.3)
    for a, b in zip(*((v if isinstance(v, tuple) else (v,)) for v in (ours, theirs)), strict=True):
        assert a.shape == b.shape and (a == b).all()


def test_excitation(cache):
    x = rand(64, 3, 8, 8)
    net = prepared(Excited(), x)
    assert (lutra.compile(net, x[:1], "xcu280", fps=10_000, cache=cache).run(x * 1.3) == net(x * 1.3)).all()


def test_several_inputs(cache):
    x, z = rand(32, 8), rand(32, 5)
    torch.manual_seed(0)
    net = ByHand()
    acc = lutra.compile(net, (x[:1], z[:1]), cache=cache, fps=10_000)
    assert acc.input_names == ("x", "z")
    assert (acc.run({"z": z * 3, "x": x * 3}) == net(x * 3, z * 3)).all()
    assert acc.verify((x[:4], z[:4])) == 16


def test_a_network_without_casts_is_refused_at_its_line():
    line = Sequence1d.forward.__code__.co_firstlineno + 1
    with pytest.raises(LutraError, match=rf"conv1d 'body.0' \(test_torch_front.py:{line}\).*nothing in the model is"):
        lutra.compile(Sequence1d(), rand(1, 2, 16))


def test_an_example_of_the_wrong_shape():
    with pytest.raises(LutraError, match=r"\(1, 3, 16\).*expected input\[1, 3, 16\] to have 2 channels"):
        lutra.compile(Sequence1d(), rand(1, 3, 16))


MAKE = '''
import torch
import train_fixed_point

def make():
    torch.manual_seed(0)
    net, x, _ = train_fixed_point.trained(epochs=0)
    return net, x[:1]

def broken():
    return 1 / 0

alone = 3
'''


def test_a_function_on_the_command_line(tmp_path, cache, capsys):
    (tmp_path / "net.py").write_text(MAKE)
    made = f"{tmp_path / 'net.py'}:make"
    assert call(["build", made, "--fps", "50000", "-o", str(tmp_path / "b"), "--cache", str(cache), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["model"]["name"] == "Net" and facts["throughput"]["fps"] >= 50_000
    assert call(["explain", made, "--json"]) == 0
    assert "train_fixed_point.py" in capsys.readouterr().out


@pytest.mark.parametrize("name, said", [
    ("net.py:broken", "net.py:11: ZeroDivisionError: division by zero"), ("net.py:alone", "no function 'alone'"),
    ("other.py:make", "no such file"), ("net.py:len_", "no function 'len_'"), ("net.py:dict_of", "gives a dict"),
])
def test_what_a_function_may_do_wrong(name, said, tmp_path, capsys):
    (tmp_path / "net.py").write_text(f"{MAKE}\ndict_of = dict\n")
    assert call(["build", str(tmp_path / name)]) == 2
    text = " ".join(capsys.readouterr().err.split())
    assert said in text, text


class Bare(nn.Module):
    """No normalisation: accumulators of 20 bits go into ReLU, sums and means as they are."""

    def __init__(self):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(3, 24, 3, padding=1), nn.Conv2d(24, 24, 3, padding=1)
        self.fc = nn.Linear(24, 10)

    def forward(self, x):
        x = F.relu(self.c1(x))
        x = x + F.relu6(self.c2(x))
        return self.fc(F.avg_pool2d(F.relu(self.c2(x)), 4).flatten(1))


@pytest.mark.parametrize("bits", [4, 8])
def test_wide_accumulators_go_through_relu_as_they_are(bits, cache):
    torch.manual_seed(0)
    net, x = Bare(), torch.randn(20, 3, 4, 4)
    q.quantize(net, q.Recipe(weights=q.Fixed(bits), activations=q.Fixed(bits), elementwise=q.Fixed(8), first_last=8))
    q.calibrate(net, [x])
    net.eval()
    acc = lutra.compile(net, x[:1], device="xcu280", fps=1000, cache=cache)
    assert any(p.form == "clip" for p in acc.lowered.proofs)
    assert (acc.run(x) == net(x)).all()
    assert (acc.simulate(x[:2], stalls=0.2, seed=0) == net(x[:2])).all()
