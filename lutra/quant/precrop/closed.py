"""Densities in closed form: SynExp and PreConfig (PreCropping, arXiv:2203.02549).

The expected synaptic flow of a random mask is proportional to the product of the layers' densities, so the best
densities maximise the sum of their logarithms under the budgets. In a network with branches each layer is a factor as
in a chain; `paths.py` has the sum over paths.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from lutra.errors import LutraError

HALVINGS = 200
DUAL_HALVINGS = 60


def synexp(parameters: Sequence[float], budget: float) -> list[float]:
    """Densities p that maximise sum(log p) with sum(parameters * p) <= budget and p <= 1.

    They are p = min(1, level / parameters).

    Raises LutraError: there are no parameters, or no budget.
    """
    return filled(parameters, budget, [1.0] * len(parameters), [0.0] * len(parameters))


def filled(parameters: Sequence[float], budget: float, powers: Sequence[float], least: Sequence[float]) -> list[float]:
    """Densities p that maximise sum(powers * log p) with sum(parameters * p) <= budget and least <= p <= 1.

    They are p = level * powers / parameters within those limits, with the level by bisection. powers: above 0.

    Raises LutraError: as `synexp`.
    """
    _check(parameters, budget)
    rates = [e / a for a, e in zip(parameters, powers, strict=True)]

    def at(level: float) -> list[float]:
        return [min(1.0, max(p, level * r)) for p, r in zip(least, rates, strict=True)]

    low, high = 0.0, 1 / min(rates)
    if sum(parameters) <= budget:
        return at(high)
    for _ in range(HALVINGS):
        level = (low + high) / 2
        used = sum(a * p for a, p in zip(parameters, at(level), strict=True))
        low, high = (level, high) if used <= budget else (low, level)
    return at(low)


def preconfig(parameters: Sequence[float], operations: Sequence[float], budget: float, limit: float,
              most: float = math.inf) -> list[float]:
    """Densities p, also above 1, that maximise sum(log p) with sum(parameters * p) <= budget, sum(operations * p) <=
    limit and p <= most.

    They are p = min(most, 1 / (u * parameters + v * operations)) with the least multipliers u, v >= 0 that meet both
    budgets: v by bisection for each u, and u by bisection, as the dual function's least value over v is convex in u.

    Raises LutraError: as `synexp`.
    """
    _check(parameters, budget)
    _check(operations, limit)
    both = list(zip(parameters, operations, strict=True))

    def at(u: float, v: float) -> list[float]:
        return [min(most, 1 / (u * a + v * b)) if u or v else most for a, b in both]

    def under(u: float) -> list[float]:
        """With so much for a parameter, the operations within their limit."""
        return at(u, _least(lambda v: sum(b * p for (_, b), p in zip(both, at(u, v), strict=True)) <= limit,
                            len(both) / limit))

    return under(_least(lambda u: sum(a * p for (a, _), p in zip(both, under(u), strict=True)) <= budget,
                        len(both) / budget))


def _least(good: Callable[[float], bool], high: float) -> float:
    """The least multiplier that is good, 0 or by bisection; all that are greater are, and `high` is."""
    if good(0.0):
        return 0.0
    low = 0.0
    for _ in range(DUAL_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if good(middle) else (middle, high)
    return high


def _check(amounts: Sequence[float], budget: float) -> None:
    if not amounts or min(amounts) <= 0:
        raise LutraError("a layer has no parameters", hint="there is nothing to crop")
    if not budget > 0:
        raise LutraError(f"a budget of {budget:g}", hint="give more than 0")
