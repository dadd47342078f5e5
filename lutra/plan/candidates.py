"""What the folding solver chooses from: the folds of each layer as arrays, and the price of joining two layers."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lutra.ir import Array, Graph, Input, Node, Tensor
from lutra.ops.base import SHARED, ULTRA, WRITTEN, Cost, Fold, Unit
from lutra.ops.fork.op import Fork
from lutra.ops.matmul.op import MatMul
from lutra.ops.shared import half_cost
from lutra.ops.width.op import Width
from lutra.plan.devices import Device
from lutra.plan.lanes import Structure, structure
from lutra.plan.names import Sink, pipeline, sinks
from lutra.plan.stages import Stage, folds_of, placed

RESOURCES = ("lut", "ff", "bram", "dsp", "uram")
BARRED = 2**62  # cycles: more than any interval
RAMS = ("auto", "lut", "block")  # lanes and cycles do not depend on it; "auto" stays where the others are no better


def vector(cost: Cost) -> list[float]:
    """A cost as numbers, in the order of RESOURCES."""
    return [getattr(cost, r) for r in RESOURCES]


@dataclass(frozen=True, eq=False)
class Layer:
    """The candidates of a unit, a join, or an input that several read, with the fork behind it: lanes (n, streams) of
    the streams that it reads and of the one that it gives, cycles (n,) a frame, costs (n, resources).
    """

    folds: tuple[Fold, ...]
    lanes: Array
    cycles: Array
    costs: Array

    @cached_property
    def values(self) -> tuple[Array, ...]:
        """The different lane counts of each stream, ascending, the output's last."""
        return tuple(np.unique(column) for column in self.lanes.T)

    @cached_property
    def places(self) -> Array:
        """For each candidate, the index of its lanes in `values`: (n, streams)."""
        pairs = zip(self.values, self.lanes.T, strict=True)
        return np.stack([np.searchsorted(values, column) for values, column in pairs], axis=1)

    def barred(self, which: list[bool]) -> Layer:
        """The same candidates, some of which are so slow that no choice has them."""
        return replace(self, cycles=np.where(which, BARRED, self.cycles))

    def take(self, kept: Array) -> Layer:
        """The candidates at these indices."""
        return Layer(tuple(self.folds[i] for i in kept), self.lanes[kept], self.cycles[kept], self.costs[kept])


@dataclass(frozen=True, eq=False)
class Joint:
    """The stream from one layer to an input of another, by their indices; width converters in it: cycles (lanes of the
    source, lanes of the sink) and costs (the same, resources).
    """

    source: int
    sink: int
    port: int
    cycles: Array
    costs: Array


@dataclass(frozen=True, eq=False)
class Network:
    """Layers, each after those that feed it, and the joints between them."""

    nodes: tuple[Node, ...]
    layers: tuple[Layer, ...]
    joints: tuple[Joint, ...]

    @cached_property
    def intervals(self) -> Array:
        """Every interval that some choice has, ascending, from what no choice can be below."""
        tables = [x.cycles.ravel() for x in self.layers] + [x.cycles.ravel() for x in self.joints]
        every = np.unique(np.concatenate(tables))
        return every[every >= max(int(t.min()) for t in tables)]

    @cached_property
    def spent(self) -> Array:
        """Which resources any choice needs."""
        tables = [x.costs for x in self.layers] + [x.costs for x in self.joints]
        most: Array = np.max([t.reshape(-1, len(RESOURCES)).max(axis=0) for t in tables], axis=0)
        return most > 0

    def without(self, ram: str, nodes: Set[Node]) -> Network:
        """The same, of which no choice has this place for the memories of these nodes."""
        layers = tuple(layer.barred([f.ram == ram for f in layer.folds]) if n in nodes else layer
                       for n, layer in zip(self.nodes, self.layers, strict=True))
        return Network(self.nodes, layers, self.joints)

    @cached_property
    def structure(self) -> Structure:
        """What ties the choices together, for the solver."""
        return structure(self.layers, self.joints)


def network(graph: Graph, family: str, weights: tuple[str, ...] = ()) -> Network:
    """All choices for a graph on a family. weights: places of STREAMED, the cheapest of which is for all weights that
    can be there (see `stream_places`); none: the cheapest in the units.
    """
    units, readers = set(pipeline(graph)), sinks(graph)
    known = {n: layer(n, family, len(readers[n]), weights, halves=True) for n in units}
    nodes = tuple(n for n in graph.nodes if n in units or _forked_input(n, readers))
    for node in nodes:
        if node not in units:
            known[node] = _input(node, readers[node], known, family)
    index = {n: k for k, n in enumerate(nodes)}
    joints = tuple(
        _joint(index[n], index[s.user], s.port, known, nodes, family)
        for n in nodes for s in readers[n] if s.user is not None
    )
    return Network(nodes, tuple(known[n] for n in nodes), joints)


def stream_places(device: Device, weights: str) -> tuple[str, ...]:
    """What of STREAMED the option `weights` leaves to choose from on a device."""
    if weights == WRITTEN and device.uram:
        return WRITTEN, ULTRA
    return () if weights == "auto" else (weights,)


def layer(
    node: Node, family: str, users: int = 1, weights: tuple[str, ...] = (), halves: bool = False
) -> Layer:
    """The folds of a unit or join with every place for its memories, and the fork to its users; those that another one
    with the same lanes beats or equals in everything are left out. halves: with halves of memories that two share.
    """
    streamed = [f for f in folds_of(node) if _streams(node, f, weights)] if weights else []
    rams = [(f, weights if streamed else _rams(node, f, family, halves)) for f in streamed or folds_of(node)]
    alike = [[placed("", node, replace(f, ram=ram)) for ram in some] for f, some in rams]
    counts, stages = [len(some) for some in alike], [s for some in alike for s in some]
    lanes = np.array([(*some[0].lanes[0], some[0].lanes[1]) for some in alike]).repeat(counts, 0)
    cycles = np.array([some[0].cycles for some in alike]).repeat(counts)
    costs = np.array([vector(_cost(s, family)) for s in stages])
    if users > 1:
        forks, which = np.unique(lanes[:, -1], return_inverse=True)
        behind = [_fork(node, users, int(n)) for n in forks]
        cycles = np.maximum(cycles, np.array([s.cycles for s in behind])[which])
        costs = costs + np.array([vector(s.cost(family)) for s in behind])[which]
    return _undominated(Layer(tuple(s.fold for s in stages), lanes, cycles, costs))


def _rams(node: Node, fold: Fold, family: str, halves: bool) -> tuple[str, ...]:
    """The places for a unit's memories."""
    shares = halves and isinstance(node.op, MatMul) and node.op.shares(fold, node.args[0].out, family)
    return (*RAMS, SHARED) if shares else RAMS


def _cost(stage: Stage, family: str) -> Cost:
    """Resources of a stage, half of a memory that it shares among them."""
    if not isinstance(stage.unit, MatMul) or stage.fold.ram != SHARED:
        return stage.cost(family)
    return stage.cost(family) + half_cost(stage.unit.shape(stage.fold, stage.xs[0]), family)


def _streams(node: Node, fold: Fold, weights: tuple[str, ...]) -> bool:
    return isinstance(node.op, Unit) and not set(weights).isdisjoint(node.op.places(fold))


def _forked_input(node: Node, readers: dict[Node, tuple[Sink, ...]]) -> bool:
    return isinstance(node.op, Input) and len(readers[node]) > 1


def _input(node: Node, readers: tuple[Sink, ...], known: dict[Node, Layer], family: str) -> Layer:
    """An input that several read: its words may be those of any of them."""
    found = [known[s.user].values[s.port] for s in readers if s.user is not None]
    lanes = np.unique(np.concatenate(found)) if found else np.ones(1, np.int64)
    stages = [_fork(node, len(readers), int(n)) for n in lanes]
    costs = np.array([vector(s.cost(family)) for s in stages])
    return Layer(tuple(s.fold for s in stages), lanes[:, None], np.array([s.cycles for s in stages]), costs)


def _fork(node: Node, users: int, lanes: int) -> Stage:
    return Stage("", node, Fork(users), Fold(lanes, lanes), (node.out,))


def _undominated(every: Layer) -> Layer:
    figures = np.column_stack([every.cycles, every.costs])
    kept: dict[tuple[int, ...], list[int]] = {}
    for i in np.lexsort(figures.T[::-1]):
        rivals = kept.setdefault(tuple(every.lanes[i].tolist()), [])
        if not (figures[rivals] <= figures[i]).all(axis=1).any():
            rivals.append(int(i))
    return every.take(np.array(sorted(i for some in kept.values() for i in some)))


def _joint(source: int, sink: int, port: int, known: dict[Node, Layer], nodes: tuple[Node, ...], family: str) -> Joint:
    x = nodes[source].out
    before, after = known[nodes[source]].values[-1], known[nodes[sink]].values[port]
    cycles = np.zeros((len(before), len(after)), dtype=np.int64)
    costs = np.zeros((len(before), len(after), len(RESOURCES)))
    for i, a in enumerate(before):
        for j, b in enumerate(after):
            if a != b:
                cycles[i, j], costs[i, j] = _converter(x, int(a), int(b), family)
    return Joint(source, sink, port, cycles, costs)


def _converter(x: Tensor, taken: int, given: int, family: str) -> tuple[int, list[float]]:
    fold = Fold(pe=given, simd=taken)
    return Width().cycles(fold, x), vector(Width().cost(fold, x, family))
