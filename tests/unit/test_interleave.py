"""Graphs of groups of sequences, whose cells take a column of each in turn."""

import numpy as np
import pytest
from recurrent_networks import activations, gru, lstm, reader

from lutra.errors import LutraError
from lutra.ir import Constant, Graph, Input, Node, Range, Tensor, rewrite
from lutra.ops.base import Fold
from lutra.ops.last.op import Last
from lutra.ops.mark.op import Mark
from lutra.ops.matmul.op import MatMul
from lutra.ops.reorder.op import Reorder
from lutra.ops.reshape.op import Reshape
from lutra.ops.sequence import sequences_of
from lutra.ops.slice.op import Slice
from lutra.ops.turn.op import Turn
from lutra.plan.devices import device
from lutra.plan.folding import by_hand, for_fps
from lutra.rules.interleave import MOST, interleaved
from lutra.rules.simplify import RULES

COLUMNS, INPUTS, ROWS = 12, 6, 4


def stacked(rng):
    """Two cells of one direction, each of the other's kind, and nothing between them."""
    x = Node(Input("x", Tensor((COLUMNS, INPUTS), activations(4))))
    lengths = Node(Input("lengths", Tensor((1,), Range(1, COLUMNS))))
    first = Node(lstm(rng, 1, ROWS, INPUTS, 3, 4, peepholes=True), (Node(Reshape((COLUMNS, 1, INPUTS)), (x,)), lengths))
    flat = Node(Reshape((COLUMNS, ROWS)), (first,))
    second = Node(gru(rng, 1, ROWS, ROWS, 3, 4), (Node(Reshape((COLUMNS, 1, ROWS)), (flat,)), lengths))
    return Graph((x, lengths), (Node(Mark(), (Node(Reshape((COLUMNS, ROWS)), (second,)), lengths)),))


def values(graph, x, lengths, count):
    """Of sequences, by a graph that takes so many at once."""
    groups = x.reshape(-1, count * COLUMNS, INPUTS), lengths.reshape(-1, count)
    (out,) = graph.outputs
    y = graph.evaluate(*groups)[out]
    return y.reshape(len(x), -1, *y.shape[2:])


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("make", [stacked, lambda rng: reader(rng, COLUMNS, INPUTS, ROWS, 5)], ids=["one", "both"])
def test_a_group_gives_what_each_sequence_gives_alone(make, count):
    rng = np.random.default_rng(count)
    graph = make(rng)
    of = graph.inputs[0].out.range
    x = rng.integers(of.lo, of.hi + 1, (12, COLUMNS, INPUTS))
    lengths = np.array([[1], [12], [3], [12], [1], [1], [7], [2], [12], [12], [5], [1]])
    wanted = values(graph, x, lengths, 1)
    assert len(np.unique(wanted)) > 3
    turns = rewrite(interleaved(graph, count), RULES)
    assert sequences_of(turns) == count
    assert np.array_equal(values(turns, x, lengths, count), wanted)


def test_channels_of_a_group_are_cut():
    graph = stacked(np.random.default_rng(0))
    (out,) = graph.outputs
    cut = Node(Slice((0, 1), (COLUMNS, 3)), out.args[:1])
    graph = Graph(graph.inputs, (Node(Mark(), (cut, graph.inputs[1])),))
    x = np.random.default_rng(1).integers(-8, 8, (4, COLUMNS, INPUTS))
    lengths = np.array([[9], [12], [1], [4]])
    turns = rewrite(interleaved(graph, 2), RULES)
    assert np.array_equal(values(turns, x, lengths, 2), values(graph, x, lengths, 1))


def kinds(graph):
    return [n.op.kind for n in graph.nodes]


def test_cells_of_one_direction_pass_columns_on_as_they_are():
    turns = rewrite(interleaved(stacked(np.random.default_rng(0)), 3), RULES)
    assert [kinds(turns).count(k) for k in ("turn", "unturn", "lstm", "gru")] == [1, 1, 1, 1]
    both = rewrite(interleaved(reader(np.random.default_rng(0), COLUMNS, INPUTS, ROWS, 5), 3), RULES)
    assert [kinds(both).count(k) for k in ("turn", "unturn", "lstm")] == [1, 1, 1]


def test_one_sequence_is_the_graph_itself():
    graph = stacked(np.random.default_rng(0))
    assert interleaved(graph, 1) is graph


FAST = {"lstm0": {"pe": 4, "simd": 6, "simd_r": 4}, "gru0": {"pe": 4, "simd": 4, "simd_r": 4}}


def test_what_is_left_of_the_drain():
    """Steps of a cycle: a sequence pays what the drain has left of the others' steps, until it is hidden."""
    graph, chip = stacked(np.random.default_rng(0)), device("xc7z020")
    plans = {b: by_hand(rewrite(interleaved(graph, b), RULES), chip, 100.0, FAST) for b in (1, 2, 16)}
    cells = {b: next(s for s in p.stages if s.unit.kind == "lstm") for b, p in plans.items()}
    rests = {b: s.unit.rest(s.fold, s.xs[0]) for b, s in cells.items()}
    alone = cells[1].unit.depth(FOLD, activations(4)) + cells[1].unit.drain() - 1
    assert rests == {1: alone - 1, 2: alone - 2, 16: max(0, alone - 16)}
    assert {b: s.cycles for b, s in cells.items()} == {b: COLUMNS * (b + rests[b]) for b in cells}
    assert cells[1].unit.hiding(FOLD, cells[1].xs[0]) == cells[2].unit.hiding(FOLD, cells[2].xs[0]) == alone
    assert plans[16].fps > 10 * plans[1].fps


FOLD = Fold(4, 6, simd_r=4)


def test_a_frame_rate_is_of_sequences():
    graph = stacked(np.random.default_rng(0))
    chip, goal = device("xc7z020"), 500_000.0
    plan = for_fps(rewrite(interleaved(graph, 4), RULES), chip, 100.0, goal)
    assert plan.interleave == 4
    assert plan.fps >= goal
    assert plan.interval <= 4 * 100e6 / goal
    with pytest.raises(LutraError, match="frames/s at this clock"):
        for_fps(graph, chip, 100.0, 10 * goal)


def no_cell():
    x = Node(Input("x", Tensor((COLUMNS, INPUTS), activations(4))))
    lengths = Node(Input("lengths", Tensor((1,), Range(1, COLUMNS))))
    return Graph((x, lengths), (Node(Mark(), (x, lengths)),))


def beside():
    """An image beside a sequence."""
    graph = stacked(np.random.default_rng(0))
    image = Node(Input("image", Tensor((3, INPUTS), activations(4))))
    return Graph((*graph.inputs, image), (*graph.outputs, Node(MatMul(Constant(np.ones((2, INPUTS), int))), (image,))))


def mixed():
    """Columns that change places."""
    graph = stacked(np.random.default_rng(0))
    (out,) = graph.outputs
    order = Constant(np.arange(COLUMNS * ROWS)[::-1].copy())
    return Graph(graph.inputs, (Node(Mark(), (Node(Reorder(order, (COLUMNS, ROWS)), out.args[:1]), out.args[1])),))


def back():
    """A cell that goes backwards alone."""
    x = Node(Input("x", Tensor((COLUMNS, INPUTS), activations(4))))
    lengths = Node(Input("lengths", Tensor((1,), Range(1, COLUMNS))))
    turned = Node(Slice((0, 1, 0), (COLUMNS, 2, INPUTS)), (Node(Turn(), (x, lengths)),))
    return Graph((x, lengths), (Node(gru(np.random.default_rng(0), 1, ROWS, INPUTS, 3, 4), (turned, lengths)),))


def ending():
    """The last column alone."""
    graph = stacked(np.random.default_rng(0))
    return Graph(graph.inputs, (Node(Last(), graph.outputs[0].args),))


@pytest.mark.parametrize(("graph", "count", "said"), [
    (no_cell, 2, "interleave=2 of a network without recurrent layers"),
    (lambda: stacked(np.random.default_rng(0)), 0, "interleave=0 is no number of sequences"),
    (lambda: stacked(np.random.default_rng(0)), MOST + 1, f"interleave={MOST + 1} is no number of sequences"),
    (beside, 2, "interleave=2 of an input that is no sequence"),
    (mixed, 2, "reorder of a group of sequences"),
    (back, 2, "slice of a group of sequences"),
    (ending, 2, "last of a group of sequences"),
])
def test_what_cannot_go_in_turn_is_refused(graph, count, said):
    with pytest.raises(LutraError, match=said):
        interleaved(graph(), count)
