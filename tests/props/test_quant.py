"""Quantisers: every rounding mode at its ties, bounds of every width, and monotony."""

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutra.errors import LutraError
from lutra.ir import REAL, Input, Node, Range, Tensor
from lutra.ops.source import BipolarQuant, MultiThreshold, Quant, Trunc, real
from lutra.ops.source.rounding import MODES

# The table of rounding modes in QONNX's description of IntQuant, version 1.
NUMBERS = [5.5, 2.5, 1.6, 1.1, 1.0, -1.0, -1.1, -1.6, -2.5, -5.5]
TABLE = {
    "ROUND": [6, 2, 2, 1, 1, -1, -1, -2, -2, -6],
    "CEIL": [6, 3, 2, 2, 1, -1, -1, -1, -2, -5],
    "FLOOR": [5, 2, 1, 1, 1, -1, -2, -2, -3, -6],
    "UP": [6, 3, 2, 2, 1, -1, -2, -2, -3, -6],
    "DOWN": [5, 2, 1, 1, 1, -1, -1, -1, -2, -5],
    "HALF_UP": [6, 3, 2, 1, 1, -1, -1, -2, -3, -6],
    "HALF_DOWN": [5, 2, 2, 1, 1, -1, -1, -2, -2, -5],
}
SAME_AS = {"HALF_EVEN": "ROUND", "ROUND_TO_ZERO": "DOWN"}


def quant(bits=8, signed=True, narrow=False, mode="ROUND", scale=1.0, zero=0.0):
    return Quant(real(scale), real(zero), bits, signed, narrow, mode)


@pytest.mark.parametrize("mode", sorted(MODES))
def test_rounding_table(mode):
    assert np.array_equal(MODES[mode](np.array(NUMBERS)), TABLE[SAME_AS.get(mode, mode)])
    assert np.array_equal(quant(mode=mode).apply(np.array(NUMBERS)), TABLE[SAME_AS.get(mode, mode)])


def exactly(mode, x):
    """The same modes in rational arithmetic."""
    x = Fraction(x)
    away = 1 if x > 0 else -1
    down = floor(abs(x)) * away
    match SAME_AS.get(mode, mode):
        case "ROUND":
            return round(x)
        case "CEIL":
            return ceil(x)
        case "FLOOR":
            return floor(x)
        case "UP":
            return ceil(abs(x)) * away
        case "DOWN":
            return down
        case "HALF_UP":
            return down + away * (abs(x - down) >= Fraction(1, 2))
        case "HALF_DOWN":
            return down + away * (abs(x - down) > Fraction(1, 2))


near_ties = st.builds(lambda n, k: float(np.nextafter(n / 2, np.inf * k) if k else n / 2),
                      st.integers(-2000, 2000), st.sampled_from([-1, 0, 1]))


@given(st.sampled_from(sorted(MODES)), st.one_of(near_ties, st.floats(-1e15, 1e15), st.just(0.49999999999999994)))
def test_rounding_is_exact_beside_every_tie(mode, x):
    assert MODES[mode](np.array([x]))[0] == exactly(mode, x)


@pytest.mark.parametrize("bits, signed, narrow, lo, hi", [
    (8, True, False, -128, 127), (8, True, True, -127, 127), (8, False, False, 0, 255), (8, False, True, 0, 254),
    (2, True, True, -1, 1), (2, True, False, -2, 1), (1, False, False, 0, 1), (32, True, False, -(2**31), 2**31 - 1),
])
def test_bounds(bits, signed, narrow, lo, hi):
    op = quant(bits, signed, narrow)
    assert op.levels() == (lo, hi) and op.codes == Range(lo, hi)
    assert np.array_equal(op.apply(np.array([-1e300, 1e300])), [lo, hi])
    assert op.finite


def test_one_signed_bit_is_bipolar_as_in_qonnx():
    op = quant(1, True, scale=0.5)
    assert op.codes == Range(-1, 1, 2)
    assert np.array_equal(op.apply(np.array([-3.0, -1e-9, 0.0, 0.2, 9.0])), [-0.5, -0.5, 0.5, 0.5, 0.5])


def test_scale_and_zero_point_of_channels():
    op = Quant(real([[1.0], [0.25]]), real([[0.0], [3.0]]), 3, False, False, "FLOOR")
    x = np.array([[-1.0, 0.9, 1.0, 9.0], [-1.0, -0.76, 0.3, 9.0]])
    # second row: x / 0.25 + 3 = -1, -0.04, 4.2, 39 -> 0, 0, 4, 7 -> (q - 3) / 4
    assert np.array_equal(op.apply(x), [[0, 0, 1, 7], [-0.75, -0.75, 0.25, 1.0]])


quants = st.builds(quant, st.integers(2, 9), st.booleans(), st.booleans(), st.sampled_from(sorted(MODES)),
                   st.floats(1e-3, 1e3), st.integers(-4, 4).map(float))


@given(quants, st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_values_are_levels_and_rise(op, x):
    y = op.apply(np.sort(np.array(x)))
    lo, hi = op.levels()
    levels = (np.arange(lo, hi + 1) - op.zero_point.array) * op.scale.array
    assert np.isin(y, levels).all()
    assert (np.diff(y) >= 0).all() and op.slope() == 1


@given(quants, st.data())
def test_quantising_a_level_with_exact_scale_gives_it_back(op, data):
    op = quant(op.bits, op.signed, op.narrow, op.mode, 0.25, float(op.zero_point.array))
    q = data.draw(st.integers(*op.levels()))
    x = np.array([(q - op.zero_point.array) * 0.25])
    assert op.apply(x) == x and op.quantise(x) == q


def test_trunc_version_1_drops_low_bits_and_keeps_the_scale():
    op = Trunc(real(0.5), real(0.0), real(4.0), real(0.5), real(0.0), None, "FLOOR")
    # x / 0.5 = 15, -1, 8; over 4: 3.75, -0.25, 2 -> 3, -1, 2 -> times 0.5
    assert np.array_equal(op.apply(np.array([7.5, -0.5, 4.0])), [1.5, -0.5, 1.0])
    assert not op.finite


def test_trunc_version_2_clips_and_has_its_own_scale():
    op = Trunc(real(0.5), real(0.0), real(4.0), real(2.0), real(0.0), (-2, 1), "ROUND")
    # x / 0.5 = 15, -1, 2, -99; over 4: 3.75, -0.25, 0.5, -24.75 -> clip 1, -0.25, 0.5, -2 -> 1, 0, 0, -2
    assert np.array_equal(op.apply(np.array([7.5, -0.5, 1.0, -49.5])), [2.0, 0.0, 0.0, -4.0])
    assert op.finite


@pytest.mark.parametrize("op, message", [
    (quant(scale=0.0), "scale 0 is not a positive"), (quant(scale=-1.0), "scale -1 is not"),
    (quant(scale=np.nan), "scale nan is not"), (quant(scale=np.inf), "scale inf is not"),
    (quant(zero=np.nan), "zero point nan is not"), (quant(bits=0), "0 bits is not between 1 and 32"),
    (quant(bits=40), "40 bits"), (quant(mode="NEAREST"), "rounding mode 'NEAREST' is not known"),
    (quant(bits=1, signed=False, narrow=True), "one level only"), (BipolarQuant(real(0.0)), "scale 0 is not"),
    (MultiThreshold(real([1.0, 0.0]), 1.0, 0.0), "not ascending"),
    (MultiThreshold(real([np.nan]), 1.0, 0.0), "not ascending numbers"),
    (MultiThreshold(real([1.0]), np.inf, 0.0), "out_scale or out_bias"),
    (Trunc(real(1.0), real(0.0), real(1.0), real(0.0), real(0.0), None, "FLOOR"), "scale 0 is not"),
])
def test_senseless_quantisers_are_refused(op, message):
    with pytest.raises(LutraError, match=message) as e:
        Node(op, (Node(Input("x", Tensor((3,), REAL))),), "Quant 'q'")
    assert e.value.at == "Quant 'q'" and e.value.hint
