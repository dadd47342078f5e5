"""Rescale: multiply, add, shift right with rounding, clip: what is left of a quantiser with many levels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lutra.errors import LutraError
from lutra.hw.circuit import Circuit, Lane
from lutra.hw.netlist import Block, Memory, Param, pack
from lutra.ir import Array, Constant, Node, Range, Tensor, covering
from lutra.ops.base import Cost, Fold
from lutra.ops.cost import estimate
from lutra.ops.elementwise import Elementwise, by_word, check_rows
from lutra.ops.matmul.size import log2_up, weigh_bits
from lutra.ops.rescale.circuit import rescale
from lutra.ops.rom import columns, lut_bits

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

WIDEST = 62  # bits of mul * x + add: what the meaning's 64-bit integers hold
WIDEST_OUT = 31  # bits of y: the clip's bounds are parameters of the module


@dataclass(frozen=True)
class Rescale(Elementwise):
    """y = gap * clip(round((mul[c] x + add[c]) / 2**shift), lo, hi); round is floor, or half to even where `even`.

    mul, add: (C or 1,) integers. gap: where it is not 1, lo is 0, so that what is clipped is y's code on the wire.
    """

    mul: Constant
    add: Constant
    shift: int
    even: bool
    lo: int
    hi: int
    gap: int = 1

    @property
    def rows(self) -> int:
        """Channels with constants of their own; 1 where all share them."""
        return max(self.mul.shape[0], self.add.shape[0])

    def infer(self, *args: Tensor) -> Tensor:
        """The same shape; the narrowest interval, or from 0 with a gap, found at both ends of x's range, since each
        channel is monotone.
        """
        (x,) = args
        for what, constant in (("mul", self.mul), ("add", self.add)):
            if len(constant.shape) != 1 or constant.array.dtype.kind not in "iu":
                raise LutraError(f"{what} {constant.array.dtype}{constant.shape} is not a row of integers")
            check_rows(what, constant.shape[0], x)
        if self.shift < 0 or self.hi < self.lo:
            raise LutraError(f"shift {self.shift}, clip to {self.lo}..{self.hi}", hint="shift >= 0, lo <= hi")
        largest = self.mul.range.largest * x.range.largest + self.add.range.largest
        if largest.bit_length() > WIDEST or self.shift > WIDEST:
            raise LutraError(f"mul * x + add reaches {largest} and shift is {self.shift}", hint=f"up to {WIDEST} bits")
        y = self._reach(x.range)
        if y.bits > WIDEST_OUT:
            raise LutraError(f"results in {y} need {y.bits} bits, at most {WIDEST_OUT} are supported")
        if self.gap < 1 or (self.gap > 1 and (self.lo or not y.hi)):
            raise LutraError(f"steps of {self.gap} in {y}, clipped from {self.lo}", hint="from 0, to 1 or more")
        return Tensor(x.shape, y if self.gap == 1 else Range(0, y.hi * self.gap, self.gap))

    def _ends(self, x: Range) -> Array:
        """The sum mul * x + add of each channel at both ends of the range (2, rows)."""
        ends = np.array([[x.lo], [x.hi]])
        t: Array = ends * self.mul.array.astype(np.int64) + self.add.array.astype(np.int64)
        return t

    def _round(self, t: Array) -> Array:
        if self.shift == 0:
            return t
        floor = t >> self.shift
        if not self.even:
            return floor
        rest, half = t - (floor << self.shift), 1 << (self.shift - 1)
        up: Array = (rest > half) | ((rest == half) & (floor & 1 == 1))
        return floor + up

    def _reach(self, x: Range) -> Range:
        """Of what is clipped."""
        y = np.clip(self._round(self._ends(x)), self.lo, self.hi)
        return Range(int(y.min()), int(y.max()))

    def evaluate(self, *args: Array) -> Array:
        """In 64 bits."""
        (x,) = args
        t = x.astype(np.int64) * self.mul.array.astype(np.int64) + self.add.array.astype(np.int64)
        return self.gap * np.clip(self._round(t), self.lo, self.hi)

    def kernel(self, x: Tensor) -> Callable[[Array], Array]:
        """In floating point where every step is exact: no bit lies below 2**-shift, and numpy rounds half to even."""
        largest = self.mul.range.largest * x.range.largest + self.add.range.largest
        if largest >= 2**53:
            return self.evaluate
        scale = 2.0**-self.shift  # of both terms before they are added: that changes no bit of them
        exact: type[np.floating[Any]] = np.float32 if largest < 2**24 else np.float64
        mul, add = ((v.array * scale).astype(exact) for v in (self.mul, self.add))
        rounding = np.rint if self.even else np.floor
        kind = np.float32 if self._reach(x.range).largest * self.gap < 2**24 else np.float64

        def run(values: Array) -> Array:
            t = values * mul
            t += add
            rounding(t, out=t)
            y: Array = np.clip(t, self.lo, self.hi, out=t).astype(kind)
            return y if self.gap == 1 else y * kind(self.gap)

        return run

    @cached_property
    def multiplies(self) -> bool:
        """Whether any channel's factor is not 1."""
        return bool((self.mul.array != 1).any())

    def constants(self, x: Range) -> tuple[Array, Array]:
        """Factor and addend (rows,) for x's code in place of its value, which is base + step * code."""
        base, step = (x.lo, x.step) if x.step > 1 else (0, 1)
        mul = np.broadcast_to(self.mul.array.astype(np.int64), self.rows)
        return mul * step, mul * base + self.add.array.astype(np.int64)

    def widths(self, x: Range) -> tuple[Range, int]:
        """What the factors in memory cover (Range(1, 1): no multiplier), and the bits of mul * x + add."""
        mul, add = self.constants(x)
        t, y = self._ends(x), self._reach(x)
        held = [Range(int(t.min()), int(max(t.max(), 0))), Range(int(add.min()), int(add.max()))]
        bits = max([r.bits + (not r.signed) for r in held] + [y.bits + (not y.signed) + self.shift])
        factors = covering(mul)
        return (Range(factors.lo, factors.hi) if factors.bipolar else factors), bits

    def latency(self, x: Tensor) -> int:
        """Constants, the product's tree, sum, rounding, slice."""
        factors, _ = self.widths(x.range)
        return 4 + (log2_up(factors.bits) if (factors.lo, factors.hi) != (1, 1) else 0)

    def block(self, fold: Fold, x: Tensor) -> Block:
        """`lutra_rescale`. Word nf: PE factors, PE addends."""
        pe, nf, y = self.lanes(fold, x)[0], self.words(fold, x), self._reach(x.range)
        (factors, bits), (mul, add) = self.widths(x.range), self.constants(x.range)
        plain = (factors.lo, factors.hi) == (1, 1)
        rows = self.rows
        memories = {"ADD": Memory(pack(by_word(add & ((1 << bits) - 1), rows, fold, nf), bits), pe * bits)}
        if not plain:
            words = pack(by_word(factors.encode(mul), rows, fold, nf), factors.bits)
            memories["MUL"] = Memory(words, pe * factors.bits)
        free = self._round(self._ends(x.range))
        clipped = int(free.min()) < self.lo or int(free.max()) > self.hi
        params: dict[str, Param] = {
            "PE": pe, "NF": nf, "XBITS": x.range.bits, "XSIGNED": int(x.range.signed),
            "MBITS": 0 if plain else factors.bits, "MSIGNED": int(factors.signed), "TBITS": bits, "SHIFT": self.shift,
            "EVEN": int(self.even), "CLIPPED": int(clipped), "LO": y.lo, "HI": y.hi, "OBITS": y.bits}
        return Block("lutra_rescale", params, memories, (pe * x.range.bits,), (pe * y.bits,))

    def circuit(self, fold: Fold, x: Tensor) -> Callable[[Circuit, list[Lane]], list[Lane]] | None:
        """Without a multiplier, where every factor is a power of two."""
        if fold.pe != x.channels or x.range.step > 1 or self.gap > 1:
            return None
        powers = all(abs(m).bit_count() == 1 for m in self.mul.array.tolist())
        return (lambda circuit, lanes: rescale(self, circuit, lanes)) if powers else None

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """gate, product: bits of x gated by those of a factor, and added; fixed: bits added for constant factors; sum,
        round, clip, clipped: bits of each step; table: LUTs of constants; ff.*: registers.

        Products are made of LUTs: no multiplier block is used.
        """
        factors, bits = self.widths(x.range)
        (mul, add), free = self.constants(x.range), self._round(self._ends(x.range))
        plain, varies = (factors.lo, factors.hi) == (1, 1), (nf := self.words(fold, x)) > 1
        pe, out, index = fold.pe, self._reach(x.range).bits, (nf - 1).bit_length()
        planes = 0 if plain else factors.bits
        added, registers = weigh_bits(planes, x.range.bits) if planes else (0, 0)
        ones = sum(int(c).bit_count() for c in factors.encode(mul)) / len(mul) if planes else 0.0
        quotient = bits - self.shift + 1
        clips = int(free.min()) < self.lo or int(free.max()) > self.hi
        addend = covering(add).bits if add.any() else 0
        tables = pe * (planes + addend)
        return {
            "lut.gate": pe * planes * x.range.bits * varies,
            "lut.product": pe * added * varies,
            "lut.fixed": 0 if varies else pe * max(ones - 1, 0) * x.range.bits,
            "lut.sum": pe * bits if addend else 0,
            "lut.round": pe * quotient if self.even and self.shift else 0,
            "lut.clip": pe * (quotient - out) * clips,
            "lut.clipped": pe * out * clips,
            "lut.table": lut_bits(nf, tables, family),
            "lut.out": pe * out,
            "lut.control": index,
            "unit": 1,
            "ff.x": pe * x.range.bits,
            "ff.product": pe * registers * varies,
            "ff.fixed": 0 if varies else pe * ones * x.range.bits,
            "ff.sum": pe * (bits + quotient),
            "ff.out": pe * out * 2,
            "ff.control": 2 * index + self.latency(x),
            "ff.table": columns(nf, tables),
        }

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """As fitted to synthesis."""
        return estimate(family, self.kind, self.features(fold, x, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Both roundings, shifts from 0, factors of both signs and none, clips that bite and that do not."""
        from lutra.ops.rescale.samples import nodes

        return nodes()
