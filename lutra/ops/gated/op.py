"""Gated: binary weights times activations of two bit planes, the second of which counts only where the first is large.

Zhang et al., "FracBNN: Accurate and FPGA-Efficient Binary Neural Networks with Fractional Activations" (FPGA'21),
sections 3.2 and 4: activations of 1.4 bits. In thirds of the paper's units, so that all are integers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block, Memory, Param, pack
from lutra.ir import Array, Constant, Node, Range, Tensor
from lutra.ops.base import Cost, Fold, Loop, Unit, check_fold, divisors
from lutra.ops.cost import estimate
from lutra.ops.gated.size import Shape, features
from lutra.ops.matmul.parities import with_parities
from lutra.ops.matmul.product import product
from lutra.ops.rom import in_block, slice_bits

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PLAIN, MASKED = Range(-3, 3, 2), Range(-3, 3)


@dataclass(frozen=True)
class Gated(Unit):
    """y[..., r] = 2 p + (l if p >= thresholds[r] else 0), p and l the sums over k of weights[r, k] times the planes M
    and L of x[..., k]. weights: (MH, MW) of -1 and +1; thresholds: (MH,) integers.

    x is -3, -1, 1 or 3, of which M is the sign, and L = x - 2 M, -1 or +1. Where x may be even (an image's border is
    0), what is even counts nothing.
    """

    weights: Constant
    thresholds: Constant

    def infer(self, *args: Tensor) -> Tensor:
        """(..., MW) -> (..., MH), from the least to the greatest that the gates let happen."""
        (x,) = args
        shape, w = self.weights.shape, self.weights.array
        if len(shape) != 2 or not all(shape) or w.dtype.kind not in "iu" or not (np.abs(w) == 1).all():
            raise LutraError(f"weights of shape {shape} in {self.weights.range} are no matrix of -1 and +1")
        if self.thresholds.shape != shape[:1] or self.thresholds.array.dtype.kind not in "iu":
            raise LutraError(f"thresholds of shape {self.thresholds.shape} for {shape[0]} rows")
        if x.channels != shape[1]:
            raise LutraError(f"a matrix of {shape[1]} columns for {x.channels} channels")
        if x.range not in (PLAIN, MASKED):
            raise LutraError(f"inputs in {x.range}", hint=f"two planes are {PLAIN}, or {MASKED} with a border of 0")
        return Tensor((*x.shape[:-1], shape[0]), self._reach(x.range))

    def _reach(self, x: Range) -> Range:
        n = self.weights.shape[1]
        least = np.maximum(self.levels(x), -n)  # at which a gate opens
        low = np.where(least <= n, np.minimum(2 * least - n, -2 * n * (least > -n)), -2 * n)
        high = np.where(least <= n, 3 * n, 2 * n)
        return Range(int(low.min()), int(high.max()), 2 if n % 2 == 0 and x == PLAIN else 1)

    def levels(self, x: Range) -> Array:
        """Thresholds (MH,) that say the same for inputs in x, none beyond what p can reach by more than it must."""
        n = self.weights.shape[1]
        level = np.clip(self.thresholds.array.astype(np.int64), -n, n + 1)
        whole: Array = level + (level - n) % 2 if x == PLAIN else level  # p and n are both even or both odd
        return np.minimum(whole, n + 1)

    def evaluate(self, *args: Array) -> Array:
        """Both products, in 64 bits."""
        (x,) = args
        return self._combine(x.astype(np.int64), lambda v: v @ self.weights.array.astype(np.int64).T)

    def kernel(self, x: Tensor) -> Callable[[Array], Array]:
        """By BLAS, see `lutra.ops.matmul.product`."""
        rows, columns = self.weights.shape
        dot = product(self.weights.array, columns)

        def run(values: Array) -> Array:
            found = self._combine(values.reshape(-1, columns), dot)
            return found.reshape(*values.shape[:-1], rows)

        return run

    def _combine(self, x: Array, dot: Callable[[Array], Array]) -> Array:
        first, second = planes(x)
        sums = dot(first)
        y: Array = 2 * sums + (sums >= self.thresholds.array) * dot(second)
        return y

    def gates(self, x: Array) -> Array:
        """Which gates are open (..., MH) for values (..., MW)."""
        first, _ = planes(x.astype(np.int64))
        opened: Array = first @ self.weights.array.astype(np.int64).T >= self.thresholds.array
        return opened

    def folds(self, x: Tensor) -> tuple[Fold, ...]:
        """Every divisor of the rows with every divisor of the columns."""
        rows, columns = self.weights.shape
        pairs = sorted(((p, q) for p in divisors(rows) for q in divisors(columns)), key=lambda f: (f[0] * f[1], f[0]))
        return tuple(Fold(p, q) for p, q in pairs)

    def lanes(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        """Columns (`fold.simd`) in, rows (`fold.pe`) out. LutraError where they do not divide the matrix."""
        check_fold("pe", fold.pe, self.weights.shape[0], "rows")
        check_fold("simd", fold.simd, self.weights.shape[1], "columns")
        return fold.simd, fold.pe

    def shape(self, fold: Fold, x: Tensor) -> Shape:
        """What its size and its schedule follow from."""
        simd, pe = self.lanes(fold, x)
        rows, columns = self.weights.shape
        return Shape(pe, simd, rows // pe, columns // simd, x.range == MASKED, self._known(x.range))

    @cached_property
    def _seen(self) -> dict[Range, Range]:
        return {}

    def _known(self, x: Range) -> Range:
        """The range of y: found once, since folds are priced by the hundred."""
        if x not in self._seen:
            self._seen[x] = self._reach(x)
        return self._seen[x]

    def loop(self, fold: Fold, x: Tensor) -> Loop:
        """For each pixel NF * SF slots of the first plane, of which SF read, idle ones, NF * SF slots of the second."""
        s = self.shape(fold, x)
        one = np.minimum(np.arange(s.slots) + 1, s.sf)
        reads = (one + s.sf * np.arange(x.pixels)[:, None]).reshape(-1)
        ends = s.slots - s.nf * s.sf + s.sf * np.arange(1, s.nf + 1) - 1
        writes = (ends + s.slots * np.arange(x.pixels)[:, None]).reshape(-1)
        return Loop(self.cycles(fold, x), reads, writes, 1 + s.depth)

    def cycles(self, fold: Fold, x: Tensor) -> int:
        """2 * NF * SF a pixel, and what a matrix of few words waits for its gates."""
        return self.shape(fold, x).slots * x.pixels

    def block(self, fold: Fold, x: Tensor) -> Block:
        """`lutra_gated`."""
        s = self.shape(fold, x)
        params: dict[str, Param] = {
            "PE": s.pe, "SIMD": s.simd, "NF": s.nf, "SF": s.sf, "MASKED": int(s.masked), "PBITS": s.sum_bits,
            "OFFSET": -s.y.lo if s.y.step > 1 else 0, "HALF": s.y.step - 1, "OBITS": s.y.bits, "WAIT": s.wait,
            "DEPTH": s.depth}
        weights = self.memory(fold, x)
        levels = self.levels(x.range).reshape(s.nf, s.pe) & ((1 << s.sum_bits) - 1)
        params["BLOCK"] = weights.cut
        memories = {"WEIGHTS": weights, "LEVELS": Memory(pack(levels, s.sum_bits), s.pe * s.sum_bits)}
        return Block("lutra_gated", params, memories, (s.simd * x.range.bits,), (s.pe * s.y.bits,))

    def memory(self, fold: Fold, x: Tensor) -> Memory:
        """The weights, in the order of those of `MatMul`."""
        s = self.shape(fold, x)
        codes = (self.weights.array > 0).astype(np.int64)
        tiles = codes.reshape(s.nf, s.pe, s.sf, s.simd).transpose(0, 2, 1, 3)
        words = (tiles if s.masked else with_parities(tiles)).reshape(s.nf * s.sf, s.pe * s.simd)
        cut = slice_bits(*words.shape) if in_block(fold, *words.shape) else 0
        return Memory(pack(words, 1), words.shape[1], cut)

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """Structural terms of the cost (see `lutra.ops.gated.size`)."""
        return features(self.shape(fold, x), fold, family)

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """As fitted to synthesis, with a border and without."""
        kind = "gated_masked" if x.range == MASKED else "gated"
        return estimate(family, kind, self.features(fold, x, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Matrices up to 12 x 24, gates that are open, shut and between."""
        from lutra.ops.gated.samples import nodes

        return nodes()


def planes(x: Array) -> tuple[Array, Array]:
    """M and L of values: -1 or +1 each, 0 where the value is even."""
    odd = x % 2 != 0
    first = np.where(x > 0, 1, -1) * odd
    second = (x - 2 * first) * odd
    return first, second
