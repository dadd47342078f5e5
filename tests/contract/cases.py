"""What the contract suite does with every operator: draw its samples, put each under folds, run all of them at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

from lutra.hw.netlist import Netlist
from lutra.ir import Array, Node, Tensor
from lutra.ops import Fold, Unit
from lutra.plan.assemble import chain
from lutra.plan.stages import Stage
from lutra.sim.rtl import RtlModel, RtlRun, Stimulus, from_words, to_words
from lutra.tools.cache import Cache

DRAWN = 120  # samples of an operator that cases are chosen from
PATIENCE = 20_000  # far above any sample's interval


Feature = tuple[str, int]


@dataclass(frozen=True, eq=False)
class Case:
    """A node of an operator under one fold."""

    node: Node
    fold: Fold

    @property
    def op(self) -> Unit:
        return self.node.op

    @property
    def x(self) -> Tensor:
        return self.node.args[0].out

    @property
    def cycles(self) -> int:
        return self.op.cycles(self.fold, self.x)

    @property
    def netlist(self) -> Netlist:
        return chain((Stage("unit", self.node, self.op, self.fold, self.x),), "lutra_case")

    def frames(self, count: int, seed: int) -> Array:
        """Random frames of the input's range; the first two hold nothing but its ends."""
        rng, of = np.random.default_rng(seed), self.x.range
        x = of.lo + of.step * rng.integers(0, of.levels, (count, *self.x.shape), dtype=np.int64)
        x[:2] = np.where(rng.integers(0, 2, x[:2].shape), of.lo, of.hi)
        return x

    def words(self, x: Array) -> Array:
        lanes = self.op.lanes(self.fold, self.x)[0]
        return to_words(self.x.range.encode(x).reshape(-1, lanes), self.x.range.bits)

    def integers(self, words: Array, frames: int) -> Array:
        out, lanes = self.node.out, self.op.lanes(self.fold, self.x)[1]
        return out.range.decode(from_words(words, lanes, out.range.bits)).reshape(frames, *out.shape)

    def __str__(self) -> str:
        return f"{self.op} of {self.x} under {self.fold}"


def draw(cls: type[Unit], count: int) -> list[Node]:
    """The first samples that hypothesis generates: the same ones in every run."""
    nodes: list[Node] = []

    @settings(max_examples=count, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    @given(cls.samples())
    def collect(node: Node) -> None:
        nodes.append(node)

    collect()
    return nodes


def choose(cls: type[Unit], limit: int) -> list[Case]:
    """Up to `limit` cases that differ as much as they can: each next one brings the most pairs of parameters' sizes
    that no case before it has, and is the smaller one among equals."""
    pool = [(shape(case), case) for case in candidates(cls)]
    chosen: list[Case] = []
    seen: set[tuple[Feature, Feature]] = set()
    while pool and len(chosen) < limit:
        best = max(range(len(pool)), key=lambda i: (len(pool[i][0] - seen), -pool[i][1].cycles))
        pairs, case = pool.pop(best)
        seen |= pairs
        chosen.append(case)
    return chosen


def candidates(cls: type[Unit]) -> list[Case]:
    """Of each of many samples the cheapest fold, the most parallel, and two in between."""
    found = []
    for k, node in enumerate(draw(cls, DRAWN)):
        legal = node.op.folds(node.args[0].out)
        assert legal, f"{node.op} has no fold"
        between = np.random.default_rng(k).permutation(range(1, len(legal) - 1))[:2]
        found += [Case(node, legal[i]) for i in sorted({0, len(legal) - 1, *map(int, between)})]
    return found


def shape(case: Case) -> set[tuple[Feature, Feature]]:
    """The pairs of (parameter, size of its value) of a case's hardware."""
    params = case.netlist.instances[0].block.params
    sizes = sorted((k, v if v < 3 else 1 + v.bit_length()) for k, v in params.items() if isinstance(v, int))
    return set(product(sizes, sizes))


@dataclass(frozen=True)
class Bench:
    """Cases in one simulation."""

    cases: list[Case]
    model: RtlModel

    @classmethod
    def build(cls, chosen: list[Case], cache: Path, changed: Mapping[str, str] | None = None) -> Bench:
        return cls(chosen, RtlModel.build_many([c.netlist for c in chosen], Cache(cache), changed, fast=False))

    def run(self, frames: int, seed: int, stalls: tuple[float, float] = (0.0, 0.0),
            arrivals: list[Array] | None = None) -> list[tuple[Case, Array, RtlRun]]:
        """Each case with its input and what its RTL made of it."""
        x = [c.frames(frames, seed + k) for k, c in enumerate(self.cases)]
        when = arrivals or [None] * len(x)
        drive = [Stimulus(c.words(v), stalls, seed + k, a)
                 for k, (c, v, a) in enumerate(zip(self.cases, x, when, strict=True))]
        return list(zip(self.cases, x, self.model.run_many(drive, patience=PATIENCE), strict=True))


def differences(results: list[tuple[Case, Array, RtlRun]]) -> list[str]:
    """The cases whose RTL gave other integers than their operator's meaning."""
    wrong = []
    for case, x, run in results:
        y = case.integers(run.words, len(x))
        if not np.array_equal(y, case.op.evaluate(x)):
            wrong.append(str(case))
    return wrong
