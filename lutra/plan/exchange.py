"""A choice that fits made cheaper by exchanging one or two candidates at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.ir import Array
from lutra.plan.candidates import Network
from lutra.plan.search import Choice

ROUNDS = 100
SMALLEST = 1e-9  # share of the price that an exchange saves at least


def exchanged(net: Network, interval: int, prices: Array, limits: Array, choice: Choice) -> Choice:
    """A choice within the limits from which no exchange of the candidates of two layers, or of one, saves anything: of
    those with the same lanes, such as another place for weights, or multipliers instead of LUTs.
    """
    for _ in range(ROUNDS):
        swaps = _swaps(net, interval, choice)
        pair = _best(swaps, swaps.costs @ prices, limits - choice.cost)
        if pair is None or (swaps.costs @ prices)[pair].sum() > -SMALLEST * float(prices @ choice.cost):
            break
        picks = list(choice.picks)
        for k in pair:
            picks[swaps.layers[k]] = int(swaps.picks[k])
        choice = Choice(tuple(picks), choice.cost + swaps.costs[pair].sum(0))
    return choice


@dataclass(frozen=True)
class _Swaps:
    """Of each exchange the layer, its other candidate, and what is added to the cost; the first one is none."""

    layers: Array
    picks: Array
    costs: Array


def _swaps(net: Network, interval: int, choice: Choice) -> _Swaps:
    layers, picks, costs = [np.array([-1])], [np.array([-1])], [np.zeros((1, len(choice.cost)))]
    for k, (layer, p) in enumerate(zip(net.layers, choice.picks, strict=True)):
        alike = np.flatnonzero((layer.lanes == layer.lanes[p]).all(axis=1) & (layer.cycles <= interval))
        others = alike[alike != p]
        layers.append(np.full(len(others), k))
        picks.append(others)
        costs.append(layer.costs[others] - layer.costs[p])
    return _Swaps(np.concatenate(layers), np.concatenate(picks), np.concatenate(costs))


def _best(swaps: _Swaps, price: Array, slack: Array) -> list[int] | None:
    """The two that save most of those that fit, at least one of which is cheaper; the none among them is left out."""
    best, found, least = 0.0, None, price.min()
    for i in np.argsort(price, kind="stable"):
        if price[i] >= 0 or price[i] + least >= best:
            break
        fine = (swaps.costs + swaps.costs[i] <= slack).all(axis=1) & (swaps.layers != swaps.layers[i])
        j = int(np.where(fine, price, np.inf).argmin())
        if fine[j] and price[i] + price[j] < best:
            best, found = float(price[i] + price[j]), [int(k) for k in (i, j) if k]
    return found
