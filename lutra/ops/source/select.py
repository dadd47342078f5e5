"""Which element is the largest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.ir import REAL, Array, Tensor
from lutra.ops.source.base import SourceOp


@dataclass(frozen=True)
class ArgMax(SourceOp):
    """The lowest index of the largest element along `axis` (of one frame), which stays with length 1. int64."""

    axis: int

    def infer(self, *args: Tensor) -> Tensor:
        """The axis shrinks to 1."""
        (x,) = args
        assert 0 <= self.axis < len(x.shape), (self.axis, x.shape)
        return Tensor((*x.shape[: self.axis], 1, *x.shape[self.axis + 1 :]), REAL)

    def evaluate(self, *args: Array) -> Array:
        """NumPy's argmax."""
        (x,) = args
        return np.asarray(x.argmax(axis=self.axis + 1, keepdims=True), dtype=np.int64)


@dataclass(frozen=True)
class TopK(SourceOp):
    """The `k` largest elements along `axis` (of one frame), largest first, ties to the lower index.

    Their int64 indices where `indices`, else their values.
    """

    k: int
    axis: int
    indices: bool

    def infer(self, *args: Tensor) -> Tensor:
        """The axis shrinks to k; LutraError where it is shorter."""
        (x,) = args
        assert 0 <= self.axis < len(x.shape), (self.axis, x.shape)
        if not 1 <= self.k <= x.shape[self.axis]:
            raise LutraError(f"k={self.k} is not between 1 and the {x.shape[self.axis]} elements of the axis",
                             hint="choose a smaller k")
        return Tensor((*x.shape[: self.axis], self.k, *x.shape[self.axis + 1 :]), REAL)

    def evaluate(self, *args: Array) -> Array:
        """A stable sort of the negated values."""
        (x,) = args
        order = np.argsort(-x, axis=self.axis + 1, kind="stable")
        best = np.take(order, np.arange(self.k), axis=self.axis + 1)
        return best.astype(np.int64) if self.indices else np.take_along_axis(x, best, axis=self.axis + 1)
