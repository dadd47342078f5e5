"""Multiply, add, shift, clip: when that is exactly a given staircase.

Every condition here is exact, on integers; nothing is tried out.
"""

from __future__ import annotations

import numpy as np

from lutra.ir import Array, Constant, Range
from lutra.ops.rescale.op import Rescale

FEWEST, MOST = 3, 1023  # steps: with fewer, thresholds are cheaper; with more, the pairs below are too many
MAX_SHIFT = 40


def fit_rescale(given: Range, base: int, gap: int, at: Array, falling: Array) -> Rescale | None:
    """The rescale that equals y = base + #{i: x >= at[c, i]} for every x of `given`, or None. at: (C or 1, L)."""
    count = at.shape[1]
    if gap != 1 or not FEWEST <= count <= MOST or falling.any():
        return None
    levels = base + np.arange(1, count + 1)
    return (_shift_to_even(given, levels, at) or _multiply(given, levels, at, only_shift=True)
            or _multiply(given, levels, at, only_shift=False))


def _shift_to_even(given: Range, levels: Array, at: Array) -> Rescale | None:
    """X + b shifted right with rounding half to even: its step to level j lies at (j - 1/2) 2**s - b, one later for
    odd j. So one step inside the range fixes b, and the others must agree.
    """
    inside = (at > given.lo) & (at <= given.hi)
    if given.step != 1 or not inside.any(1).all():
        return None
    first = inside.argmax(1)[:, None]
    for shift in range(1, MAX_SHIFT):
        raw = levels * (1 << shift) - (1 << (shift - 1)) + (levels & 1)
        add = raw[first] - np.take_along_axis(at, first, 1)
        edges = raw[None, :] - add
        if np.where(inside, edges == at, np.where(at <= given.lo, edges <= given.lo, edges > given.hi)).all():
            return _rescale(np.ones_like(add[:, 0]), add[:, 0], shift, True, levels)
    return None


def _multiply(given: Range, levels: Array, at: Array, only_shift: bool) -> Rescale | None:
    """floor((m x + b) / 2**s): level j is reached at T, and not at the value before it, exactly when
    m T + b >= j 2**s > m (T - step) + b. Each step bounds b from one side or both; for the slope m / 2**s the pairs of
    steps bound it from both sides. The smallest s with an integer m in every channel's bounds is taken.
    """
    slopes = [_slope_bounds(given, levels, row) for row in at]
    for shift in range(MAX_SHIFT):
        unit = 1 << shift
        mul = np.array([1 if only_shift else int(np.floor(low * unit)) + 1 for low, _ in slopes], np.int64)
        if any(not low * unit < m < high * unit for m, (low, high) in zip(mul, slopes, strict=True)):
            continue
        add = [_offset(given, levels * unit, row, int(m)) for row, m in zip(at, mul, strict=True)]
        if None not in add:
            return _rescale(mul, np.array(add, np.int64), shift, False, levels)
    return None


def _slope_bounds(given: Range, levels: Array, row: Array) -> tuple[float, float]:
    """Open bounds of m / 2**s: from j_i - a T_i <= b' < j_k - a P_k for all pairs (i, k), P the value before T."""
    reached, left = row <= given.hi, row > given.lo
    t, p = np.maximum(row, given.lo)[reached], np.minimum(row - given.step, given.hi)[left]
    rise = levels[left][None, :] - levels[reached][:, None]
    run = p[None, :] - t[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = rise / run
    high = bound[run > 0].min(initial=np.inf)
    low = bound[run < 0].max(initial=0.0)
    return float(low), float(high)


def _offset(given: Range, targets: Array, row: Array, mul: int) -> int | None:
    """The least b that puts every step in place for this m, or None."""
    reached, left = row <= given.hi, row > given.lo
    lows = (targets - mul * np.maximum(row, given.lo))[reached]
    highs = (targets - mul * np.minimum(row - given.step, given.hi) - 1)[left]
    low = int(lows.max()) if lows.size else int(highs.min())
    return low if not highs.size or low <= int(highs.min()) else None


def _rescale(mul: Array, add: Array, shift: int, even: bool, levels: Array) -> Rescale:
    return Rescale(short(mul), short(add), shift, even, int(levels[0]) - 1, int(levels[-1]))


def short(values: Array) -> Constant:
    """One value where all channels agree."""
    return Constant(values[:1] if (values == values[0]).all() else values)
