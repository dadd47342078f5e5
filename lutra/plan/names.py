"""The pipeline of a graph, and the names that users call its layers by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from lutra.errors import LutraError
from lutra.ir import Graph, Input, Node
from lutra.ops.base import Unit


def pipeline(graph: Graph) -> tuple[Node, ...]:
    """The hardware units in order of the stream. LutraError unless the graph is one chain from its only input to its
    only output, with at least one unit."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise LutraError(f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs", hint="one of each is supported")
    for node in graph.nodes:
        users = len(graph.users[node])
        if users > 1:
            raise LutraError(f"the result of {node.op.kind} is read {users} times", node.loc, "branches have no hardware yet")
        if not isinstance(node.op, Input) and len(node.args) != 1:
            raise LutraError(f"{node.op.kind} has {len(node.args)} arguments", node.loc, "one stream in is supported")
    units = tuple(n for n in graph.nodes if isinstance(n.op, Unit))
    if not units:
        raise LutraError("nothing to build: no operation of the model needs hardware")
    return units


def unit_of(node: Node) -> Unit:
    """The node's operator, which is a unit."""
    assert isinstance(node.op, Unit), node.op
    return node.op


def layer_names(graph: Graph) -> dict[Node, str]:
    """A name for each unit: its kind and a counter in order of the stream, such as matmul0, threshold0, matmul1."""
    counts: Counter[str] = Counter()
    names: dict[Node, str] = {}
    for node in pipeline(graph):
        names[node] = f"{node.op.kind}{counts[node.op.kind]}"
        counts[node.op.kind] += 1
    return names


def by_name(graph: Graph) -> Mapping[str, Node]:
    """The units by their names."""
    return {name: node for node, name in layer_names(graph).items()}
