"""Small exact rules on the integer graph."""

from __future__ import annotations

from lutra.ir import Node, Rule
from lutra.ops.maxreduce.op import MaxReduce
from lutra.ops.reshape.op import Reshape
from lutra.ops.threshold.op import Threshold
from lutra.ops.window.op import Window


def drop_reshape(node: Node) -> Node | None:
    """A reshape of a reshape is the second alone; one to the same shape is nothing."""
    match node:
        case Node(op=Reshape(), args=(Node(op=Reshape(), args=(inner,)),)):
            return Node(node.op, (inner,), node.loc)
        case Node(op=Reshape(shape=shape), args=(inner,)) if inner.out.shape == shape:
            return inner
    return None


def threshold_before_pool(node: Node) -> Node | None:
    """Thresholds of a maximum are the maximum of thresholds: they rise, each channel by its own. Windows then carry few
    bits, not accumulators.
    """
    match node:
        case Node(op=Threshold(falling=falling), args=(Node(op=MaxReduce() as pool, args=(
                Node(op=Window() as window, args=(inner,)) as slid,)) as pooled,)) if not falling.array.any():
            first = Node(node.op, (inner,), node.loc)
            return Node(pool, (Node(window, (first,), slid.loc),), pooled.loc)
    return None


RULES: tuple[Rule, ...] = (drop_reshape, threshold_before_pool)
