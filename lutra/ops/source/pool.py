"""Pooling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.ir import REAL, Array, Tensor
from lutra.ops.source.base import SourceOp
from lutra.ops.source.window import by_chunks, out_size, pad, windows


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
        return by_chunks(self._frames, x, int(np.prod(x.shape[1:] + self.kernel)))

    def _frames(self, x: Array) -> Array:
        padded = pad(np.asarray(x, dtype=np.float64), (0, *self.before), (0, *self.after), -np.inf)
        view = windows(padded, self.kernel, self.stride, self.dilation)
        return np.asarray(view.max(axis=tuple(range(-len(self.kernel), 0))))


@dataclass(frozen=True)
class AveragePool(SourceOp):
    """The sum of each window of (C, *spatial), in which padding is 0, over how many of its elements count.

    Elements of the frame count, and those of the first `counted_before` and `counted_after` elements of padding around
    it: none where ONNX's `count_include_pad` is 0, else the padding that the model states. `after` is the padding that
    the windows reach, which `ceil_mode` makes larger than what counts. See `divisor`.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    dilation: tuple[int, ...]
    counted_before: tuple[int, ...]
    counted_after: tuple[int, ...]

    def infer(self, *args: Tensor) -> Tensor:
        """(C, *out); LutraError where a window holds nothing that counts."""
        (x,) = args
        size = out_size(x.shape[1:], self.kernel, self.stride, self.before, self.after, self.dilation)
        if not self.divisor(x.shape[1:]).all():
            raise LutraError(f"a window of an average of shape {self.kernel} lies in the padding altogether",
                             hint="use padding smaller than the kernel")
        return Tensor((x.shape[0], *size), REAL)

    def divisor(self, size: tuple[int, ...]) -> Array:
        """How many elements count in each window of a frame of spatial `size`: int64, of shape out."""
        out = out_size(size, self.kernel, self.stride, self.before, self.after, self.dilation)
        total = np.ones((1,) * len(size), np.int64)
        for i, n in enumerate(size):
            start = np.arange(out[i]) * self.stride[i] - self.before[i]
            # taps start + j * dilation from -counted_before to n + counted_after, which is not included
            first, end = (-((start - bound) // self.dilation[i]) for bound in
                          (-self.counted_before[i], n + self.counted_after[i]))
            count = np.minimum(end, self.kernel[i]) - np.maximum(first, 0)
            total = total * np.maximum(count, 0).reshape([-1 if a == i else 1 for a in range(len(size))])
        return total

    def evaluate(self, *args: Array) -> Array:
        """One sum, one division."""
        (x,) = args
        return by_chunks(self._frames, x, int(np.prod(x.shape[1:] + self.kernel)))

    def _frames(self, x: Array) -> Array:
        padded = pad(np.asarray(x, dtype=np.float64), (0, *self.before), (0, *self.after), 0.0)
        view = windows(padded, self.kernel, self.stride, self.dilation)
        return np.asarray(view.sum(axis=tuple(range(-len(self.kernel), 0))) / self.divisor(x.shape[2:]))
