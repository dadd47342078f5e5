"""Quantisers: what makes a network's values finitely many. QONNX IntQuant, BipolarQuant, Trunc; FINN MultiThreshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Constant, Range, Tensor
from lutra.ops.source.base import Elementwise, Rising, real, sign_of
from lutra.ops.source.rounding import MODES, check_mode

MAX_BITS = 32  # float64 holds every product of two such integers' scale, zero point and level exactly enough to round


@dataclass(frozen=True)
class Quant(Rising):
    """QONNX IntQuant: q = round(clip(x / scale + zero_point, lo, hi)); y = (q - zero_point) * scale.

    One bit, signed, is bipolar, as in the qonnx package: q = +1 where x / scale + zero_point >= 0, else -1.
    """

    scale: Constant
    zero_point: Constant
    bits: int
    signed: bool
    narrow: bool
    mode: str

    @property
    def finite(self) -> bool:
        """At most 2**bits values."""
        return True

    @property
    def codes(self) -> Range:
        """The integers q."""
        if self.bits == 1 and self.signed:
            return Range(-1, 1, 2)
        return Range(*integer_bounds(self.bits, self.signed, self.narrow))

    def levels(self) -> tuple[int, int]:
        """The least and the greatest q; the value of q is (q - zero_point) * scale."""
        return self.codes.lo, self.codes.hi

    def infer(self, *args: Tensor) -> Tensor:
        """The argument's shape; LutraError for a scale, zero point, width or mode that makes no sense."""
        check_scale(self.scale.array)
        check_finite(self.zero_point.array, "zero point")
        check_bits(self.bits)
        check_mode(self.mode)
        if self.codes.levels < 2:
            raise LutraError(f"{self.bits}-bit Quant with signed={int(self.signed)}, narrow={int(self.narrow)} has one "
                             "level only", hint="use more bits or narrow=0")
        return super().infer(*args)

    def quantise(self, x: Array) -> Array:
        """The integers q, as float64."""
        return self.rounded(x / self.scale.array + self.zero_point.array)

    def rounded(self, y: Array) -> Array:
        """The integers q of y = x / scale + zero_point."""
        if self.codes.bipolar:
            return np.where(y >= 0.0, 1.0, -1.0)
        lo, hi = self.levels()
        return MODES[self.mode](np.clip(y, lo, hi))

    def apply(self, x: Array) -> Array:
        """(q - zero_point) * scale."""
        return (self.quantise(x) - self.zero_point.array) * self.scale.array


@dataclass(frozen=True)
class BipolarQuant(Rising):
    """QONNX BipolarQuant: +scale where x >= 0, else -scale."""

    scale: Constant

    @property
    def finite(self) -> bool:
        """Two values."""
        return True

    def infer(self, *args: Tensor) -> Tensor:
        """The argument's shape; LutraError for a scale that is not positive."""
        check_scale(self.scale.array)
        return super().infer(*args)

    def apply(self, x: Array) -> Array:
        """+-1 times scale."""
        return np.where(x >= 0.0, 1.0, -1.0) * self.scale.array


@dataclass(frozen=True)
class Trunc(Rising):
    """QONNX Trunc: t = mode(clip(rint(x / scale + zero_point) / divisor)); y = (t - out_zero) * out_scale.

    Version 1 has no clip, divisor = 2**(bits in - bits out), out_zero = zero_point, out_scale = scale. Version 2 has
    divisor = 2**rint(log2(out_scale / scale)), out_zero = zero_point / divisor, and `clip` from its output's width.
    """

    scale: Constant
    zero_point: Constant
    divisor: Constant
    out_scale: Constant
    out_zero: Constant
    clip: tuple[int, int] | None
    mode: str

    @property
    def finite(self) -> bool:
        """Where it clips."""
        return self.clip is not None

    def infer(self, *args: Tensor) -> Tensor:
        """The argument's shape; LutraError for a scale, zero point or mode that makes no sense."""
        check_scale(self.scale.array)
        check_scale(self.out_scale.array)
        check_finite(self.zero_point.array, "zero point")
        check_mode(self.mode)
        return super().infer(*args)

    def apply(self, x: Array) -> Array:
        """The formula, in its order."""
        y = np.rint(x / self.scale.array + self.zero_point.array) / self.divisor.array
        if self.clip is not None:
            y = np.clip(y, *self.clip)
        return (MODES[self.mode](y) - self.out_zero.array) * self.out_scale.array


@dataclass(frozen=True)
class MultiThreshold(Elementwise):
    """FINN MultiThreshold: out_scale * #{i: x >= thresholds[i]} + out_bias.

    thresholds: (L, *shape), a leading axis of levels before a shape that broadcasts to the tensor's; ascending along L.
    """

    thresholds: Constant
    out_scale: float
    out_bias: float

    @property
    def finite(self) -> bool:
        """L + 1 values."""
        return True

    def params(self) -> tuple[Array, ...]:
        """The L thresholds, each broadcastable to the tensor's shape."""
        return tuple(self.thresholds.array)

    def with_params(self, *arrays: Array) -> MultiThreshold:
        """The same with other thresholds, as many."""
        assert len(arrays) == len(self.thresholds.array)
        return MultiThreshold(real(np.stack(np.broadcast_arrays(*arrays))), self.out_scale, self.out_bias)

    def infer(self, *args: Tensor) -> Tensor:
        """The argument's shape; LutraError for thresholds that are not numbers or not ascending."""
        t = self.thresholds.array
        if np.isnan(t).any() or (np.diff(t, axis=0) < 0).any():
            raise LutraError("the thresholds of a MultiThreshold are not ascending numbers",
                             hint="sort each channel's thresholds")
        check_finite(np.array([self.out_scale, self.out_bias]), "out_scale or out_bias")
        return super().infer(*args)

    def apply(self, x: Array) -> Array:
        """Count, scale, offset."""
        count = np.zeros(np.broadcast_shapes(x.shape, self.thresholds.shape[1:]))
        for t in self.thresholds.array:
            count += x >= t
        return self.out_scale * count + self.out_bias

    def slope(self) -> Array | int:
        """The sign of out_scale."""
        return sign_of(np.asarray(self.out_scale))


def integer_bounds(bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    """The least and the greatest integer of a width, as QONNX defines them."""
    if signed:
        half = 1 << (bits - 1)
        return (1 - half if narrow else -half), half - 1
    return 0, (1 << bits) - (2 if narrow else 1)


def check_scale(scale: Array) -> None:
    """LutraError unless every scale is a positive finite number."""
    bad = scale[~(np.isfinite(scale) & (scale > 0))]
    if bad.size:
        raise LutraError(f"scale {bad.flat[0]:g} is not a positive finite number", hint="check the exporter's scales")


def check_finite(values: Array, what: str) -> None:
    """LutraError unless every value is finite."""
    bad = values[~np.isfinite(values)]
    if bad.size:
        raise LutraError(f"{what} {bad.flat[0]:g} is not a finite number", hint="check the exporter")


def check_bits(bits: int) -> None:
    """LutraError unless 1 <= bits <= MAX_BITS."""
    if not 1 <= bits <= MAX_BITS:
        raise LutraError(f"a width of {bits} bits is not between 1 and {MAX_BITS}", hint=f"use 1 to {MAX_BITS} bits")
