"""Several sequences in turn on one recurrent engine, so that each one's steps hide what the others wait for.

A frame becomes a group of sequences, one after the other. V. Rybalkin et al., "FINN-L" (arXiv 1807.04093), section 4,
does this with the two directions of one sequence, which hides a drain no longer than a step.
"""

from __future__ import annotations

from dataclasses import replace

from lutra.errors import LutraError
from lutra.ir import Graph, Input, Node, Tensor
from lutra.ops.base import Hardware
from lutra.ops.last.op import Last
from lutra.ops.maxreduce.op import MaxReduce
from lutra.ops.recurrent.engine import Recurrent
from lutra.ops.reshape.op import Reshape
from lutra.ops.sequence import Sequential
from lutra.ops.slice.op import Slice
from lutra.ops.turn.op import Turn, Unturn
from lutra.rules.recurrent import blank_of

MOST = 32  # sequences of a group: lengths are compared and looked up at once


def interleaved(graph: Graph, count: int) -> Graph:
    """The same of groups of `count` sequences: streams (T, ...) are (count T, ...), lengths (count,). Cells take a
    column of each in turn. Exact: what a cell makes behind a sequence's end, while longer ones go on, Unturn drops.

    LutraError where there is no cell, or something is no sequence.
    """
    if not 1 <= count <= MOST:
        raise LutraError(f"interleave={count} is no number of sequences", "options", f"1 to {MOST}")
    if count == 1:
        return graph
    if not any(isinstance(n.op, Recurrent) for n in graph.nodes):
        raise LutraError(f"interleave={count} of a network without recurrent layers", "options", "leave it out")
    lengths = {n.args[-1] for n in graph.nodes if isinstance(n.op, Sequential)}
    done: dict[Node, Node] = {}
    for node in graph.nodes:
        if isinstance(node.op, Input):
            first = 1 if node in lengths else node.out.shape[0]
            done[node] = Node(Input(node.op.name, Tensor((count * first, *node.out.shape[1:]), node.out.range)))
        else:
            done[node] = _grouped(node, tuple(done[a] for a in node.args), count)
    found = Graph(tuple(done[n] for n in graph.inputs), tuple(done[n] for n in graph.outputs))
    _check_sequences(found, {done[n] for n in lengths}, count)
    return found


def _grouped(node: Node, args: tuple[Node, ...], count: int) -> Node:
    """An operation on columns, of a group of sequences."""
    match node.op:
        case Recurrent() as op:
            return _cell(node, op, args, count)
        case Reshape(shape=shape) if shape[0] == node.args[0].out.shape[0]:
            return Node(Reshape((count * shape[0], *shape[1:])), args, node.loc)
        case Slice(start=(0, *_), stop=(last, *rest)) as op if not isinstance(node.args[0].op, Turn):
            return Node(replace(op, stop=(count * last, *rest)), args, node.loc)
        case Hardware(by_column=True) as op if not isinstance(op, (Last, Slice)):
            return Node(op, args, node.loc)
    raise LutraError(f"{node.op.kind} of a group of sequences", node.loc,
                     "leave interleave out: layers that go backwards alone, last columns, and what is not done to each "
                     "column alone do not go in turn")


def _cell(node: Node, op: Recurrent, args: tuple[Node, ...], count: int) -> Node:
    """A cell on a column of each sequence in turn; of one direction, which none has turned yet, in that order."""
    x, lengths = args
    longest = Node(MaxReduce(count), (lengths,), node.loc)
    directions, _, rows, columns = op.sizes
    if directions > 1:
        return Node(op, (x, longest), node.loc)
    given = Node(op, (_in_turn(x, lengths, columns, count), longest), node.loc)
    back = Node(Unturn(blank_of(given)), (given, lengths), node.loc)
    return Node(Reshape((x.out.shape[0], 1, rows)), (back,), node.loc)


def _in_turn(x: Node, lengths: Node, columns: int, count: int) -> Node:
    """A column of each sequence in turn; as the layer before gave them, if nothing stands between."""
    before = x
    while isinstance(before.op, Reshape):
        (before,) = before.args
    if isinstance(before.op, Unturn) and before.args[0].out.shape[1] == count:
        return before.args[0]
    flat = Node(Reshape((x.out.shape[0], columns)), (x,), x.loc)
    return Node(Turn(blank_of(flat), 1), (flat, lengths), x.loc)


def _check_sequences(graph: Graph, lengths: set[Node], count: int) -> None:
    """LutraError for an input that no operator on sequences says to be one."""
    known: set[Node] = set()
    before = -1
    while len(known) != before:
        before = len(known)
        for node in graph.nodes:
            own = {node, *node.args} - lengths
            if isinstance(node.op, Sequential) or not known.isdisjoint(own):
                known |= own
    for node in graph.inputs:
        if node not in known and node not in lengths:
            raise LutraError(f"interleave={count} of an input that is no sequence", str(node.op), "leave it out")
