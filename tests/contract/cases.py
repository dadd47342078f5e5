"""What the contract suite does with every operator: draw its samples, put each under folds, run all of them at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings

from lutra.hw.netlist import Instance, Netlist
from lutra.ir import Array, Node, Tensor
from lutra.ops import Fold, Hardware, Join, Unit
from lutra.ops.base import STREAMED
from lutra.ops.sequence import Sequential, within
from lutra.plan.assemble import netlist
from lutra.plan.pipeline import alone
from lutra.plan.stages import Stage, folds_of, placed
from lutra.sim.job import Received
from lutra.sim.rtl import RtlModel, RtlRun, Stimulus, from_words, to_words
from lutra.tools.cache import Cache

SERIES = 3
LIMIT = {"MatMul": 48, "Pad": 20, "Reorder": 24, "Requant": 56, "Rescale": 24}  # cases, where more than usual
SOME = 3  # parameters; modules made for one case have fewer
DRAWN = 120  # samples of an operator that cases are chosen from
PATIENCE = 20_000  # far above any sample's interval


RAMS = ("auto", "lut", "block")
WIDEST = 300  # bits, of `Case.width`: wider ones compile slowly and show no more
Trait = tuple[object, ...]


@dataclass(frozen=True, eq=False)
class Case:
    """A node of an operator under one fold."""

    node: Node
    fold: Fold

    @property
    def op(self) -> Hardware:
        return self.node.op

    @property
    def xs(self) -> tuple[Tensor, ...]:
        return tuple(arg.out for arg in self.node.args)

    @property
    def reads(self) -> Tensor | tuple[Tensor, ...]:
        """What the operator's methods take: the tensor of its stream, or those of several."""
        return self.xs if isinstance(self.op, Join) else self.xs[0]

    @property
    def stage(self) -> Stage:
        return placed("unit", self.node, self.fold)

    @cached_property
    def netlist(self) -> Netlist:
        return netlist(alone(self.stage), "lutra_case")

    @property
    def instance(self) -> Instance:
        """The unit's own, beside which there may be one that serves it."""
        (own,) = [i for i in self.netlist.instances if not i.of]
        return own

    @cached_property
    def width(self) -> int:
        """Bits of its streams and of its constants' words: about how large the hardware is."""
        block = self.instance.block
        return sum(block.inputs) + sum(block.outputs) + sum(m.width for m in block.memories.values())

    @property
    def levels(self) -> int:
        """How many values it gives for random frames, up to three: a unit that gives one tells little."""
        return min(len(np.unique(self.op.evaluate(*self.frames(8, start=0)))), 3)

    @property
    def count(self) -> int:
        """How many frames show what it does: some for a steady state, and some words for what is rare."""
        return max(8, -(-200 // self.netlist.inputs[0].words))

    def frames(self, count: int, start: int, whole: bool = False) -> tuple[Array, ...]:
        """Random frames of each input's range; the first two hold nothing but its ends. whole: sequences are as long as
        can be, as the schedule has them."""
        rng = np.random.default_rng(start)
        frames = tuple(self._frames(rng, x, count) for x in self.xs)
        return (*frames[:-1], np.full_like(frames[-1], self.xs[-1].range.hi)) if whole and self.sequences else frames

    @property
    def sequences(self) -> bool:
        return isinstance(self.op, Sequential)

    def _frames(self, rng: np.random.Generator, of: Tensor, count: int) -> Array:
        lo, hi, step = of.range.lo, of.range.hi, of.range.step
        x = lo + step * rng.integers(0, of.range.levels, (count, *of.shape), dtype=np.int64)
        x[:2] = np.where(rng.integers(0, 2, x[:2].shape), lo, hi)
        return x

    def words(self, frames: tuple[Array, ...], ragged: bool = True) -> tuple[Array, ...]:
        """Of each input. ragged: of sequences the columns that there are, as in RTL; else all, as in HLS."""
        given = [self.inside(v, frames, k) if ragged else v for k, v in enumerate(frames)]
        return tuple(to_words(x.range.encode(v).reshape(-1, lanes), x.range.bits)
                     for x, v, lanes in zip(self.xs, given, self.stage.lanes[0], strict=True))

    def inside(self, values: Array, frames: tuple[Array, ...], k: int) -> Array:
        """Of input k: all of it, or the columns of sequences."""
        if not self.sequences or k == len(frames) - 1:
            return values
        return values[within(self.op.read(frames[-1]), values.shape[1])]

    def same(self, frames: tuple[Array, ...], words: Array) -> bool:
        """Whether whole frames of output words are what the operator means; of sequences the columns that there are."""
        out, y = self.node.out, self.op.evaluate(*frames)
        found = out.range.decode(from_words(words, self.stage.lanes[1], out.range.bits)).reshape(y.shape)
        there = within(self.op.columns(*frames), y.shape[1]) if self.sequences else ...
        return np.array_equal(found[there], y[there])

    def wrong(self, frames: tuple[Array, ...], end: Received) -> bool:
        """Whether an output is not what the operator's meaning says: of sequences the words that there are, and at the
        ends of their frames."""
        out, lanes = self.node.out, self.stage.lanes[1]
        found = out.range.decode(from_words(end.words, lanes, out.range.bits))
        y = self.op.evaluate(*frames)
        if not self.sequences:
            return not np.array_equal(found.reshape(y.shape), y)
        columns = self.op.columns(*frames)
        kept = y[within(columns, y.shape[1])].reshape(-1, lanes)
        ends = np.cumsum(columns) * (y[0, 0].size // lanes)
        return not (np.array_equal(found, kept) and np.array_equal(end.ends, ends))

    def on_time(self, end: Received, there: Array) -> bool:
        """Whether words are there when the schedule says; where the values decide how many there are, the last ones."""
        if len(end.left) < len(there) and self.sequences:
            return np.array_equal(end.left[end.ends - 1], there.reshape(len(end.ends), -1)[:, -1])
        return np.array_equal(end.left, there)

    def __str__(self) -> str:
        return f"{self.op} of {', '.join(map(str, self.xs))} under {self.fold}"


def draw(cls: type[Hardware], count: int) -> list[Node]:
    """Samples by hypothesis, the same ones in every run: short series from many seeds, as one long series holds many
    that hardly differ."""
    nodes: list[Node] = []
    for number in range(-(-count // SERIES)):
        nodes += series(cls, number)
    return nodes[:count]


def series(cls: type[Hardware], number: int) -> list[Node]:
    """One series: the simplest sample, which opens each, is kept of the first alone."""
    nodes: list[Node] = []

    @seed(number)
    @settings(max_examples=SERIES + (number > 0), database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    @given(cls.samples())
    def collect(node: Node) -> None:
        nodes.append(node)

    collect()
    return nodes[number > 0 :]


def choose(cls: type[Hardware], limit: int) -> list[Case]:
    """Up to `limit` cases that tell as much as they can: each next one brings the most traits that no case before it
    has, weighed by how many values it gives, and is the narrower one among equals."""
    found = candidates(cls)
    names = {name for case in found for name, _ in numbers(case)}
    pool = [(traits(case, names), case.levels, case) for case in found]
    chosen: list[Case] = []
    seen: set[Trait] = set()
    while pool and len(chosen) < limit:
        best = max(range(len(pool)), key=lambda i: (len(pool[i][0] - seen) * pool[i][1], -pool[i][2].width))
        brought, _, case = pool.pop(best)
        seen |= brought
        chosen.append(case)
    return chosen


def candidates(cls: type[Hardware]) -> list[Case]:
    """Of each of many samples the cheapest fold, the most parallel, and two in between; constants here and there."""
    found = []
    for k, node in enumerate(draw(cls, DRAWN)):
        legal = folds_of(node)
        assert legal, f"{node.op} has no fold"
        rams = RAMS + (("written",) if streams(node) else ())
        between = np.random.default_rng(k).permutation(range(1, len(legal) - 1))[:2]
        for i in sorted({0, len(legal) - 1, *map(int, between)}):
            found.append(Case(node, replace(legal[i], ram=rams[len(found) % len(rams)])))
    legal = [case for case in found if case.fold.mul != "adders" or case.fold.ram not in STREAMED]
    return [case for case in legal if case.width <= WIDEST]


def streams(node: Node) -> bool:
    """Whether the operator can have its constants as a stream."""
    return isinstance(node.op, Unit) and type(node.op).feeder is not Unit.feeder


def numbers(case: Case) -> list[tuple[str, int]]:
    """The parameters of a case's hardware, and how many instances there are beside it."""
    streamed = ("STREAMED", len(case.netlist.instances) - 1)
    return [(k, v) for k, v in [*case.instance.block.params.items(), streamed] if isinstance(v, int)]


def traits(case: Case, names: set[str]) -> set[Trait]:
    """What a case's hardware is like: all triples of (parameter, size of its value), and how each two parameters
    compare and divide. names: those of the operator's parameters, of which a case may leave
    some as they are."""
    own = dict(numbers(case))
    params = sorted((dict.fromkeys(names, 0) | own if len(own) >= SOME else own).items())
    sizes = [(k, v if v < 3 else 1 + v.bit_length()) for k, v in params]
    ratios = [(a, b, (x > y) - (x < y), bool(x and y and not (x % y and y % x)))
              for (a, x), (b, y) in combinations(params, 2)]
    return {*combinations(sizes, 3), *ratios}


@dataclass(frozen=True)
class Bench:
    """Cases in one simulation."""

    cases: list[Case]
    model: RtlModel

    @classmethod
    def build(cls, chosen: list[Case], cache: Path, changed: Mapping[str, str] | None = None) -> Bench:
        return cls(chosen, RtlModel.build_many([c.netlist for c in chosen], Cache(cache), changed, fast=False))

    def run(self, start: int, stalls: tuple[float, float] = (0.0, 0.0),
            arrivals: list[tuple[Array, ...]] | None = None, whole: bool = False,
            ) -> list[tuple[Case, tuple[Array, ...], RtlRun]]:
        """Each case with its inputs and what its RTL made of them."""
        frames = [c.frames(c.count, start + k, whole) for k, c in enumerate(self.cases)]
        when = arrivals or [None] * len(frames)
        drive = [Stimulus(c.words(v), stalls, start + k, a)
                 for k, (c, v, a) in enumerate(zip(self.cases, frames, when, strict=True))]
        return list(zip(self.cases, frames, self.model.run_many(drive, patience=PATIENCE), strict=True))


def differences(results: list[tuple[Case, tuple[Array, ...], RtlRun]]) -> list[str]:
    """The cases whose RTL gave other integers than their operator's meaning."""
    wrong = []
    for case, frames, run in results:
        if any(case.wrong(frames, end) for end in run.received):
            wrong.append(str(case))
    return wrong
