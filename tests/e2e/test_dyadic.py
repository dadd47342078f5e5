"""A mixed plan with real scales (HAWQ-V3): each becomes integers m / 2**e, and the integers are the network's own."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

import lutra  # noqa: E402
import lutra.quant as q  # noqa: E402
from lutra.ops.add.op import Add  # noqa: E402
from lutra.ops.requant.op import Requant  # noqa: E402
from lutra.ops.rescale.op import Rescale  # noqa: E402
from lutra.ops.threshold.op import Threshold  # noqa: E402
from lutra.quant import hawq  # noqa: E402
from lutra.quant.kinds import Scaled  # noqa: E402
from lutra.quant.search.costs import Bits  # noqa: E402

OPTIONS = [Bits(w, a) for w in (2, 3, 4, 6) for a in (4, 6)]


class Block(nn.Module):
    """Two convolutions beside a shortcut, which is a convolution where the width changes."""

    def __init__(self, width, out, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
        self.down = nn.Sequential()
        if stride > 1:
            self.down = nn.Sequential(nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + self.down(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.first, self.second, self.last = Block(4, 4, 1), Block(4, 6, 2), nn.Linear(6, 3)

    def forward(self, x):
        x = self.second(self.first(torch.relu(self.bn(self.conv(x)))))
        return self.last(x.mean((2, 3)))


@pytest.fixture(scope="module")
def found():
    """The network quantised by a mixed plan, the plan, and inputs."""
    torch.manual_seed(0)
    net, x = Net(), torch.randn(96, 1, 6, 6)
    for k in range(20):
        net(x[k : k + 48] * 1.3)
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.uniform_(m.weight, 0.4, 1.6)
            nn.init.uniform_(m.bias, -0.3, 0.3)
    net.eval()
    batches = [(x[:48], torch.randint(3, (48,)))]
    chosen = hawq.search(net, batches, OPTIONS, {"size": 330.0, "bitops": 250e3}, probes=8, base=hawq.DYADIC).plan
    base = replace(hawq.DYADIC, overrides={"last": q.Recipe(q.Fixed(8), q.Fixed(8))})  # so outputs need no real scale
    q.quantize(net, chosen.recipe(base))
    q.calibrate(net, [x[:48]], "mse")
    return net.eval(), chosen, x


@pytest.fixture(scope="module")
def acc(found, cache):
    return lutra.compile(found[0], found[2][:2], device="ecp5-85k", fps=2000, cache=cache)


def test_bits_are_mixed_and_those_of_one_input_are_tied(found):
    bits = found[1].bits
    assert len({b.weights for b in bits.values()}) > 1
    assert bits["second.conv1"] == bits["second.down.0"]
    widths = {row.name: row.width for row in q.formats(found[0])}
    assert all(widths[f"{path} (weight)"] == b.weights for path, b in bits.items())


def test_no_scale_but_the_last_layer_s_is_a_power_of_two(found):
    scales = [s.unit() for s in q.sites(found[0]) if isinstance(s.form, Scaled)]
    assert len(scales) >= 20
    assert all((torch.log2(s) % 1 != 0).any() for s in scales)


def test_every_step_of_a_scale_is_dyadic_or_thresholds(found, acc):
    ops = [n.op for n in acc.plan.graph.nodes]
    steps = [op for op in ops if isinstance(op, Rescale | Requant | Threshold)]
    assert sum(isinstance(op, Add) for op in ops) == 2
    dyadic = [op for op in steps if isinstance(op, Rescale) and op.shift]
    assert len(dyadic) >= 6 and any((op.mul.array & (op.mul.array - 1)).any() for op in dyadic)
    assert max(int(np.abs(op.mul.array).max()) for op in dyadic) < 1 << 31  # narrower than HAWQ-V3's m


def test_integers_equal_the_network(found, acc):
    net, _, x = found
    with torch.no_grad():
        expected = net(x).double().numpy()
    assert len(np.unique(expected)) > 50
    np.testing.assert_array_equal(np.asarray(acc.run(x.numpy()), np.float64), expected)


def test_so_does_the_hardware(found, acc):
    assert acc.verify(found[2][:3].numpy(), stalls=0.3) == 9


def test_so_does_the_file(found, tmp_path):
    net, _, x = found
    path = q.export(net, x[:1], tmp_path / "net.onnx")
    with torch.no_grad():
        expected = net(x).double().numpy()
    np.testing.assert_array_equal(np.asarray(lutra.compile(path).run(x.numpy()), np.float64), expected)
