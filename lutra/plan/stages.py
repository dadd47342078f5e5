"""A stage: a unit, a join, a fork, a FIFO or a width converter in place, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from lutra.hw.netlist import Block
from lutra.ir import Array, Node, Tensor
from lutra.ops.base import Cost, Fold, Join, Unit
from lutra.ops.events import Events, events
from lutra.ops.fork.op import Fork


@dataclass(frozen=True)
class Stage:
    """Hardware in place: `xs` is what it reads; `node` is the graph's node, or the one whose stream it carries on."""

    name: str
    node: Node
    unit: Unit | Join
    fold: Fold
    xs: tuple[Tensor, ...]

    @property
    def out(self) -> Tensor:
        """What each of its output streams carries."""
        return self.unit.infer(*self.xs)

    @property
    def sinks(self) -> int:
        """How many output streams it has."""
        return self.unit.sinks if isinstance(self.unit, Fork) else 1

    @property
    def lanes(self) -> tuple[tuple[int, ...], int]:
        """Elements in a word of each stream that it reads, and of those that it gives."""
        if isinstance(self.unit, Join):
            return self.unit.lanes(self.fold, self.xs)
        taken, given = self.unit.lanes(self.fold, self.xs[0])
        return (taken,), given

    @property
    def words(self) -> tuple[tuple[int, ...], int]:
        """Words a frame of each stream that it reads, and of those that it gives."""
        taken, given = self.lanes
        assert all(x.size % n == 0 for x, n in zip(self.xs, taken, strict=True)), self
        return tuple(x.size // n for x, n in zip(self.xs, taken, strict=True)), self.out.size // given

    @property
    def cycles(self) -> int:
        """Cycles between frames in steady state."""
        if isinstance(self.unit, Join):
            return self.unit.cycles(self.fold, self.xs)
        return self.unit.cycles(self.fold, self.xs[0])

    @cached_property
    def events(self) -> Events | None:
        """Its schedule where that is one flat loop and nothing else, as most are."""
        if isinstance(self.unit, Join):
            return events(self.unit.loop(self.fold, self.xs)) if type(self.unit).times is Join.times else None
        return events(self.unit.loop(self.fold, self.xs[0])) if type(self.unit).times is Unit.times else None

    @property
    def block(self) -> Block:
        """The hardware, as data."""
        if isinstance(self.unit, Join):
            return self.unit.block(self.fold, self.xs)
        return self.unit.block(self.fold, self.xs[0])

    @property
    def feeder(self) -> Block | None:
        """What gives it its constants as a stream, where something does."""
        return None if isinstance(self.unit, Join) else self.unit.feeder(self.fold, self.xs[0])

    @property
    def addresses(self) -> int:
        """Bytes of addresses through which its constants can be written."""
        return 0 if isinstance(self.unit, Join) else self.unit.addresses(self.fold, self.xs[0])

    @property
    def traffic(self) -> float:
        """Bytes a frame that it reads of off-chip memory."""
        return 0.0 if isinstance(self.unit, Join) else self.unit.traffic(self.fold, self.xs[0])

    def cost(self, family: str) -> Cost:
        """Its resources on a family."""
        if isinstance(self.unit, Join):
            return self.unit.cost(self.fold, self.xs, family)
        return self.unit.cost(self.fold, self.xs[0], family)

    def times(self, arrivals: tuple[Array, ...], release: Array | None = None) -> tuple[tuple[Array, ...], Array]:
        """When it takes each word of each input and each output word is there; see `Unit.times`."""
        if self.events is not None:
            return self.events.times(arrivals, release)
        if isinstance(self.unit, Join):
            return self.unit.times(self.fold, self.xs, arrivals, release)
        taken, there = self.unit.times(self.fold, self.xs[0], arrivals[0], release)
        return (taken,), there


def placed(name: str, node: Node, fold: Fold) -> Stage:
    """The stage of a node with hardware under a fold."""
    assert isinstance(node.op, Unit | Join), node.op
    return Stage(name, node, node.op, fold, tuple(a.out for a in node.args))


def folds_of(node: Node) -> tuple[Fold, ...]:
    """Every legal fold of a node with hardware, cheapest first."""
    if isinstance(node.op, Join):
        return node.op.folds(tuple(a.out for a in node.args))
    assert isinstance(node.op, Unit), node.op
    return node.op.folds(node.args[0].out)
