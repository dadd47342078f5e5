"""From scores and costs of each layer's options to a plan: what ZeroQ and HAWQ share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from lutra.errors import LutraError
from lutra.quant.search.costs import Bits, Cost
from lutra.quant.search.frontier import Point, best_within, frontier
from lutra.quant.search.layers import Layer
from lutra.quant.search.layers import layers as layers_of
from lutra.quant.search.plan import BitPlan, Rated
from lutra.quant.search.program import Table, solve, total

Score = Callable[[Layer, Bits], float]


@dataclass(frozen=True)
class Problem:
    """Every layer's score and costs for every choice of bits.

    Its fields:
        layers, options: what is chosen for each.
        ties: groups of layers that have the same bits, each one variable of the choice.
        scores, costs: of each variable's options, summed over its layers.
        alone: of each layer's options, by path.
    """

    layers: tuple[Layer, ...]
    options: tuple[Bits, ...]
    ties: tuple[tuple[str, ...], ...]
    scores: Table
    costs: Mapping[str, Table]
    alone: Mapping[str, tuple[Rated, ...]]

    def plan(self, method: str, limits: Mapping[str, float], seed: int = 0, buckets: int | None = None) -> BitPlan:
        """The best plan within the limits: from the frontier if there is one limit, else by an integer program.

        The frontier is drawn over the first limit. LutraError: no limit, an unknown one, one that cannot be met.
        """
        if not limits:
            raise LutraError("there is no limit", "search", f"limit one of {', '.join(self.costs)}")
        if unknown := sorted(set(limits) - set(self.costs)):
            raise LutraError(f"no cost is called {unknown[0]!r}", "search", f"one of {', '.join(self.costs)}")
        axis, limit = next(iter(limits.items()))
        points = frontier(self.scores, self.costs[axis], buckets)
        alone = len(limits) == 1
        choice = best_within(points, limit, axis).choice if alone else solve(self.scores, self.costs, limits)
        return self.written(method, choice, limits, axis, points, seed)

    def written(self, method: str, choice: Sequence[int], limits: Mapping[str, float], axis: str,
                points: Sequence[Point], seed: int) -> BitPlan:
        """A choice with its figures, and those of uniform bits."""
        bits = {path: self.options[k] for group, k in zip(self.ties, choice, strict=True) for path in group}
        uniform = tuple(Rated(o, *self.figures([k] * len(self.ties))) for k, o in enumerate(self.options))
        score, cost = self.figures(choice)
        return BitPlan(method, {layer.path: bits[layer.path] for layer in self.layers}, score, cost, dict(limits),
                       uniform, axis, tuple((p.cost, p.score) for p in points), seed, self.alone)

    def figures(self, choice: Sequence[int]) -> tuple[float, dict[str, float]]:
        """Score and costs of a choice."""
        return total(self.scores, choice), {name: total(table, choice) for name, table in self.costs.items()}


def problem(layers: Sequence[Layer], options: Sequence[Bits], score: Score, cost: Cost,
            ties: Iterable[Collection[str]] = ()) -> Problem:
    """Put scores and costs of each layer and option into tables.

    ties: groups of paths, which may overlap; they are joined where they do.

    Raises LutraError: a tie names a layer that is not there.
    """
    groups = joined([layer.path for layer in layers], ties)
    alone = {layer.path: tuple(Rated(o, float(score(layer, o)), {n: float(v) for n, v in cost(layer, o).items()})
                               for o in options) for layer in layers}
    entries = [[[alone[p][k] for p in g] for k in range(len(options))] for g in groups]
    scores = [[sum(r.score for r in option) for option in group] for group in entries]
    costs = {name: [[sum(r.cost[name] for r in option) for option in group] for group in entries]
             for name in entries[0][0][0].cost}
    return Problem(tuple(layers), tuple(options), tuple(groups), scores, costs, alone)


def uniform(net: nn.Module, example: Any, cost: Cost, bits: Bits) -> dict[str, float]:
    """The costs of a network that has the same bits in each layer: limits for one that has the bits where they count.

    LutraError: as of `layers`.
    """
    parts = [cost(layer, bits) for layer in layers_of(net, example)]
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
