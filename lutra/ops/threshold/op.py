"""Threshold: how many thresholds of its channel an element reaches. Any monotone function onto few levels is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block, Memory, Param, pack
from lutra.ir import Array, Constant, Node, Range, Tensor
from lutra.ops.base import Cost, Fold
from lutra.ops.cost import estimate
from lutra.ops.elementwise import Elementwise, by_word, check_rows, lookup, step
from lutra.ops.rom import columns, lut_bits
from lutra.ops.threshold.count import added_up, bucketed

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

STAGES = 10  # of the module: up to 1023 thresholds
MANY = 6  # thresholds from which buckets are faster than comparing with each
LOOKUP = 4096  # values of x up to which a table of them is faster than comparing


@dataclass(frozen=True)
class Threshold(Elementwise):
    """y = offset + step * #{i: x >= T[c, i]}; where falling[c], offset + step * #{i: x < T[c, i]}.

    thresholds: (C or 1, L) integers, each row sorted, equal ones and ones outside x's range allowed. falling: (C or 1,)
    booleans.
    """

    thresholds: Constant
    offset: int
    step: int
    falling: Constant

    @property
    def count(self) -> int:
        """L: thresholds a row."""
        return self.thresholds.shape[1]

    @property
    def stages(self) -> int:
        """Comparisons of the binary search."""
        return max(1, self.count.bit_length())

    @property
    def rows(self) -> int:
        """Channels with thresholds or a direction of their own; 1 where all share them."""
        return max(self.thresholds.shape[0], self.falling.shape[0])

    def infer(self, *args: Tensor) -> Tensor:
        """The same shape, offset to offset + step * L."""
        (x,) = args
        t, f = self.thresholds.array, self.falling.array
        if t.ndim != 2 or t.dtype.kind not in "iu" or f.ndim != 1 or f.dtype.kind != "b":
            raise LutraError(f"thresholds {t.dtype}{t.shape} and falling {f.dtype}{f.shape} are no table of rows")
        for rows in (t.shape[0], f.shape[0]):
            check_rows("thresholds", rows, x)
        unsorted = (np.diff(t, axis=1) < 0).any(axis=1)
        if unsorted.any():
            raise LutraError(f"row {int(unsorted.argmax())} of the thresholds is not sorted")
        if self.step < 1 or self.stages > STAGES:
            raise LutraError(f"{self.count} thresholds with step {self.step}", hint=f"up to {2**STAGES - 1}, step >= 1")
        return Tensor(x.shape, Range(self.offset, self.offset + self.step * self.count, self.step))

    def evaluate(self, *args: Array) -> Array:
        """Counts, in 64 bits."""
        (x,) = args
        rows = self.thresholds.array
        if len(rows) == 1:
            reached = np.searchsorted(rows[0], x, side="right")
        else:
            flat = np.asarray(x).reshape(-1, len(rows))
            counts = [np.searchsorted(row, column, side="right") for row, column in zip(rows, flat.T, strict=True)]
            reached = np.stack(counts, axis=1).reshape(x.shape)
        return self.offset + self.step * np.where(self.falling.array, self.count - reached, reached)

    def kernel(self, x: Tensor) -> Callable[[Array], Array]:
        """One comparison for one threshold; a table of all values where they are few, of buckets where thresholds are
        many and about evenly spaced; else comparisons added up.
        """
        if self.count == 1:
            ends = np.array([self.offset, self.offset + self.step])
            below, above = ends[self.falling.array.astype(np.intp)], ends[1 - self.falling.array.astype(np.intp)]
            return step(self._reachable(x.range)[:, 0], below, above, x.range)
        if x.range.hi - x.range.lo < LOOKUP:
            values = np.arange(x.range.lo, x.range.hi + 1)[:, None]
            return lookup(self.evaluate(np.broadcast_to(values, (len(values), self.rows))).T, x.range)
        return self._counted(x.range)

    def _counted(self, x: Range) -> Callable[[Array], Array]:
        rows = self._reachable(x)
        reached = bucketed(rows, x) if self.count >= MANY else None
        falling, any_falling = self.falling.array, bool(self.falling.array.any())

        def run(values: Array) -> Array:
            count = reached(values) if reached else added_up(rows, values)
            if any_falling:
                count = np.where(falling, np.float32(self.count) - count, count)
            return count * self.step + self.offset

        return run

    def _reachable(self, x: Range) -> Array:
        """Thresholds (rows, L) moved into [x.lo, x.hi + 1], which changes no comparison."""
        return np.clip(self.thresholds.array.astype(np.int64), x.lo, x.hi + 1)

    def latency(self, x: Tensor) -> int:
        """A stage for the first comparison, two for each other, and the slice."""
        return 2 * self.stages

    def nodes(self, x: Range) -> Array:
        """Thresholds (rows, 2**stages - 1) as the module compares them: unsigned codes, sorted, filled up with
        ones that add nothing: never reached where the row rises, always where it falls (its count is complemented).
        """
        base = -(1 << (x.bits - 1)) if x.signed else x.lo if x.step > 1 else 0
        least, beyond = (x.lo - base) // x.step, (x.hi - base) // x.step + 1
        codes = -((base - self._reachable(x)) // x.step)  # rounded up
        rows, falling = self.rows, np.broadcast_to(self.falling.array, self.rows)[:, None]
        codes = np.broadcast_to(codes, (rows, self.count))
        fill = np.broadcast_to(np.where(falling, least, beyond), (rows, (1 << self.stages) - 1 - self.count))
        return np.sort(np.clip(np.concatenate([codes, fill], axis=1), least, beyond), axis=1)

    def block(self, fold: Fold, x: Tensor) -> Block:
        """`lutra_threshold`. Memory Tj: for each word of channels, for each j bits found so far, PE thresholds."""
        nodes, y = self.nodes(x.range), self.infer(x).range
        nf, pe, k = self.words(fold, x), self.lanes(fold, x)[0], self.stages
        width = max(x.range.bits, int(nodes.max()).bit_length())
        by_lane = by_word(nodes, self.rows, fold, nf)
        memories = {}
        for j in range(k):
            at = ((2 * np.arange(1 << j) + 1) << (k - 1 - j)) - 1
            words = by_lane[:, :, at].transpose(0, 2, 1).reshape(-1, pe)
            memories[f"T{j}"] = Memory(pack(words, width), pe * width)
        falling = self.falling.array
        if falling.any():
            flips = by_word(np.broadcast_to(falling, self.rows).astype(np.int64), self.rows, fold, nf)
            memories["FLIP"] = Memory(pack(flips, 1), pe)
        params: dict[str, Param] = {
            "PE": pe, "NF": nf, "XBITS": x.range.bits, "XSIGNED": int(x.range.signed), "TBITS": width, "K": k,
            "FLIPPED": int(falling.any()), "OFFSET": self._code(y), "OBITS": y.bits}
        return Block("lutra_threshold", params, memories, (pe * x.range.bits,), (pe * y.bits,))

    def _code(self, y: Range) -> int:
        """The code of y.lo: 0 where y has a step, else its low bits."""
        return int(y.encode(np.array([y.lo]))[0])

    @cached_property
    def _falls(self) -> bool:
        return bool(self.falling.array.any())

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """compare, fixed: bits compared with what a memory holds, and with constants; first, table: LUTs of threshold
        memories; out: bits of the slice; ff.*: registers.

        Thresholds stay in LUTs: each channel reads at an address of its own, so block memories would be one a lane.
        """
        pe, k, nf, bits = fold.pe, self.stages, self.words(fold, x), x.range.bits
        fixed = int(nf == 1)  # the first stage's threshold is a constant
        later = [nf << j for j in range(1, k)]
        index = (nf - 1).bit_length()
        out = (self.step * self.count).bit_length() if self.step == 1 else k
        return {
            "lut.compare": pe * bits * (k - fixed),
            "lut.fixed": pe * bits * fixed,
            "lut.first": lut_bits(nf, pe * bits, family),
            "lut.table": pe * sum(lut_bits(depth, bits, family) for depth in later),
            "lut.out": pe * out,
            "lut.control": 2 * index,
            "unit": 1,
            "ff.x": pe * bits * 2 * (k - 1),
            "ff.table": columns(nf, pe * bits) + pe * sum(columns(depth, bits) for depth in later),
            "ff.found": pe * (k * k),
            "ff.out": pe * out * 2,
            "ff.control": index * 2 * k + 2 * k,
            "ff.falling": pe * (2 * k - 1) if self._falls and nf > 1 else 0,
        }

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """As fitted to synthesis."""
        return estimate(family, self.kind, self.features(fold, x, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """One to 20 thresholds, rising and falling rows, equal and unreachable ones, one row or one a channel."""
        from lutra.ops.threshold.samples import nodes

        return nodes()
