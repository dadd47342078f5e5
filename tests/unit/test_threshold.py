"""Threshold: counts, directions, codes in memory, kernels, refusals."""

import numpy as np
import pytest

from lutra.errors import LutraError
from lutra.ir import Constant, Range, Tensor
from lutra.ops.base import Fold
from lutra.ops.threshold.count import bucketed
from lutra.ops.threshold.op import Threshold


def threshold(rows, offset=0, step=1, falling=(False,)) -> Threshold:
    return Threshold(Constant(np.array(rows, np.int64)), offset, step, Constant(np.array(falling)))


def test_equality_counts():
    op = threshold([[-1, 2, 2]])
    assert op.evaluate(np.array([[-2], [-1], [1], [2], [3]])).ravel().tolist() == [0, 1, 1, 3, 3]


def test_falling_rows_count_what_lies_above():
    op = threshold([[-1, 2], [0, 5]], offset=-1, step=2, falling=(True, False))
    x = np.array([[-2, -1], [-1, 0], [2, 5]])
    assert op.evaluate(x).tolist() == [[3, -1], [1, 1], [-1, 3]]
    assert op.infer(Tensor((2,), Range(-4, 7))).range == Range(-1, 3, 2)


@pytest.mark.parametrize("x", [Range(-700_000, 900_000), Range(5, 40_000_005), Range(-(2**40), 0, 2**10),
                               Range(0, 2**60)])
@pytest.mark.parametrize("kind", ["even", "equal ones", "uneven", "outside"])
def test_many_thresholds_of_wide_values(x, kind):
    """Evenly spaced ones go by buckets; whatever the spacing, the kernel counts as `evaluate` does."""
    rng = np.random.default_rng(0)
    at = np.linspace(x.lo, x.hi, 63)[1:-1].astype(np.int64) + rng.integers(-9, 9, (3, 61))
    if kind == "equal ones":
        at[1:, 20:] = at[1:, 19:-1:2].repeat(2, axis=1)[:, :41]
    if kind == "uneven":
        at[1, 7] = at[1, 6] + 1
    if kind == "outside":
        at = at - (x.hi - x.lo) // 3
    op = threshold(np.sort(at, axis=1), offset=-5, step=2, falling=(False, True, False))
    near = np.concatenate([at.ravel() + d for d in (-1, 0, 1)] + [np.array([x.lo, x.hi])])
    values = near[(near >= x.lo) & (near <= x.hi)]
    values = np.broadcast_to((x.lo + (values - x.lo) // x.step * x.step)[:, None], (len(values), 3))
    kinds = [np.int64, np.float64, *([np.float32] if x.largest < 2**24 else [])]
    for dtype in kinds if x.largest < 2**53 else [np.int64]:
        found = op.kernel(Tensor((3,), x))(values.astype(dtype))
        assert np.array_equal(found, op.evaluate(values)), dtype
    reached = bucketed(op.thresholds.array, x)
    assert (reached is None) == (kind == "uneven" or x.hi == 2**60)


@pytest.mark.parametrize("x", [Range(-4, 7), Range(0, 9), Range(-7, 9, 4), Range(-1, 1, 2), Range(3, 3), Range(-8, 7)])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 7])
def test_search_nodes_find_the_count(x, count):
    """The module's binary search, in Python, over its own memories."""
    rng = np.random.default_rng(count)
    rows, falling = np.sort(rng.integers(-10, 12, (4, count)), axis=1), np.array([False, True, False, True])
    op, tensor = threshold(rows, falling=falling), Tensor((4,), x)
    block = op.block(Fold(pe=4), tensor)
    width, k = block.params["TBITS"], block.params["K"]
    flip = x.signed << (x.bits - 1)
    for value in x.values():
        code = int(x.encode(np.array([value]))[0]) ^ flip
        expected = op.evaluate(np.full((1, 4), value))[0]
        for lane in range(4):
            found = 0
            for j in range(k):
                t = block.memories[f"T{j}"].words[found] >> (width * lane) & ((1 << width) - 1)
                found = 2 * found + (code >= t)
            count_found = (1 << k) - 1 - found if block.memories["FLIP"].words[0] >> lane & 1 else found
            assert count_found == expected[lane], (value, lane)


def test_thresholds_need_no_more_bits_than_x_where_all_can_be_reached():
    x = Tensor((1,), Range(0, 15))
    assert threshold([[3, 15]]).block(Fold(), x).params["TBITS"] == 5  # filled up with one that is never reached
    assert threshold([[3, 4, 15]]).block(Fold(), x).params["TBITS"] == 4
    assert threshold([[3, 4, 99]]).block(Fold(), x).params["TBITS"] == 5
    assert threshold([[3, 99]]).block(Fold(), Tensor((1,), Range(0, 14))).params["TBITS"] == 4


@pytest.mark.parametrize("count, hi", [(1, 10), (7, 10), (7, 10**6), (1, 2**30)])
def test_kernels_equal_the_meaning_in_every_type(count, hi):
    rng = np.random.default_rng(0)
    op = threshold(np.sort(rng.integers(-hi, hi, (3, count)), axis=1), -1, 2, (False, True, False))
    x = rng.integers(-hi, hi + 1, (50, 2, 3))
    x[0] = op.thresholds.array[:, 0]
    for given in (np.int64, np.float64):
        assert np.array_equal(op.kernel(Tensor((2, 3), Range(-hi, hi)))(x.astype(given)), op.evaluate(x))


def test_a_word_a_cycle():
    op, x = threshold([[0]]), Tensor((2, 6), Range(-4, 3))
    assert op.cycles(Fold(pe=3), x) == op.loop(Fold(pe=3), x).slots == 4
    assert [f.pe for f in op.folds(x)] == [1, 2, 3, 6]


def test_constants_without_thresholds():
    op = threshold(np.zeros((1, 0)), offset=4)
    assert op.infer(Tensor((2,), Range(0, 3))).range == Range(4, 4)
    assert op.evaluate(np.array([[1, 2]])).tolist() == [[4, 4]]


@pytest.mark.parametrize("make, words", [
    (lambda x: threshold([[2, 1]]).infer(x), "row 0 of the thresholds is not sorted"),
    (lambda x: threshold([[1], [2]]).infer(x), "2 rows of thresholds for 3 channels"),
    (lambda x: threshold([[1]], step=0).infer(x), "step 0"),
    (lambda x: threshold([list(range(1024))]).infer(x), "1024 thresholds"),
    (lambda x: threshold([1]).infer(x), r"int64\(1,\)"),
    (lambda x: threshold([[1]], falling=(0,)).infer(x), "int64"),
    (lambda x: threshold([[1]]).loop(Fold(pe=2), x), "pe=2 does not divide 3"),
])
def test_refusals_show_the_value(make, words):
    with pytest.raises(LutraError, match=words):
        make(Tensor((3,), Range(-4, 3)))
