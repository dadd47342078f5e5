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
from lutra.plan.splice import spliced

ROUNDS = 60  # of the search for prices
NEAREST = 6  # of its choices, any two of which are made one
SHARES = (1.0, 0.97, 0.93, 0.85)  # of the limits, to which prices are raised one after the other until a choice fits
SEARCHED = 64  # layers: in more, a search takes minutes and keeps a small part of what there is


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
    prove that none does; it then need not be the cheapest that fits, though parts of the cheapest of all are put in its
    place where that fits. What this leaves open is decided by two choices nearly fitting made one (`lutra.plan.splice`)
    and, in a network of at most SEARCHED layers, an exact search over undominated partial choices
    (`lutra.plan.search`); only in larger ones, or should there be more of those than it keeps, can a choice that fits
    be missed.
    """
    first = cheapest(net, interval, prices)
    if first is None or first.fits(limits):
        return first
    if (limits < 0).any():
        return None
    scale = 1 / np.maximum(limits, 1e-9)
    if any(_least(net, interval, row) * (row @ scale) > 1 + 1e-9 for row in np.eye(len(limits))[net.spent]):
        return None
    last = None
    for share in SHARES:
        found, duals = _raised(net, interval, first, prices, limits, share)
        if found is not None or (share == 1 and duals is None):
            return found
        last = duals if last is None else last
    if len(net.layers) > SEARCHED:
        return None
    assert last is not None
    return search(net, interval, limits, last * scale)


def _raised(
    net: Network, interval: int, first: Choice, prices: Array, limits: Array, share: float
) -> tuple[Choice | None, Array | None]:
    """A choice that fits, found by raising prices on what is over so much of its limit; and those prices of the limits
    with which the bound was greatest, or None where they prove that nothing fits this share. first: the cheapest of
    all, which does not fit.
    """
    scale = 1 / np.maximum(limits * share, 1e-9)
    duals = best_duals = net.spent / max(int(net.spent.sum()), 1)
    best_bound = float("-inf")
    seen: dict[tuple[int, ...], Choice] = {}
    for k in range(ROUNDS):
        found = cheapest(net, interval, duals * scale)
        assert found is not None
        over = found.cost * scale - 1
        if found.fits(limits):
            return spliced(net, [first, found], interval, prices, limits), best_duals
        if float(duals @ over) > best_bound:
            best_duals, best_bound = duals, float(duals @ over)
        if best_bound > 1e-9:
            return None, None  # even the cheapest by these prices is over the limits' own price
        seen[found.picks] = found
        duals = duals * np.exp(np.clip(over / over.max(), -1, 1) / np.sqrt(k + 1))
        duals = duals / duals.sum()
    nearest = sorted(seen.values(), key=lambda c: float((c.cost * scale).max()))[:NEAREST]
    return spliced(net, nearest, interval, prices, limits), best_duals


def _least(net: Network, interval: int, prices: Array) -> float:
    """The least price of any choice."""
    found = cheapest(net, interval, prices)
    assert found is not None
    return float(found.cost @ prices)


def _best(layer: Layer, spot: Spot, interval: int, prices: Array) -> tuple[Array, Array]:
    """For each cell of a layer's table the index of the cheapest candidate and its price (infinite: none)."""
    price = np.where(layer.cycles <= interval, layer.costs @ prices, np.inf)
    order = np.argsort(-price, kind="stable")
    best = np.zeros(spot.shape, dtype=np.int64)
    table = np.full(spot.shape, np.inf)
    best.flat[spot.cells[order]] = order  # the last one written is the cheapest
    table.flat[spot.cells[order]] = price[order]
    return best, table
