"""PReLU between integers of many bits: the sum of two sides, equal for every integer, where no table is cheaper."""

import numpy as np
import pytest

from lutra.errors import LutraError
from lutra.ir import Constant, Graph, Input, Node, Range, Tensor
from lutra.ops.source import Add, BatchNorm, Cast, LeakyRelu, Mul, Sub, real
from lutra.rules.integers import Lowering
from lutra.rules.solve import solve
from lutra.rules.view import View, apply

WIDE = Range(-(1 << 15), (1 << 15) - 1)
SLOPES = np.array([0.25, -0.375, 1.5, 0.0])


def cast(fraction, width, rounding="RND", overflow="SAT"):
    return Cast(Constant(np.array(float(fraction))), width, True, rounding, overflow)


def nodes(given, channels):
    return Node(Input("x", Tensor((channels,), given)))


def equal_everywhere(start, last, chain, scale, every=1):
    """At all integers of the range, or at every so manieth and those about 0."""
    values = start.out.range.values()
    near = values[np.abs(values) < 1000]
    x = np.repeat(np.append(values[::every], near)[:, None], start.out.channels, 1)
    graph = Graph((start,), (last,))
    values = graph.evaluate(x)
    for node in graph.nodes:
        assert node.out.range.holds(values[node])
    return bool((values[last] == np.rint(apply(chain, x) / scale)).all())


@pytest.mark.parametrize(("rounding", "overflow"), [("RND", "SAT"), ("RND_CONV", "SAT"), ("TRN_ZERO", "SAT_SYM")])
def test_every_integer_of_16_bits(rounding, overflow):
    start, chain = nodes(WIDE, 4), (Mul(real(2.0**-7)), LeakyRelu(real(SLOPES)), cast(6, 14, rounding, overflow))
    found = solve(start, chain, lambda v: np.rint(v * 64).astype(np.int64), "ecp5")
    assert found.form == "two slopes" and found.walked
    assert equal_everywhere(start, found.node, chain, 1 / 64)


def test_a_range_that_is_not_walked():
    """Each side is known by its own steps, and 0 is 0 on both."""
    start = nodes(Range(-(1 << 21), (1 << 21) - 1), 4)
    chain = (Mul(real(2.0**-7)), LeakyRelu(real(SLOPES)), cast(0, 14))
    found = solve(start, chain, lambda v: np.rint(v).astype(np.int64), "ecp5")
    assert found.form == "two slopes" and not found.walked
    assert equal_everywhere(start, found.node, chain, 1.0, every=61)


@pytest.mark.parametrize(("given", "before"), [
    (WIDE, Add(real(0.5))), (WIDE, Mul(real(-1.0))), (Range(0, 1 << 14), None)])
def test_what_has_no_two_sides_at_zero(given, before):
    """Behind a sum the slopes part elsewhere: there is no such form, and none is made up."""
    chain = (*(() if before is None else (before,)), LeakyRelu(real(SLOPES)), cast(0, 16))
    try:
        assert solve(nodes(given, 4), chain, lambda v: np.rint(v).astype(np.int64), "ecp5").form != "two slopes"
    except LutraError as e:
        assert "neither rises nor falls" in e.what


def test_normalisation_shift_prelu_shift_are_no_table(rng):
    """FracBNN's chain behind a convolution: 721 integers in 64 channels would be 224 block memories."""
    c, maps = 64, cast(7, 16)
    norm = BatchNorm(*(real(rng.uniform(lo, hi, c)) for lo, hi in ((0.5, 2), (-1, 1), (-9, 9), (50, 200))), 1e-5)
    chain = (norm, maps, Sub(real(np.round(rng.normal(size=c) * 128) / 128)), maps, LeakyRelu(real(
        np.round(rng.uniform(0.1, 0.4, c) * 2048) / 2048)), maps, Add(real(np.round(rng.normal(size=c) * 128) / 128)),
        maps)
    start = nodes(Range(-288, 432), c)
    low = Lowering("ecp5")
    found = low.settle(View(start, np.arange(c), chain), "here").node
    assert equal_everywhere(start, found, chain, 1 / 128)
    graph = Graph((start,), (found,))
    assert "table" not in [n.op.kind for n in graph.nodes]
    assert [p.form for p in low.proofs].count("two slopes") == 1
    assert sum((p.operations for p in low.proofs), ())[:2] == ("batchnorm", "cast")


def test_a_small_table_stays_one():
    chain = (Mul(real(0.25)), LeakyRelu(real(0.3)), cast(2, 6), Mul(real(1.0)), cast(2, 6))
    start = nodes(Range(-32, 31), 2)
    low = Lowering("ecp5")
    found = low.settle(View(start, np.arange(2), chain), "here").node
    assert found.op.kind == "table" and len(low.proofs) == 1
