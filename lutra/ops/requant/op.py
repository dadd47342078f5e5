"""Requant: shift, round and overflow as a fixed-point type does: a change of binary point with no multiplier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutra.errors import LutraError
from lutra.hw.netlist import Block, Param
from lutra.ir import Array, Node, Tensor
from lutra.ops.base import Cost, Fold
from lutra.ops.cost import estimate
from lutra.ops.elementwise import Elementwise
from lutra.ops.requant.format import Format
from lutra.ops.requant.modes import MONOTONE, OVERFLOWS, ROUNDINGS

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


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
    def format(self) -> Format:
        """Its fields as one."""
        return Format(self.shift, self.width, self.signed, self.rounding, self.overflow)

    @property
    def rows(self) -> int:
        """No constants."""
        return 1

    def infer(self, *args: Tensor) -> Tensor:
        """The same shape; what the type can hold of x's range."""
        (x,) = args
        if x.range.step > 1:
            raise LutraError(f"{x.range} in a new type", hint="ranges of step 1")
        return Tensor(x.shape, self.format.checked(x.range))

    def evaluate(self, *args: Array) -> Array:
        """In 64 bits."""
        (x,) = args
        return self.format.cast(x)

    def latency(self, x: Tensor) -> int:
        """x, the rounded quotient, slice."""
        return 3

    def block(self, fold: Fold, x: Tensor) -> Block:
        """`lutra_requant`."""
        pe, y = self.lanes(fold, x)[0], self.infer(x).range
        params: dict[str, Param] = {
            "PE": pe, "XBITS": x.range.bits, "XSIGNED": int(x.range.signed), "SHIFT": self.shift,
            "QBITS": self.format.quotient(x.range), "WIDTH": self.width, "SIGNED": int(self.signed),
            "ROUNDING": ROUNDINGS.index(self.rounding),
            "OVERFLOW": OVERFLOWS.index(self.overflow) if self.format.overflows(x.range) else 0, "OBITS": y.bits}
        return Block("lutra_requant", params, {}, (pe * x.range.bits,), (pe * y.bits,))

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """round: bits of the quotient, where it is rounded by an addition, and rest: bits looked at to decide; over:
        bits above the type that tell whether it is left; choice, ends: bits chosen where it is, between two ends; out:
        bits of the slice.
        """
        pe, y, q = fold.pe, self.infer(x).range.bits, self.format.quotient(x.range)
        adds = self.shift > 0 and self.rounding != "TRN"
        leaves = self.format.overflows(x.range) and self.overflow != "WRAP"
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
