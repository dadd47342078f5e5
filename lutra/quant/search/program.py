"""The best choice under several limits at once, as an integer program (HAWQ-V3, arXiv 2011.10680, section 3.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from lutra.errors import LutraError
from lutra.quant.search.frontier import undominated_rows

Floats = npt.NDArray[np.float64]
Table = Sequence[Sequence[float]]  # a number for each option of each variable
RANGE = 1e4  # scores are scaled to it, as the solver stops at an absolute gap of 1e-6
SLACK = 1e-9  # share by which a limit that the solver's tolerance went over is drawn in


def solve(scores: Table, costs: Mapping[str, Table], limits: Mapping[str, float]) -> tuple[int, ...]:
    """The index of each variable's option such that the scores' sum is least and each cost's sum is within its limit.

    Options that another of the variable's beats in all that counts are left out first, which changes nothing.

    Raises LutraError: there is no such choice (names the limit that cannot be met, and the nearest that can be); scipy
    is missing.
    """
    for name, limit in limits.items():
        least = sum(min(options) for options in costs[name])
        if least > limit:
            raise LutraError(f"no choice has a {name} of {limit:,.6g} or less", name,
                             f"the least that can be reached is {least:,.6g}")
    useful = [undominated_rows(np.column_stack([s, *(costs[n][i] for n in limits)])) for i, s in enumerate(scores)]
    few, thin = _taken(scores, useful), {n: _taken(costs[n], useful) for n in limits}
    drawn = dict(limits)
    for _ in range(8):
        chosen = tuple(int(some[k]) for some, k in zip(useful, _solved(few, thin, drawn), strict=True))
        over = [n for n in limits if total(costs[n], chosen) > limits[n]]
        if not over:
            return chosen
        drawn |= {n: drawn[n] - SLACK * max(abs(limits[n]), total(costs[n], chosen)) for n in over}
    raise LutraError(f"no choice meets the limit of {over[0]} beyond rounding", over[0], "raise it by a little")


def _taken(table: Table, useful: Sequence[npt.NDArray[np.intp]]) -> Table:
    return [[options[k] for k in some] for options, some in zip(table, useful, strict=True)]


def total(table: Table, choice: Sequence[int]) -> float:
    """The sum of what a choice has in a table."""
    return float(sum(options[k] for options, k in zip(table, choice, strict=True)))


def _solved(scores: Table, costs: Mapping[str, Table], limits: Mapping[str, float]) -> tuple[int, ...]:
    """One solution by HiGHS: a binary unknown for each option, one of each variable's being 1."""
    worth = np.concatenate([np.asarray(s, float) - min(s) for s in scores])
    spread = sum(max(s) - min(s) for s in scores)
    units = {n: abs(limit) or 1.0 for n, limit in limits.items()}
    found = _highs(scores, worth * (RANGE / spread if spread else 1.0), _rows(costs, units),
                   [limits[n] / units[n] for n in limits])
    if found is None:
        named, near = (", ".join(f"{n} {v:,.6g}" for n, v in values.items())
                       for values in (limits, _nearest(scores, costs, limits)))
        raise LutraError(f"no choice meets all limits together: {named}", "limits",
                         f"each can be met alone; the nearest that can be reached is {near}")
    return found


def _nearest(scores: Table, costs: Mapping[str, Table], limits: Mapping[str, float]) -> dict[str, float]:
    """What a choice takes that goes over its limits by the least share."""
    units = {n: abs(limit) or 1.0 for n, limit in limits.items()}
    rows = [np.append(row, -1.0) for row in _rows(costs, units)]  # the last unknown: the greatest cost in units
    found = _highs(scores, np.append(np.zeros(len(rows[0]) - 1), 1.0), rows, [0.0] * len(rows))
    assert found is not None
    return {n: total(costs[n], found) for n in limits}


def _rows(costs: Mapping[str, Table], units: Mapping[str, float]) -> list[Floats]:
    return [np.concatenate([np.asarray(c, float) for c in costs[n]]) / unit for n, unit in units.items()]


def _highs(scores: Table, worth: Floats, rows: Sequence[Floats], most: Sequence[float]) -> tuple[int, ...] | None:
    """The choice of least worth for which each row's sum is at most so much, None if there is none.

    worth, rows: of each option of each variable of `scores`, one after the other, and of one more number, if they are
    longer by one, that may be as great as it needs be.
    """
    try:
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import block_diag, csr_array, hstack
    except ImportError as e:
        raise LutraError("several limits at once need scipy", "search", "pip install 'lutra[search]'") from e
    count = sum(len(s) for s in scores)
    free = len(worth) - count
    each = hstack([block_diag([np.ones((1, len(s))) for s in scores]), csr_array((len(scores), free))], format="csr")
    upper = np.append(np.ones(count), np.full(free, np.inf))
    found = milp(worth, integrality=np.append(np.ones(count), np.zeros(free)), bounds=Bounds(0, upper),
                 constraints=[LinearConstraint(each, 1, 1),
                              *([LinearConstraint(csr_array(np.stack(rows)), -np.inf, most)] if len(rows) else [])],
                 options={"mip_rel_gap": 0})
    if found.x is None:
        return None
    parts = np.split(found.x[:count], np.cumsum([len(s) for s in scores])[:-1])
    return tuple(int(p.argmax()) for p in parts)
