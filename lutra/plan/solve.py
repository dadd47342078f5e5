"""The cheapest folds of a network, exactly.

Given a target interval the layers are independent but for the width converters between them, and the lanes that a join
ties; so the cheapest choice is a minimum of a sum of small tables over the lanes of streams: `cheapest`, exact for any
prices of the resources. Limits on several resources at once make it a constrained problem: `within`.
"""

from __future__ import annotations

import numpy as np

from lutra.ir import Array
from lutra.plan.candidates import Layer, Network
from lutra.plan.eliminate import minimum
from lutra.plan.lanes import Spot
from lutra.plan.search import Choice, measure, search

ROUNDS = 60  # of the search for prices


def cheapest(net: Network, interval: int, prices: Array) -> Choice | None:
    """The choice with at most `interval` cycles and the least prices @ cost; None where there is none. Exact."""
    made = net.structure
    found = [_best(layer, spot, interval, prices) for layer, spot in zip(net.layers, made.spots, strict=True)]
    tables = [table for _, table in found]
    for joint in net.joints:
        price = np.where(joint.cycles <= interval, joint.costs @ prices, np.inf)
        before, after = made.spots[joint.source].ports[-1][1], made.spots[joint.sink].ports[joint.port][1]
        tables.append(price[before][:, after])
    least, values = minimum(made.steps, made.scopes, tables)
    if not np.isfinite(least):
        return None
    return measure(net, tuple(int(best[tuple(values[v] for v in spot.scope)])
                              for (best, _), spot in zip(found, made.spots, strict=True)))


def within(net: Network, interval: int, prices: Array, limits: Array) -> Choice | None:
    """A cheap choice with at most `interval` cycles and no resource over its limit; None only if there is none.

    It is the cheapest one of all (prices @ cost) where that one fits, which is the rule. Where not, prices are
    raised on what is over its limit (multiplicative weights on the Lagrangian) until a choice fits or the prices
    prove that none does; it then need not be the cheapest that fits. What that leaves open is decided by an exact
    search over undominated partial choices (`lutra.plan.search`); should there be more than it keeps, the cheapest per
    price stay, and only then can a choice that fits be missed.
    """
    first = cheapest(net, interval, prices)
    if first is None or first.fits(limits):
        return first
    if (limits < 0).any():
        return None
    scale = 1 / np.maximum(limits, 1e-9)
    duals = np.full(len(limits), 1 / len(limits))
    best_duals, best_bound = duals, float("-inf")
    for _ in range(ROUNDS):
        found = cheapest(net, interval, duals * scale)
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
    return search(net, interval, limits, best_duals * scale)


def _best(layer: Layer, spot: Spot, interval: int, prices: Array) -> tuple[Array, Array]:
    """For each cell of a layer's table the index of the cheapest candidate and its price (infinite: none)."""
    price = np.where(layer.cycles <= interval, layer.costs @ prices, np.inf)
    order = np.argsort(-price, kind="stable")
    best = np.zeros(spot.shape, dtype=np.int64)
    table = np.full(spot.shape, np.inf)
    best.flat[spot.cells[order]] = order  # the last one written is the cheapest
    table.flat[spot.cells[order]] = price[order]
    return best, table
