"""Matrix product and convolution by constants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.ir import REAL, Array, Constant, Tensor
from lutra.ops.source.base import SourceOp
from lutra.ops.source.window import by_chunks, out_size, pad, windows

# An exact decomposition of weights: integers (int64, the weights' shape) and scales (float64, broadcastable), whose
# product is the weights bit for bit.
Quantised = tuple[Constant, Constant]


@dataclass(frozen=True)
class MatMul(SourceOp):
    """(..., K) -> (..., M): x W with weights (K, M). `quant`: where the weights come from a quantiser."""

    weights: Constant
    quant: Quantised | None = None

    def infer(self, *args: Tensor) -> Tensor:
        """The last axis becomes M; LutraError where it is not K."""
        (x,) = args
        k, m = self.weights.shape
        if not x.shape or x.shape[-1] != k:
            raise LutraError(f"weights of shape {(k, m)} do not fit a tensor of shape {x.shape} (without batch axis)",
                             hint=f"its last axis must have {k} elements")
        return Tensor((*x.shape[:-1], m), REAL)

    def evaluate(self, *args: Array) -> Array:
        """NumPy's matrix product in double precision; see `factored`."""
        (x,) = args
        matrix, scale = factored(self.weights, self.quant, 1)
        return np.asarray(np.asarray(x, dtype=np.float64) @ matrix * scale)


@dataclass(frozen=True)
class Conv(SourceOp):
    """Convolution of (C, *spatial) by weights (M, C / groups, *kernel), one or two spatial axes.

    `stride`, `before`, `after` (zero padding) and `dilation` have one element for each spatial axis. `quant`: where the
    weights come from a quantiser.
    """

    weights: Constant
    stride: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    quant: Quantised | None = None

    @property
    def kernel(self) -> tuple[int, ...]:
        """The kernel's size."""
        return self.weights.shape[2:]

    def infer(self, *args: Tensor) -> Tensor:
        """(M, *out); LutraError where channels, groups or sizes do not fit."""
        (x,) = args
        m, c = self.weights.shape[:2]
        if len(x.shape) != len(self.kernel) + 1:
            raise LutraError(f"weights of shape {self.weights.shape} do not fit a tensor of shape {x.shape} (no batch "
                             "axis)", hint="channels first, as many spatial axes as the kernel has")
        if c * self.groups != x.shape[0] or m % self.groups:
            raise LutraError(f"{self.groups} groups of {c} channels and {m} results do not fit {x.shape[0]} channels",
                             hint="channels = groups times the second axis of the weights")
        size = out_size(x.shape[1:], self.kernel, self.stride, self.before, self.after, self.dilation)
        return Tensor((m, *size), REAL)

    def evaluate(self, *args: Array) -> Array:
        """Windows as rows of a matrix, a chunk of frames at a time."""
        (x,) = args
        return by_chunks(self._frames, x, int(np.prod(x.shape[1:] + self.kernel)))

    def _frames(self, x: Array) -> Array:
        padded = pad(np.asarray(x, dtype=np.float64), (0, *self.before), (0, *self.after), 0.0)
        view = windows(padded, self.kernel, self.stride, self.dilation)  # (N, C, *out, *kernel)
        axes = len(self.kernel)
        out = view.shape[2 : 2 + axes]
        columns = np.moveaxis(view, range(2, 2 + axes), range(-axes, 0))  # pixels last: long runs to copy
        m, c = self.weights.shape[0] // self.groups, self.weights.shape[1]
        matrix, scale = factored(self.weights, self.quant, 0)
        results = []
        for g in range(self.groups):
            weights = matrix[g * m : (g + 1) * m].reshape(m, -1)
            part = columns[:, g * c : (g + 1) * c].reshape(len(x), weights.shape[1], int(np.prod(out)))
            results.append(weights @ part)
        result: Array = np.concatenate(results, axis=1) * scale.reshape(-1, 1)
        return result.reshape(len(x), m * self.groups, *out)


def factored(weights: Constant, quant: Quantised | None, axis: int) -> tuple[Array, Array]:
    """Weights as a matrix and a scale for each result (or one for all), applied after the sum.

    The real numbers are the same, but sums of a quantiser's multiples by integers are exact: a sum that is zero,
    or lies on a rounding step, does so whatever the order of summation. Where nothing says the scale, it is 1.
    """
    if quant is not None:
        scales = np.moveaxis(np.broadcast_to(quant[1].array, weights.shape), axis, 0).reshape(weights.shape[axis], -1)
        if (scales == scales[:, :1]).all():
            return quant[0].array.astype(np.float64), np.asarray(scales[:, 0], np.float64)
    return weights.array, np.ones(1)
