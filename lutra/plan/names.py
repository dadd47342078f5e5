"""The hardware of a graph, the streams between its parts, and the names that users call them by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from lutra.errors import LutraError
from lutra.ir import Graph, Input, Node
from lutra.ops.base import Join, Unit
from lutra.ops.reshape.op import Reshape

OUTPUT = "output"


class Sink(NamedTuple):
    """Who reads a stream, by which it is known: the argument `port` of a node, or (None) that output of the graph."""

    user: Node | None
    port: int


def pipeline(graph: Graph) -> tuple[Node, ...]:
    """The nodes with hardware, each after those that feed it. LutraError where one has none, and where there is
    nothing to build.
    """
    nodes = hardware(graph)
    if not nodes:
        raise LutraError("nothing to build: no operation of the model needs hardware")
    return nodes


def hardware(graph: Graph) -> tuple[Node, ...]:
    """The same for a graph that may have no such node."""
    for node in graph.nodes:
        _check(node)
        if isinstance(node.op, Input) and not graph.users[node] and node not in graph.outputs:
            raise LutraError("nothing reads this input", f"input {node.op.name}", "remove it from the model")
    return tuple(n for n in graph.nodes if isinstance(n.op, Unit | Join))


def _check(node: Node) -> None:
    if isinstance(node.op, Input):
        return
    if not isinstance(node.op, Unit | Join | Reshape):
        raise LutraError(f"{node.op.kind} has no hardware", node.loc, "lower the model to an integer graph first")
    if not isinstance(node.op, Join) and len(node.args) != 1:
        raise LutraError(f"{node.op.kind} reads {len(node.args)} streams", node.loc, "one is supported")


def origin(node: Node) -> Node:
    """The input or the hardware whose stream carries a node's value: a reshape changes nothing on it."""
    while isinstance(node.op, Reshape):
        (node,) = node.args
    return node


def sinks(graph: Graph) -> dict[Node, tuple[Sink, ...]]:
    """Who reads the stream of each input and each node with hardware, in order of the graph, outputs last."""
    table: dict[Node, list[Sink]] = {n: [] for n in graph.nodes if not isinstance(n.op, Reshape)}
    for node in table:
        for port, arg in enumerate(node.args):
            table[origin(arg)].append(Sink(node, port))
    for port, node in enumerate(graph.outputs):
        table[origin(node)].append(Sink(None, port))
    return {node: tuple(some) for node, some in table.items()}


def layer_names(graph: Graph) -> dict[Node, str]:
    """A name for each node with hardware: its kind and a counter in order of the graph, such as matmul0, add0."""
    counts: Counter[str] = Counter()
    names: dict[Node, str] = {}
    for node in hardware(graph):
        names[node] = f"{node.op.kind}{counts[node.op.kind]}"
        counts[node.op.kind] += 1
    return names


def stream_names(graph: Graph) -> dict[Sink, str]:
    """A name for each stream: that of what fills it and, where several read it, that of its reader behind it."""
    layers: Mapping[Node, str] = layer_names(graph) | _numbered("input", graph.inputs)
    ends = [OUTPUT] if len(graph.outputs) == 1 else [f"{OUTPUT}{k}" for k in range(len(graph.outputs))]
    names: dict[Sink, str] = {}
    for node, readers in sinks(graph).items():
        often = Counter(s.user for s in readers)
        for sink in readers:
            reader = ends[sink.port] if sink.user is None else layers[sink.user]
            twice = f".{sink.port}" if sink.user is not None and often[sink.user] > 1 else ""
            names[sink] = layers[node] if len(readers) == 1 else f"{layers[node]}_{reader}{twice}"
    return names


def _numbered(name: str, nodes: tuple[Node, ...]) -> dict[Node, str]:
    return {n: name if len(nodes) == 1 else f"{name}{k}" for k, n in enumerate(nodes)}


def by_name(graph: Graph) -> Mapping[str, Node]:
    """The nodes with hardware by their names."""
    return {name: node for node, name in layer_names(graph).items()}
