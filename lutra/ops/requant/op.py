"""Requant: shift, round and overflow as a fixed-point type does: a change of binary point with no multiplier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block, Param
from lutra.ir import Array, Node, Range, Tensor
from lutra.ops.base import Cost, Fold
from lutra.ops.cost import estimate
from lutra.ops.elementwise import Elementwise
from lutra.ops.requant.modes import MONOTONE, OVERFLOWS, ROUNDINGS, bounds, cast, reach, rounded

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

WIDEST = 62  # bits of x before the shift, and after it: what 64-bit integers hold while they are rounded
WIDEST_OUT = 31  # bits of the type


@dataclass(frozen=True)
class Requant(Elementwise):
    """y = overflow(round(x / 2**shift)) in a type of `width` bits; `shift` may be negative.

    rounding, overflow: one of ROUNDINGS and OVERFLOWS of `lutra.ops.requant.modes`, with the meaning of `ap_fixed`.
    """

    shift: int
    width: int
    signed: bool
    rounding: str
    overflow: str

    @property
    def rows(self) -> int:
        """No constants."""
        return 1

    def infer(self, *args: Tensor) -> Tensor:
        """The same shape; what the type can hold of x's range."""
        (x,) = args
        if self.rounding not in ROUNDINGS or self.overflow not in OVERFLOWS:
            raise LutraError(f"rounding {self.rounding!r}, overflow {self.overflow!r}",
                             hint=f"{', '.join(ROUNDINGS)}; {', '.join(OVERFLOWS)}")
        if self.overflow == "WRAP_SM" and not self.signed:
            raise LutraError("WRAP_SM of an unsigned type", hint="the mode is defined for signed types")
        if not 1 <= self.width <= WIDEST_OUT or x.range.step > 1:
            raise LutraError(f"a type of {self.width} bits for {x.range}", hint=f"1 to {WIDEST_OUT} bits, step 1")
        if x.range.bits - min(self.shift, 0) > WIDEST or self.shift >= WIDEST:
            raise LutraError(f"{x.range} shifted right by {self.shift}", hint=f"at most {WIDEST} bits")
        return Tensor(x.shape, reach(x.range, self.shift, self.width, self.signed, self.rounding, self.overflow))

    def evaluate(self, *args: Array) -> Array:
        """In 64 bits."""
        (x,) = args
        return cast(x, self.shift, self.width, self.signed, self.rounding, self.overflow)

    def latency(self, x: Tensor) -> int:
        """x, the rounded quotient, slice."""
        return 3

    def overflows(self, x: Range) -> bool:
        """Whether any value of the range leaves the type, or the symmetric part of it."""
        low, high = bounds(self.width, self.signed)
        low = -high if self.overflow == "SAT_SYM" and self.signed else low
        q = rounded(np.array([x.lo, x.hi]), self.shift, self.rounding)
        return bool(q[0] < low or q[1] > high)

    def quotient(self, x: Range) -> int:
        """Bits of the rounded quotient, two's complement."""
        q = rounded(np.array([x.lo, x.hi]), self.shift, self.rounding)
        return max(Range(int(min(q[0], 0)), int(max(q[1], 0))).bits + 1, self.width + 1)

    def block(self, fold: Fold, x: Tensor) -> Block:
        """`lutra_requant`."""
        pe, y = self.lanes(fold, x)[0], self.infer(x).range
        params: dict[str, Param] = {
            "PE": pe, "XBITS": x.range.bits, "XSIGNED": int(x.range.signed), "SHIFT": self.shift,
            "QBITS": self.quotient(x.range), "WIDTH": self.width, "SIGNED": int(self.signed),
            "ROUNDING": ROUNDINGS.index(self.rounding),
            "OVERFLOW": OVERFLOWS.index(self.overflow) if self.overflows(x.range) else 0, "OBITS": y.bits}
        return Block("lutra_requant", params, {}, (pe * x.range.bits,), (pe * y.bits,))

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """round: bits of the quotient, where it is rounded by an addition, and rest: bits looked at to decide; over:
        bits above the type that tell whether it is left; choice, ends: bits chosen where it is, between two ends; out:
        bits of the slice.
        """
        pe, y, q = fold.pe, self.infer(x).range.bits, self.quotient(x.range)
        adds = self.shift > 0 and self.rounding != "TRN"
        leaves = self.overflows(x.range) and self.overflow != "WRAP"
        return {
            "lut.round": pe * q * adds,
            "lut.rest": pe * max(self.shift - 1, 0) * (adds and self.rounding != "RND"),
            "lut.over": pe * (q - self.width) * leaves,
            "lut.choice": pe * y * leaves,
            "lut.ends": pe * y * (leaves and self.overflow in MONOTONE),
            "lut.out": pe * y,
            "unit": 1,
            "ff.x": pe * x.range.bits,
            "ff.quotient": pe * (q if leaves else y),
            "ff.out": pe * y * 2,
        }

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """As fitted to synthesis."""
        return estimate(family, self.kind, self.features(fold, x, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Every mode, shifts either way, types that hold all and types that do not."""
        from lutra.ops.requant.samples import nodes

        return nodes()
