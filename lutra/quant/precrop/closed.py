"""Densities in closed form: SynExp and PreConfig (PreCropping, arXiv:2203.02549).

The expected synaptic flow of a random mask is proportional to the product of the layers' densities, so the best
densities maximise the sum of their logarithms under the budgets. In a network with branches each layer is a factor as
in a chain; `paths.py` has the sum over paths.
"""

from __future__ import annotations

from collections.abc import Sequence

from lutra.errors import LutraError

HALVINGS = 200


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


def preconfig(parameters: Sequence[float], operations: Sequence[float], budget: float, limit: float) -> list[float]:
    """Densities, also above 1, that maximise sum(log p) with sum(parameters * p) <= budget and sum(operations * p) <=
    limit.

    They are p = 1 / (u * parameters + v * operations) with multipliers u, v >= 0, and u * budget + v * limit is the
    number of layers, as a constraint that has a multiplier is met with equality. Along that line the dual function, the
    sum of -log p, is concave, so the place where its slope changes sign is found by bisection.

    Raises LutraError: as `synexp`.
    """
    _check(parameters, budget)
    _check(operations, limit)
    count = len(parameters)

    def at(u: float) -> list[float]:
        v = max(count - u * budget, 0.0) / limit
        return [1 / (u * a + v * b) for a, b in zip(parameters, operations, strict=True)]

    low, high = 0.0, count / budget
    for _ in range(HALVINGS):
        u = (low + high) / 2
        slope = sum(p * (a / budget - b / limit) for p, a, b in zip(at(u), parameters, operations, strict=True))
        low, high = (u, high) if slope > 0 else (low, u)
    return at((low + high) / 2)


def _check(amounts: Sequence[float], budget: float) -> None:
    if not amounts or min(amounts) <= 0:
        raise LutraError("a layer has no parameters", hint="there is nothing to crop")
    if not budget > 0:
        raise LutraError(f"a budget of {budget:g}", hint="give more than 0")
