"""Operators that move elements and do not change them. Reshape is the one of `lutra.ops.reshape`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.ir import REAL, Array, Tensor
from lutra.ops.source.base import SourceOp
from lutra.ops.source.window import pad


@dataclass(frozen=True)
class Permute(SourceOp):
    """Axis i of the result is axis perm[i] of the argument (batch axis not counted)."""

    perm: tuple[int, ...]

    def infer(self, *args: Tensor) -> Tensor:
        """The axes in their new order."""
        (x,) = args
        if sorted(self.perm) != list(range(len(x.shape))):
            raise LutraError(f"{self.perm} does not order the axes of a tensor of shape {x.shape} (without batch axis)",
                             hint="the batch axis must stay first")
        return Tensor(tuple(x.shape[p] for p in self.perm), REAL)

    def evaluate(self, *args: Array) -> Array:
        """NumPy's transpose of each frame."""
        (x,) = args
        return x.transpose(0, *(p + 1 for p in self.perm))


@dataclass(frozen=True)
class Pad(SourceOp):
    """`value` before and after each axis (batch axis not counted)."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    value: float

    def infer(self, *args: Tensor) -> Tensor:
        """The larger shape."""
        (x,) = args
        if len(self.before) != len(x.shape) or min(self.before + self.after, default=0) < 0:
            raise LutraError(f"padding {self.before} and {self.after} does not fit a tensor of shape {x.shape} (batch "
                             "axis left out)", hint="one number for each axis and side, none of them negative")
        return Tensor(tuple(b + n + a for b, n, a in zip(self.before, x.shape, self.after, strict=True)), REAL)

    def evaluate(self, *args: Array) -> Array:
        """NumPy's constant padding of each frame."""
        (x,) = args
        return pad(np.asarray(x, dtype=np.float64), self.before, self.after, self.value)
