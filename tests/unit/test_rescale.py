"""Rescale: rounding, clipping, ranges, kernels, refusals."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from lutra.errors import LutraError
from lutra.ir import Constant, Range, Tensor
from lutra.ops.base import Fold
from lutra.ops.rescale.op import Rescale


def rescale(mul, add, shift, even=False, lo=-(10**6), hi=10**6) -> Rescale:
    return Rescale(Constant(np.array(mul, np.int64)), Constant(np.array(add, np.int64)), shift, even, lo, hi)


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("mul, add, shift", [(1, 0, 1), (3, -5, 2), (-7, 100, 4), (1, 0, 0), (5, 2, 9)])
def test_rounding_is_that_of_exact_fractions(mul, add, shift, even):
    x = np.arange(-300, 300)
    exact = [Fraction(mul * int(v) + add, 2**shift) for v in x]
    expected = [round(f) if even else f.__floor__() for f in exact]  # Python rounds half to even
    op = rescale([mul], [add], shift, even)
    assert op.evaluate(x[:, None])[:, 0].tolist() == expected
    kernel = op.kernel(Tensor((1,), Range(-300, 299)))
    assert np.array_equal(kernel(x[:, None].astype(np.float32)), op.evaluate(x[:, None]))


def test_the_range_is_narrower_than_the_clip_where_the_ends_are():
    x = Tensor((2,), Range(-8, 7))
    assert rescale([1, -1], [0], 1, lo=0, hi=100).infer(x).range == Range(0, 4)
    assert rescale([1], [0], 0, lo=20, hi=30).infer(x).range == Range(20, 20)


def test_a_gap_is_no_matter_of_the_wire():
    x, plain = Tensor((2,), Range(-40, 40)), rescale([3, -5], [9], 2, lo=0, hi=25)
    wide = replace(plain, gap=4)
    values = np.arange(-40, 41)[:, None].repeat(2, 1)
    assert np.array_equal(wide.evaluate(values), 4 * plain.evaluate(values))
    assert np.array_equal(wide.kernel(x)(values.astype(np.float32)), wide.evaluate(values))
    assert wide.infer(x).range == Range(0, 100, 4)
    assert wide.block(Fold(), x) == plain.block(Fold(), x)


def test_no_multiplier_where_all_factors_are_one():
    x = Tensor((2,), Range(-8, 7))
    assert rescale([1, 1], [3], 1).block(Fold(), x).params["MBITS"] == 0
    assert "MUL" not in rescale([1, 1], [3], 1).block(Fold(), x).memories
    assert rescale([1, 2], [3], 1).block(Fold(), x).params["MBITS"] == 2
    assert rescale([1], [3], 1).block(Fold(), Tensor((2,), Range(-1, 1, 2))).params["MBITS"] == 2  # the code is halved


def test_beyond_double_precision_the_kernel_stays_exact():
    op, x = rescale([2**40], [2**55 + 1], 20, lo=0, hi=2**30), Tensor((1,), Range(-8, 7))
    values = x.range.values()[:, None]
    assert np.array_equal(op.kernel(x)(values), op.evaluate(values))


@pytest.mark.parametrize("make, words", [
    (lambda x: rescale([[1]], [0], 0).infer(x), r"mul int64\(1, 1\)"),
    (lambda x: rescale([1, 1], [0], 0).infer(x), "2 rows of mul for 3 channels"),
    (lambda x: rescale([1], [0], -1).infer(x), "shift -1"),
    (lambda x: rescale([1], [0], 0, lo=3, hi=2).infer(x), "clip to 3..2"),
    (lambda x: replace(rescale([1], [0], 0, lo=-4), gap=2).infer(x), r"steps of 2 in -4\.\.3, clipped from -4"),
    (lambda x: rescale([2**61], [0], 0).infer(x), "up to 62 bits"),
    (lambda x: rescale([2**40], [0], 0, lo=-(2**60), hi=2**60).infer(x), "at most 31"),
])
def test_refusals_show_the_value(make, words):
    with pytest.raises(LutraError, match=words):
        make(Tensor((3,), Range(-4, 3)))
