"""Affine operators: one multiplication or addition each, in the order in which ONNX does them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.ir import Array, Constant
from lutra.ops.source.base import Elementwise, Rising, sign_of


@dataclass(frozen=True)
class Add(Rising):
    """`x + value`."""

    value: Constant

    def apply(self, x: Array) -> Array:
        """`x + value`."""
        return x + self.value.array


@dataclass(frozen=True)
class Sub(Rising):
    """`x - value`."""

    value: Constant

    def apply(self, x: Array) -> Array:
        """`x - value`."""
        return x - self.value.array


@dataclass(frozen=True)
class RSub(Elementwise):
    """`value - x`."""

    value: Constant

    def apply(self, x: Array) -> Array:
        """`value - x`."""
        return self.value.array - x

    def slope(self) -> Array | int:
        """Falling."""
        return -1


@dataclass(frozen=True)
class Mul(Elementwise):
    """`x * value`."""

    value: Constant

    def apply(self, x: Array) -> Array:
        """`x * value`."""
        return x * self.value.array

    def slope(self) -> Array | int:
        """The value's sign."""
        return sign_of(self.value.array)


@dataclass(frozen=True)
class Div(Elementwise):
    """`x / value`."""

    value: Constant

    def apply(self, x: Array) -> Array:
        """`x / value`."""
        return x / self.value.array

    def slope(self) -> Array | int:
        """The value's sign."""
        return sign_of(self.value.array)


@dataclass(frozen=True)
class Neg(Elementwise):
    """-x."""

    def apply(self, x: Array) -> Array:
        """-x."""
        return -x

    def slope(self) -> Array | int:
        """Falling."""
        return -1


@dataclass(frozen=True)
class BatchNorm(Elementwise):
    """(x - mean) / sqrt(var + epsilon) * scale + bias, in that order (ONNX BatchNormalization, inference)."""

    scale: Constant
    bias: Constant
    mean: Constant
    var: Constant
    epsilon: float

    def apply(self, x: Array) -> Array:
        """The formula."""
        deviation = np.sqrt(self.var.array + self.epsilon)
        return (x - self.mean.array) / deviation * self.scale.array + self.bias.array

    def slope(self) -> Array | int:
        """The scale's sign."""
        return sign_of(self.scale.array)
