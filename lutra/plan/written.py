"""Weights that are written at run time: what a host writes, and the plan whose graph has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Instance, Memory, Netlist, parts
from lutra.ir import Array, Constant, Graph, Node
from lutra.ops.matmul.op import MatMul
from lutra.ops.weights import PLACES
from lutra.plan.names import layer_names
from lutra.plan.plan import Plan
from lutra.plan.stages import Stage

STOP, GO = (0, 1), (0, 0)  # writes to the control register of `lutra_control`


def write_sequence(plan: Plan, design: Netlist, weights: Mapping[str, Any]) -> Array:
    """Addresses and values (n, 2), uint32, that give a design of this plan other weights; see `reweighted`."""
    other = reweighted(plan, weights)
    found = [STOP]
    for stage, instance in written_memories(other, design):
        if stage.name in weights:
            found += writes(_memory(stage), design.windows[instance.name])
    return np.array([*found, GO], np.uint32)


def first_writes(plan: Plan, design: Netlist, weights: Mapping[str, Any]) -> Array:
    """The same, and the model's own weights in memories that wake up with nothing."""
    ops = {s.name: s.unit for s, i in written_memories(plan, design) if i.name in design.blank}
    own = {name: op.weights.array for name, op in ops.items() if isinstance(op, MatMul)}
    return write_sequence(plan, design, {**own, **weights})


def address_map(plan: Plan, design: Netlist) -> list[dict[str, Any]]:
    """Where a host finds each layer's weights: byte address of its window and bytes of that, words and bits of one,
    bytes from one word to the next, and whether the memory wakes up with nothing.
    """
    found = []
    for stage, instance in written_memories(plan, design):
        memory = _memory(stage)
        found.append({
            "layer": stage.name, "address": design.windows[instance.name], "bytes": instance.block.window,
            "words": len(memory.words), "word_bits": memory.width, "word_bytes": _step(memory),
            "in": PLACES[int(instance.block.params["PLACE"])], "blank": memory.blank,
        })
    return found


def written_memories(plan: Plan, design: Netlist) -> tuple[tuple[Stage, Instance], ...]:
    """The stages whose weights can be written, with the memories that hold them."""
    instances = [i for i in design.instances if not i.of]
    feeders = {i.of: i for i in design.instances if i.block.written}
    pairs = zip(plan.stages, instances, strict=True)
    return tuple((stage, feeders[i.name]) for stage, i in pairs if i.name in feeders)


def writes(memory: Memory, base: int) -> list[tuple[int, int]]:
    """Addresses and values that fill a memory whose window begins at `base`: each word's parts, the low one first."""
    pieces, step = parts(memory.width), _step(memory)
    return [(base + step * k + 4 * p, word >> 32 * p & 0xFFFFFFFF)
            for k, word in enumerate(memory.words) for p in range(pieces)]


def _step(memory: Memory) -> int:
    """Bytes of addresses from one word to the next."""
    return 4 << (parts(memory.width) - 1).bit_length()


def reweighted(plan: Plan, weights: Mapping[str, Any]) -> Plan:
    """The same plan of the graph with these weights: by layer, (rows, columns) integers. LutraError for a layer that
    does not exist or whose weights stay, and for weights of another shape or beyond what the layer was made for.
    """
    named = {name: node for node, name in layer_names(plan.graph).items()}
    given = {}
    for name, values in weights.items():
        if name not in named:
            raise LutraError(f"no layer {name!r}", "weights", f"the layers are {', '.join(named)}")
        given[named[name]] = _checked(named[name].op, np.asarray(values), name)
    done: dict[Node, Node] = {}
    for node in plan.graph.nodes:
        args = tuple(done[a] for a in node.args)
        op = given.get(node, node.op)
        done[node] = node if op is node.op and args == node.args else Node(op, args, node.loc)
    graph = Graph(tuple(done[n] for n in plan.graph.inputs), tuple(done[n] for n in plan.graph.outputs))
    depths = {s if s.user is None else s._replace(user=done[s.user]): d for s, d in plan.depths.items()}
    shared = tuple((done[a], done[b]) for a, b in plan.shared)
    folds = {done[n]: f for n, f in plan.folds.items()}
    return replace(plan, graph=graph, folds=folds, depths=depths, shared=shared)


def _checked(op: object, values: Array, name: str) -> MatMul:
    """The operator with other weights."""
    if not isinstance(op, MatMul) or op.span is None:
        raise LutraError("its weights cannot be written", name, 'compile with weights="written"')
    if values.dtype.kind not in "iu" or values.shape != op.weights.shape:
        raise LutraError(f"weights of shape {values.shape} and type {values.dtype}", name,
                         f"give integers of shape {op.weights.shape}")
    if not op.span.holds(values):
        raise LutraError(f"weights from {values.min()} to {values.max()}", name, f"they must be in {op.span}")
    return replace(op, weights=Constant(values.astype(np.int64)))


def _memory(stage: Stage) -> Memory:
    feeder = stage.feeder
    assert feeder is not None, stage
    return feeder.memories[feeder.written]


def writable(graph: Graph) -> Graph:
    """The graph with every matrix of weights to be written at run time, within the integers of as many bits as the
    model's have. Matrices whose weights are all alike, such as sums, stay. LutraError where there is none.
    """
    done: dict[Node, Node] = {}
    for node in graph.nodes:
        op, args = node.op, tuple(done[a] for a in node.args)
        if isinstance(op, MatMul) and np.ptp(op.weights.array):
            op = op.writable(args[0].out.range)
        done[node] = node if op is node.op and args == node.args else Node(op, args, node.loc)
    if not any(isinstance(n.op, MatMul) and n.op.span for n in done.values()):
        raise LutraError("no layer of this model has weights that can be written", "options")
    return Graph(tuple(done[n] for n in graph.inputs), tuple(done[n] for n in graph.outputs))
