"""What the folding solver chooses from: the folds of each layer as arrays, and the price of joining two layers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lutra.ir import Array, Graph, Node
from lutra.ops.base import Cost, Fold
from lutra.ops.width.op import Width
from lutra.plan.names import pipeline, unit_of

RESOURCES = ("lut", "ff", "bram", "dsp")
RAMS = ("auto", "lut", "block")  # lanes and cycles do not depend on it; "auto" stays where the others are no better


def vector(cost: Cost) -> list[float]:
    """A cost as numbers, in the order of RESOURCES."""
    return [getattr(cost, r) for r in RESOURCES]


@dataclass(frozen=True, eq=False)
class Layer:
    """The candidates of one unit: lanes (n, 2) of its streams, cycles (n,) a frame, costs (n, resources)."""

    folds: tuple[Fold, ...]
    lanes: Array
    cycles: Array
    costs: Array

    @cached_property
    def inputs(self) -> Array:
        """The different lane counts of the input stream, ascending."""
        return np.unique(self.lanes[:, 0])

    @cached_property
    def outputs(self) -> Array:
        """The different lane counts of the output stream, ascending."""
        return np.unique(self.lanes[:, 1])

    @cached_property
    def places(self) -> tuple[Array, Array]:
        """For each candidate, the index of its lanes in `inputs` and in `outputs`."""
        return np.searchsorted(self.inputs, self.lanes[:, 0]), np.searchsorted(self.outputs, self.lanes[:, 1])

    def take(self, kept: Array) -> Layer:
        """The candidates at these indices."""
        return Layer(tuple(self.folds[i] for i in kept), self.lanes[kept], self.cycles[kept], self.costs[kept])


@dataclass(frozen=True, eq=False)
class Joint:
    """Width converters between two layers: cycles (outputs, inputs) and costs (outputs, inputs, resources)."""

    cycles: Array
    costs: Array


@dataclass(frozen=True, eq=False)
class Chain:
    """Layers in order of the stream, and the joints between them."""

    nodes: tuple[Node, ...]
    layers: tuple[Layer, ...]
    joints: tuple[Joint, ...]

    @cached_property
    def intervals(self) -> Array:
        """Every interval that some choice has, ascending, from what no choice can be below."""
        tables = [x.cycles.ravel() for x in self.layers] + [x.cycles.ravel() for x in self.joints]
        every = np.unique(np.concatenate(tables))
        return every[every >= max(int(t.min()) for t in tables)]


def chain(graph: Graph, family: str) -> Chain:
    """All choices for a graph on a family."""
    nodes = pipeline(graph)
    layers = tuple(layer(n, family) for n in nodes)
    pairs = zip(nodes, layers, layers[1:], strict=False)
    return Chain(nodes, layers, tuple(_joint(n, a.outputs, b.inputs, family) for n, a, b in pairs))


def layer(node: Node, family: str) -> Layer:
    """The folds of a unit with every place for its memories; those that another one with the same lanes beats or
    equals in everything are left out.
    """
    unit, x = unit_of(node), node.args[0].out
    folds = tuple(replace(f, ram=ram) for f in unit.folds(x) for ram in RAMS)
    lanes = np.array([unit.lanes(f, x) for f in folds[:: len(RAMS)]])
    cycles = np.array([unit.cycles(f, x) for f in folds[:: len(RAMS)]])
    costs = np.array([vector(unit.cost(f, x, family)) for f in folds])
    return _undominated(Layer(folds, lanes.repeat(len(RAMS), 0), cycles.repeat(len(RAMS)), costs))


def _undominated(every: Layer) -> Layer:
    figures = np.column_stack([every.cycles, every.costs])
    kept: dict[tuple[int, ...], list[int]] = {}
    for i in np.lexsort(figures.T[::-1]):
        rivals = kept.setdefault(tuple(every.lanes[i].tolist()), [])
        if not (figures[rivals] <= figures[i]).all(axis=1).any():
            rivals.append(int(i))
    return every.take(np.array(sorted(i for some in kept.values() for i in some)))


def _joint(node: Node, before: Array, after: Array, family: str) -> Joint:
    cycles = np.zeros((len(before), len(after)), dtype=np.int64)
    costs = np.zeros((len(before), len(after), len(RESOURCES)))
    for i, a in enumerate(before):
        for j, b in enumerate(after):
            if a != b:
                fold = Fold(pe=int(b), simd=int(a))
                cycles[i, j] = Width().cycles(fold, node.out)
                costs[i, j] = vector(Width().cost(fold, node.out, family))
    return Joint(cycles, costs)
