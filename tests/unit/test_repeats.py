"""Streams repeated along any axis: encoders by many thresholds, and parameters that broadcast."""

import numpy as np
import pytest
from networks import quant, weights

from lutra.ir import REAL, Graph, Input, Node, Range, Tensor
from lutra.ops import source as s
from lutra.ops.source import real
from lutra.rules.entry import InputFormat
from lutra.rules.lower import lower

PIXELS = InputFormat(Range(0, 255), 1 / 256)
LEVELS = (8 * np.arange(5) + 4) / 256


def lowered(graph, x):
    """The integer graph, after it was compared with the source on every output."""
    low = lower(graph, PIXELS, "ecp5")
    values = low.graph.evaluate(low.input.integers(x))
    found = low.output.real(values[low.graph.outputs[0]])
    assert np.array_equal(found, graph.evaluate(x / 256)[graph.outputs[0]])
    return low


def thermometer(shape, columns=False):
    """Frames (C, H, W) to planes (5 C, H, W), those of a channel together; a product of them behind it.

    columns: the planes lie beside each other in each row instead.
    """
    c, h, w = shape
    x = Node(Input("x", Tensor(shape, REAL)))
    inner = (c, h, w, 1) if columns else (c, 1, h, w)
    apart = Node(s.Reshape(inner), (x,))
    copies = Node(s.Upsample((1, 1, 1, 5) if columns else (1, 5, 1, 1)), (apart,))
    levels = LEVELS if columns else LEVELS.reshape(5, 1, 1)
    planes = Node(s.BipolarQuant(real(1.0)), (Node(s.Sub(real(levels)), (copies,)),))
    flat = (c, h, 5 * w) if columns else (5 * c, h, w)
    planes = Node(s.Reshape(flat), (planes,))
    k, q = weights(np.random.default_rng(1), (4, flat[0], 3, 3), 0.5, 3)
    out = Node(s.Conv(k, (1, 1), (1, 1), (1, 1), (1, 1), 1, q), (planes,))
    return Graph((x,), (out,))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_thermometer_is_copies_and_thresholds(channels, rng):
    """The copies of a pixel are its channels, so that nothing is stored or brought into another order."""
    low = lowered(thermometer((channels, 6, 5)), rng.integers(0, 256, (7, channels, 6, 5)))
    kinds = [n.op.kind for n in low.graph.nodes if n.op.kind not in ("input", "reshape")]
    assert kinds == ["upsample", "threshold", "pad", "window", "matmul"]
    assert low.graph.inputs[0].out.shape == (6, 5, channels)


def test_copies_along_the_last_axis(rng):
    lowered(thermometer((2, 4, 3), columns=True), rng.integers(0, 256, (7, 2, 4, 3)))


def test_copies_of_what_has_a_scale_for_each_channel(rng):
    """The parameters of a chain that is still to be applied go with their channels."""
    x = Node(Input("x", Tensor((3, 2, 2), REAL)))
    scaled = Node(s.Mul(real(np.array([1.0, 2.0, -3.0]).reshape(3, 1, 1))), (x,))
    copies = Node(s.Upsample((1, 2, 1, 1)), (Node(s.Reshape((3, 1, 2, 2)), (scaled,)),))
    out = Node(quant(1 / 64, 6), (Node(s.Add(real(np.array([0.25, -0.5]).reshape(2, 1, 1))), (copies,)),))
    lowered(Graph((x,), (out,)), rng.integers(0, 256, (50, 3, 2, 2)))


def test_channels_and_columns_at_once(rng):
    x = Node(Input("x", Tensor((1, 4, 3), REAL)))
    out = Node(quant(1 / 64, 6), (Node(s.Upsample((6, 1, 2)), (x,)),))
    low = lowered(Graph((x,), (out,)), rng.integers(0, 256, (7, 1, 4, 3)))
    assert low.graph.outputs[0].out.size == 6 * 4 * 6
