"""The fixed-point cast of `ap_fixed`: every rounding and overflow mode of the HLS headers, exact in double precision.

QFX (arXiv 2401.17544) learns where its binary point lies; names and meanings are those of `ap_fixed<W, I, Q, O>`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Constant, Range, Tensor
from lutra.ops.source.base import Elementwise
from lutra.ops.source.quant import check_bits, integer_bounds
from lutra.ops.source.rounding import half_down, half_up

FURTHEST = 256  # of a binary point from the unit: double precision scales by such powers without loss


def _nearest_up(y: Array) -> Array:
    """To the nearest, ties up. What is left of y after its floor is exact, y + 0.5 would not be."""
    below = np.floor(y)
    return np.asarray(below + (y - below >= 0.5))


def _nearest_down(y: Array) -> Array:
    """To the nearest, ties down."""
    below = np.floor(y)
    return np.asarray(below + (y - below > 0.5))


ROUNDING: dict[str, Callable[[Array], Array]] = {
    "TRN": np.floor, "TRN_ZERO": np.trunc, "RND": _nearest_up, "RND_ZERO": half_down, "RND_MIN_INF": _nearest_down,
    "RND_INF": half_up, "RND_CONV": np.rint,
}
OVERFLOW = ("WRAP", "SAT", "SAT_ZERO", "SAT_SYM", "WRAP_SM")
RISING = ("SAT", "SAT_SYM")  # the modes in which a larger number never gives a smaller one


@dataclass(frozen=True)
class Cast(Elementwise):
    """2**-f * overflow(rounding(x * 2**f)), f = `fraction`: a number of `width` bits, of which f behind the point.

    fraction: whole numbers, negative or above `width` too. Whether a number is outside is seen after rounding.
    """

    fraction: Constant
    width: int
    signed: bool
    rounding: str
    overflow: str

    @property
    def finite(self) -> bool:
        """At most 2**width values."""
        return True

    @property
    def codes(self) -> Range:
        """The integers that stand for the results: result = integer * 2**-f."""
        return Range(*integer_bounds(self.width, self.signed, self.overflow == "SAT_SYM" and self.signed))

    @property
    def scale(self) -> Array:
        """What one integer is worth."""
        return np.asarray(np.ldexp(1.0, -self._places))

    @property
    def _places(self) -> Array:
        return self.fraction.array.astype(np.int64)

    def saturating(self) -> Cast:
        """The same where nothing overflows, and rising."""
        return replace(self, overflow="SAT")

    def rounded(self, x: Array) -> Array:
        """The integers of x * 2**f, rounded, before overflow is looked at."""
        return ROUNDING[self.rounding](np.ldexp(x, self._places))

    def infer(self, *args: Tensor) -> Tensor:
        """The argument's shape; LutraError for a format or mode that there is not."""
        f = self.fraction.array
        if not (np.isfinite(f).all() and (f == np.rint(f)).all() and np.abs(f).max(initial=0) <= FURTHEST):
            raise LutraError(f"binary points {f.ravel()[:3].tolist()} are not whole numbers up to {FURTHEST}",
                             hint="calibrate or train the network's casts first")
        check_bits(self.width)
        if self.rounding not in ROUNDING:
            raise LutraError(f"rounding {self.rounding[:40]!r} is not known", hint=f"one of {', '.join(ROUNDING)}")
        if self.overflow not in OVERFLOW:
            raise LutraError(f"overflow {self.overflow[:40]!r} is not known", hint=f"one of {', '.join(OVERFLOW)}")
        if self.overflow == "WRAP_SM" and not self.signed:
            raise LutraError("overflow WRAP_SM of an unsigned number does not exist", hint="use WRAP")
        if self.width == 1 and self.signed and self.overflow == "SAT_SYM":
            raise LutraError("one signed bit with SAT_SYM has the value 0 only", hint="use 2 bits, or SAT")
        return super().infer(*args)

    def apply(self, x: Array) -> Array:
        """The formula."""
        return np.asarray(np.ldexp(self._kept(x, self.rounded(x)), -self._places))

    def _kept(self, x: Array, q: Array) -> Array:
        """The integers after overflow."""
        lo, hi = integer_bounds(self.width, self.signed, False)
        match self.overflow:
            case "SAT":
                return np.clip(q, lo, hi)
            case "SAT_SYM":
                return np.clip(q, self.codes.lo, hi)
            case "SAT_ZERO":
                return np.where((q >= lo) & (q <= hi), q, 0.0)
        size = 2.0 ** self.width
        low = np.mod(q, size)
        if self.overflow == "WRAP_SM":
            beyond = np.mod(np.floor(np.ldexp(x, self._places) / size), 2.0) == 1.0  # bit `width`, before rounding
            outside = (q < lo) | (q > hi)
            low = np.where(outside & (beyond != (low >= size / 2)), size - 1 - low, low)
        return np.where(low > hi, low - size, low)

    def slope(self) -> Array | int:
        """Rising where it saturates; of what wraps or falls to 0 nothing is known."""
        return 1 if self.overflow in RISING else 0
