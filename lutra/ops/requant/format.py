"""A fixed-point format to cast to, on integers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Range
from lutra.ops.requant.modes import OVERFLOWS, ROUNDINGS, bounds, cast, reach, rounded

WIDEST = 62  # bits of a number before the shift, and after it: what 64-bit integers hold while they are rounded
WIDEST_OUT = 31  # bits of the type


class Format(NamedTuple):
    """overflow(round(x / 2**shift)) in a type of `width` bits, with the modes of `lutra.ops.requant.modes`."""

    shift: int
    width: int
    signed: bool
    rounding: str
    overflow: str

    @property
    def range(self) -> Range:
        """Every value of the type."""
        return Range(*bounds(self.width, self.signed))

    def cast(self, x: Array) -> Array:
        """The cast of integers, 64 bits."""
        return cast(x, *self)

    def reach(self, x: Range) -> Range:
        """An interval that holds the cast of every integer of x."""
        return reach(x, *self)

    def checked(self, x: Range) -> Range:
        """`reach`; LutraError where this is no format, or cannot be computed for x."""
        if self.rounding not in ROUNDINGS or self.overflow not in OVERFLOWS:
            raise LutraError(f"rounding {self.rounding!r}, overflow {self.overflow!r}",
                             hint=f"{', '.join(ROUNDINGS)}; {', '.join(OVERFLOWS)}")
        if self.overflow == "WRAP_SM" and not self.signed:
            raise LutraError("WRAP_SM of an unsigned type", hint="the mode is defined for signed types")
        if not 1 <= self.width <= WIDEST_OUT:
            raise LutraError(f"a type of {self.width} bits for {x}", hint=f"1 to {WIDEST_OUT} bits")
        if x.bits - min(self.shift, 0) > WIDEST or self.shift >= WIDEST:
            raise LutraError(f"{x} shifted right by {self.shift}", hint=f"at most {WIDEST} bits")
        return self.reach(x)

    def overflows(self, x: Range) -> bool:
        """Whether any value of the range leaves the type, or the symmetric part of it."""
        low, high = bounds(self.width, self.signed)
        low = -high if self.overflow == "SAT_SYM" and self.signed else low
        q = rounded(np.array([x.lo, x.hi]), self.shift, self.rounding)
        return bool(q[0] < low or q[1] > high)

    def quotient(self, x: Range) -> int:
        """Bits of the rounded quotient, two's complement, more than the type's."""
        q = rounded(np.array([x.lo, x.hi]), self.shift, self.rounding)
        return max(Range(int(min(q[0], 0)), int(max(q[1], 0))).bits + 1, self.width + 1)
