"""How many thresholds a value reaches: by comparing with each, or by a bucket that leaves one comparison."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lutra.ir import Array, Range

LARGEST = 1 << 20  # buckets of all rows


def added_up(thresholds: Array, values: Array) -> Array:
    """For values (..., channels) how many of the thresholds (C or 1, L) of their row they reach, float32."""
    count = np.zeros(values.shape, np.float32)
    for t in thresholds.T:
        count += values >= t
    return count


def bucketed(thresholds: Array, x: Range) -> Callable[[Array], Array] | None:
    """`added_up` for sorted thresholds and values of x, of any numeric type. Buckets are equally wide, and so narrow
    that none holds two different thresholds; None where that takes too many of them.
    """
    reach = max(x.hi, -x.lo, x.hi - x.lo)
    if reach >= 1 << 53:
        return None
    kind = np.float32 if reach < 1 << 24 else np.float64  # differences are exact
    inside = [np.unique(row[(row > x.lo) & (row <= x.hi)], return_counts=True) for row in thresholds]
    always = (thresholds <= x.lo).sum(axis=1)
    gap = min((int(np.diff(at).min()) for at, _ in inside if len(at) > 1), default=1 << 62)
    spans = [int(at[-1] - at[0]) if len(at) else 0 for at, _ in inside]
    shift = min(gap.bit_length() - 1, max(spans).bit_length())
    count = (max(spans) >> shift) + 1
    if len(thresholds) * count > LARGEST:
        return None
    start = np.array([at[0] if len(at) else 0 for at, _ in inside], kind)
    below, rise = np.zeros((2, len(inside), count), np.float32)
    turn = np.full((len(inside), count), np.inf, kind)
    for row, (at, many) in enumerate(inside):
        bucket = (at - at[:1]) >> shift
        rise[row, bucket], turn[row, bucket] = many, at
        below[row] = always[row] + np.cumsum(rise[row]) - rise[row]
    scale, base = kind(2.0**-shift), np.arange(len(inside)) * count
    flat = below.ravel(), rise.ravel(), turn.ravel()

    def run(values: Array) -> Array:
        place = np.subtract(values, start, dtype=kind, casting="unsafe")
        place *= scale
        np.clip(place, 0, count - 1, out=place)
        index = place.astype(np.intp)
        index += base
        more: Array = flat[1].take(index, mode="wrap")  # "wrap" is the mode that does not copy the indices
        more *= values >= flat[2].take(index, mode="wrap")
        more += flat[0].take(index, mode="wrap")
        return more

    return run
