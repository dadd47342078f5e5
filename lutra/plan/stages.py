"""The stages of a planned pipeline: its units, and the FIFOs and width converters between them, in order.

One list that costs, schedule and hardware are all made from, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lutra.ir import Array, Graph, Node, Tensor
from lutra.ops.base import Cost, Fold, Unit
from lutra.ops.fifo.op import Fifo
from lutra.ops.width.op import Width
from lutra.plan.names import layer_names, pipeline, unit_of


@dataclass(frozen=True)
class Stage:
    """A unit in place: `x` is what it reads; `node` is the graph's node, or the one whose stream it carries on."""

    name: str
    node: Node
    unit: Unit
    fold: Fold
    x: Tensor

    @property
    def lanes(self) -> tuple[int, int]:
        """Elements in a word of its two streams."""
        return self.unit.lanes(self.fold, self.x)

    @property
    def cycles(self) -> int:
        """Cycles between frames in steady state."""
        return self.unit.cycles(self.fold, self.x)

    def cost(self, family: str) -> Cost:
        """Its resources on a family."""
        return self.unit.cost(self.fold, self.x, family)

    def times(self, arrivals: Array) -> tuple[Array, Array]:
        """See `Unit.times`."""
        return self.unit.times(self.fold, self.x, arrivals)


def stages(graph: Graph, folds: Mapping[Node, Fold], depths: Mapping[Node, int]) -> tuple[Stage, ...]:
    """Unit, then its stream's FIFO where its depth is not 0, then a width converter where the next unit's lanes differ.

    `depths` is keyed by the node whose result the stream carries; what it lacks has depth 0.
    """
    return tuple(_stages(graph, folds, depths))


def _stages(graph: Graph, folds: Mapping[Node, Fold], depths: Mapping[Node, int]) -> Iterator[Stage]:
    names, units = layer_names(graph), pipeline(graph)
    for node, after in zip(units, (*units[1:], None), strict=True):
        name, unit, x = names[node], unit_of(node), node.args[0].out
        yield Stage(name, node, unit, folds[node], x)
        if after is not None:
            lanes = unit.lanes(folds[node], x)[1]
            yield from _stream(name, node, lanes, unit_of(after).lanes(folds[after], after.args[0].out)[0], depths)


def _stream(name: str, node: Node, lanes: int, wanted: int, depths: Mapping[Node, int]) -> Iterator[Stage]:
    if depths.get(node, 0):
        yield Stage(f"{name}_fifo", node, Fifo(depths[node]), Fold(lanes, lanes), node.out)
    if lanes != wanted:
        yield Stage(f"{name}_width", node, Width(), Fold(pe=wanted, simd=lanes), node.out)
