"""How fixed-point types round and overflow, on integers: the modes of `ap_fixed`, by their names there.

AMD, "Vitis High-Level Synthesis User Guide" (UG1399), arbitrary precision fixed-point types. A number is an integer `x`
worth x / 2**shift units of the new type's last place.
"""

from __future__ import annotations

import numpy as np

from lutra.ir import Array, Range

ROUNDINGS = ("TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_MIN_INF", "RND_INF", "RND_CONV")
OVERFLOWS = ("WRAP", "SAT", "SAT_ZERO", "SAT_SYM", "WRAP_SM")
MONOTONE = ("SAT", "SAT_SYM")  # overflows that keep the order of values


def rounded(x: Array, shift: int, mode: str) -> Array:
    """The integer (64 bits) next to x / 2**shift. A shift below 0 is a multiplication, with nothing to round."""
    x = x.astype(np.int64)
    if shift <= 0:
        return x << -shift
    floor = x >> shift
    half, sticky = _rest(x, shift)
    return floor + _up(mode, floor, x < 0, half, sticky)


def _rest(x: Array, shift: int) -> tuple[Array, Array]:
    """Of the bits below the point: the first, and whether any other is set."""
    half: Array = (x >> (shift - 1)) & 1 == 1
    sticky: Array = x & ((1 << (shift - 1)) - 1) != 0
    return half, sticky


def _up(mode: str, floor: Array, negative: Array, half: Array, sticky: Array) -> Array:
    match mode:
        case "TRN":
            return np.zeros_like(half)
        case "TRN_ZERO":
            return negative & (half | sticky)
        case "RND":
            return half
        case "RND_ZERO":
            return half & (sticky | negative)
        case "RND_MIN_INF":
            return half & sticky
        case "RND_INF":
            return half & (sticky | ~negative)
        case "RND_CONV":
            odd: Array = floor & 1 == 1
            return half & (sticky | odd)
    raise AssertionError(mode)


def bounds(width: int, signed: bool) -> tuple[int, int]:
    """Least and greatest integer of a type."""
    return (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)


def overflowed(q: Array, above: Array, width: int, signed: bool, mode: str) -> Array:
    """What a type of `width` bits makes of integers q. above: bit `width` of what they were before they were rounded,
    which WRAP_SM looks at.
    """
    low, high = bounds(width, signed)
    outside = (q < low) | (q > high)
    match mode:
        case "SAT":
            return np.clip(q, low, high)
        case "SAT_SYM":
            return np.clip(q, -high if signed else 0, high)
        case "SAT_ZERO":
            return np.where(outside, 0, q)
    wrapped = ((q - low) & ((1 << width) - 1)) + low
    if mode == "WRAP":
        return wrapped
    assert mode == "WRAP_SM" and signed, (mode, signed)
    flipped = outside & (above != ((wrapped >> (width - 1)) & 1 == 1))
    return np.where(flipped, ~wrapped, wrapped)


def cast(x: Array, shift: int, width: int, signed: bool, rounding: str, overflow: str) -> Array:
    """Rounded, then overflowed."""
    floor = rounded(x, shift, "TRN")
    return overflowed(rounded(x, shift, rounding), (floor >> width) & 1 == 1, width, signed, overflow)


def reach(x: Range, shift: int, width: int, signed: bool, rounding: str, overflow: str) -> Range:
    """An interval that holds the cast of every integer of x: the narrowest one for overflows that keep the order."""
    ends = np.array([x.lo, x.hi])
    q = rounded(ends, shift, rounding)
    low, high = bounds(width, signed)
    inside = low <= int(q[0]) and int(q[1]) <= high
    if inside or overflow in MONOTONE:
        y = q if inside and overflow != "SAT_SYM" else cast(ends, shift, width, signed, rounding, overflow)
        return Range(int(y[0]), int(y[1]))
    if overflow == "SAT_ZERO":
        least, most = max(int(q[0]), low), min(int(q[1]), high)
        return Range(min(least, 0), max(most, 0)) if least <= most else Range(0, 0)
    return Range(low, high)
