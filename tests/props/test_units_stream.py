"""Stream operators: what holds for every sample, of values, codes and schedules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lutra.ops.argmax.op import ArgMax
from lutra.ops.fifo.op import Fifo
from lutra.ops.maxreduce.op import MaxReduce
from lutra.ops.pad.op import Pad
from lutra.ops.width.op import Width
from lutra.ops.window.op import Window

UNITS = (Width, Fifo, Pad, Window, MaxReduce, ArgMax)
FRAMES = 8


@st.composite
def folded(draw, cls):
    node = draw(cls.samples())
    x = node.args[0].out
    return node, x, draw(st.sampled_from(node.op.folds(x)))


def words(node, x, fold):
    taken, given = node.op.lanes(fold, x)
    return x.size // taken, node.out.size // given


@pytest.mark.parametrize("cls", [u for u in UNITS if u is not Window])
@settings(max_examples=60)
@given(data=st.data())
def test_a_loop_takes_and_gives_every_word_once(cls, data):
    node, x, fold = data.draw(folded(cls))
    loop, (taken, given) = node.op.loop(fold, x), words(node, x, fold)
    assert loop.slots == node.op.cycles(fold, x) == len(loop.reads)
    assert loop.reads[-1] == taken and set(np.diff(loop.reads, prepend=0).tolist()) <= {0, 1}
    assert len(loop.writes) == given
    assert (np.diff(loop.writes) > 0).all() and loop.writes[0] >= 0 and loop.writes[-1] < loop.slots
    assert loop.latency >= 1


@pytest.mark.parametrize("cls", UNITS)
@settings(max_examples=40)
@given(data=st.data(), seed=st.integers(0, 2**31))
def test_times_keep_order_and_later_words_are_never_earlier(cls, data, seed):
    """Max-plus: one word a cycle on either side, none before it arrives, and no time shrinks when one arrival grows."""
    node, x, fold = data.draw(folded(cls))
    arrivals = np.cumsum(np.random.default_rng(seed).integers(0, 4, 3 * words(node, x, fold)[0]))
    taken, there = node.op.times(fold, x, arrivals)
    assert len(taken) == len(arrivals) and len(there) == 3 * words(node, x, fold)[1]
    assert (taken >= arrivals).all() and (np.diff(taken) > 0).all() and (np.diff(there) > 0).all()
    late = arrivals + (np.arange(len(arrivals)) >= len(arrivals) // 2)
    taken_late, there_late = node.op.times(fold, x, late)
    assert (taken_late >= taken).all() and (there_late >= there).all()


@pytest.mark.parametrize("cls", UNITS)
@settings(max_examples=40)
@given(data=st.data())
def test_cycles_are_the_interval_of_times(cls, data):
    node, x, fold = data.draw(folded(cls))
    before, after = words(node, x, fold)
    _, there = node.op.times(fold, x, np.zeros(FRAMES * before, np.int64))
    ends = there.reshape(FRAMES, after)[FRAMES // 2:, -1]
    assert set(np.diff(ends).tolist()) == {node.op.cycles(fold, x)}


@settings(max_examples=100)
@given(data=st.data())
def test_a_window_waits_little(data):
    """Its interval is at most a sixteenth above the slower of writing and reading, in the memory that it needs."""
    node, x, fold = data.draw(folded(Window))
    rows, interval = node.op.rows(fold, x)
    slower = max(rows.height * rows.write, rows.out_rows * rows.read)
    assert slower <= interval <= slower * 17 // 16
    assert rows.need < rows.slots <= 2 * rows.need + rows.stride + 7


@settings(max_examples=100)
@given(Pad.samples())
def test_codes_of_a_padded_stream_are_affine(node):
    """What the module computes, ADD + MUL * code modulo the width, is the wider range's code of every value."""
    x, y = node.args[0].out.range, node.out.range
    params = node.op.block(node.op.folds(node.args[0].out)[0], node.args[0].out).params
    values = x.values()
    codes = values if x.signed else x.encode(values)
    assert np.array_equal((params["ADD"] + params["MUL"] * codes) % (1 << y.bits), y.encode(values))
    if any((*node.op.before, *node.op.after)):
        assert y.decode(np.array([params["BORDER"]])).tolist() == [node.op.value]
        assert x.within(y)


@settings(max_examples=100)
@given(MaxReduce.samples(), st.integers(0, 2**31))
def test_codes_have_the_order_of_values(node, seed):
    """So a maximum of codes (two's complement where signed) is the code of the maximum."""
    x = node.args[0].out
    values = np.random.default_rng(seed).choice(x.range.values(), (4, *x.shape))
    codes = x.range.encode(values)
    if x.range.signed:
        codes = codes - ((codes >> (x.range.bits - 1)) << x.range.bits)
    largest = node.op.evaluate(codes) % (1 << x.range.bits)
    assert np.array_equal(node.out.range.decode(largest), node.op.evaluate(values))
