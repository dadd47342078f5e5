"""The stages of a planned pipeline: its units, and the FIFOs and width converters between them, in order.

One list that costs, schedule and hardware are all made from, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
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

    def times(self, arrivals: Array, release: Array | None = None) -> tuple[Array, Array]:
        """See `Unit.times`."""
        return self.unit.times(self.fold, self.x, arrivals, release)


def stages(graph: Graph, folds: Mapping[Node, Fold], depths: Mapping[Node, int]) -> tuple[Stage, ...]:
    """Unit, then a FIFO where its stream's depth is not 0 and a width converter where the next unit's lanes differ.

    `depths` is keyed by the node whose result the stream carries; what it lacks has depth 0.
    """
    placed = unit_stages(graph, folds)
    pairs = zip(placed, (*placed[1:], None), strict=True)
    return tuple(s for a, b in pairs for s in (a, *(stream(a, b, depths.get(a.node, 0)) if b else ())))


def unit_stages(graph: Graph, folds: Mapping[Node, Fold]) -> tuple[Stage, ...]:
    """The units alone."""
    names = layer_names(graph)
    return tuple(Stage(names[n], n, unit_of(n), folds[n], n.args[0].out) for n in pipeline(graph))


def stream(source: Stage, sink: Stage, depth: int) -> tuple[Stage, ...]:
    """What stands between two units: a FIFO if `depth`, a width converter if their lanes differ.

    The FIFO is on the side of the wider words: the converter moves a word a cycle on the other side, so that nothing
    ever needs to wait there.
    """
    node, lanes, wanted = source.node, source.lanes[1], sink.lanes[0]
    wide = max(lanes, wanted)
    fifo = Stage(f"{source.name}_fifo", node, Fifo(depth), Fold(wide, wide), node.out) if depth else None
    width = Stage(f"{source.name}_width", node, Width(), Fold(wanted, lanes), node.out) if lanes != wanted else None
    return tuple(s for s in ((width, fifo) if lanes < wanted else (fifo, width)) if s)
