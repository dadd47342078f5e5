"""The pipeline of a graph, and the names that users call its layers by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from lutra.errors import LutraError
from lutra.ir import Graph, Input, Node
from lutra.ops.base import Unit
from lutra.ops.reshape.op import Reshape


def pipeline(graph: Graph) -> tuple[Node, ...]:
    """The hardware units in order of the stream. LutraError unless the graph is one chain from its only input to its
    only output, with at least one unit.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        found = f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs"
        raise LutraError(f"the model has {found}", hint="one of each is supported")
    for node in graph.nodes:
        _check(node, len(graph.users[node]))
    units = tuple(n for n in graph.nodes if isinstance(n.op, Unit))
    if not units:
        raise LutraError("nothing to build: no operation of the model needs hardware")
    return units


def _check(node: Node, users: int) -> None:
    if users > 1:
        raise LutraError(f"the result of {node.op.kind} is read {users} times", node.loc, "branches have no hardware")
    if isinstance(node.op, Input):
        return
    if not isinstance(node.op, Unit | Reshape):
        raise LutraError(f"{node.op.kind} has no hardware", node.loc, "lower the model to an integer graph first")
    if len(node.args) != 1:
        raise LutraError(f"{node.op.kind} reads {len(node.args)} streams", node.loc, "one is supported")


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
