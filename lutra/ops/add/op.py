"""Add: the weighed sum of two streams, element by element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block, Memory, Param, pack
from lutra.ir import Array, Constant, Node, Range, Tensor
from lutra.ops.add.term import Term
from lutra.ops.base import Cost, Fold
from lutra.ops.cost import estimate
from lutra.ops.elementwise import ElementwiseJoin, by_word, check_rows, float_type
from lutra.ops.mul.size import shifters
from lutra.ops.rom import columns, lut_bits

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

WIDEST = 24  # bits of a factor
WIDEST_OUT = 32


@dataclass(frozen=True)
class Add(ElementwiseJoin):
    """`y[..., c] = muls[0][c] * x0[..., c] + muls[1][c] * x1[..., c]` of two streams of equal shape.

    muls: two rows (C,) or (1,) of integers of at most 24 bits. A factor of -1 subtracts; powers of two are shifts.
    """

    muls: tuple[Constant, Constant]

    def infer(self, *args: Tensor) -> Tensor:
        """The same shape; the narrowest range that these factors can reach."""
        xs = self.check_pair(args)
        if len(self.muls) != 2:
            raise LutraError(f"{len(self.muls)} rows of factors for two streams")
        for mul in self.muls:
            if len(mul.shape) != 1 or mul.array.dtype.kind not in "iu":
                raise LutraError(f"factors {mul.array.dtype}{mul.shape} are not a row of integers")
            check_rows("factors", mul.shape[0], xs[0])
            if mul.range.bits > WIDEST:
                raise LutraError(f"factors in {mul.range} need {mul.range.bits} bits, at most {WIDEST} are supported")
        y = self._reach((xs[0].range, xs[1].range))
        if y.bits > WIDEST_OUT:
            raise LutraError(f"sums in {y} need {y.bits} bits, at most {WIDEST_OUT} are supported",
                             hint="smaller factors")
        return Tensor(xs[0].shape, y)

    def _reach(self, xs: tuple[Range, Range]) -> Range:
        muls = [m.array.astype(np.int64) for m in self.muls]
        ends = [np.stack([m * x.lo, m * x.hi]) for m, x in zip(muls, xs, strict=True)]
        least = ends[0].min(axis=0) + ends[1].min(axis=0)
        lo, hi = int(least.min()), int((ends[0].max(axis=0) + ends[1].max(axis=0)).max())
        if max(x.step for x in xs) == 1:
            return Range(lo, hi)
        steps = [int(v) for m, x in zip(muls, xs, strict=True) for v in m * x.step]
        return Range(lo, hi, gcd(*steps, *(int(v) for v in least - lo)) or 1)

    def evaluate(self, *args: Array) -> Array:
        """In 64 bits."""
        x0, x1 = args
        y: Array = x0.astype(np.int64) * self.muls[0].array.astype(np.int64)
        y += x1.astype(np.int64) * self.muls[1].array.astype(np.int64)
        return y

    def kernel(self, xs: tuple[Tensor, ...]) -> Callable[..., Array]:
        """In floating point where that is exact."""
        kind = float_type(sum(m.range.largest * x.range.largest for m, x in zip(self.muls, xs, strict=True)))
        first, second = (None if (m.array == 1).all() else m.array.astype(kind) for m in self.muls)

        def scaled(x: Array, factors: Array | None) -> Array:
            y = x.astype(kind, copy=False)
            return y if factors is None else y * factors

        def run(x0: Array, x1: Array) -> Array:
            return scaled(x0, first) + scaled(x1, second)

        return run

    def rows(self) -> int:
        """Channels with factors of their own; 1 where all share them."""
        return max(m.shape[0] for m in self.muls)

    def words(self, fold: Fold, xs: tuple[Tensor, ...]) -> int:
        """How many different words of constants the channels come in."""
        return 1 if self.rows() == 1 else xs[0].channels // self.lanes(fold, xs)[1]

    def terms(self, xs: tuple[Tensor, ...]) -> tuple[Term, Term]:
        """What the codes of each input are multiplied with to be y's."""
        y = self.infer(*xs).range
        first, second = (Term.of(m.array.astype(np.int64) * x.range.step // y.step)
                         for m, x in zip(self.muls, xs, strict=True))
        return (first.multiplied() if first.plain == second.plain == -1 else first), second  # an adder subtracts one

    def exact(self, fold: Fold, xs: tuple[Tensor, ...]) -> bool:
        """Whether products are exact. Otherwise the sum's constant makes up for them: where that costs nothing."""
        return self.words(fold, xs) > 1 and not self._base(xs).any()

    def _base(self, xs: tuple[Tensor, ...]) -> Array:
        """What the sum of codes times factors lacks to be y's code (rows,)."""
        y = self.infer(*xs).range
        gap = np.full(self.rows(), -y.lo if y.step > 1 else 0, np.int64)
        for m, x in zip(self.muls, xs, strict=True):
            gap += m.array.astype(np.int64) * (x.range.lo if x.range.step > 1 else 0)
        return gap // y.step

    def bias(self, fold: Fold, xs: tuple[Tensor, ...]) -> Array:
        """What is added to the sum (rows,), modulo the width of y's code."""
        base = self._base(xs)
        if not self.exact(fold, xs):
            base = base + sum(t.lacks() for t in self.terms(xs))
        bias: Array = base & ((1 << self.infer(*xs).range.bits) - 1)
        return bias

    def latency(self, fold: Fold, xs: tuple[Tensor, ...]) -> int:
        """Slices, constants, the products' rows, sum, and the constant if there is one."""
        return 3 + max(t.rows for t in self.terms(xs)) + bool(self.bias(fold, xs).any())

    def block(self, fold: Fold, xs: tuple[Tensor, ...]) -> Block:
        """`lutra_add`. Word nf of each memory: PE factors or addends."""
        (pe, _), _ = self.lanes(fold, xs)
        nf, y, bias = self.words(fold, xs), self.infer(*xs).range, self.bias(fold, xs)
        params: dict[str, Param] = {"PE": pe, "NF": nf, "OBITS": y.bits, "EXACT": int(self.exact(fold, xs)),
                                    "BIASED": int(bias.any())}
        memories = {}
        if bias.any():
            memories["BIAS"] = Memory(pack(by_word(bias, len(bias), fold, nf), y.bits), pe * y.bits)
        for k, (x, term) in enumerate(zip(xs, self.terms(xs), strict=True)):
            held = term.held
            params |= {f"X{k}BITS": x.range.bits, f"X{k}SIGNED": int(x.range.signed), f"SHIFT{k}": term.shift,
                       f"M{k}BITS": 0 if term.plain else held.bits, f"M{k}SIGNED": int(held.signed),
                       f"LESS{k}": int(term.plain == -1)}
            if not term.plain:
                rows = np.broadcast_to(held.encode(term.factors), self.rows())
                memories[f"MUL{k}"] = Memory(pack(by_word(rows, self.rows(), fold, nf), held.bits), pe * held.bits)
        return Block("lutra_add", params, memories, (pe * xs[0].range.bits, pe * xs[1].range.bits), (pe * y.bits,))

    def cost(self, fold: Fold, xs: tuple[Tensor, ...], family: str) -> Cost:
        """As fitted to synthesis."""
        return estimate(family, self.kind, self.features(fold, xs, family))

    def features(self, fold: Fold, xs: tuple[Tensor, ...], family: str) -> dict[str, float]:
        """rows: functions of products with factors in memory; fixed: those with constant factors; sum, bias: bits of
        adders; slice: bits of the input slices; delay: shift registers; table: LUTs of constants; ff.*: registers.
        """
        pe, nf, y, terms = fold.pe, self.words(fold, xs), self.infer(*xs).range, self.terms(xs)
        sizes = [t.size(x.range) for t, x in zip(terms, xs, strict=True)]
        biased, planes = bool(self.bias(fold, xs).any()), sum(0 if t.plain else t.held.bits for t in terms)
        late = max(t.rows for t in terms)
        wait = sum((late - t.rows) * x.range.bits for t, x in zip(terms, xs, strict=True))
        held = sum(x.range.bits for t, x in zip(terms, xs, strict=True) if late - t.rows >= 2)
        tables = pe * (planes + y.bits * biased)
        return {
            "unit": 1,
            "slice": pe * sum(x.range.bits for x in xs),
            "lut.rows": pe * sum(s[0] for s in sizes) if nf > 1 else 0,
            "lut.fixed": pe * sum(s[1] for s in sizes) if nf == 1 else 0,
            "lut.delay": pe * (sum(shifters(t.rows, family, nf == 1) for t in terms) + (family != "ecp5") * held),
            "lut.sum": pe * y.bits,
            "lut.bias": pe * y.bits * biased,
            "lut.table": lut_bits(nf, tables, family),
            "ff.rows": pe * sum(s[2] for s in sizes) if nf > 1 else 0,
            "ff.fixed": pe * sum(s[2] for s in sizes) if nf == 1 else 0,
            "ff.sum": pe * y.bits * (1 + biased),
            "ff.wait": pe * wait,
            "ff.table": columns(nf, tables),
            "control": (nf - 1).bit_length() * (1 + (late + 1) * biased),
        }

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Sums, differences, shifts and factors of both signs, a channel each or for all."""
        from lutra.ops.add.samples import nodes

        return nodes()
