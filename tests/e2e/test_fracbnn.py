"""FracBNN, a block of torch operators and the whole network: source, integers and RTL equal on every bit, gates too."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

import lutra  # noqa: E402
import lutra.quant as q  # noqa: E402
from lutra.front import load  # noqa: E402
from lutra.ops.gated.op import MASKED, Gated  # noqa: E402
from lutra.ops.matmul.op import MatMul  # noqa: E402
from lutra.quant.scaled import binary  # noqa: E402
from lutra.rules.lower import lower  # noqa: E402
from lutra.zoo.nets.fracbnn import FracBNN, recipe  # noqa: E402
from lutra.zoo.trainable import Bits  # noqa: E402

CHANNELS, SIZE = 8, 5


class Conv(nn.Module):
    """The convolution of two planes, the second gated by the first."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(CHANNELS, CHANNELS, 3, 3))
        self.threshold = nn.Parameter(torch.linspace(-9.5, 12, CHANNELS).view(-1, 1, 1))
        self.register_buffer("one", torch.tensor(1.0))

    def sums(self, x):
        weight, first = binary(self.weight, self.one), binary(x, self.one)
        second = binary(x - first * (2 / 3), self.one)
        return F.conv2d(first, weight, padding=1), F.conv2d(second, weight, padding=1)

    def forward(self, x):
        first, second = self.sums(x)
        return 2 * first + (first > self.threshold).to(first.dtype) * second


class Block(nn.Module):
    """Convolution, BatchNorm, RPReLU, shortcut, BatchNorm."""

    def __init__(self):
        super().__init__()
        self.conv = Conv()
        self.bn1, self.bn2 = nn.BatchNorm2d(CHANNELS), nn.BatchNorm2d(CHANNELS)
        self.prelu = nn.PReLU(CHANNELS)
        self.shift, self.after = (nn.Parameter(torch.randn(CHANNELS, 1, 1)) for _ in range(2))
        with torch.no_grad():
            self.prelu.weight.uniform_(0.1, 0.5)
            for bn in (self.bn1, self.bn2):
                bn.running_mean.uniform_(-2, 2)
                bn.running_var.uniform_(1, 60)

    def forward(self, x):
        x = q.cast(x, 12, 5)
        y = self.bn1(self.conv(x))
        return self.bn2(self.prelu(y - self.shift) + self.after + x)


@pytest.fixture(scope="module")
def block():
    torch.manual_seed(0)
    net, x = Block(), torch.randn(40, CHANNELS, SIZE, SIZE)
    recipe = q.Recipe(q.Fixed(8), q.Fixed(8), q.Fixed(12, 5, signed=True), multipliers=q.Fixed(12),
                      overrides={"conv": None})
    net = q.quantize(net, recipe)
    q.calibrate(net, [x])
    return net.eval(), torch.floor(x * 32) / 32


def test_source_integers_and_rtl_are_equal(block, cache):
    net, x = block
    acc = lutra.compile(net, x[:2], device="ecp5-85k", cache=cache)
    assert torch.equal(acc.run(x), net(x))
    assert torch.equal(acc.simulate(x[:6], stalls=0.3), net(x[:6]))
    assert "lutra_gated" in [i.block.module for i in acc.netlist.instances]


def test_the_gates_are_those_of_the_source(block):
    """Both products are one unit of both planes, three thresholds before it; as many gates are open as in torch."""
    net, x = block
    low = lower(load(net, x[:2]).graph, None, "ecp5")
    (node,) = [n for n in low.graph.nodes if isinstance(n.op, Gated)]
    assert not any(isinstance(n.op, MatMul) for n in low.graph.nodes)
    assert node.args[0].out.range == MASKED
    values = low.graph.evaluate((x * 32).numpy().transpose(0, 2, 3, 1).astype(np.int64))
    opened = node.op.gates(values[node.args[0]])
    with torch.no_grad():
        first, _ = net.conv.sums(x)
        expected = (first > net.conv.threshold).numpy().transpose(0, 2, 3, 1)
    assert np.array_equal(opened, expected)
    assert int(opened.sum()) == int(expected.sum())
    assert 0.2 < opened.mean() < 0.8


def test_the_whole_network_with_its_encoder(cache, rng, tmp_path):
    """8 layers of 4, 8 and 16 channels: from pixels to logits nothing is left to the host."""
    torch.manual_seed(0)
    net = FracBNN(1, width=0.25)
    x = torch.from_numpy(rng.integers(0, 256, (40, 3, 32, 32))).float() / 256
    for _ in range(3):  # statistics of normalisation
        net(x)
    q.quantize(net, recipe(Bits(1, 2, 16)))
    q.calibrate(net, [x[:20]])
    acc = lutra.compile(net.eval(), x[:1], device="ecp5-85k", fps=300, cache=cache)
    with torch.no_grad():
        expected = net(x)
    assert torch.equal(acc.run(x), expected)
    assert torch.equal(acc.simulate(x[:1]), expected[:1])
    kinds = [n.op.kind for n in acc.lowered.graph.nodes]
    assert kinds.count("gated") == 6 and kinds.count("matmul") == 2
    assert "reorder" not in kinds
    written = lower(load(q.export(net, x[:1], tmp_path / "fracbnn.onnx")).graph, None, "ecp5")
    assert [n.op.kind for n in written.graph.nodes].count("gated") == 6
    values = written.graph.evaluate(written.input.integers(x[:4].numpy()))
    assert np.array_equal(written.output.real(values[written.graph.outputs[0]]), expected[:4].numpy())
