"""Recurrent layers on integers: Turn, the cell, Unturn; CTC's decoding; marks where sequences leave the design.

All formats inside have binary points of their own, so integers are told by shifts: nothing is fitted or walked.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Constant, Graph, Node
from lutra.ops import source as src
from lutra.ops.collapse.op import Collapse
from lutra.ops.last.op import Last
from lutra.ops.mark.op import Mark
from lutra.ops.recurrent.op import Gru, Lstm
from lutra.ops.requant.format import Format
from lutra.ops.reshape.op import Reshape
from lutra.ops.sequence import Sequential
from lutra.ops.slice.op import Slice
from lutra.ops.source import Mul, real
from lutra.ops.source.recurrent import Word
from lutra.ops.turn.op import Turn, Unturn
from lutra.rules.affine import affine
from lutra.rules.integers import Integers, Lowering
from lutra.rules.linear import in_rows
from lutra.rules.spatial import narrow
from lutra.rules.view import View, channelwise, reshaped

Columns = tuple[Array, Array]  # what a stream's integers are multiplied by, and what is added, to be x * 2**point


def lower_sequence(low: Lowering, views: tuple[View, ...], op: src.Sequence, loc: str) -> View:
    """A sequence's operator; its length is an integer of the stream that it comes in."""
    view, lengths = views
    if isinstance(op, src.CtcCollapse):
        return _collapsed(low, view, lengths.node, op, loc)
    if isinstance(op, src.Last):
        return _last(low, view, lengths.node, op, loc)
    assert isinstance(op, src.Recurrent)
    return _recurrent(low, view, lengths.node, op, loc)


def _recurrent(low: Lowering, view: View, lengths: Node, op: src.Recurrent, loc: str) -> View:
    """The layer; the stream's order of a column's elements, and what its integers are worth, go into the weights."""
    directions, _, size, inputs = op.sizes
    view = in_rows(low.settle(view, loc), inputs, loc)
    ints = low.integers(view, loc, zero=False)
    time = view.index.shape[0]
    order = view.index[0] - view.index[0].min()
    placed = np.empty_like(order)
    placed[order] = np.arange(inputs)  # stream position -> source element
    node, cell = reshaped(ints.node, (time, inputs)), cell_of(op, placed, _columns(ints, inputs, op.points[0], loc))
    if directions == 1:
        node = _backwards(node, lengths, loc) if op.reverse else node
        node = Node(cell, (reshaped(node, (time, 1, inputs)), lengths), loc)
        node = reshaped(node, (time, size))
        node = _backwards(node, lengths, loc) if op.reverse else node
    else:
        node = Node(Turn(blank_of(node)), (node, lengths), loc)
        node = Node(cell, (node, lengths), loc)
        node = Node(Unturn(blank_of(node)), (node, lengths), loc)
    return View(node, np.arange(node.out.size).reshape(node.out.shape), (Mul(real(2.0**-op.state.fraction)),))


def _backwards(node: Node, lengths: Node, loc: str) -> Node:
    """A sequence (T, C) from its last column to its first."""
    time, channels = node.out.shape
    both = Node(Turn(blank_of(node)), (node, lengths), loc)
    return reshaped(Node(Slice((0, 1, 0), (time, 2, channels)), (both,), loc), (time, channels))


def blank_of(node: Node) -> int:
    """What stands behind a sequence's end: 0, or the least value of a range without it."""
    return 0 if node.out.range.holds(np.zeros(1, np.int64)) else node.out.range.lo


def _columns(ints: Integers, inputs: int, point: int, loc: str) -> Columns:
    """For each element of a column on the stream."""
    found = []
    for values in (ints.scale, ints.offset):
        steps = np.ldexp(np.tile(values, inputs // np.size(values)), point)
        if (steps != np.rint(steps)).any():
            raise LutraError(f"inputs that are no multiples of 2**{-point}", loc,
                             "cast what the layer reads to fixed point, as lutra.quant does")
        found.append(steps.astype(np.int64))
    return found[0], found[1]


@singledispatch
def cell_of(op: src.Recurrent, placed: Array, columns: Columns) -> Lstm | Gru:
    """The operator on integers for columns whose elements stand in this order and are worth this."""
    raise AssertionError(op)


@cell_of.register
def _(op: src.Lstm, placed: Array, columns: Columns) -> Lstm:
    of, entry, worth = op.fraction, op.sigmoid.fraction, max(op.tanh.fraction, op.memory.fraction)
    weights, bias, x = _weights(op, placed, columns)
    peepholes = None if op.extra is None else narrow(_integers(op.extra.array, op.points[3]))
    shifts = (x, of - op.points[2] - op.state.fraction,
              0 if op.extra is None else of - op.points[3] - op.memory.fraction,
              worth - op.tanh.fraction, worth - op.memory.fraction)
    return Lstm(
        Constant(weights), Constant(narrow(_integers(op.recurrent.array, op.points[2]))), Constant(bias),
        None if peepholes is None else Constant(peepholes), shifts, _format(of, op.sums), _indices(op),
        op.sigmoid_table, op.tanh_table, _format(entry + worth, op.memory),
        _format(op.memory.fraction, op.memory_index), op.memory_table,
        _format(entry + op.tanh.fraction, op.state))


@cell_of.register
def _(op: src.Gru, placed: Array, columns: Columns) -> Gru:
    of, entry, worth = op.fraction, op.sigmoid.fraction, max(op.tanh.fraction, op.state.fraction)
    weights, bias, x = _weights(op, placed, columns)
    by_state = op.points[2] + op.state.fraction
    assert op.extra is not None
    shifts = (x, of - by_state, of - op.sums.fraction - entry, worth - op.tanh.fraction, worth - op.state.fraction)
    return Gru(
        Constant(weights), Constant(narrow(_integers(op.recurrent.array, op.points[2]))), Constant(bias),
        Constant(narrow(_integers(op.extra.array, by_state))), shifts, 1 << entry, _format(of, op.sums),
        _format(by_state, op.sums), _indices(op), op.sigmoid_table, op.tanh_table,
        _format(entry + worth, op.state))


def _weights(op: src.Recurrent, placed: Array, columns: Columns) -> tuple[Array, Array, int]:
    """The integers of W and b for columns as the stream has them, and the shift of W's product. What is common to all
    columns' factors and a power of two is shifted.
    """
    factor, term = columns
    whole = _integers(op.weights.array, op.points[1])[..., placed]
    twos = min(int(f & -f).bit_length() - 1 for f in factor)
    shift = op.fraction - op.points[0] - op.points[1]
    bias = _integers(op.bias.array, op.fraction) + ((whole @ term) << shift)
    return narrow(whole * (factor >> twos)), narrow(bias), shift + twos


def _integers(values: Array, point: int) -> Array:
    found = np.ldexp(values, point)
    assert (found == np.rint(found)).all(), "cast before"
    return found.astype(np.int64)


def _format(given: int, to: Word) -> Format:
    """The cast from so many bits behind the binary point."""
    return Format(given - to.fraction, *to[1:])


def _indices(op: src.Recurrent) -> tuple[Format, Format]:
    return _format(op.sums.fraction, op.sigmoid_index), _format(op.sums.fraction, op.tanh_index)


def _collapsed(low: Lowering, view: View, lengths: Node, op: src.CtcCollapse, loc: str) -> View:
    """On the labels as integers."""
    view = low.if_integer(view, loc)
    found = affine(view.chain, view.node)
    if found is None or found[0].size > 1 or found[1].size > 1 or not (np.diff(view.index.ravel()) == 1).all():
        raise LutraError("labels that are no integers in the order of columns", loc, "take the arg-max of each column")
    blank = (op.blank - float(found[1])) / float(found[0])
    if not blank.is_integer():
        raise LutraError(f"the blank {op.blank} is none of the labels", loc, "give the index of a class")
    node = Node(Collapse(int(blank)), (reshaped(view.node, (view.index.size, 1)), lengths), loc)
    index = np.arange(node.out.size).reshape(node.out.shape[0], *view.index.shape[1:])
    return View(node, index, view.chain)


def _last(low: Lowering, view: View, lengths: Node, op: src.Last, loc: str) -> View:
    """The last column; where both directions' last states are wanted, of what the cell gives, before it is turned."""
    rest = view.index.shape[1:]
    size = int(np.prod(rest, dtype=np.int64))
    if op.backward:
        node = Node(Last(), (_cell_behind(view.node, loc), lengths), loc)
        return View(reshaped(node, (1, size)), np.arange(size).reshape(1, *rest), view.chain)
    view = in_rows(low.settle(view, loc), size, loc)
    if channelwise(view.chain, 2) > 1 and size % view.channels:
        raise LutraError("the last of columns that have parameters of their own", loc, "take it before they differ")
    chain = tuple(p.with_params(*(v if v.size == 1 else np.tile(v, size // view.channels) for v in p.params()))
                  for p in view.chain)
    node = Node(Last(), (reshaped(view.node, (view.index.shape[0], size)), lengths), loc)
    return View(node, view.index[:1] - view.index[:1].min(), chain)


def _cell_behind(node: Node, loc: str) -> Node:
    """The cell whose states these are, in whatever order."""
    while not isinstance(node.op, (Lstm, Gru)):
        if not isinstance(node.op, (Turn, Unturn, Slice, Reshape)):
            raise LutraError("final states of what is no recurrent layer's", loc, "take them from the layer itself")
        node = node.args[0]
    return node


def _sequence_of(node: Node) -> Node | None:
    """The operator on sequences that a node's value comes of; None where it is no sequence."""
    seen: set[Node] = set()
    stack = [node]
    while stack:
        node = stack.pop()
        if isinstance(node.op, Sequential):
            if node.op.ragged:
                return node
            continue
        stack += [a for a in node.args if a not in seen]
        seen.update(node.args)
    return None


def marked(graph: Graph) -> Graph:
    """With outputs that say where their sequences end: an operator on sequences does, if nothing else reads it.
    LutraError where that is not known, as behind CTC's decoding.
    """
    return Graph(graph.inputs, tuple(_marked(graph, node) for node in graph.outputs))


def _marked(graph: Graph, node: Node) -> Node:
    found = _sequence_of(node)
    if found is None or (found is node and not graph.users[node] and graph.outputs.count(node) == 1):
        return node
    if isinstance(found.op, Collapse):
        raise LutraError("labels of CTC's decoding are read again", found.loc, "make them an output, once, and no more")
    return Node(Mark(blank_of(node)), (node, found.args[-1]), node.loc)
