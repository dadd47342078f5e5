"""Quantised networks as QONNX files: the qonnx package's own execution and Lutra's give the network's outputs."""

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("qonnx")
import torch.nn.functional as F  # noqa: E402
from qonnx.core.modelwrapper import ModelWrapper  # noqa: E402
from qonnx.core.onnx_exec import execute_onnx  # noqa: E402
from torch import nn  # noqa: E402

import lutra  # noqa: E402
import lutra.quant as q  # noqa: E402
from lutra.errors import LutraError  # noqa: E402


@pytest.fixture(autouse=True)
def readable(monkeypatch):
    """qonnx runs each node in ONNX Runtime as a model of onnx's newest version, which that need not read yet."""
    newest = onnx.helper.make_model
    monkeypatch.setattr(onnx.helper, "make_model", lambda graph, **given: newest(graph, **{"ir_version": 10, **given}))


class Net(nn.Module):
    """Normalisation, PReLU, a shortcut, pooling."""

    def __init__(self):
        super().__init__()
        self.first, self.bn, self.prelu = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.PReLU(4)
        self.second, self.last = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.Linear(16, 3)

    def forward(self, x):
        x = self.prelu(self.bn(self.first(x)))
        x = F.relu(self.second(x) + x)
        return self.last(F.max_pool2d(F.avg_pool2d(x, 2), 2).flatten(1))


def rand(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 4 - 2


def quantised(**recipe):
    torch.manual_seed(0)
    net = Net().eval()
    nn.init.uniform_(net.bn.running_var, 0.5, 2)
    nn.init.normal_(net.bn.weight)
    chosen = {"weights": q.Fixed(4), "activations": q.Fixed(4), "elementwise": q.Fixed(6), "first_last": 6, **recipe}
    q.quantize(net, q.Recipe(**chosen))
    q.calibrate(net, [rand(64, 2, 8, 8)])
    return net


def executed(path, x):
    model = ModelWrapper(str(path))
    return execute_onnx(model, {model.graph.input[0].name: x.numpy()})[model.graph.output[0].name]


ROUNDING = ("TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_MIN_INF", "RND_INF", "RND_CONV")
RECIPES = {
    **{r: {"activations": q.Fixed(4, rounding=r), "elementwise": q.Fixed(6, rounding=r)} for r in ROUNDING},
    "symmetric": {"weights": q.Fixed(4, overflow="SAT_SYM"), "elementwise": q.Fixed(6, overflow="SAT_SYM")},
    "k-hot, per channel": {"weights": q.KHot(5, 2, per_channel=True)},
    "per channel": {"weights": q.Fixed(3, per_channel=True)}, "binary": {"weights": q.Binary()},
    "ternary": {"weights": q.Ternary()},
}


@pytest.mark.parametrize("name", RECIPES)
def test_the_file_computes_what_the_network_does(name, tmp_path, cache):
    net, x = quantised(**RECIPES[name]), rand(16, 2, 8, 8) * 1.4
    path = q.export(net, x, tmp_path / "net.onnx")
    wanted = net(x).detach().numpy()
    assert np.array_equal(executed(path, x), wanted)
    assert np.array_equal(lutra.compile(path, "xcu280", fps=10_000, cache=cache).run(x.numpy()), wanted)


def test_quantisers_say_what_the_recipe_does(tmp_path):
    model = onnx.load(q.export(quantised(), rand(1, 2, 8, 8), tmp_path / "net.onnx"))
    onnx.checker.check_model(model)
    domains = {n.domain for n in model.graph.node}
    assert domains == {"", "qonnx.custom_op.general"}
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    quantisers = [n for n in model.graph.node if n.op_type == "Quant"]
    bits = [int(stored[n.input[3]]) for n in quantisers if n.input[0] in stored]
    assert bits == [6, 4, 6]  # weights; the first and the last layer have more
    assert all(np.log2(stored[n.input[1]]) % 1 == 0 for n in quantisers)


@pytest.mark.parametrize("overflow", ["WRAP", "WRAP_SM", "SAT_ZERO"])
def test_what_a_file_cannot_say_is_refused(overflow, tmp_path):
    net = quantised(elementwise=q.Fixed(6, overflow=overflow, signed=True))
    with pytest.raises(LutraError, match=f"no quantiser with overflow {overflow}"):
        q.export(net, rand(1, 2, 8, 8), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())
