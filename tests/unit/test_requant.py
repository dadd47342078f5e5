"""Requant's modes against their definitions, in rational numbers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from lutra.errors import LutraError
from lutra.ir import Input, Node, Range, Tensor
from lutra.ops.requant.modes import OVERFLOWS, ROUNDINGS, cast, reach, rounded
from lutra.ops.requant.op import Requant

HALF = Fraction(1, 2)
VALUES = np.arange(-300, 300)
DEFINED = {
    "TRN": math.floor,
    "TRN_ZERO": math.trunc,
    "RND": lambda v: math.floor(v + HALF),
    "RND_ZERO": lambda v: math.ceil(v - HALF) if v > 0 else math.floor(v + HALF),
    "RND_MIN_INF": lambda v: math.ceil(v - HALF),
    "RND_INF": lambda v: math.floor(v + HALF) if v > 0 else math.ceil(v - HALF),
    "RND_CONV": round,
}


def wanted(v: Fraction, width: int, signed: bool, rounding: str, overflow: str) -> int:
    """One number, as the user guide says it."""
    q = DEFINED[rounding](v)
    low, high = (-(2 ** (width - 1)), 2 ** (width - 1) - 1) if signed else (0, 2**width - 1)
    if overflow == "SAT_SYM":
        return min(max(q, -high if signed else 0), high)
    if low <= q <= high:
        return q
    if overflow == "SAT":
        return low if q < low else high
    if overflow == "SAT_ZERO":
        return 0
    wrapped = (q - low) % 2**width + low
    if overflow == "WRAP":
        return wrapped
    above, sign = math.floor(v) >> width & 1, int(wrapped < 0)
    return -1 - wrapped if above != sign else wrapped


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_every_mode_is_what_it_is_defined_as(rounding, overflow):
    for shift in range(-2, 6):
        exact = [Fraction(int(v)) / Fraction(2) ** shift for v in VALUES]
        assert rounded(VALUES, shift, rounding).tolist() == [DEFINED[rounding](v) for v in exact]
        for signed in (False, True) if overflow != "WRAP_SM" else (True,):
            for width in (1, 2, 4, 7):
                found = cast(VALUES, shift, width, signed, rounding, overflow)
                assert found.tolist() == [wanted(v, width, signed, rounding, overflow) for v in exact]


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("span", [(-300, 299), (-5, 9), (0, 255), (20, 200), (-100, -3)])
def test_the_range_holds_all_and_no_more_where_order_is_kept(span, overflow):
    for rounding in ROUNDINGS:
        for shift in (-1, 0, 3):
            for width in (1, 4, 7):
                given = Range(*span)
                y = cast(given.values(), shift, width, True, rounding, overflow)
                r = reach(given, shift, width, True, rounding, overflow)
                assert r.holds(y)
                if overflow in ("SAT", "SAT_SYM"):
                    assert (r.lo, r.hi) == (y.min(), y.max())


@pytest.mark.parametrize(("op", "said"), [
    (Requant(0, 4, False, "RND", "WRAP_SM"), "WRAP_SM of an unsigned type"),
    (Requant(0, 4, True, "NEAR", "SAT"), "rounding 'NEAR', overflow 'SAT'"),
    (Requant(0, 32, True, "RND", "SAT"), "a type of 32 bits for -8..7"),
    (Requant(-60, 8, True, "RND", "SAT"), "-8..7 shifted right by -60"),
])
def test_what_it_cannot_do_is_said(op, said):
    x = Node(Input("x", Tensor((3,), Range(-8, 7))))
    with pytest.raises(LutraError, match=said):
        Node(op, (x,))
