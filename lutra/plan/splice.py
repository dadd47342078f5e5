"""Two choices made one: the first up to some layer, the second from there on."""

from __future__ import annotations

import numpy as np

from lutra.ir import Array
from lutra.plan.candidates import Network
from lutra.plan.search import Choice


def splice(net: Network, head: Choice, tail: Choice, interval: int, prices: Array, limits: Array) -> Choice | None:
    """The cheapest choice that is `head` before some layer and `tail` from it on, has at most `interval` cycles and no
    resource over its limit; None where there is none.
    """
    at = np.arange(len(net.layers) + 1)  # the first layer from `tail`
    cost = np.zeros((len(at), len(prices)))
    for k, layer in enumerate(net.layers):
        cost += layer.costs[np.where(k < at, head.picks[k], tail.picks[k])]
    fine = np.ones(len(at), bool)
    for j in net.joints:
        source, sink = (np.where(k < at, head.picks[k], tail.picks[k]) for k in (j.source, j.sink))
        before, after = net.layers[j.source].places[source, -1], net.layers[j.sink].places[sink, j.port]
        cost += j.costs[before, after]
        fine &= j.cycles[before, after] <= interval
    price = np.where(fine & (cost <= limits).all(axis=1), cost @ prices, np.inf)
    best = int(price.argmin())
    return Choice((*head.picks[:best], *tail.picks[best:]), cost[best]) if np.isfinite(price[best]) else None


def spliced(net: Network, some: list[Choice], interval: int, prices: Array, limits: Array) -> Choice | None:
    """The cheapest choice that two of `some` make; see `splice`."""
    made = [c for a in some for b in some if a is not b and (c := splice(net, a, b, interval, prices, limits))]
    return min(made, key=lambda c: float(prices @ c.cost), default=None)
