"""Depthwise: a filter of its own for each channel. With Window before it, a depthwise convolution; with weights of 1,
the sum of a window: average pooling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block, Memory, Param, pack
from lutra.ir import Array, Constant, Node, Range, Tensor, covering
from lutra.ops.base import Cost, Fold, Loop, Unit, check_fold, divisors
from lutra.ops.cost import estimate
from lutra.ops.depthwise.size import features
from lutra.ops.elementwise import float_type
from lutra.ops.mul.size import digits, missing
from lutra.ops.rom import in_block, slice_bits

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

WIDEST = 16  # bits of an input or a weight
WIDEST_OUT = 32


@dataclass(frozen=True)
class Depthwise(Unit):
    """(..., T * C), order (tap, channel) -> (..., C): y[..., c] = sum over t of weights[c, t] * x[..., t, c].

    weights: (C, T) integers of at most 16 bits; x of at most 16, or 32 where all are 1. `fold.pe` channels of one
    tap a cycle.
    """

    weights: Constant

    @property
    def channels(self) -> int:
        """C."""
        return self.weights.shape[0]

    @property
    def taps(self) -> int:
        """T."""
        return self.weights.shape[1]

    @property
    def sums(self) -> bool:
        """Whether nothing is multiplied: all weights are 1, as in average pooling."""
        return bool((self.weights.array == 1).all())

    def infer(self, *args: Tensor) -> Tensor:
        """(..., T * C) -> (..., C), the narrowest range that these weights can reach."""
        (x,) = args
        shape = self.weights.shape
        if len(shape) != 2 or not all(shape) or self.weights.array.dtype.kind not in "iu":
            raise LutraError(f"weights of shape {shape} and type {self.weights.array.dtype} are no integer matrix")
        if x.channels != shape[0] * shape[1]:
            raise LutraError(f"{shape[1]} taps of {shape[0]} channels in a pixel of {x.channels} elements")
        most = WIDEST_OUT if self.sums else WIDEST
        for what, of, widest in (("inputs", x.range, most), ("weights", self.weights.range, WIDEST)):
            if of.bits > widest:
                raise LutraError(f"{what} in {of} need {of.bits} bits, at most {widest} are supported",
                                 hint="quantise to fewer bits")
        y = self._reach(x.range)
        if y.bits > WIDEST_OUT:
            raise LutraError(f"sums in {y} need {y.bits} bits, at most {WIDEST_OUT} are supported")
        return Tensor((*x.shape[:-1], shape[0]), y)

    def _reach(self, x: Range) -> Range:
        low, high = self._sums
        least, most = low * x.hi + high * x.lo, high * x.hi + low * x.lo
        lo, hi = int(least.min()), int(most.max())
        if x.step == 1:
            return Range(lo, hi)
        return Range(lo, hi, gcd(x.step, *(int(v) for v in least - lo)))

    @cached_property
    def _sums(self) -> tuple[Array, Array]:
        """Of each channel (C,): the sum of its negative weights, and of its positive ones."""
        w = self.weights.array.astype(np.int64)
        return np.minimum(w, 0).sum(axis=1), np.maximum(w, 0).sum(axis=1)

    def evaluate(self, *args: Array) -> Array:
        """In 64 bits."""
        (x,) = args
        pixels = x.reshape(*x.shape[:-1], self.taps, self.channels).astype(np.int64)
        y: Array = (pixels * self.weights.array.astype(np.int64).T).sum(axis=-2)
        return y

    def kernel(self, x: Tensor) -> Callable[[Array], Array]:
        """In floating point where that is exact."""
        low, high = self._sums
        kind = float_type(int((high - low).max()) * x.range.largest)
        rows: Array = self.weights.array.T.astype(kind, order="C")
        shape = self.taps, self.channels

        def add(values: Array) -> Array:
            y: Array = values.reshape(*values.shape[:-1], *shape).sum(axis=-2, dtype=kind)
            return y

        def run(values: Array) -> Array:
            pixels: Array = values.reshape(-1, *shape).astype(kind, copy=False)
            y: Array = np.einsum("ntc,tc->nc", pixels, rows)
            return y.reshape(*values.shape[:-1], shape[1])

        return add if self.sums else run

    def folds(self, x: Tensor) -> tuple[Fold, ...]:
        """Every divisor of the channels."""
        return tuple(Fold(pe=d, simd=d) for d in divisors(self.channels))

    def lanes(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        """`fold.pe` both in and out. LutraError where it does not divide the channels."""
        check_fold("pe", fold.pe, self.channels, "channels")
        return fold.pe, fold.pe

    def words(self, fold: Fold, x: Tensor) -> int:
        """Words of a tap."""
        return self.channels // self.lanes(fold, x)[0]

    def loop(self, fold: Fold, x: Tensor) -> Loop:
        """A slot for each input word; those of a pixel's last tap give one."""
        slots = self.cycles(fold, x)
        writes = np.arange(slots).reshape(x.pixels, self.taps, -1)[:, -1].reshape(-1)
        return Loop(slots, np.arange(1, slots + 1), writes, self._latency(fold, x))

    def cycles(self, fold: Fold, x: Tensor) -> int:
        """One an input word."""
        return x.size // self.lanes(fold, x)[0]

    def _latency(self, fold: Fold, x: Tensor) -> int:
        """The input's slice unless results are apart, its register, the products' rows, the sum."""
        apart = self.words(fold, x) == 1 and self.taps > 1
        factors = self.factors(x.range)
        rows = digits(factors.bits + factors.bipolar, factors.signed or factors.bipolar) if self.weighs(x.range) else 0
        return 2 + (not apart) + rows + (self._cut(fold, x) > 0)

    def _scale(self, x: Range) -> int:
        """Steps of y in a step of x, by which weights in memory are larger."""
        return x.step // self._reach(x).step

    def weighs(self, x: Range) -> bool:
        """Whether there is a multiplier: any weight is not 1."""
        return bool((self.weights.array != 1).any())

    def factors(self, x: Range) -> Range:
        """The range whose codes are the weights in memory."""
        return covering(self.weights.array.astype(np.int64) * self._scale(x))

    def _cut(self, fold: Fold, x: Tensor) -> int:
        """Bits of the slices of the weights in block memory; 0 where they are in LUTs or there are none."""
        depth, width = self.taps * self.words(fold, x), fold.pe * self.factors(x.range).bits
        return slice_bits(depth, width) if self.weighs(x.range) and in_block(fold, depth, width) else 0

    def exact(self, fold: Fold, x: Tensor) -> bool:
        """Whether products are exact. Otherwise the sums begin with what they lack: where that costs nothing."""
        return self.words(fold, x) > 1 and not self._base(x.range).any()

    def _base(self, x: Range) -> Array:
        """What each channel's sum of codes times weights lacks to be y's code (C,)."""
        y, total = self._reach(x), self.weights.array.astype(np.int64).sum(axis=1)
        gap: Array = total * (x.lo if x.step > 1 else 0) - (y.lo if y.step > 1 else 0)
        return gap // y.step

    def bias(self, fold: Fold, x: Tensor) -> Array:
        """What each channel's sum begins with (C,), modulo the width of y's code."""
        base, y = self._base(x.range), self._reach(x.range)
        if self.weighs(x.range) and not self.exact(fold, x):
            base = base + missing(self.weights.array.astype(np.int64) * self._scale(x.range)).sum(axis=1)
        start: Array = base & ((1 << y.bits) - 1)
        return start

    def block(self, fold: Fold, x: Tensor) -> Block:
        """`lutra_depthwise`. Weight word t * WORDS + k: lane p is weights[k * PE + p, t]."""
        pe, words, y = fold.pe, self.words(fold, x), self._reach(x.range)
        factors, bias = self.factors(x.range), self.bias(fold, x)
        memories = {}
        if self.weighs(x.range):
            scaled = self.weights.array.astype(np.int64) * self._scale(x.range)
            table = pack(factors.encode(scaled).T.reshape(-1, pe), factors.bits)
            memories["WEIGHTS"] = Memory(table, pe * factors.bits, self._cut(fold, x))
        if bias.any():
            memories["BIAS"] = Memory(pack(bias.reshape(words, pe), y.bits), pe * y.bits)
        params: dict[str, Param] = {
            "PE": pe, "WORDS": words, "TAPS": self.taps, "XBITS": x.range.bits, "XSIGNED": int(x.range.signed),
            "WBITS": factors.bits if self.weighs(x.range) else 0, "WSIGNED": int(factors.signed),
            "BIPOLAR": int(factors.bipolar), "EXACT": int(self.exact(fold, x)), "OBITS": y.bits,
            "BIASED": int(bias.any()), "BLOCK": self._cut(fold, x)}
        return Block("lutra_depthwise", params, memories, (pe * x.range.bits,), (pe * y.bits,))

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """Structural terms of the cost (see `lutra.ops.depthwise.size`)."""
        weights = self.factors(x.range) if self.weighs(x.range) else None
        return features(fold, self.words(fold, x), self.taps, x.range, weights, self._reach(x.range),
                        self.exact(fold, x), bool(self.bias(fold, x).any()), self._cut(fold, x) > 0, family)

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """As fitted to synthesis."""
        return estimate(family, self.kind, self.features(fold, x, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Weights of every coding and all 1, one tap and many, over inputs of every coding."""
        from lutra.ops.depthwise.samples import nodes

        return nodes()
