"""Upsample: nearest neighbour, by whole factors."""

from __future__ import annotations

from dataclasses import dataclass

from lutra.errors import LutraError
from lutra.ir import Array, Op, Tensor


@dataclass(frozen=True)
class Upsample(Op):
    """(H, W, C) -> (H * fy, W * fx, C): y[i, j] = x[i // fy, j // fx], for factors (fy, fx)."""

    factors: tuple[int, int]

    def infer(self, *args: Tensor) -> Tensor:
        """The larger frame, the same range."""
        (x,) = args
        if len(x.shape) != 3:
            raise LutraError(f"upsampling of rows and columns for shape {x.shape}", hint="(rows, columns, channels)")
        if len(self.factors) != 2 or min(self.factors) < 1:
            raise LutraError(f"factors={self.factors} are not two whole factors")
        (fy, fx), (height, width, channels) = self.factors, x.shape
        return Tensor((height * fy, width * fx, channels), x.range)

    def evaluate(self, *args: Array) -> Array:
        """Each column several times, then each row."""
        (x,) = args
        return x.repeat(self.factors[1], axis=2).repeat(self.factors[0], axis=1)
