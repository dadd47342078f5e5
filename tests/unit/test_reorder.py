"""Reorder: orders that counters give, how much moves together, and what it does to pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutra.errors import LutraError
from lutra.ir import Constant, Range, Tensor
from lutra.ops.base import Fold
from lutra.ops.reorder.op import Reorder
from lutra.ops.reorder.radix import MOST, digits, distances


def depth_to_space(width, factor, channels):
    """The order of one row of pixels (depth-column-row, as ONNX has it by default)."""
    index = np.arange(width * factor * factor * channels).reshape(width, factor, factor, channels)
    return index.transpose(1, 0, 2, 3).reshape(-1)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(-40, 40).filter(bool)), max_size=MOST))
def test_digits_give_the_order_back(counters):
    order = np.zeros(1, np.int64)
    for count, step in counters:
        order = (order + step * np.arange(count)[:, None]).reshape(-1)
    found = digits(order)
    assert found is not None and np.prod([n for n, _ in found], initial=1) == len(order)
    place, back = 0, [0]
    far = distances(found, 1000)
    for k in range(1, len(order)):  # each place is the one before plus the distance of the digit that turns
        turned = next(i for i in range(len(found)) if k % int(np.prod([n for n, _ in found[: i + 1]])))
        place = (place + far[turned]) % 1000
        back.append(place)
    assert np.array_equal(np.array(back), (order - order[0]) % 1000)


@pytest.mark.parametrize("order", [[0, 2, 1], [0, 1, 3, 2, 4], [1, 0, 2, 3], [0, 1, 2, 4, 3, 5]])
def test_other_orders_have_no_digits(order):
    assert digits(np.array(order)) is None


def test_depth_to_space_takes_three_counters_and_moves_whole_pixels():
    op = Reorder(Constant(depth_to_space(8, 2, 6)), (4, 16, 6))
    x = Tensor((2, 8, 24), Range(0, 15))
    assert op.together == 12
    block = op.block(Fold(6, 6), x)
    assert not block.memories and "ROM" not in block.params
    assert [block.params.get(f"COUNT{i}") for i in range(1, 5)] == [2, 8, 2, None]
    values = np.arange(2 * 8 * 24).reshape(1, 2, 8, 24)
    y = op.evaluate(values)
    for i, j in np.ndindex(2, 2):
        part = values[..., (i * 2 + j) * 6 : (i * 2 + j + 1) * 6]
        assert np.array_equal(y[:, i::2, j::2], part)


def test_a_channel_shuffle_is_wires():
    order = np.arange(12).reshape(3, 4).T.reshape(-1)
    op, x = Reorder(Constant(order), (5, 5, 12)), Tensor((5, 5, 12), Range(-8, 7))
    assert [f.pe for f in op.folds(x)] == [1, 12]
    assert op.cycles(Fold(12, 12), x) == 25 and op.cycles(Fold(1, 1), x) == 300
    assert op.features(Fold(12, 12), x, "xc7") == {"slice": 48.0}


@pytest.mark.parametrize(("order", "shape", "words"), [
    ([0, 0], (8,), "no permutation"), ([[0]], (8,), "shape (1, 1)"), ([0, 1], (7,), "do not fill the shape (7,)"),
    ([0, 2, 1], (8,), "blocks of 3 do not fill a frame of 8")])
def test_refusals_show_the_value(order, shape, words):
    with pytest.raises(LutraError) as e:
        Reorder(Constant(np.array(order)), shape).infer(Tensor((8,), Range(0, 1)))
    assert words in str(e.value)


def test_a_fold_that_tears_runs_apart_is_refused():
    op = Reorder(Constant(np.array([2, 3, 0, 1])), (4,))
    with pytest.raises(LutraError, match=r"pe=3 is not .*there are 1, 2, 4"):
        op.lanes(Fold(3, 3), Tensor((4,), Range(0, 1)))
