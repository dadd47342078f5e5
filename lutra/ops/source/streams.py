"""Operators that read several streams of the network's data."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.ir import REAL, Array, Tensor
from lutra.ops.source.base import SourceOp


class Pairwise(SourceOp):
    """Two streams, element by element. Their shapes broadcast as NumPy's do: equal, or (C, 1, 1) against (C, H, W)."""

    @abstractmethod
    def combine(self, a: Array, b: Array) -> Array:
        """The function in float64."""

    def infer(self, *args: Tensor) -> Tensor:
        """The common shape; LutraError where there is none."""
        a, b = args
        try:
            shape = np.broadcast_shapes(a.shape, b.shape)
        except ValueError as e:
            raise LutraError(f"tensors of shape {a.shape} and {b.shape} (without batch axis) do not fit each other",
                             hint="branches that meet need equal shapes, or length 1 where they differ") from e
        return Tensor(shape, REAL)

    def evaluate(self, *args: Array) -> Array:
        """Frame by frame: missing leading axes of a frame are inserted behind the batch axis."""
        rank = max(x.ndim for x in args)
        a, b = (np.asarray(x, np.float64).reshape(len(x), *(1,) * (rank - x.ndim), *x.shape[1:]) for x in args)
        return self.combine(a, b)


@dataclass(frozen=True)
class AddStreams(Pairwise):
    """The sum a + b."""

    def combine(self, a: Array, b: Array) -> Array:
        """The sum a + b."""
        return a + b


@dataclass(frozen=True)
class SubStreams(Pairwise):
    """The difference a - b."""

    def combine(self, a: Array, b: Array) -> Array:
        """The difference a - b."""
        return a - b


@dataclass(frozen=True)
class MulStreams(Pairwise):
    """The product a * b."""

    def combine(self, a: Array, b: Array) -> Array:
        """The product a * b."""
        return a * b


@dataclass(frozen=True)
class Concat(SourceOp):
    """One or more streams one after the other along `axis` (of one frame, not negative)."""

    axis: int

    def infer(self, *args: Tensor) -> Tensor:
        """The lengths along the axis added; LutraError where other axes differ."""
        first = args[0].shape
        assert 0 <= self.axis < len(first), (self.axis, first)
        for other in (a.shape for a in args[1:]):
            same = len(other) == len(first) and all(
                m == n for i, (m, n) in enumerate(zip(other, first, strict=True)) if i != self.axis)
            if not same:
                raise LutraError(f"tensors of shape {first} and {other} (without batch axis) cannot be joined along "
                                 f"axis {self.axis}", hint="all other axes must be equal")
        length = sum(a.shape[self.axis] for a in args)
        return Tensor((*first[: self.axis], length, *first[self.axis + 1 :]), REAL)

    def evaluate(self, *args: Array) -> Array:
        """NumPy's concatenation."""
        return np.concatenate([np.asarray(x, np.float64) for x in args], axis=self.axis + 1)
