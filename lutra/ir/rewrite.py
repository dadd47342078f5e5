"""Rules and the loop that applies them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lutra.errors import LutraError
from lutra.ir.node import Graph, Input, Node
from lutra.ir.range import Range

Rule = Callable[[Node], Node | None]
LIMIT = 100  # applications at one node; more means two rules undo each other


def rewrite(graph: Graph, rules: Sequence[Rule]) -> Graph:
    """Apply the rules at every node, arguments first, until none applies. Shapes must stay and ranges not widen."""
    done: dict[Node, Node] = {}
    for node in graph.nodes:
        args = tuple(done[a] for a in node.args)
        new = node if args == node.args else Node(node.op, args, node.loc)
        done[node] = new if isinstance(node.op, Input) else _settle(new, rules)
    return Graph(tuple(done[n] for n in graph.inputs), tuple(done[n] for n in graph.outputs))


def _settle(node: Node, rules: Sequence[Rule]) -> Node:
    for _ in range(LIMIT):
        found = next((r for r in (rule(node) for rule in rules) if r is not None and r is not node), None)
        if found is None:
            return node
        _check(node, found)
        node = found
    raise LutraError(f"rules do not come to rest at {node.op.kind}", node.loc, "please report this model")


def _check(before: Node, after: Node) -> None:
    assert before.out.shape == after.out.shape, (before.out, after.out)
    if isinstance(before.out.elem, Range) and isinstance(after.out.elem, Range):
        assert after.out.elem.within(before.out.elem), (before.out, after.out)
