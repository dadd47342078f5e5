"""Slice: a box of each frame, the rest dropped."""

from __future__ import annotations

from dataclasses import dataclass

from lutra.errors import LutraError
from lutra.ir import Array, Op, Tensor


@dataclass(frozen=True)
class Slice(Op):
    """y = x[start[0]:stop[0], start[1]:stop[1], ...]: one start and one stop for each axis, up to three of them."""

    start: tuple[int, ...]
    stop: tuple[int, ...]

    def infer(self, *args: Tensor) -> Tensor:
        """The box's shape, the same range."""
        (x,) = args
        if not len(self.start) == len(self.stop) == len(x.shape) <= 3:
            raise LutraError(f"start={self.start} stop={self.stop} for shape {x.shape}", hint="one each for each axis")
        if not all(0 <= a < b <= n for a, b, n in zip(self.start, self.stop, x.shape, strict=True)):
            raise LutraError(f"start={self.start} stop={self.stop} is no box of a frame of shape {x.shape}")
        return Tensor(tuple(b - a for a, b in zip(self.start, self.stop, strict=True)), x.range)

    def evaluate(self, *args: Array) -> Array:
        """As numpy slices."""
        (x,) = args
        return x[(slice(None), *map(slice, self.start, self.stop))]
