"""Reorder: the elements of a frame in another order (DepthToSpace, SpaceToDepth, transposes, channel shuffles)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Constant, Op, Tensor


@dataclass(frozen=True)
class Reorder(Op):
    """A frame's elements, in order of the stream, are blocks of B; in each, y[k] = x[order[k]].

    order: (B,), a permutation of 0 .. B-1; B divides the frame, and the smaller it is, the smaller is the hardware.
    shape: the result's. So depth to space, for one, is a single node whose block is a row of pixels.
    """

    order: Constant
    shape: tuple[int, ...]

    def infer(self, *args: Tensor) -> Tensor:
        """The new shape, the same range."""
        (x,) = args
        order = self.order.array
        if order.ndim != 1 or not np.array_equal(np.sort(order), np.arange(len(order))):
            raise LutraError(f"an order of shape {order.shape} that is no permutation")
        if not self.shape or min(self.shape) < 1 or int(np.prod(self.shape, dtype=np.int64)) != x.size:
            raise LutraError(f"{x.size} elements do not fill the shape {self.shape}")
        if x.size % len(order):
            raise LutraError(f"blocks of {len(order)} do not fill a frame of {x.size} elements")
        return Tensor(self.shape, x.range)

    def evaluate(self, *args: Array) -> Array:
        """One gather for all blocks."""
        (x,) = args
        blocks = x.reshape(len(x), -1, len(self.order.array))
        return blocks[..., self.order.array].reshape(len(x), *self.shape)
