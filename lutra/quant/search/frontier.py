"""The exact trade-off between a score and a cost that are both sums over variables (ZeroQ, arXiv 2001.00281).

Variables are folded in one at a time: the frontier is merged with a copy of itself shifted by each option, sorted,
and what is dominated is dropped. As both are sums, what is dominated stays so whatever follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lutra.errors import LutraError

Floats = npt.NDArray[np.float64]


class Point(NamedTuple):
    """A choice that no other beats: the index of each variable's option."""

    cost: float
    score: float
    choice: tuple[int, ...]


def frontier(scores: Sequence[Sequence[float]], costs: Sequence[Sequence[float]], buckets: int | None = None,
             ) -> list[Point]:
    """All choices of one option for each variable for which no other has a cost and a score as small and one smaller.

    What it takes:
        scores, costs: of the options of each variable, finite.
        buckets: keep at most about this many points, the best of each of so many equal parts of the cost axis (and the
            cheapest of all). Points still have their true costs; one that is lost has another with as good a score
            that costs at most variables * axis / buckets more. None: exact.

    Returns points by rising cost, hence falling score; of equal ones the first option. Sums run from the first
    variable to the last.
    """
    cost, score = np.zeros(1), np.zeros(1)
    top = sum(max(c) for c in costs)
    taken: list[tuple[npt.NDArray[Any], npt.NDArray[Any]]] = []  # for each variable the point before and the option
    for s, c in zip(scores, costs, strict=True):
        assert len(s) == len(c) and np.isfinite(s).all() and np.isfinite(c).all()
        all_costs = np.add.outer(cost, np.asarray(c, float)).ravel()
        all_scores = np.add.outer(score, np.asarray(s, float)).ravel()
        kept = undominated(all_costs, all_scores)
        if buckets is not None and len(kept) > buckets:
            kept = _best_of_each(kept, all_costs, max(top, 1e-300) / buckets)
        cost, score = all_costs[kept], all_scores[kept]
        taken.append((kept // len(s), kept % len(s)))
    return [Point(float(a), float(b), way) for a, b, way in zip(cost, score, _ways(taken, len(cost)), strict=True)]


def undominated(cost: Floats, score: Floats) -> npt.NDArray[np.intp]:
    """Indices of the frontier by rising cost; of equal points the first."""
    order = np.lexsort((np.arange(len(cost)), score, cost))
    best = np.minimum.accumulate(score[order])
    return order[np.r_[True, score[order][1:] < best[:-1]]]


def undominated_rows(figures: Floats) -> npt.NDArray[np.intp]:
    """Indices of the rows that no other is nowhere above; of equal ones the first."""
    kept: list[int] = []
    for i in np.lexsort((np.arange(len(figures)), *figures.T[::-1])):
        if not (figures[kept] <= figures[i]).all(axis=1).any():
            kept.append(int(i))
    return np.array(sorted(kept), np.intp)


def _best_of_each(kept: npt.NDArray[np.intp], cost: Floats, width: float) -> npt.NDArray[np.intp]:
    """The dearest, which is the best, of each part of the cost axis, and the first point."""
    part = np.ceil(cost[kept] / width)
    last = np.r_[part[1:] != part[:-1], True]
    last[0] = True
    return kept[last]


def _ways(taken: Sequence[tuple[npt.NDArray[Any], npt.NDArray[Any]]], count: int) -> list[tuple[int, ...]]:
    """The options that led to each point, followed back from the last variable."""
    at = np.arange(count)
    columns: list[list[int]] = []
    for before, option in reversed(taken):
        columns.append(option[at].tolist())
        at = before[at]
    return list(zip(*reversed(columns), strict=True)) if columns else [()] * count


def best_within(points: Sequence[Point], limit: float, what: str = "cost") -> Point:
    """The point of the least score that costs at most `limit`.

    Raises LutraError: none does; names the nearest that is there.
    """
    within = [p for p in points if p.cost <= limit]
    if not within:
        raise LutraError(f"no choice has a {what} of {limit:,.6g} or less", what,
                         f"the least that can be reached is {points[0].cost:,.6g}")
    return within[-1]
