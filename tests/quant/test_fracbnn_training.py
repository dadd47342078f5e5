"""FracBNN: the module against a reference in integers alone, with the gate's counts; what an exported graph shows."""

from collections import Counter

import numpy as np
import pytest
import torch

import lutra.quant as q
from lutra.zoo.nets.fracbnn import FracBNN, FractionalConv, Thermometer, recipe
from lutra.zoo.trainable import Bits

UNITS = 128  # of a feature map, ap_fixed<16, 9>


def integer_conv(x, weight, stride):
    """A 3x3 convolution of int64 (N, C, H, W), which counts nothing beyond the border."""
    n, _, height, width = x.shape
    padded = np.zeros((n, x.shape[1], height + 2, width + 2), np.int64)
    padded[:, :, 1:-1, 1:-1] = x
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))[:, :, ::stride, ::stride]
    return np.einsum("nchwij,ocij->nohw", windows, weight.astype(np.int64))


def reference(x, weight, threshold, stride):
    """Thirds of the convolution of feature maps in units of 1/128, and how often the gate opens for each channel."""
    level = np.searchsorted([-86, -1, 85], x)  # x > -86: q >= 1, as -86 / 128 < -2/3 < -85 / 128
    high, low = 2 * (level // 2) - 1, 2 * (level % 2) - 1
    first = integer_conv(high, weight, stride)
    opened = first > np.floor(threshold).astype(np.int64)
    return 2 * first + opened * integer_conv(low, weight, stride), opened.sum((0, 2, 3))


@pytest.mark.parametrize("stride", [1, 2])
def test_a_gated_convolution_equals_integers(stride, rng):
    torch.manual_seed(0)
    conv = FractionalConv(8, 12, stride).eval()
    conv.threshold.data += torch.randn(12, 1, 1) * 4
    conv.threshold.data[0] = 6.0  # a sum that equals the threshold does not open the gate
    x = rng.integers(-200, 200, (5, 8, 9, 9))
    x.flat[:6] = -86, -85, -1, 0, 85, 86
    weight = np.where(conv.weight.detach().numpy() >= 0, 1, -1)
    expected, opened = reference(x, weight, conv.threshold.detach().numpy(), stride)
    given = torch.from_numpy(x / UNITS).float()
    with torch.no_grad():
        found = conv(given)
        m, _ = conv.planes(given)
        counts = conv.gate(torch.nn.functional.conv2d(m, conv.signs(), stride=stride, padding=1)).sum((0, 2, 3))
    assert np.array_equal(found.numpy(), expected)
    assert np.array_equal(counts.numpy(), opened)
    assert 0 < opened.sum() < expected.size  # some are open, some are not
    assert (integer_conv(np.where(x >= 0, 1, -1), weight, stride)[:, 0] == 6).any()


def test_every_gated_convolution_of_a_network(rng):
    torch.manual_seed(0)
    net = FracBNN(1, width=0.5)
    x = torch.from_numpy(rng.integers(0, 256, (4, 3, 32, 32))).float() / 256
    for _ in range(2):
        net(x)
    q.quantize(net, recipe(Bits(1, 2, 16)))
    q.calibrate(net, [x])
    seen = []
    for module in net.modules():
        if isinstance(module, FractionalConv):
            module.register_forward_hook(lambda m, args, y: seen.append((m, args[0].detach(), y.detach())))
    net.eval()(x)
    assert len(seen) == 6
    shares = []
    for module, given, y in seen:
        maps = given.double().numpy() * UNITS
        assert np.array_equal(maps, np.rint(maps)) and np.abs(maps).max() < 1 << 15
        weight = np.where(module.weight.detach().numpy() >= 0, 1, -1)
        expected, opened = reference(maps.astype(np.int64), weight, module.threshold.detach().numpy(), module.stride)
        assert np.array_equal(y.numpy(), expected)
        shares.append(opened.sum() / y.numel())
    assert 0.05 < np.mean(shares) < 0.8


def test_thermometer():
    x = torch.arange(256).float().view(1, 1, 16, 16) / 256
    planes = Thermometer()(x)
    assert planes.shape == (1, 32, 16, 16)
    ones = (planes == 1).sum(1).flatten()
    assert ones.tolist() == [(p + 4) // 8 for p in range(256)]  # halves up
    assert (planes[:, :-1] >= planes[:, 1:]).all()


def test_both_planes_the_gate_and_its_gradients():
    torch.manual_seed(0)
    conv = FractionalConv(4, 6)
    conv(torch.randn(2, 4, 8, 8)).square().sum().backward()
    assert (conv.threshold.grad != 0).all() and (conv.weight.grad != 0).any()


def test_an_exported_graph_shows_the_unit():
    net = torch.nn.Sequential(FractionalConv(4, 6)).eval()
    graph = torch.export.export(net, (torch.randn(2, 4, 8, 8),), strict=False).run_decompositions({}).graph
    names = Counter(n.target.name().split(".")[0] for n in graph.nodes if n.op == "call_function")
    assert names["aten::convolution"] + names["aten::conv2d"] == 2
    assert names["aten::gt"] == 1 and names["lutra::binary"] == 3
    assert names["aten::mul"] == 3 and names["aten::add"] == 1  # 1.5 x, 2 m, the gate's product
