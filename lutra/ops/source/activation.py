"""Activations. Softmax, its logarithm and the sigmoid may stand after the last quantised layer, on the host."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.ir import REAL, Array, Constant, Tensor
from lutra.ops.source.base import Elementwise, SourceOp


@dataclass(frozen=True)
class Relu(Elementwise):
    """max(x, 0)."""

    def apply(self, x: Array) -> Array:
        """max(x, 0)."""
        return np.maximum(x, 0.0)

    def slope(self) -> Array | int:
        """Rising."""
        return 1


@dataclass(frozen=True)
class LeakyRelu(Elementwise):
    """x where x >= 0, else alpha * x. `alpha` is a parameter: PRelu has one for each channel."""

    alpha: Constant

    def apply(self, x: Array) -> Array:
        """The two branches."""
        return np.where(x >= 0, x, self.alpha.array * x)

    def slope(self) -> Array | int:
        """Rising where alpha is not negative, else unknown."""
        return np.where(self.alpha.array >= 0, 1, 0)


@dataclass(frozen=True)
class Clip(Elementwise):
    """min(hi, max(lo, x)): ONNX Clip, HardTanh. The bounds may be infinite."""

    lo: Constant
    hi: Constant

    def apply(self, x: Array) -> Array:
        """min(hi, max(lo, x))."""
        return np.minimum(self.hi.array, np.maximum(self.lo.array, x))

    def slope(self) -> Array | int:
        """Rising."""
        return 1


@dataclass(frozen=True)
class Sign(Elementwise):
    """-1, 0 or +1."""

    @property
    def finite(self) -> bool:
        """Three values."""
        return True

    def apply(self, x: Array) -> Array:
        """NumPy's sign."""
        return np.sign(x)

    def slope(self) -> Array | int:
        """Rising."""
        return 1


@dataclass(frozen=True)
class Abs(Elementwise):
    """|x|."""

    def apply(self, x: Array) -> Array:
        """|x|."""
        return np.abs(x)

    def slope(self) -> Array | int:
        """Not monotone."""
        return 0


@dataclass(frozen=True)
class Tanh(Elementwise):
    """The hyperbolic tangent."""

    def apply(self, x: Array) -> Array:
        """NumPy's tanh."""
        return np.tanh(x)

    def slope(self) -> Array | int:
        """Rising."""
        return 1


@dataclass(frozen=True)
class Sigmoid(Elementwise):
    """1 / (1 + exp(-x))."""

    def apply(self, x: Array) -> Array:
        """By tanh, which neither overflows nor loses monotonicity."""
        return 0.5 * (1.0 + np.tanh(0.5 * x))

    def slope(self) -> Array | int:
        """Rising."""
        return 1


@dataclass(frozen=True)
class Softmax(SourceOp):
    """exp(x) over its sum along `axes` (of one frame, not negative)."""

    axes: tuple[int, ...]

    def infer(self, *args: Tensor) -> Tensor:
        """The argument's shape."""
        (x,) = args
        assert all(0 <= a < len(x.shape) for a in self.axes), (self.axes, x.shape)
        return Tensor(x.shape, REAL)

    def evaluate(self, *args: Array) -> Array:
        """The largest is subtracted first, so that nothing overflows."""
        (x,) = args
        e = np.exp(_shifted(x, self.axes))
        return np.asarray(e / e.sum(axis=_batched(self.axes), keepdims=True))


@dataclass(frozen=True)
class LogSoftmax(SourceOp):
    """The logarithm of softmax along `axes` (of one frame, not negative)."""

    axes: tuple[int, ...]

    def infer(self, *args: Tensor) -> Tensor:
        """The argument's shape."""
        (x,) = args
        assert all(0 <= a < len(x.shape) for a in self.axes), (self.axes, x.shape)
        return Tensor(x.shape, REAL)

    def evaluate(self, *args: Array) -> Array:
        """The argument less the logarithm of the sum of exponentials."""
        (x,) = args
        shifted = _shifted(x, self.axes)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=_batched(self.axes), keepdims=True)))


def _batched(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + 1 for a in axes)


def _shifted(x: Array, axes: tuple[int, ...]) -> Array:
    x = np.asarray(x, dtype=np.float64)
    return np.asarray(x - x.max(axis=_batched(axes), keepdims=True))
