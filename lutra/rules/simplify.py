"""Small exact rules on the integer graph."""

from __future__ import annotations

from lutra.ir import Graph, Node, Op, Rule
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


def merged(graph: Graph) -> Graph:
    """Equal operations on equal arguments are one node: two layers that read the same windows share them."""
    done: dict[Node, Node] = {n: n for n in graph.inputs}
    made: dict[tuple[Op, tuple[Node, ...]], Node] = {}
    for node in graph.nodes:
        if node not in done:
            args = tuple(done[a] for a in node.args)
            new = node if args == node.args else Node(node.op, args, node.loc)
            done[node] = made.setdefault((node.op, args), new)
    return Graph(graph.inputs, tuple(done[n] for n in graph.outputs))


RULES: tuple[Rule, ...] = (drop_reshape, threshold_before_pool)
