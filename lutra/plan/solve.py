"""The cheapest folds of a chain, exactly.

Given a target interval the layers are independent but for the width converters between neighbours, so the cheapest
choice is a shortest path through (layer, lanes): `cheapest`, exact for any prices of the resources. Limits on several
resources at once make it a constrained shortest path: `within`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lutra.ir import Array
from lutra.plan.candidates import Chain, Layer

ROUNDS = 60  # of the search for prices
LABELS = 20_000  # partial choices kept in the exact search


@dataclass(frozen=True, eq=False)
class Choice:
    """A candidate for each layer, and what all of it costs, converters among it."""

    picks: tuple[int, ...]
    cost: Array

    def fits(self, limits: Array) -> bool:
        """Whether no resource is over its limit."""
        return bool((self.cost <= limits).all())


def cheapest(chain: Chain, interval: int, prices: Array) -> Choice | None:
    """The choice with at most `interval` cycles and the least prices @ cost; None where there is none. Exact."""
    score = np.zeros(len(chain.layers[0].inputs))
    trail: list[tuple[Array, Array, Array]] = []
    for i, layer in enumerate(chain.layers):
        via = np.arange(len(score))
        if i:
            joined = score[:, None] + _joint_prices(chain, i - 1, interval, prices)
            via, score = joined.argmin(0), joined.min(0)
        best, price = _best(layer, interval, prices)
        total = score[:, None] + price
        trail.append((via, best, total.argmin(0)))
        score = total.min(0)
    if not np.isfinite(score.min()):
        return None
    return measure(chain, _walk(trail, int(score.argmin())))


def measure(chain: Chain, picks: tuple[int, ...]) -> Choice:
    """A choice with its cost."""
    cost = np.sum([layer.costs[p] for layer, p in zip(chain.layers, picks, strict=True)], axis=0)
    for i, joint in enumerate(chain.joints):
        cost = cost + joint.costs[chain.layers[i].places[1][picks[i]], chain.layers[i + 1].places[0][picks[i + 1]]]
    return Choice(picks, cost)


def within(chain: Chain, interval: int, prices: Array, limits: Array) -> Choice | None:
    """A cheap choice with at most `interval` cycles and no resource over its limit; None only if there is none.

    It is the cheapest one of all (prices @ cost) where that one fits, which is the rule. Where not, prices are
    raised on what is over its limit (multiplicative weights on the Lagrangian) until a choice fits or the prices
    prove that none does; it then need not be the cheapest that fits. What that leaves open is decided by an exact
    search over undominated partial choices; should there be more than LABELS of them, the cheapest per price are
    kept, and only then can a choice that fits be missed.
    """
    first = cheapest(chain, interval, prices)
    if first is None or first.fits(limits):
        return first
    scale = 1 / np.maximum(limits, 1e-9)
    duals = np.full(len(limits), 1 / len(limits))
    best_duals, best_bound = duals, float("-inf")
    for _ in range(ROUNDS):
        found = cheapest(chain, interval, duals * scale)
        assert found is not None
        over = found.cost * scale - 1
        if found.fits(limits):
            return found
        if float(duals @ over) > best_bound:
            best_duals, best_bound = duals, float(duals @ over)
        if best_bound > 1e-9:
            return None  # even the cheapest by these prices is over the limits' own price
        duals = duals * np.exp(np.clip(over, -1, 1))
        duals = duals / duals.sum()
    return _search(chain, interval, limits, best_duals * scale)


def _best(layer: Layer, interval: int, prices: Array) -> tuple[Array, Array]:
    """For each (input lanes, output lanes) the index of the cheapest candidate and its price (infinite: none)."""
    before, after = layer.places
    price = np.where(layer.cycles <= interval, layer.costs @ prices, np.inf)
    order = np.argsort(-price, kind="stable")
    best = np.zeros((len(layer.inputs), len(layer.outputs)), dtype=np.int64)
    table = np.full(best.shape, np.inf)
    best[before[order], after[order]] = order  # the last one written is the cheapest
    table[before[order], after[order]] = price[order]
    return best, table


def _joint_prices(chain: Chain, i: int, interval: int, prices: Array) -> Array:
    joint = chain.joints[i]
    return np.where(joint.cycles <= interval, joint.costs @ prices, np.inf)


def _walk(trail: list[tuple[Array, Array, Array]], place: int) -> tuple[int, ...]:
    picks: list[int] = []
    for via, best, arg in reversed(trail):
        entry = int(arg[place])
        picks.append(int(best[entry, place]))
        place = int(via[entry])
    return tuple(reversed(picks))


def _search(chain: Chain, interval: int, limits: Array, prices: Array) -> Choice | None:
    """Any choice that fits, by undominated partial choices from the front, bounded by what the rest costs at least."""
    labels: dict[int, list[tuple[Array, tuple[int, ...]]]] = {}
    least = _least(chain, interval, np.vstack([np.eye(len(limits)), prices]))
    for i, layer in enumerate(chain.layers):
        grown: dict[int, list[tuple[Array, tuple[int, ...]]]] = {}
        for pick in np.flatnonzero(layer.cycles <= interval):
            for cost, picks in _arrive(chain, i, int(layer.places[0][pick]), interval, labels):
                total = cost + layer.costs[pick]
                place = int(layer.places[1][pick])
                rest = least[i][place]
                if (total + rest[:-1] <= limits).all() and prices @ (limits - total) >= rest[-1]:
                    grown.setdefault(place, []).append((total, (*picks, int(pick))))
        labels = {place: _thin(some, prices) for place, some in grown.items()}
    ends = [label for some in labels.values() for label in some]
    return measure(chain, min(ends, key=lambda e: float(prices @ e[0]))[1]) if ends else None


def _arrive(
    chain: Chain, i: int, place: int, interval: int, labels: dict[int, list[tuple[Array, tuple[int, ...]]]]
) -> Iterator[tuple[Array, tuple[int, ...]]]:
    """The partial choices that reach a layer with these input lanes."""
    if not i:
        yield np.zeros(chain.layers[0].costs.shape[1]), ()
        return
    joint = chain.joints[i - 1]
    for before, some in labels.items():
        if joint.cycles[before, place] <= interval:
            for cost, picks in some:
                yield cost + joint.costs[before, place], picks


def _least(chain: Chain, interval: int, prices: Array) -> list[Array]:
    """For each layer and its output lanes, the least that all later layers cost by each row of prices."""
    rest = np.zeros((len(chain.layers[-1].outputs), len(prices)))
    table = [rest]
    for i in range(len(chain.layers) - 1, 0, -1):
        columns = []
        for k, price in enumerate(prices):
            entry = (_best(chain.layers[i], interval, price)[1] + rest[None, :, k]).min(1)
            columns.append((_joint_prices(chain, i - 1, interval, price) + entry[None, :]).min(1))
        rest = np.column_stack(columns)
        table.append(rest)
    return table[::-1]


def _thin(some: list[tuple[Array, tuple[int, ...]]], prices: Array) -> list[tuple[Array, tuple[int, ...]]]:
    """The undominated ones, cheapest first, LABELS at most."""
    kept: list[tuple[Array, tuple[int, ...]]] = []
    costs = np.empty((0, len(prices)))
    for label in sorted(some, key=lambda s: float(prices @ s[0])):
        if not (costs <= label[0]).all(axis=1).any():
            kept.append(label)
            costs = np.vstack([costs, label[0]])
        if len(kept) == LABELS:
            break
    return kept
