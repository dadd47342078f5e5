"""The steps of a monotone function of integers: read from its table, or found by bisection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import gcd

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Range

LEVELS = 1 << 16  # quantisers with more levels are not thresholds
Function = Callable[[Array], Array]  # integers (n, 1) or (n, C) to integers (n, C), or (n, 1) if one function


@dataclass(frozen=True)
class Step:
    """A function's steps: y = base + gap * #{i: x >= at[c, i]} (`falling`: x < at). at (C or 1, L), rows sorted."""

    base: int
    gap: int
    at: Array
    falling: Array

    def __call__(self, x: Array) -> Array:
        """Values (n, C) at integers (n, C): for checking."""
        below = np.stack([np.searchsorted(row, x[:, min(c, x.shape[1] - 1)], side="right")
                          for c, row in enumerate(self.at)], 1)
        return self.base + self.gap * np.where(self.falling, self.at.shape[1] - below, below)


def steps_of(given: Range, y: Array) -> Step | None:
    """The steps of a tabulated function y (levels of `given`, C), or None where a column neither rises nor falls."""
    moves = np.diff(y, axis=0)
    rising, falling = np.asarray((moves >= 0).all(axis=0)), np.asarray((moves <= 0).all(axis=0))
    if not (rising | falling).all():
        return None
    falling = falling & ~rising
    used = np.unique(y)
    base, gap = int(used[0]), _gap(used)
    count = (int(used[-1]) - base) // gap
    if count > LEVELS:
        return None
    wanted = base + gap * np.arange(1, count + 1)
    rows = []
    for c in range(y.shape[1]):
        column = y[:, c]
        index = (len(column) - np.searchsorted(column[::-1], wanted, side="left") if falling[c]
                 else np.searchsorted(column, wanted, side="left"))
        rows.append(np.sort(given.lo + given.step * index))
    return Step(base, gap, np.array(rows, np.int64).reshape(y.shape[1], count), falling)


def bisected(given: Range, quantise: Function, slopes: Array) -> Step:
    """The steps of a monotone function, found by bisection: one evaluation a bit of the range, all steps at once."""
    ends = quantise(np.array([[given.lo], [given.hi]]))
    ends = np.broadcast_to(ends, (2, len(slopes)))
    base, top = int(ends.min()), int(ends.max())
    if top - base > LEVELS:
        raise LutraError(f"a quantiser with {top - base + 1} levels is too fine for hardware", hint="use up to 16 bits")
    wanted = np.arange(base + 1, top + 1)[:, None]
    falling = slopes < 0
    low = np.zeros((len(wanted), len(slopes)), np.int64)  # smallest index where the comparison may have turned
    high = np.full_like(low, given.levels)
    while (low < high).any():
        middle = (low + high) // 2
        y = quantise(given.lo + given.step * np.minimum(middle, given.levels - 1))
        turned = np.where(falling, y < wanted, y >= wanted) | (middle >= given.levels)
        high, low = np.where(turned, middle, high), np.where(turned, low, middle + 1)
        low = np.minimum(low, high)
    return _merged(given, Step(base, 1, np.sort((given.lo + given.step * low).T, axis=1), falling))


def _merged(given: Range, steps: Step) -> Step:
    """The same with as great a gap as the levels that are reached allow: one cast may lie on the grid of another."""
    at = steps.at
    ends = np.full((len(at), 1), given.lo), np.full((len(at), 1), given.hi + given.step)
    edges = np.concatenate([ends[0], at, ends[1]], axis=1)
    reached = edges[:, :-1] < edges[:, 1:]  # by how many of the row lie at x or below it
    reached[steps.falling] = reached[steps.falling, ::-1]
    used = np.flatnonzero(reached.any(axis=0))
    gap = _gap(used)
    wanted = np.arange(used[0] + gap, used[-1] + 1, gap)
    rows = [row[np.sort(at.shape[1] - wanted)] if down else row[wanted - 1]
            for row, down in zip(at, steps.falling, strict=True)]
    return Step(steps.base + int(used[0]), gap, np.array(rows, np.int64).reshape(len(at), len(wanted)), steps.falling)


def _gap(used: Array) -> int:
    """The largest step on which all used levels lie."""
    return max(1, gcd(*(int(d) for d in np.diff(used)))) if used.size > 1 else 1
