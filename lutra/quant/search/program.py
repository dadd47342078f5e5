"""The best choice under several limits at once, as an integer program (HAWQ-V3, arXiv 2011.10680, section 3.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lutra.errors import LutraError

Table = Sequence[Sequence[float]]  # a number for each option of each variable
RANGE = 1e4  # scores are scaled to it, as the solver stops at an absolute gap of 1e-6
SLACK = 1e-9  # share by which a limit that the solver's tolerance went over is drawn in


def solve(scores: Table, costs: Mapping[str, Table], limits: Mapping[str, float]) -> tuple[int, ...]:
    """The index of each variable's option such that the scores' sum is least and each cost's sum is within its limit.

    Raises LutraError: there is no such choice (names the limit that cannot be met, and the least that can be); scipy
    is missing.
    """
    for name, limit in limits.items():
        least = sum(min(options) for options in costs[name])
        if least > limit:
            raise LutraError(f"no choice has a {name} of {limit:,.6g} or less", name,
                             f"the least that can be reached is {least:,.6g}")
    drawn = dict(limits)
    for _ in range(8):
        chosen = _solved(scores, costs, drawn)
        over = [n for n in limits if total(costs[n], chosen) > limits[n]]
        if not over:
            return chosen
        drawn |= {n: drawn[n] - SLACK * max(abs(limits[n]), total(costs[n], chosen)) for n in over}
    raise LutraError(f"no choice meets the limit of {over[0]} beyond rounding", over[0], "raise it by a little")


def total(table: Table, choice: Sequence[int]) -> float:
    """The sum of what a choice has in a table."""
    return float(sum(options[k] for options, k in zip(table, choice, strict=True)))


def _solved(scores: Table, costs: Mapping[str, Table], limits: Mapping[str, float]) -> tuple[int, ...]:
    """One solution by HiGHS: a binary unknown for each option, one of each variable's being 1."""
    try:
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import block_diag, csr_array
    except ImportError as e:
        raise LutraError("several limits at once need scipy", "search", "pip install 'lutra[search]'") from e
    worth = np.concatenate([np.asarray(s, float) - min(s) for s in scores])
    spread = sum(max(s) - min(s) for s in scores)
    one_each = LinearConstraint(block_diag([np.ones((1, len(s))) for s in scores], format="csr"), 1, 1)
    units = {n: abs(limit) or 1.0 for n, limit in limits.items()}
    rows = [np.concatenate([np.asarray(c, float) for c in costs[n]]) / units[n] for n in limits]
    most = [limits[n] / units[n] for n in limits]
    within = [LinearConstraint(csr_array(np.stack(rows)), -np.inf, most)] if rows else []
    found = milp(worth * (RANGE / spread if spread else 1.0), integrality=np.ones(len(worth)), bounds=Bounds(0, 1),
                 constraints=[one_each, *within], options={"mip_rel_gap": 0})
    if found.x is None:
        named = ", ".join(f"{name} {limit:,.6g}" for name, limit in limits.items())
        raise LutraError(f"no choice meets all limits together: {named}", "limits",
                         "each can be met alone: raise one of them")
    parts = np.split(found.x, np.cumsum([len(s) for s in scores])[:-1])
    return tuple(int(p.argmax()) for p in parts)
