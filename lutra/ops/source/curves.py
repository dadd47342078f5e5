"""Smooth activations and other functions of one number.

Sqrt, Log, Pow and Reciprocal give nan or an infinity where they are not defined, as NumPy does; Exp may
overflow to one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lutra.ir import Array, Constant
from lutra.ops.source.base import Elementwise, Rising, Turning
from lutra.ops.source.rounding import MODES


def error_function(x: Array) -> Array:
    """The error function, element by element by the C library."""
    return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), np.float64)


def logistic(x: Array) -> Array:
    """1 / (1 + exp(-x)), by tanh, which does not overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


@dataclass(frozen=True)
class Erf(Rising):
    """The error function."""

    def apply(self, x: Array) -> Array:
        """By `error_function`."""
        return error_function(x)


@dataclass(frozen=True)
class Gelu(Turning):
    """x / 2 * (1 + erf(x / sqrt(2))); with `approximate` x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x**3)))."""

    approximate: bool

    def apply(self, x: Array) -> Array:
        """The formula."""
        if self.approximate:
            return 0.5 * x * (1.0 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        return 0.5 * x * (1.0 + error_function(x / math.sqrt(2)))


@dataclass(frozen=True)
class Swish(Turning):
    """x * sigmoid(alpha * x): ONNX Swish, SiLU at alpha = 1."""

    alpha: float

    def apply(self, x: Array) -> Array:
        """The formula."""
        return x * logistic(self.alpha * x)


@dataclass(frozen=True)
class HardSwish(Turning):
    """x * max(0, min(1, x / 6 + 0.5))."""

    def apply(self, x: Array) -> Array:
        """The formula."""
        return x * np.clip(x / 6 + 0.5, 0.0, 1.0)


@dataclass(frozen=True)
class Mish(Turning):
    """x * tanh(softplus(x))."""

    def apply(self, x: Array) -> Array:
        """The formula."""
        return x * np.tanh(np.logaddexp(0.0, x))


@dataclass(frozen=True)
class Softplus(Rising):
    """The natural logarithm of 1 + exp(x)."""

    def apply(self, x: Array) -> Array:
        """Without overflow."""
        return np.logaddexp(0.0, x)


@dataclass(frozen=True)
class Softsign(Rising):
    """x / (1 + |x|)."""

    def apply(self, x: Array) -> Array:
        """The formula."""
        return x / (1.0 + np.abs(x))


@dataclass(frozen=True)
class Elu(Elementwise):
    """gamma * x where x > 0, else gamma * alpha * (exp(x / width) - 1).

    Elu has gamma = width = 1, Selu width = 1, Celu gamma = 1 and width = alpha.
    """

    alpha: float
    gamma: float
    width: float

    def apply(self, x: Array) -> Array:
        """The two branches; the exponential only where it is used."""
        return self.gamma * np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0.0) / self.width))

    def slope(self) -> Array | int:
        """By the signs of the two branches."""
        left, right = np.sign(self.gamma * self.alpha * self.width), np.sign(self.gamma)
        return int(right) if left in (right, 0) else 0


@dataclass(frozen=True)
class ThresholdedRelu(Elementwise):
    """x where x > alpha, else 0."""

    alpha: float

    def apply(self, x: Array) -> Array:
        """The two branches."""
        return np.where(x > self.alpha, x, 0.0)

    def slope(self) -> Array | int:
        """Rising where alpha is not negative."""
        return 1 if self.alpha >= 0 else 0


@dataclass(frozen=True)
class Exp(Rising):
    """The exponential function."""

    def apply(self, x: Array) -> Array:
        """NumPy's exp."""
        with np.errstate(over="ignore"):
            return np.exp(x)


@dataclass(frozen=True)
class Log(Rising):
    """The natural logarithm."""

    def apply(self, x: Array) -> Array:
        """NumPy's log."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(x)


@dataclass(frozen=True)
class Sqrt(Rising):
    """The square root."""

    def apply(self, x: Array) -> Array:
        """NumPy's sqrt."""
        with np.errstate(invalid="ignore"):
            return np.sqrt(x)


@dataclass(frozen=True)
class Reciprocal(Turning):
    """1 / x."""

    def apply(self, x: Array) -> Array:
        """The formula."""
        with np.errstate(divide="ignore"):
            return 1.0 / x


@dataclass(frozen=True)
class Pow(Elementwise):
    """x to the power of `exponent`."""

    exponent: Constant

    def apply(self, x: Array) -> Array:
        """NumPy's power."""
        with np.errstate(all="ignore"):
            return np.power(x, self.exponent.array)

    def slope(self) -> Array | int:
        """Rising for odd whole exponents; of others it is not known."""
        e = self.exponent.array
        return np.where((e > 0) & (np.fmod(e, 2) == 1), 1, 0)


@dataclass(frozen=True)
class Round(Rising):
    """To a whole number: `mode` is one of rounding.MODES."""

    mode: str

    def apply(self, x: Array) -> Array:
        """By the mode."""
        return MODES[self.mode](x)
