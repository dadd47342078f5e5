"""Weights as sums of signed powers of two."""

import numpy as np
import pytest

from lutra.errors import LutraError
from lutra.ir import Constant, Range, Tensor
from lutra.ops.base import Fold
from lutra.ops.matmul.digits import Digits, codes, digits, signed_digits, subtracted
from lutra.ops.matmul.op import MatMul

EVERY = np.arange(-(2**15), 2**15)


def test_signed_digits_are_the_number_and_no_two_are_neighbours():
    found = signed_digits(EVERY)
    assert np.array_equal((found << np.arange(found.shape[-1])).sum(axis=-1), EVERY)
    assert not (found[:, 1:] & found[:, :-1]).any()
    assert {*np.unique(found)} == {-1, 0, 1}


def test_no_sum_of_powers_has_fewer_terms():
    """Of all sums of k signed powers up to 2**8, none is a number of more than k digits."""
    powers = [0, *(s << e for e in range(9) for s in (1, -1))]
    reached, count = {0}, np.abs(signed_digits(np.arange(-600, 601))).sum(axis=-1)
    for k in (1, 2, 3):
        reached = {a + b for a in reached for b in powers}
        near = np.array([n for n in reached if abs(n) <= 255])
        assert (count[near + 600] <= k).all()
        assert set(near) == {n for n in range(-255, 256) if count[n + 600] <= k}


def test_codes_hold_exponents_signs_and_how_many_there_are():
    of = digits(np.array([[96, -7, 0, 1]]))  # 128 - 32, 1 - 8
    assert of == Digits(2, 8)
    assert of.bits == 2 * 5
    there, less = 16, 8
    assert codes(np.array([[96, -7, 0, 1]]), of).tolist() == [
        [(there | less | 5) | (there | 7) << 5, there | (there | less | 3) << 5, 0, there]]
    assert subtracted(np.array([[96, -7, 0, 1], [-1, -1, 0, 0]])).tolist() == [2, 2]


@pytest.mark.parametrize(("weights", "x", "offered"), [
    ([[96, -7]], Range(-8, 7), True),
    ([[85, -7]], Range(-8, 7), False),  # four digits
    ([[1, -1]], Range(-8, 7), False),  # of one bit
    ([[96, -7]], Range(0, 1), False),
])
def test_shifts_are_offered_for_few_digits(weights, x, offered):
    op, x = MatMul(Constant(np.array(weights))), Tensor((2,), x)
    assert any(f.mul == "shifts" for f in op.folds(x)) == offered
    if op.digits is None:
        with pytest.raises(LutraError, match=r"mul='shifts'.*3 signed powers"):
            op.block(Fold(1, 1, "lut", "shifts"), x)


def test_weights_that_may_be_written_are_no_shifts():
    x = Tensor((2,), Range(-8, 7))
    op = MatMul(Constant(np.array([[96, -7]]))).writable(x.range)
    assert not any(f.mul == "shifts" for f in op.folds(x))


def test_a_plan_takes_shifts_where_they_are_cheapest():
    """Powers of two of 16 bits: a multiplier in LUTs adds 16 rows, a shifter none."""
    op, x = MatMul(Constant(2 ** np.random.default_rng(0).integers(0, 15, (16, 16)))), Tensor((16,), Range(-128, 127))
    for family in ("xc7", "ecp5"):
        luts = {mul: op.cost(Fold(8, 8, "block", mul), x, family).lut for mul in ("lut", "shifts")}
        assert luts["shifts"] < luts["lut"]
        assert op.cost(Fold(8, 8, "block", "shifts"), x, family).dsp == 0
