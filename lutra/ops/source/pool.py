"""Pooling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.ir import REAL, Array, Tensor
from lutra.ops.source.base import SourceOp
from lutra.ops.source.window import chunks, out_size, pad, windows


@dataclass(frozen=True)
class MaxPool(SourceOp):
    """The largest of each window of (C, *spatial). Padding never wins.

    ONNX's `ceil_mode` and `auto_pad` are worked out on import: `after` is the padding that the windows reach.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    dilation: tuple[int, ...]

    def infer(self, *args: Tensor) -> Tensor:
        """(C, *out)."""
        (x,) = args
        size = out_size(x.shape[1:], self.kernel, self.stride, self.before, self.after, self.dilation)
        return Tensor((x.shape[0], *size), REAL)

    def evaluate(self, *args: Array) -> Array:
        """Minus infinity is the padding."""
        (x,) = args
        parts = [self._frames(x[part]) for part in chunks(len(x), int(np.prod(x.shape[1:] + self.kernel)))]
        return np.concatenate(parts) if parts else self._frames(x)

    def _frames(self, x: Array) -> Array:
        padded = pad(np.asarray(x, dtype=np.float64), (0, *self.before), (0, *self.after), -np.inf)
        view = windows(padded, self.kernel, self.stride, self.dilation)
        return np.asarray(view.max(axis=tuple(range(-len(self.kernel), 0))))
