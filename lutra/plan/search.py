"""Choices that fit several limits at once: undominated partial choices, layer by layer, bounded by what the rest costs.

A constrained shortest path by labels (M. Desrochers, F. Soumis, "A generalized permanent labelling algorithm for the
shortest path problem with time windows", INFOR 26, 1988), over the lanes of the streams that are open: filled, and not
yet read by all. The bound is a table over the same lanes; where that grows too large, its minimum over some of them (R.
Dechter, I. Rish, "Mini-buckets", Journal of the ACM 50, 2003).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lutra.ir import Array
from lutra.plan.candidates import Joint, Network

LABELS = 20_000  # partial choices kept
CELLS = 4_096  # of one bound's table


@dataclass(frozen=True, eq=False)
class Choice:
    """A candidate for each layer, and what all of it costs, converters among it."""

    picks: tuple[int, ...]
    cost: Array

    def fits(self, limits: Array) -> bool:
        """Whether no resource is over its limit."""
        return bool((self.cost <= limits).all())


def measure(net: Network, picks: tuple[int, ...]) -> Choice:
    """A choice with its cost."""
    cost = np.sum([layer.costs[p] for layer, p in zip(net.layers, picks, strict=True)], axis=0)
    for j in net.joints:
        before, after = (net.layers[k].places[picks[k]] for k in (j.source, j.sink))
        cost = cost + j.costs[before[-1], after[j.port]]
    return Choice(picks, cost)


def search(net: Network, interval: int, limits: Array, prices: Array) -> Choice | None:
    """Any choice that fits. Exact unless more than LABELS partial choices are undominated."""
    return _Search(net, interval, limits, prices).run()


Label = tuple[Array, tuple[int, ...]]  # cost so far, candidates so far
State = tuple[int, ...]  # lanes of the open streams, by their place among the values


@dataclass(frozen=True, eq=False)
class _Search:
    net: Network
    interval: int
    limits: Array
    prices: Array

    def run(self) -> Choice | None:
        labels: dict[State, list[Label]] = {(): [(np.zeros(len(self.limits)), ())]}
        for i in range(len(self.net.layers)):
            grown: dict[State, list[Label]] = {}
            for state, some in labels.items():
                for pick in np.flatnonzero(self.net.layers[i].cycles <= self.interval):
                    self._grow(i, int(pick), state, some, grown)
            room = max(LABELS // max(len(grown), 1), 1)
            labels = {state: self._thin(some, room) for state, some in grown.items()}
        ends = labels.get((), [])
        return measure(self.net, min(ends, key=lambda e: float(self.prices @ e[0]))[1]) if ends else None

    def _grow(self, i: int, pick: int, state: State, some: list[Label], grown: dict[State, list[Label]]) -> None:
        """Partial choices with one more layer, those that may still fit."""
        layer, lanes = self.net.layers[i], dict(zip(self.open[i], state, strict=True))
        places = layer.places[pick]
        added = layer.costs[pick]
        for j in self.into[i]:
            before, after = lanes[j.source], places[j.port]
            if j.cycles[before, after] > self.interval:
                return
            added = added + j.costs[before, after]
        lanes[i] = int(places[-1])
        after_state = tuple(lanes[k] for k in self.open[i + 1])
        axes, table = self.least[i + 1]
        rest = table[tuple(lanes[k] for k in axes)]
        totals = np.array([cost for cost, _ in some]) + added
        good = (totals + rest[:-1] <= self.limits).all(axis=1) & ((self.limits - totals) @ self.prices >= rest[-1])
        if good.any():
            found = grown.setdefault(after_state, [])
            found += [(totals[k], (*some[k][1], pick)) for k in np.flatnonzero(good)]

    @cached_property
    def into(self) -> list[list[Joint]]:
        """The joints to each layer."""
        return [[j for j in self.net.joints if j.sink == i] for i in range(len(self.net.layers))]

    @cached_property
    def open(self) -> list[tuple[int, ...]]:
        """The streams, by the layers that fill them, that are open before each layer, and at the end."""
        last = {j.source: 0 for j in self.net.joints}
        for j in self.net.joints:
            last[j.source] = max(last[j.source], j.sink)
        return [tuple(k for k in sorted(last) if k < i <= last[k]) for i in range(len(self.net.layers) + 1)]

    @cached_property
    def least(self) -> list[tuple[tuple[int, ...], Array]]:
        """For the lanes of some of the streams that are open before each layer, the least that it and all later ones
        cost: of each resource, and by the prices.
        """
        rows = np.vstack([np.eye(len(self.limits)), self.prices])
        table: tuple[tuple[int, ...], Array] = (), np.zeros(len(rows))
        found = [table]
        for i in reversed(range(len(self.net.layers))):
            table = self._bound(i, table, rows)
            found.append(table)
        return found[::-1]

    def _bound(self, i: int, after: tuple[tuple[int, ...], Array], rows: Array) -> tuple[tuple[int, ...], Array]:
        layer, axes, rest = self.net.layers[i], list(self.open[i]), after[1]
        sizes = {k: len(self.net.layers[k].values[-1]) for k in axes}
        while np.prod([sizes[k] for k in axes]) > CELLS:
            axes.remove(max(axes, key=lambda k: sizes[k]))
        kept = [k for k in after[0] if k in axes or k == i]
        rest = rest.min(tuple(n for n, k in enumerate(after[0]) if k not in kept)) if kept != list(after[0]) else rest
        best = np.full((*(sizes[k] for k in axes), len(rows)), np.inf)
        price = np.where((layer.cycles <= self.interval)[:, None], layer.costs @ rows.T, np.inf)
        tuples, which = np.unique(layer.places, axis=0, return_inverse=True)
        for t, places in enumerate(tuples):
            total = price[which.reshape(-1) == t].min(0)
            inner = rest.take(places[-1], axis=kept.index(i)) if i in kept else rest
            total = total + _spread(inner, [k for k in kept if k != i], axes)
            for j in self.into[i]:
                fine = (j.cycles[:, places[j.port]] <= self.interval)[:, None]
                column = np.where(fine, j.costs[:, places[j.port]] @ rows.T, np.inf)
                total = total + (_spread(column, [j.source], axes) if j.source in axes else column.min(0))
            best = np.minimum(best, total)
        return tuple(axes), best

    def _thin(self, some: list[Label], room: int) -> list[Label]:
        """The undominated ones, cheapest first, `room` at most."""
        kept: list[Label] = []
        costs = np.empty((0, len(self.prices)))
        for label in sorted(some, key=lambda s: float(self.prices @ s[0])):
            if not (costs <= label[0]).all(axis=1).any():
                kept.append(label)
                costs = np.vstack([costs, label[0]])
            if len(kept) == room:
                break
        return kept


def _spread(table: Array, scope: list[int], axes: list[int]) -> Array:
    """A table over `scope` with an axis for each of `axes`, which has the same order; prices last."""
    return table.reshape([table.shape[scope.index(k)] if k in scope else 1 for k in axes] + [table.shape[-1]])
