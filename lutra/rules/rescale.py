"""Multiply, add, shift, clip: when that is exactly a given staircase.

Every condition here is exact, on integers; nothing is tried out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lutra.ir import Array, Constant, Range
from lutra.ops.rescale.op import Rescale

FEWEST, MOST = 3, 1 << 16  # steps: with fewer, thresholds are cheaper
MAX_SHIFT = 40


def fit_rescale(given: Range, base: int, gap: int, at: Array, falling: Array) -> Rescale | None:
    """The rescale that equals y = base + gap * #{i: x >= at[c, i]}, or of x < at[c, i] where falling[c], for every x of
    `given`; None without one. at: (C or 1, L).

    What falls in x rises in lo + hi - x, which has the same range.
    """
    count, turn = at.shape[1], given.lo + given.hi
    if not FEWEST <= count <= MOST or (gap > 1 and base):
        return None
    levels = base + np.arange(1, count + 1)
    rising = np.where(falling[:, None], np.sort(turn + given.step - at, axis=1), at)
    edges = _Edges.of(given, levels, rising)
    found = (_shift_to_even(given, levels, rising) or _multiply(edges, only_shift=True)
             or _multiply(edges, only_shift=False))
    if found is None:
        return None
    return replace(_turned(found, falling, turn) if falling.any() else found, gap=gap)


def _turned(found: Rescale, falling: Array, turn: int) -> Rescale:
    """The rescale with turn - x in place of x for the channels that fall."""
    mul, add = found.mul.array.astype(np.int64), found.add.array.astype(np.int64)
    return replace(found, mul=short(np.where(falling, -mul, mul)), add=short(np.where(falling, add + mul * turn, add)))


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

        def agrees(rows: slice, raw: Array = raw, add: Array = add) -> bool:
            edges, steps = raw[None, :] - add[rows], at[rows]
            return bool(np.where(inside[rows], edges == steps,
                                 np.where(steps <= given.lo, edges <= given.lo, edges > given.hi)).all())

        if agrees(slice(1)) and agrees(slice(None)):  # most shifts fail for the first channel
            return _rescale(np.ones_like(add[:, 0]), add[:, 0], shift, True, levels)
    return None


@dataclass(frozen=True)
class _Edges:
    """Both sides of every step, (C, L): where level j is first reached, and the value before it; whether each lies
    inside the range.
    """

    levels: Array
    reached: Array
    left: Array
    t: Array
    p: Array

    @classmethod
    def of(cls, given: Range, levels: Array, at: Array) -> _Edges:
        """The edges of the steps at (C, L)."""
        t, p = np.maximum(at, given.lo), np.minimum(at - given.step, given.hi)
        return cls(levels, at <= given.hi, at > given.lo, t, p)

    @cached_property
    def slopes(self) -> tuple[Array, Array]:
        """Open bounds (C,) of m / 2**s: from j_i - a T_i <= b' < j_k - a P_k for all pairs (i, k) of steps.

        The room for b' is a concave function of the slope a, so Newton's method reaches each of its zeros from
        outside, in few steps and never beyond. There is none where the lower bound is not below the upper one.
        """
        steeper = len(self.levels) + 1.0  # than all levels within one integer
        return self._zero(np.zeros(len(self.t)), 1), self._zero(np.full(len(self.t), steeper), -1)

    def _zero(self, a: Array, way: int) -> Array:
        """The zero of the room that lies `way` of a; infinite that way where there is none."""
        rows = np.arange(len(a))
        while True:
            low = np.where(self.reached, self.levels - a[:, None] * self.t, -np.inf)
            high = np.where(self.left, self.levels - a[:, None] * self.p, np.inf)
            i, k = low.argmax(1), high.argmin(1)
            short_of = high[rows, k] < low[rows, i]
            run = way * (self.t[rows, i] - self.p[rows, k])
            if (run[short_of] <= 0).any():
                return np.full(len(a), way * np.inf)
            nearer = way * (self.levels[i] - self.levels[k]) / np.maximum(run, 1)
            moves = short_of & (way * (nearer - a) > 0)
            if not moves.any():
                return a
            a = np.where(moves, nearer, a)

    def offsets(self, mul: Array, unit: int) -> Array | None:
        """The least b (C,) that puts every step in place for these factors, or None."""
        targets, m = self.levels * unit, mul[:, None]
        most, least = np.iinfo(np.int64).max, np.iinfo(np.int64).min
        lows = np.where(self.reached, targets - m * self.t, least).max(1)
        highs = np.where(self.left, targets - m * self.p - 1, most).min(1)
        add: Array = np.where(self.reached.any(1), lows, highs)
        return add if (add <= highs).all() else None


def _multiply(edges: _Edges, only_shift: bool) -> Rescale | None:
    """floor((m x + b) / 2**s): level j is reached at T, and not at the value before it, exactly when
    m T + b >= j 2**s > m (T - step) + b. Each step bounds b from one side or both; for the slope m / 2**s the pairs of
    steps bound it from both sides. The smallest s with an integer m in every channel's bounds is taken.
    """
    low, high = edges.slopes
    if not (low < high).all():
        return None
    for shift in range(MAX_SHIFT):
        unit = 1 << shift
        mul = np.ones(len(low), np.int64) if only_shift else np.floor(low * unit).astype(np.int64) + 1
        if ((low * unit < mul) & (mul < high * unit)).all():
            add = edges.offsets(mul, unit)
            if add is not None:
                return _rescale(mul, add, shift, False, edges.levels)
    return None


def _rescale(mul: Array, add: Array, shift: int, even: bool, levels: Array) -> Rescale:
    return Rescale(short(mul), short(add), shift, even, int(levels[0]) - 1, int(levels[-1]))


def short(values: Array) -> Constant:
    """One value where all channels agree."""
    return Constant(values[:1] if (values == values[0]).all() else values)
