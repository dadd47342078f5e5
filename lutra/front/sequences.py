"""Sequences in the network's data: the columns that a recurrent layer gave, and the last of them."""

from __future__ import annotations

from lutra.front.values import Call, Stream
from lutra.ir import Node
from lutra.ops.source import Last, Recurrent


def lengths_of(node: Node) -> Node | None:
    """The lengths of the sequence whose columns the first axis of a frame is, as a recurrent layer gave it; None where
    it is none.
    """
    columns, seen, stack = node.out.shape[:1], {node}, [node]
    while stack:
        node = stack.pop()
        if isinstance(node.op, Recurrent):
            return node.args[1]
        more = [a for a in node.args if a.out.shape[:1] == columns and a not in seen]
        seen.update(more)
        stack += more
    return None


def last(call: Call, x: Stream, lengths: Node, backward: int = 0) -> Stream:
    """The last column (1, ...) of each sequence, of the last `backward` numbers the first one."""
    return call.join(Last(backward), (x, Stream(lengths, x.batch, x.dynamic)))
