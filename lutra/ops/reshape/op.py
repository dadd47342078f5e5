"""Reshape: the same stream of elements under another shape. No hardware: word order does not change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Op, Tensor


@dataclass(frozen=True)
class Reshape(Op):
    """To `shape`, row-major."""

    shape: tuple[int, ...]

    def infer(self, *args: Tensor) -> Tensor:
        """The new shape, the same elements."""
        (x,) = args
        if int(np.prod(self.shape)) != x.size:
            raise LutraError(f"{x.size} elements do not fill the shape {self.shape}")
        return Tensor(self.shape, x.elem)

    def evaluate(self, *args: Array) -> Array:
        """Numpy's reshape of each frame."""
        (x,) = args
        return x.reshape(len(x), *self.shape)
