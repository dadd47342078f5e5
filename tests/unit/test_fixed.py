"""Fixed-point casts become their own arithmetic where nothing cheaper is exact, and where no range could be walked."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from lutra.errors import LutraError
from lutra.ir import Constant, Input, Node, Range, Tensor
from lutra.ops.requant.modes import OVERFLOWS, ROUNDINGS
from lutra.ops.source import Add, Cast, Mul, real
from lutra.rules.solve import solve
from lutra.rules.view import apply

MODES = list(product(ROUNDINGS, OVERFLOWS))


def solved(given, chain, channels=4):
    """The solution for integers in `given`, and what it and the source give for some of them."""
    node = Node(Input("x", Tensor((channels,), given)))
    scale = chain[-1].scale
    found = solve(node, chain, lambda v: np.rint(v / scale).astype(np.int64), "xc7")
    x = np.random.default_rng(0).integers(given.lo, given.hi + 1, (5000, channels))
    x[:2] = [[given.lo] * channels, [given.hi] * channels]
    units, last = [], found.node
    while last is not node:
        units.append(last)
        (last,) = last.args
    y = x
    for unit in units[::-1]:
        y = unit.op.evaluate(y)
        assert unit.out.range.holds(y)
    assert (y == np.rint(apply(chain, x) / scale)).all()
    return found, units[::-1]


def cast(fraction, width, rounding="RND", overflow="SAT", signed=True):
    """A cast with one binary point."""
    return Cast(Constant(np.array(float(fraction))), width, signed, rounding, overflow)


@pytest.mark.parametrize(("rounding", "overflow"), MODES)
def test_every_mode_over_a_range_too_wide_to_walk(rounding, overflow):
    chain = (Mul(real(np.array([0.375, -1.25, 2.0, 0.0625]))), Add(real(np.array([0.5, -3.0, 0.0, 1.75]))),
             cast(3, 9, rounding, overflow))
    found, units = solved(Range(-(2**22), 2**22 - 1), chain)
    if overflow not in ("SAT", "SAT_SYM"):
        assert found.form == "fixed point" and [u.op.kind for u in units] == ["rescale", "requant"]


@pytest.mark.parametrize(("rounding", "overflow"), MODES)
def test_every_mode_as_a_shift(rounding, overflow):
    found, units = solved(Range(-3000, 3000), (Mul(real(2.0**-6)), cast(3, 7, rounding, overflow)))
    assert found.walked and len(units) == 1
    if overflow == "SAT_ZERO" or rounding in ("TRN_ZERO", "RND_ZERO", "RND_INF"):
        assert found.form in ("fixed point", "table", "thresholds")


def test_a_shift_alone_has_no_multiply_add():
    _, units = solved(Range(-(2**30), 2**30 - 1), (Mul(real(2.0**-9)), cast(2, 12, "TRN", "WRAP")))
    assert [u.op.kind for u in units] == ["requant"] and units[0].op.shift == 7


def test_a_factor_that_is_a_power_of_two_is_part_of_the_shift():
    _, units = solved(Range(-(2**30), 2**30 - 1), (Mul(real(8.0)), cast(0, 12, "TRN", "WRAP")))
    assert [u.op.kind for u in units] == ["requant"] and units[0].op.shift == -3


def test_what_double_precision_does_not_hold_is_refused():
    chain = (Mul(real(1 / 3)), cast(3, 9, "RND", "WRAP"))
    with pytest.raises(LutraError, match="not monotone"):
        solved(Range(-(2**30), 2**30 - 1), chain)
