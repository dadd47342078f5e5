"""The order of a graph's nodes and what stands in the way of reading them, found before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from lutra.errors import LutraError
from lutra.front.operators import advice, unsupported
from lutra.front.place import place, shown


@dataclass(frozen=True)
class Survey:
    """Nodes that the outputs need, in an order in which each is read after what it reads; their places."""

    order: tuple[int, ...]
    places: tuple[str, ...]


def survey(graph: Any, constants: Mapping[str, Any], data: Set[str]) -> Survey:
    """Order the nodes of an ONNX graph; LutraError for a cycle, a tensor that nothing makes, an unknown operator.

    constants: the initialisers by name. data: the names of the network's inputs.
    """
    places = tuple(place(n, i, len(graph.node)) for i, n in enumerate(graph.node))
    makers: dict[str, int] = {}
    for i, node in enumerate(graph.node):
        for name in node.output:
            if name and (name in makers or name in constants or name in data):
                raise LutraError(f"tensor {shown(name)} is made twice", places[i], "export the model again")
            makers[name] = i
    known = {*constants, *data}
    for out in graph.output:
        if out.name not in makers and out.name not in known:
            raise LutraError(f"nothing makes the output {shown(out.name)}", "model", "export the model again")
    order = _ordered(graph, makers, known, places)
    _refuse_unsupported(graph, order, places, data)
    return Survey(order, places)


def _ordered(graph: Any, makers: Mapping[str, int], known: set[str], places: Sequence[str]) -> tuple[int, ...]:
    """Depth first from the outputs; a node met again while it is open is on a cycle."""
    closed: dict[int, None] = {}
    opened: set[int] = set()
    stack = [(makers[o.name], False) for o in reversed(graph.output) if o.name in makers]
    while stack:
        index, ready = stack.pop()
        if ready:
            opened.discard(index)
            closed[index] = None
            continue
        if index in closed:
            continue
        if index in opened:
            raise LutraError("it needs its own result: the graph has a cycle", places[index], "export the model again")
        opened.add(index)
        stack.append((index, True))
        for name in reversed(graph.node[index].input):
            if not name or name in known:
                continue
            if name not in makers:
                raise LutraError(f"it reads tensor {shown(name)}, which nothing makes", places[index],
                                 "an initialiser is missing from the file; export it again")
            if makers[name] in opened:
                raise LutraError("it needs its own result: the graph has a cycle", places[index],
                                 "export the model again")
            if makers[name] not in closed:
                stack.append((makers[name], False))
    return tuple(closed)


def _refuse_unsupported(graph: Any, order: Sequence[int], places: Sequence[str], data: Set[str]) -> None:
    """One sentence for all that is not supported, at the first of them."""
    live = set(data)
    found: dict[str, int] = {}
    for index in order:
        node = graph.node[index]
        if any(a.HasField("g") or a.graphs for a in node.attribute):
            raise LutraError(f"{node.op_type} runs a part of the model under a condition or in a loop", places[index],
                             "export the model with its control flow unrolled: torch.jit.trace or torch.export")
        count = sum(name in live for name in node.input)
        if count and node.op_type not in ("Shape", "Size"):
            live.update(n for n in node.output if n)
        op = str(node.op_type)
        reason = unsupported(node.domain, op, op if op.isidentifier() and len(op) <= 60 else shown(op), count)
        if reason:
            found.setdefault(reason, index)
    if not found:
        return
    names = list(found)
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    verb = "is not supported" if len(names) == 1 else "are not supported"
    raise LutraError(f"{listed} {verb}", places[min(found.values())], advice(names))
