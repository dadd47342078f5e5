"""Stream operators against plain loops, their types, their errors, and the sizes that they choose."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from lutra.errors import LutraError
from lutra.ir import Range, Tensor
from lutra.ops.argmax.op import ArgMax
from lutra.ops.base import Fold
from lutra.ops.fifo.op import Fifo
from lutra.ops.maxreduce.op import MaxReduce
from lutra.ops.pad.op import Pad
from lutra.ops.width.op import Width
from lutra.ops.window.op import Window

BIPOLAR = Range(-1, 1, 2)


def frames(x: Tensor, count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).choice(x.range.values(), (count, *x.shape))


@pytest.mark.parametrize(("shape", "taps", "stride", "dilation"), [
    ((5, 7, 3), (3, 2), (1, 1), (1, 1)), ((6, 5, 2), (2, 2), (2, 3), (1, 1)), ((7, 9, 1), (3, 3), (1, 2), (3, 2)),
    ((1, 8, 4), (1, 3), (1, 2), (1, 2)), ((5, 5, 2), (1, 1), (2, 2), (1, 1)), ((4, 4, 2), (4, 4), (3, 1), (1, 1))])
def test_window_against_loops(shape, taps, stride, dilation):
    op, x = Window(taps, stride, dilation), Tensor(shape, Range(-8, 7))
    values, y = frames(x), op.infer(x)
    assert y.shape[2] == taps[0] * taps[1] * shape[2]
    found = op.evaluate(values)
    for f, i, j in product(range(len(values)), range(y.shape[0]), range(y.shape[1])):
        pixels = [values[f, i * stride[0] + a * dilation[0], j * stride[1] + b * dilation[1]]
                  for a in range(taps[0]) for b in range(taps[1])]
        assert np.array_equal(found[f, i, j], np.concatenate(pixels))
    assert y.shape[0] == len(range(0, shape[0] - (taps[0] - 1) * dilation[0], stride[0]))
    assert y.shape[1] == len(range(0, shape[1] - (taps[1] - 1) * dilation[1], stride[1]))


def test_maximum_and_its_first_index():
    x = np.array([[3, -1, 3, 2, 5, 5]])
    assert ArgMax().evaluate(x).tolist() == [[4]]
    assert ArgMax().infer(Tensor((6,), Range(-8, 7))) == Tensor((1,), Range(0, 5))
    assert MaxReduce(3).evaluate(x).tolist() == [[5, 5]]
    assert MaxReduce(2).evaluate(x).tolist() == [[3, 5, 5]]


@pytest.mark.parametrize(("elem", "value", "expected"), [
    (BIPOLAR, 0, Range(-1, 1)), (BIPOLAR, -1, BIPOLAR), (BIPOLAR, 3, Range(-1, 3, 2)), (Range(0, 3), -2, Range(-2, 3)),
    (Range(0, 12, 4), 2, Range(0, 12, 2)), (Range(0, 12, 4), -4, Range(-4, 12, 4)), (Range(1, 7, 3), 0, Range(0, 7))])
def test_padding_widens_the_range_no_more_than_needed(elem, value, expected):
    assert Pad((1, 0), (0, 0), value).infer(Tensor((2, 2, 1), elem)).range == expected
    assert Pad((0, 0), (0, 0), value).infer(Tensor((2, 2, 1), elem)).range == elem


def test_padding_in_place():
    y = Pad((1, 0), (0, 2), 9).evaluate(np.arange(4).reshape(1, 2, 2, 1))
    assert y[0, :, :, 0].tolist() == [[9, 9, 9, 9], [0, 1, 9, 9], [2, 3, 9, 9]]


@pytest.mark.parametrize(("op", "shape", "told"), [
    (Window((3, 3)), (2, 5, 1), "3x3 in a frame of 2x5"), (Window((2, 2)), (4, 4), "shape (4, 4)"),
    (Window((0, 1)), (4, 4, 1), "taps=(0, 1)"), (Pad((1, -1), (0, 0)), (4, 4, 1), "before=(1, -1)"),
    (Pad((1, 1), (0, 0)), (4,), "shape (4,)"), (MaxReduce(3), (8,), "8 channels are not 3 pixels"),
    (MaxReduce(0), (8,), "not 0 pixels"), (Fifo(0), (8,), "depth 0")])
def test_what_does_not_fit_is_told(op, shape, told):
    with pytest.raises(LutraError) as e:
        op.infer(Tensor(shape, Range(0, 1)))
    assert told in str(e.value)


@pytest.mark.parametrize(("op", "shape"), [
    (Width(), (10,)), (Fifo(2), (10,)), (Pad((1, 1), (1, 1)), (2, 2, 10)), (Window((1, 2)), (2, 2, 10)),
    (MaxReduce(1), (10,)), (ArgMax(), (10,))])
def test_a_fold_that_does_not_divide(op, shape):
    with pytest.raises(LutraError, match="=3 does not divide"):
        op.lanes(Fold(pe=3, simd=3), Tensor(shape, Range(0, 1)))


@pytest.mark.parametrize(("taken", "given", "reads", "writes"), [
    (1, 3, [1, 2, 3, 4, 5, 6], [2, 5]), (3, 1, [1, 1, 1, 2, 2, 2], [0, 1, 2, 3, 4, 5]), (3, 2, [1, 2, 2], [0, 1, 2]),
    (2, 3, [1, 2, 3], [1, 2]), (6, 6, [1], [0])])
def test_width_moves_one_side_in_every_slot(taken, given, reads, writes):
    loop = Width().loop(Fold(pe=given, simd=taken), Tensor((6,), Range(0, 1)))
    assert loop.reads.tolist() == reads
    assert loop.writes.tolist() == writes
    assert loop.slots == len(reads)


@pytest.mark.parametrize(("shape", "taps", "stride", "slots", "cycles"), [
    ((30, 30, 64), 3, 1, 4, 7117), ((28, 28, 64), 2, 2, 4, 791), ((14, 14, 128), 3, 1, 4, 1325),
    ((3, 3, 256), 3, 1, 7, 9), ((1, 100, 8), None, 1, 3, 100)])
def test_rows_of_a_window_and_their_interval(shape, taps, stride, slots, cycles):
    """28 * 28 * 9 = 7056 words of a frame are read in 7117 cycles: two rows are waited for between frames."""
    op = Window((taps, taps) if taps else (1, shape[1]), (stride, stride))
    x = Tensor(shape, BIPOLAR)
    fold = Fold(simd=shape[2])
    rows, interval = op.rows(fold, x)
    assert (rows.slots, interval) == (slots, cycles)
    assert op.cycles(fold, x) == cycles


@pytest.mark.parametrize(("depth", "width", "block", "bram"), [
    (2, 64, 0, 0), (100, 64, 0, 0), (512, 36, 1, 1), (513, 36, 1, 2), (2049, 16, 1, 4), (20000, 2, 1, 4)])
def test_where_words_wait(depth, width, block, bram):
    """Block counts: a slice for each 36, 18, 9, 4, 2 or 1 bits of 512 .. 16384 words, as synthesis finds them."""
    op, x = Fifo(depth), Tensor((width,), Range(0, 1))
    fold = Fold(pe=width, simd=width)
    assert op.block(fold, x).params["BLOCK"] == block
    assert op.features(fold, x, "ecp5").get("bram", 0) == bram


def test_place_of_words_by_hand():
    x = Tensor((64,), Range(0, 1))
    assert Fifo(600).block(Fold(64, 64, "lut"), x).params["BLOCK"] == 0
    assert Fifo(4).block(Fold(64, 64, "block"), x).params["BLOCK"] == 1
    assert Fifo(3).block(Fold(64, 64, "block"), x).params["BLOCK"] == 0  # too few places to hide its latency
