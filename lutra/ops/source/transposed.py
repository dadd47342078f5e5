"""Transposed convolution by constants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.ir import REAL, Array, Constant, Tensor
from lutra.ops.source.base import SourceOp, real
from lutra.ops.source.linear import Conv, Quantised


@dataclass(frozen=True)
class ConvTranspose(SourceOp):
    """Transposed convolution of (C, *spatial) by weights (C, M / groups, *kernel), one or two spatial axes.

    result[m, p * stride + k * dilation - before] sums argument[c, p] * weights[c, m, k] (ONNX ConvTranspose). `before`
    and `after` elements are cut from the full result's ends; a negative `after` appends zeros (`output_padding` beyond
    the last sum). One element for each spatial axis. `quant`: where the weights come from a quantiser.
    """

    weights: Constant
    stride: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    quant: Quantised | None = None

    @property
    def kernel(self) -> tuple[int, ...]:
        """The kernel's size."""
        return self.weights.shape[2:]

    @property
    def conv(self) -> Conv:
        """The ordinary convolution, of stride 1, that makes the full result (nothing cut) of the argument with
        stride - 1 zeros between its elements.
        """
        reach = tuple((k - 1) * d for k, d in zip(self.kernel, self.dilation, strict=True))
        quant = None
        if self.quant is not None:
            integers, scale = self.quant
            spread = np.broadcast_to(scale.array, self.weights.shape)
            quant = Constant(self._flipped(integers.array)), real(self._flipped(spread))
        return Conv(real(self._flipped(self.weights.array)), (1,) * len(reach), reach, reach, self.dilation,
                    self.groups, quant)

    def _flipped(self, w: Array) -> Array:
        """(C, M / groups, *kernel) -> (M, C / groups, *kernel), the kernel turned round."""
        c, m = w.shape[:2]
        grouped = w.reshape(self.groups, c // self.groups, m, *self.kernel).swapaxes(1, 2)
        turned = np.flip(grouped, tuple(range(-len(self.kernel), 0)))
        return turned.reshape(self.groups * m, c // self.groups, *self.kernel)

    def infer(self, *args: Tensor) -> Tensor:
        """(M, *out), out = (in - 1) * stride + (kernel - 1) * dilation + 1 - before - after; LutraError where channels,
        groups or sizes do not fit.
        """
        (x,) = args
        c, m = self.weights.shape[:2]
        if len(x.shape) != len(self.kernel) + 1:
            raise LutraError(f"weights of shape {self.weights.shape} do not fit a tensor of shape {x.shape} (no batch "
                             "axis)", hint="channels first, as many spatial axes as the kernel has")
        if self.groups < 1 or c != x.shape[0] or c % self.groups:
            raise LutraError(f"weights for {c} channels in {self.groups} groups do not fit {x.shape[0]} channels",
                             hint="the first axis of the weights has as many elements as the data have channels")
        if min(*self.stride, *self.dilation) < 1 or min(self.before) < 0:
            raise LutraError(f"stride {self.stride}, dilation {self.dilation}, padding {self.before} make no result",
                             hint="stride and dilation are at least 1, padding is not negative")
        facts = zip(x.shape[1:], self.kernel, self.stride, self.before, self.after, self.dilation, strict=True)
        size = tuple((n - 1) * s + (k - 1) * d + 1 - b - a for n, k, s, b, a, d in facts)
        if min(size) < 1:
            raise LutraError(f"padding {self.before} and {self.after} leave nothing of the result", hint="use less")
        return Tensor((m * self.groups, *size), REAL)

    def evaluate(self, *args: Array) -> Array:
        """`conv` on the spread argument, cut to size."""
        (x,) = args
        n, c, *size = x.shape
        spread = np.zeros((n, c, *((m - 1) * s + 1 for m, s in zip(size, self.stride, strict=True))))
        spread[(slice(None), slice(None), *(slice(None, None, s) for s in self.stride))] = x
        full = self.conv.evaluate(spread)
        more = [(0, max(0, -a)) for a in self.after]
        full = np.pad(full, [(0, 0), (0, 0), *more])
        keep = (slice(b, m - max(0, a)) for b, a, m in zip(self.before, self.after, full.shape[2:], strict=True))
        return full[(slice(None), slice(None), *keep)]
