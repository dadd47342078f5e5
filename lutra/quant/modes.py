"""The rounding and overflow modes of `ap_fixed`, in floating point that is exact: every step below gives a number that
the tensor's type holds. `floor(y + 1/2)` does not (1/2 less one unit in the last place would become 1).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from lutra.errors import LutraError

ROUNDINGS = ("TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_MIN_INF", "RND_INF", "RND_CONV")
OVERFLOWS = ("WRAP", "SAT", "SAT_ZERO", "SAT_SYM", "WRAP_SM")
SIGNIFICAND = {torch.float64: 53, torch.float32: 24, torch.float16: 11, torch.bfloat16: 8}


def check(width: int, signed: bool, rounding: str, overflow: str) -> None:
    """Refuse what `ap_fixed` has no meaning for.

    Raises LutraError: an unknown mode, a width outside 1..53, WRAP_SM without a sign.
    """
    if rounding not in ROUNDINGS:
        raise LutraError(f"no rounding is called {rounding!r}", hint=f"one of {', '.join(ROUNDINGS)}")
    if overflow not in OVERFLOWS:
        raise LutraError(f"no overflow is called {overflow!r}", hint=f"one of {', '.join(OVERFLOWS)}")
    if not 1 <= width <= 53:
        raise LutraError(f"a width of {width} bits", hint="1 to 53: double precision holds no more")
    if overflow == "WRAP_SM" and not signed:
        raise LutraError("WRAP_SM without a sign", hint="it is sign-magnitude wrapping; WRAP is for unsigned formats")


def fits(width: int, dtype: torch.dtype) -> None:
    """Refuse a width that numbers of this type do not hold exactly.

    Raises LutraError: the type is no floating point, or too narrow.
    """
    if dtype not in SIGNIFICAND:
        raise LutraError(f"a cast of a tensor of {dtype}", hint="only floating point can be cast")
    if width > SIGNIFICAND[dtype]:
        raise LutraError(f"{width} bits in {dtype}, which holds {SIGNIFICAND[dtype]}", hint="use x.double()")


def integers(width: int, signed: bool) -> tuple[int, int]:
    """The least and greatest integer of a word."""
    return (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)


def clip(width: int, signed: bool, overflow: str) -> tuple[int, int]:
    """The integers that overflow leaves as they are: SAT_SYM has no -2**(w-1)."""
    lo, hi = integers(width, signed)
    return (-hi, hi) if signed and overflow == "SAT_SYM" else (lo, hi)


def round_(y: Tensor, rounding: str) -> Tensor:
    """Round to integers, in place.

    With n = floor(2 y), floor(y + 1/2) = ceil(n / 2); doubling and halving are exact, so all of it is. The others
    that round to nearest follow by symmetry.
    """
    match rounding:
        case "TRN":
            return y.floor_()
        case "TRN_ZERO":
            return y.trunc_()
        case "RND":
            return y.mul_(2).floor_().mul_(0.5).ceil_()
        case "RND_MIN_INF":
            return y.mul_(2).ceil_().mul_(0.5).floor_()
        case "RND_CONV":
            return y.round_()
    negative = y < 0
    y = y.abs_().mul_(2)
    y = y.ceil_().mul_(0.5).floor_() if rounding == "RND_ZERO" else y.floor_().mul_(0.5).ceil_()
    return torch.where(negative, y.neg(), y, out=y)


def wrap_(q: Tensor, width: int, signed: bool) -> Tensor:
    """The low `width` bits of integers, in place."""
    q = q.remainder_(2.0**width)
    return q.sub_((q >= 2.0 ** (width - 1)).to(q.dtype), alpha=2.0**width) if signed else q


def word_(y: Tensor, width: int, signed: bool, rounding: str, overflow: str) -> Tensor:
    """The integers of `ap_fixed` for reals in units of the last place, in place.

    Saturation before rounding is the same as after it, as both limits are integers, and keeps numbers small.
    """
    lo, hi = clip(width, signed, overflow)
    match overflow:
        case "SAT" | "SAT_SYM":
            return round_(y.clamp_(lo, hi), rounding)
        case "SAT_ZERO":
            q = round_(y, rounding)
            return q.masked_fill_((q < lo) | (q > hi), 0)
        case "WRAP":
            return wrap_(round_(y, rounding), width, signed)
    guard = y.floor().remainder_(2.0 ** (width + 1)) >= 2.0**width  # bit `width` before rounding
    q = round_(y, rounding)
    outside = (q < lo) | (q > hi)
    q = wrap_(q, width, signed)
    # a word's top bit is its sign; inverting all its bits gives -1 - q
    return torch.where(outside & (guard != (q < 0)), -1 - q, q, out=q)


@lru_cache(maxsize=1024)
def edges(width: int, signed: bool, rounding: str, overflow: str, double: bool) -> tuple[float, float]:
    """The open interval of reals, in units of the last place, that round into the word's range; bounds are numbers of
    single (or double) precision such that for all others of that precision `a < y < b` is the exact condition.
    """
    lo, hi = clip(width, signed, overflow)
    low, low_in, high, high_in = {
        "TRN": (lo, True, hi + 1, False),
        "TRN_ZERO": (lo if lo > 0 else lo - 1, False, hi + 1, False),
        "RND": (lo - 0.5, True, hi + 0.5, False),
        "RND_ZERO": (lo - 0.5, True, hi + 0.5, True),
        "RND_MIN_INF": (lo - 0.5, False, hi + 0.5, True),
        "RND_INF": (lo - 0.5, False, hi + 0.5, False),
        "RND_CONV": (lo - 0.5, lo % 2 == 0, hi + 0.5, hi % 2 == 0),
    }[rounding]
    number = np.float64 if double else np.float32
    return _outward(low, low_in, -1, number), _outward(high, high_in, 1, number)


def _outward(bound: float, included: bool, side: int, number: type[np.floating]) -> float:
    """The number nearest to a bound at its outer side; strictly beyond it where the bound itself is inside."""
    near = number(bound)
    if (float(near) - bound) * side < 0 or (included and float(near) == bound):
        near = np.nextafter(near, number(side * np.inf))
    return float(near)


def exponent(fraction: Tensor) -> Tensor:
    """floor(fraction + 1/2), within -100..100 so that 2**f is a normal number."""
    return torch.floor(fraction.double() + 0.5).clamp_(-100, 100)


def power_of_two(exponents: Tensor, dtype: torch.dtype) -> Tensor:
    """2**e, exact by construction of its bits (`exp2` and `pow` of a library need not be)."""
    if dtype == torch.float64:
        return (exponents.to(torch.int64) + 1023).bitwise_left_shift(52).view(torch.float64)
    return (exponents.to(torch.int32) + 127).bitwise_left_shift(23).view(torch.float32)
