"""From scores and costs of each layer's options to a plan: what ZeroQ and HAWQ share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from torch import nn

from lutra.errors import LutraError
from lutra.quant.search.costs import Bits, Cost, ways
from lutra.quant.search.frontier import Point, best_within, frontier, undominated, undominated_rows
from lutra.quant.search.layers import Layer
from lutra.quant.search.layers import layers as layers_of
from lutra.quant.search.plan import BitPlan, Rated
from lutra.quant.search.program import Table, solve, total

Score = Callable[[Layer, Bits], float]
Option = tuple[Rated, ...]  # of the layers of one variable
POINTS = 12  # of a frontier within several limits, between its ends
BEYOND = 1.5  # times the limit, up to which they lie


@dataclass(frozen=True)
class Problem:
    """Every layer's score and costs for every choice of bits.

    Its fields:
        layers, bits: what is chosen for each of these, and among what.
        ties: groups of layers that have the same bits, each one variable of the choice.
        options: of each variable, what each of its layers has then. Where layers can be built in several ways, several
            are of the same bits; the first is the one where nothing is short.
    """

    layers: tuple[Layer, ...]
    bits: tuple[Bits, ...]
    ties: tuple[tuple[str, ...], ...]
    options: tuple[tuple[Option, ...], ...]

    @cached_property
    def scores(self) -> Table:
        """Of each variable's options, summed over its layers."""
        return [[sum(r.score for r in option) for option in group] for group in self.options]

    @cached_property
    def costs(self) -> Mapping[str, Table]:
        """By name, of each variable's options, summed over its layers."""
        return {name: [[sum(r.cost[name] for r in option) for option in group] for group in self.options]
                for name in self.options[0][0][0].cost}

    def plan(self, method: str, limits: Mapping[str, float], seed: int = 0, buckets: int | None = None) -> BitPlan:
        """The best plan within the limits: from the frontier if there is one limit, else by an integer program.

        The frontier is drawn over the first limit; where there are others, through POINTS choices within those.
        LutraError: no limit, an unknown one, one that cannot be met.
        """
        if not limits:
            raise LutraError("there is no limit", "search", f"limit one of {', '.join(self.costs)}")
        if unknown := sorted(set(limits) - set(self.costs)):
            raise LutraError(f"no cost is called {unknown[0]!r}", "search", f"one of {', '.join(self.costs)}")
        axis, limit = next(iter(limits.items()))
        if len(limits) == 1:
            points = frontier(self.scores, self.costs[axis], buckets)
            return self.written(method, best_within(points, limit, axis).choice, limits, axis, points, seed)
        choice = solve(self.scores, self.costs, limits)
        return self.written(method, choice, limits, axis, self._edge(choice, limits, axis), seed)

    def least(self, axis: str, score: float, limits: Mapping[str, float]) -> tuple[int, ...]:
        """The choice that takes least of a cost, of those of at most this score within limits on other costs.

        LutraError: there is none.
        """
        return solve(self.costs[axis], {**self.costs, "score": self.scores}, {"score": score, **limits})

    def _edge(self, chosen: Sequence[int], limits: Mapping[str, float], axis: str) -> list[Point]:
        """Choices within all limits but the first, from the one that takes least of that to somewhat beyond it, the
        chosen one among them: none beats another.
        """
        costs, others = self.costs, {name: limit for name, limit in limits.items() if name != axis}
        least, best = solve(costs[axis], costs, others), solve(self.scores, costs, others)
        low, high = (total(costs[axis], end) for end in (least, best))
        wide = min(high, BEYOND * max(limits[axis], low)) - low
        found = [solve(self.scores, costs, {axis: low + wide * k / POINTS, **others}) for k in range(1, POINTS + 1)]
        every = [Point(total(costs[axis], c), total(self.scores, c), c) for c in (tuple(chosen), least, *found)]
        kept = undominated(*(np.array([point[k] for point in every]) for k in (0, 1)))
        return [every[k] for k in kept]

    def written(self, method: str, choice: Sequence[int], limits: Mapping[str, float], axis: str,
                points: Sequence[Point], seed: int) -> BitPlan:
        """A choice with its figures, and those of uniform bits."""
        own = {path: rated for group, options, k in zip(self.ties, self.options, choice, strict=True)
               for path, rated in zip(group, options[k], strict=True)}
        firsts = {bits: self._first(bits) for bits in self.bits}
        uniform = tuple(Rated(bits, *self.figures(first)) for bits, first in firsts.items())
        alone = {path: tuple(own[path] if own[path].bits == bits else options[first[g]][place]
                             for bits, first in firsts.items())
                 for g, (group, options) in enumerate(zip(self.ties, self.options, strict=True))
                 for place, path in enumerate(group)}
        score, cost = self.figures(choice)
        return BitPlan(method, {layer.path: own[layer.path].bits for layer in self.layers}, score, cost, dict(limits),
                       uniform, axis, tuple((p.cost, p.score) for p in points), seed,
                       {layer.path: alone[layer.path] for layer in self.layers})

    def _first(self, bits: Bits) -> tuple[int, ...]:
        """The choice of these bits everywhere."""
        return tuple(next(k for k, option in enumerate(options) if option[0].bits == bits) for options in self.options)

    def figures(self, choice: Sequence[int]) -> tuple[float, dict[str, float]]:
        """Score and costs of a choice."""
        return total(self.scores, choice), {name: total(table, choice) for name, table in self.costs.items()}


def problem(layers: Sequence[Layer], bits: Sequence[Bits], score: Score, cost: Cost,
            ties: Iterable[Collection[str]] = ()) -> Problem:
    """Put scores and costs of each layer and choice of bits into tables.

    ties: groups of paths, which may overlap; they are joined where they do.

    Raises LutraError: a tie names a layer that is not there.
    """
    groups, by = joined([layer.path for layer in layers], ties), {layer.path: layer for layer in layers}
    options = tuple(tuple(option for some in bits for option in _options([by[p] for p in group], some, score, cost))
                    for group in groups)
    return Problem(tuple(layers), tuple(bits), tuple(groups), options)


def _options(layers: Sequence[Layer], bits: Bits, score: Score, cost: Cost) -> list[Option]:
    """All ways of layers of the same bits that no other beats; first that of the first of each layer."""
    found: list[Option] = [()]
    for layer in layers:
        loss = float(score(layer, bits))
        own = [Rated(bits, loss, {name: float(v) for name, v in way.items()}) for way in ways(cost, layer, bits)]
        found = [(*before, rated) for before in found for rated in own]
        if len(own) > 1:
            sums = np.array([np.sum([list(r.cost.values()) for r in option], axis=0) for option in found])
            found = [found[k] for k in sorted({0, *undominated_rows(sums).tolist()})]
    return found


def uniform(net: nn.Module, example: Any, cost: Cost, bits: Bits) -> dict[str, float]:
    """The costs of a network that has the same bits in each layer: limits for one that has the bits where they count.

    LutraError: as of `layers`.
    """
    parts = [ways(cost, layer, bits)[0] for layer in layers_of(net, example)]
    return {name: float(sum(part[name] for part in parts)) for name in parts[0]}


def joined(paths: Sequence[str], ties: Iterable[Collection[str]]) -> list[tuple[str, ...]]:
    """The paths in groups by ties, each path in one, in the order of their first."""
    group = {path: {path} for path in paths}
    for tie in ties:
        if unknown := [p for p in tie if p not in group]:
            raise LutraError(f"there is no layer {unknown[0]!r}", "ties", f"one of {', '.join(paths)}")
        together = set().union(*(group[p] for p in tie))
        group |= dict.fromkeys(together, together)
    firsts = dict.fromkeys(next(q for q in paths if q in group[p]) for p in paths)
    return [tuple(p for p in paths if p in group[first]) for first in firsts]
