"""Mul: the product of two streams, element by element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block, Param
from lutra.ir import Array, Node, Range, Tensor
from lutra.ops.base import Cost, Fold
from lutra.ops.cost import estimate
from lutra.ops.elementwise import ElementwiseJoin, float_type, wrapped
from lutra.ops.mul.size import digits, row_bits, shifters

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

WIDEST = 16  # bits of either input
WIDEST_OUT = 32


@dataclass(frozen=True)
class Mul(ElementwiseJoin):
    """y = x0 * x1 of two streams of equal shape.

    A code c of an input with a step is worth lo + step * c. So y's code is scale * c0 * c1 + by0 * c0 + by1 * c1 + at,
    where the last three are 0 unless an input has a step.
    """

    def infer(self, *args: Tensor) -> Tensor:
        """The same shape; the interval that products of both ends span."""
        x0, x1 = self.check_pair(args)
        for x in (x0, x1):
            if x.range.bits > WIDEST:
                raise LutraError(f"inputs in {x.range} need {x.range.bits} bits, at most {WIDEST} are supported",
                                 hint="quantise to fewer bits")
        return Tensor(x0.shape, product_range(x0.range, x1.range))

    def evaluate(self, *args: Array) -> Array:
        """In 64 bits."""
        x0, x1 = args
        y: Array = x0.astype(np.int64) * x1.astype(np.int64)
        return y

    def kernel(self, xs: tuple[Tensor, ...]) -> Callable[..., Array]:
        """In floating point where that is exact."""
        kind = float_type(self.infer(*xs).range.largest)

        def run(x0: Array, x1: Array) -> Array:
            y: Array = x0.astype(kind, copy=False) * x1.astype(kind, copy=False)
            return y

        return run

    def constants(self, xs: tuple[Tensor, ...]) -> tuple[int, int, int, int]:
        """scale, by0, by1, at: see the class."""
        y = product_range(xs[0].range, xs[1].range)
        (base0, step0), (base1, step1) = (_coding(x.range) for x in xs)
        at = base0 * base1 - (y.lo if y.step > 1 else 0)
        return step0 * step1 // y.step, base1 * step0 // y.step, base0 * step1 // y.step, at // y.step

    def latency(self, fold: Fold, xs: tuple[Tensor, ...]) -> int:
        """Slices, the product's rows, and where codes are not values the sum of the other terms."""
        return 1 + digits(xs[1].range.bits, xs[1].range.signed) + (self.constants(xs) != (1, 0, 0, 0))

    def block(self, fold: Fold, xs: tuple[Tensor, ...]) -> Block:
        """`lutra_mul`."""
        (pe, _), _ = self.lanes(fold, xs)
        (x0, x1), y = (x.range for x in xs), product_range(xs[0].range, xs[1].range)
        scale, by0, by1, at = self.constants(xs)
        params: dict[str, Param] = {
            "PE": pe, "X0BITS": x0.bits, "X0SIGNED": int(x0.signed), "X1BITS": x1.bits, "X1SIGNED": int(x1.signed),
            "OBITS": y.bits, "PLAIN": int((scale, by0, by1, at) == (1, 0, 0, 0)), "SCALE": wrapped(scale, y.bits),
            "BY0": wrapped(by0, y.bits), "BY1": wrapped(by1, y.bits), "AT": wrapped(at, y.bits)}
        return Block("lutra_mul", params, inputs=(pe * x0.bits, pe * x1.bits), outputs=(pe * y.bits,))

    def cost(self, fold: Fold, xs: tuple[Tensor, ...], family: str) -> Cost:
        """As fitted to synthesis."""
        return estimate(family, self.kind, self.features(fold, xs, family))

    def features(self, fold: Fold, xs: tuple[Tensor, ...], family: str) -> dict[str, float]:
        """rows: functions of the product, carries among them; wide: those of whole digits, of most inputs; terms: bits
        of the other terms' adders; slice: bits of the input slices; delay: shift registers; ff.*: registers.
        """
        pe, y, (x0, x1) = fold.pe, product_range(xs[0].range, xs[1].range), (x.range for x in xs)
        functions, registers = row_bits(x0.bits, x0.signed, x1.bits, x1.signed)
        rows, (_, by0, by1, _) = digits(x1.bits, x1.signed), self.constants(xs)
        adders = (by0 != 0) + (by1 != 0)
        wide = (x0.bits + (not x0.signed)) * max(rows - 1 - (not x1.signed), 0)
        return {"unit": 1, "lut.wide": pe * wide, "lut.rows": pe * (functions + (rows if x1.bits > 1 else 0)),
                "lut.delay": pe * shifters(rows, family),
                "lut.terms": pe * y.bits * (1 + adders) if adders and y.bits > 1 else 0,
                "slice": pe * (x0.bits + x1.bits), "ff.rows": pe * registers,
                "ff.factors": pe * (rows - 1) * (x0.bits + x1.bits / 2),
                "ff.terms": pe * y.bits * rows if adders else 0}

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Inputs of every coding, narrow and wide."""
        from lutra.ops.samples import pairs

        return pairs((1, 2, 3, 4, 6)).map(lambda xs: Node(cls(), xs))


def product_range(x0: Range, x1: Range) -> Range:
    """The narrowest range that holds all products."""
    ends = [a * b for a in (x0.lo, x0.hi) for b in (x1.lo, x1.hi)]
    if x0.step == x1.step == 1:
        return Range(min(ends), max(ends))
    return Range(min(ends), max(ends), gcd(x0.step * x1.step, x0.lo * x1.step, x1.lo * x0.step))


def _coding(x: Range) -> tuple[int, int]:
    """Base and step: a code c is worth base + step * c."""
    return (x.lo, x.step) if x.step > 1 else (0, 1)
