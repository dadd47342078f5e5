"""Sliding windows laid side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.ir import REAL, Array, Tensor
from lutra.ops.source.base import SourceOp
from lutra.ops.source.window import out_size, windows


@dataclass(frozen=True)
class Im2Col(SourceOp):
    """(H, W, C) -> (OH, OW, KH * KW * C), each pixel the elements of one window in the order (kh, kw, c).

    Import makes a convolution of it and the product that follows, so it stands in a graph only where nothing of the
    kind follows.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]

    def infer(self, *args: Tensor) -> Tensor:
        """The shape; LutraError where no window fits."""
        (x,) = args
        if len(x.shape) != 3:
            raise LutraError(f"a tensor of shape {x.shape} (without batch axis) is not (rows, columns, channels)",
                             hint="use it on images, channels last")
        size = out_size(x.shape[:2], self.kernel, self.stride, (0, 0), (0, 0), self.dilation)
        return Tensor((*size, self.kernel[0] * self.kernel[1] * x.shape[2]), REAL)

    def evaluate(self, *args: Array) -> Array:
        """A view of windows, channels moved to the end."""
        (x,) = args
        view = windows(np.moveaxis(np.asarray(x, np.float64), -1, 1), self.kernel, self.stride, self.dilation)
        patches = view.transpose(0, 2, 3, 4, 5, 1)
        return patches.reshape(*patches.shape[:3], -1)
