"""Activations. Softmax, its logarithm and the sigmoid may stand after the last quantised layer, on the host."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.ir import REAL, Array, Constant, Tensor
from lutra.ops.source.base import Elementwise, Rising, SourceOp, Turning
from lutra.ops.source.curves import logistic


@dataclass(frozen=True)
class Relu(Rising):
    """max(x, 0)."""

    def apply(self, x: Array) -> Array:
        """max(x, 0)."""
        return np.maximum(x, 0.0)


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
class Clip(Rising):
    """min(hi, max(lo, x)): ONNX Clip, HardTanh. The bounds may be infinite."""

    lo: Constant
    hi: Constant

    def apply(self, x: Array) -> Array:
        """min(hi, max(lo, x))."""
        return np.minimum(self.hi.array, np.maximum(self.lo.array, x))


@dataclass(frozen=True)
class Sign(Rising):
    """-1, 0 or +1."""

    @property
    def finite(self) -> bool:
        """Three values."""
        return True

    def apply(self, x: Array) -> Array:
        """NumPy's sign."""
        return np.sign(x)


@dataclass(frozen=True)
class Abs(Turning):
    """|x|."""

    def apply(self, x: Array) -> Array:
        """|x|."""
        return np.abs(x)


@dataclass(frozen=True)
class Tanh(Rising):
    """The hyperbolic tangent."""

    def apply(self, x: Array) -> Array:
        """NumPy's tanh."""
        return np.tanh(x)


@dataclass(frozen=True)
class Sigmoid(Rising):
    """1 / (1 + exp(-x))."""

    def apply(self, x: Array) -> Array:
        """By `logistic`, which neither overflows nor loses monotonicity."""
        return logistic(x)


@dataclass(frozen=True)
class AlongAxes(SourceOp):
    """A function of all elements along `axes` (of one frame, not negative), of the argument's shape."""

    axes: tuple[int, ...]

    def infer(self, *args: Tensor) -> Tensor:
        """The argument's shape."""
        (x,) = args
        assert all(0 <= a < len(x.shape) for a in self.axes), (self.axes, x.shape)
        return Tensor(x.shape, REAL)


@dataclass(frozen=True)
class Softmax(AlongAxes):
    """exp(x) over its sum along the axes."""

    def evaluate(self, *args: Array) -> Array:
        """The largest is subtracted first, so that nothing overflows."""
        (x,) = args
        e = np.exp(_shifted(x, self.axes))
        return np.asarray(e / e.sum(axis=_batched(self.axes), keepdims=True))


@dataclass(frozen=True)
class LogSoftmax(AlongAxes):
    """The logarithm of softmax along the axes."""

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
