"""Networks of the zoo, small: the source's real numbers, the integer graph and the RTL agree exactly.

Scores are compared to twelve digits: they are integers below 2**31 times a scale, so no integer can differ unseen.
"""

import numpy as np
import pytest

import lutra
from lutra import zoo

# Every network with its own structure, smaller than the paper's; bits on both sides of four, and 1.
SMALL = {
    "resnet20": ((4, 4), {"width": 0.5}),
    "resnet50": ((3, 3), {"size": 32, "width": 0.125, "classes": 10}),
    "inception": ((2, 4), {"width": 0.5}),
    "unet": ((4, 3), {"size": 32, "width": 0.125}),
    "vgg10_1d": ((4, 8), {"size": 256, "width": 0.5}),
    "mobilenet_v1": ((8, 8), {"size": 32, "width": 0.25, "classes": 10}),
    "mobilenet_v2": ((4, 4), {"size": 32, "width": 0.25, "classes": 10}),
}
# As small as they go, for the RTL.
TINY = {
    "resnet20": ((2, 2), {"size": 16, "width": 0.125, "classes": 4}),
    "inception": ((1, 2), {"size": 16, "width": 0.125, "classes": 4}),
}


def compiled(name, bits, options, cache):
    model = zoo.build(name, bits, **options).SerializeToString()
    return lutra.compile(model, "xcu280", budget=0.3, clock_mhz=200, cache=cache)


def frames(acc, count):
    """Random inputs of the network, as reals on the grid of its 8-bit quantiser."""
    (end,) = acc.lowered.inputs
    drawn = np.random.default_rng(2).integers(end.range.lo, end.range.hi + 1, (count, *acc.source.inputs[0].out.shape))
    return drawn * end.scale.array + end.offset.array


@pytest.mark.parametrize("name", SMALL)
def test_integers_equal_the_source(name, cache):
    acc = compiled(name, *SMALL[name], cache)
    x = frames(acc, 2)
    real, ours = acc.reference(x), acc.run(x)
    assert real.std() > 0 and (real[0] != real[1]).any()
    np.testing.assert_allclose(ours, real, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", TINY)
def test_rtl_equals_the_integers(name, cache):
    acc = compiled(name, *TINY[name], cache)
    assert acc.verify(frames(acc, 2), stalls=0.1) == 2 * acc.lowered.graph.outputs[0].out.size
