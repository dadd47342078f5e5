"""The fixed-point cast as a source operator: `ap_fixed` in whole numbers, and what lowering makes of it."""

from fractions import Fraction
from itertools import product
from math import ceil, floor

import numpy as np
import pytest

from lutra.errors import LutraError
from lutra.ir import REAL, Graph, Input, Node, Range, Tensor
from lutra.ops import source as src
from lutra.ops.source import Cast, real
from lutra.ops.source.cast import OVERFLOW, ROUNDING
from lutra.rules.entry import InputFormat
from lutra.rules.lower import lower

HALF = Fraction(1, 2)


def sign(y):
    return -1 if y < 0 else 1


NEAREST = {
    "TRN": floor, "TRN_ZERO": lambda y: sign(y) * floor(abs(y)), "RND": lambda y: floor(y + HALF),
    "RND_ZERO": lambda y: sign(y) * ceil(abs(y) - HALF), "RND_MIN_INF": lambda y: ceil(y - HALF),
    "RND_INF": lambda y: sign(y) * floor(abs(y) + HALF), "RND_CONV": round,
}


def by_hand(x, fraction, width, signed, rounding, overflow):
    """The cast of a rational number, all in whole numbers and bits."""
    y = x * Fraction(2) ** fraction
    q = NEAREST[rounding](y)
    lo, hi = (-(2 ** (width - 1)), 2 ** (width - 1) - 1) if signed else (0, 2**width - 1)
    bits = q & (2**width - 1)
    outside = not lo <= q <= hi
    match overflow:
        case "SAT":
            q = min(max(q, lo), hi)
        case "SAT_SYM":
            q = min(max(q, -hi if signed else 0), hi)
        case "SAT_ZERO":
            q = 0 if outside else q
        case _:
            if overflow == "WRAP_SM" and outside and (floor(y) >> width) & 1 != bits >> (width - 1):
                bits ^= 2**width - 1
            q = bits - 2**width if bits > hi else bits
    return Fraction(q) / Fraction(2) ** fraction


FORMATS = [(1, 0), (2, 1), (3, -2), (4, 6), (5, 2)]


@pytest.mark.parametrize("rounding, overflow", list(product(ROUNDING, OVERFLOW)), ids="-".join)
def test_every_mode(rounding, overflow):
    for (width, fraction), signed in product(FORMATS, (False, True)):
        if (overflow == "WRAP_SM" and not signed) or (overflow == "SAT_SYM" and signed and width == 1):
            continue
        steps = [Fraction(k, 8) / Fraction(2) ** fraction for k in range(-(2 ** (width + 5)), 2 ** (width + 5) + 1)]
        op = Cast(real(float(fraction)), width, signed, rounding, overflow)
        got = op.evaluate(np.array([[float(x) for x in steps]]))[0]
        wanted = [by_hand(x, fraction, width, signed, rounding, overflow) for x in steps]
        assert [Fraction(v) for v in got] == wanted, (width, fraction, signed)
        assert {int(v) for v in got * 2.0**fraction} <= set(op.codes.values().tolist())
        if op.slope() == 1:
            assert (np.diff(got) >= 0).all()
        assert np.array_equal(op.evaluate(got[None])[0], got)  # what is in the format stays


@pytest.mark.parametrize("rounding, x, wanted", [
    ("RND", 0.49999999999999994, 0.0), ("RND_INF", -0.49999999999999994, 0.0), ("RND", 2.0**52 + 1, 127.0),
    ("RND_MIN_INF", 0.5000000000000001, 1.0), ("RND_ZERO", 4503599627370497.5, 127.0), ("RND", -1e300, -128.0),
])
def test_where_adding_a_half_would_be_inexact(rounding, x, wanted):
    assert Cast(real(0.0), 8, True, rounding, "SAT").evaluate(np.array([[x]])) == wanted


def test_a_point_for_each_channel():
    op = Cast(real(np.array([0.0, 2.0]).reshape(2, 1)), 4, True, "TRN", "SAT")
    x = np.array([[[1.7, -9.0], [1.7, -9.0]]])
    assert op.evaluate(x).tolist() == [[[1.0, -8.0], [1.5, -2.0]]]
    assert op.scale.ravel().tolist() == [1.0, 0.25]


@pytest.mark.parametrize("change, said", [
    ({"fraction": real(0.5)}, "whole numbers"), ({"fraction": real(np.nan)}, "whole numbers"),
    ({"width": 0}, "width of 0"),
    ({"width": 33}, "33 bits"), ({"rounding": "ROUND"}, "'ROUND' is not known"), ({"overflow": "CLIP"}, "'CLIP'"),
    ({"overflow": "WRAP_SM", "signed": False}, "WRAP_SM of an unsigned"),
    ({"overflow": "SAT_SYM", "width": 1}, "the value 0 only"),
])
def test_formats_that_do_not_exist(change, said):
    given = {"fraction": real(2.0), "width": 4, "signed": True, "rounding": "RND", "overflow": "SAT", **change}
    with pytest.raises(LutraError, match=said):
        Cast(**given).infer(Tensor((3,), REAL))


# -- lowering


def chain(given, *ops, channels=3):
    """A graph of elementwise operations on integers of a range, each worth 1/8, lowered."""
    node = start = Node(Input("x", Tensor((channels,), REAL)))
    for op in ops:
        node = Node(op, (node,), op.kind)
    graph = Graph((start,), (node,))
    return graph, lower(graph, InputFormat(given, 0.125), "ecp5")


def check(given, *ops, values=None):
    """The integer graph gives what the source does at every integer of the range, or at these."""
    graph, lowered = chain(given, *ops)
    x = np.repeat(given.values()[:, None] if values is None else np.asarray(values)[:, None], 3, 1)
    (node,) = lowered.graph.outputs
    got = lowered.outputs[0].real(lowered.graph.evaluate(x)[node])
    wanted = graph.evaluate(x * 0.125)[graph.outputs[0]]
    assert np.array_equal(got, wanted)
    return lowered


FACTORS, TERMS = real([0.75, -1.25, 0.0625]), real([1.0, -0.375, 2.5])


@pytest.mark.parametrize("rounding, overflow", list(product(ROUNDING, OVERFLOW)), ids="-".join)
def test_affine_cast_relu_cast(rounding, overflow):
    """a x + c in 8 bits, then ReLU, then 4 bits."""
    first = Cast(real(3.0), 8, True, rounding, overflow)
    lowered = check(Range(-512, 511), src.Mul(FACTORS), src.Add(TERMS), first, src.Relu(),
                    Cast(real(1.0), 4, False, "RND", "SAT"))
    assert sum(p.checked for p in lowered.proofs) >= 3 * 1024


def test_what_wraps_is_walked():
    lowered = check(Range(-64, 63), src.LeakyRelu(real(-0.5)), Cast(real(3.0), 5, True, "TRN", "WRAP"))
    assert [(p.form, p.checked) for p in lowered.proofs] == [("table", 128)]


WIDE = Range(-(1 << 21), (1 << 21) - 1)
ENDS = [WIDE.lo, -12345, -1, 0, 1, 77777, WIDE.hi]


@pytest.mark.parametrize("overflow", OVERFLOW)
def test_what_cannot_overflow_needs_no_walk(overflow):
    """22 bits, for each of 3 channels: too many to look at. Their 12 upper ones fit."""
    lowered = check(WIDE, src.Mul(FACTORS), Cast(real(-7.0), 13, True, "RND", overflow), values=ENDS)
    assert not lowered.proofs[0].walked


@pytest.mark.parametrize("overflow", ["WRAP", "WRAP_SM", "SAT_ZERO"])
def test_what_may_overflow_and_is_too_wide(overflow):
    """Of an affine function the low bits are computed; of one that falls and rises they are not."""
    check(WIDE, src.Mul(FACTORS), Cast(real(0.0), 8, True, "RND", overflow), values=ENDS)
    with pytest.raises(LutraError, match="not monotone"):
        chain(WIDE, src.Mul(FACTORS), src.LeakyRelu(real(-1.0)), Cast(real(0.0), 8, True, "RND", overflow))


@pytest.mark.parametrize("overflow", OVERFLOW)
def test_the_input_s_own_cast_is_left_to_the_host(overflow):
    node = start = Node(Input("x", Tensor((3,), REAL)))
    for op in (Cast(real(4.0), 6, True, "RND", overflow), Cast(real(1.0), 3, True, "RND", "SAT")):
        node = Node(op, (node,), op.kind)
    graph = Graph((start,), (node,))
    lowered = lower(graph, None, "ecp5")
    half = 31 if overflow == "SAT_SYM" else 32
    assert lowered.input.range == Range(-half, 31)
    x = np.linspace(-9, 9, 999).reshape(-1, 3)
    out = lowered.outputs[0].real(lowered.graph.evaluate(lowered.input.integers(x))[lowered.graph.outputs[0]])
    assert np.array_equal(out, graph.evaluate(x)[node])
