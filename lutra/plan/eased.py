"""A choice that fits made cheaper, by Lagrangian relaxation of the limits.

M. L. Fisher, "The Lagrangian relaxation method for solving integer programming problems", Management Science 27, 1981:
prices are added on the resources that have limits, the cheapest choice by all prices is found exactly, and the prices
rise where it is over a limit and fall where it is not, by B. T. Polyak's step. What fits on the way is kept.
"""

from __future__ import annotations

import numpy as np

from lutra.ir import Array
from lutra.plan.candidates import Network
from lutra.plan.exchange import exchanged
from lutra.plan.search import Choice
from lutra.plan.solve import NEAREST, cheapest
from lutra.plan.splice import spliced

ROUNDS = 60
WITHOUT = 8  # rounds without a better bound, after which the step is halved
FORBIDDEN = 1e6  # price of what there is none of
CLOSE = 1e-3  # share of the price by which the bound may be lower at the end


def eased(net: Network, interval: int, prices: Array, limits: Array, known: Choice) -> Choice:
    """A choice within the limits that costs no more than `known`, which is one, and as a rule nearly as little as can
    be: what is left is at most the gap between the integers and the relaxation.
    """
    scale = np.where(limits > 0, 1 / np.maximum(limits, 1e-9), 0.0)
    own = prices + np.where(limits > 0, 0.0, FORBIDDEN)
    best, bound, waited, step = known, float("-inf"), 0, 1.0
    extra, at = np.zeros(len(limits)), np.zeros(len(limits))
    seen: dict[tuple[int, ...], Choice] = {}
    for _ in range(ROUNDS):
        found = cheapest(net, interval, own + extra * scale)
        assert found is not None, "known is a choice with this interval"
        seen[found.picks] = found
        over = found.cost * scale - (scale > 0)
        value = float(prices @ found.cost + extra @ over)
        if found.fits(limits) and prices @ found.cost < prices @ best.cost:
            best = found
        if value > bound:
            bound, waited, at = value, 0, extra
        elif (waited := waited + 1) == WITHOUT:
            extra, waited, step = at, 0, step / 2
            continue
        gap = float(prices @ best.cost) - bound
        if gap <= CLOSE * abs(bound):
            return best
        extra = np.maximum(extra + step * (float(prices @ best.cost) - value) / float(over @ over) * over, 0)
    nearest = sorted(seen.values(), key=lambda c: float(np.maximum(c.cost * scale - 1, 0).sum()))[:NEAREST]
    joined = spliced(net, [best, *nearest], interval, prices, limits)
    least = min((c for c in (best, joined) if c), key=lambda c: float(prices @ c.cost))
    return exchanged(net, interval, prices, limits, least)
