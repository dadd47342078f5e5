"""Operators that leave elements out, repeat them, or exchange channels for pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.ir import REAL, Array, Constant, Tensor
from lutra.ops.source.base import SourceOp

DCR, CRD = "DCR", "CRD"  # ONNX's names: depth, column, row and column, row, depth


@dataclass(frozen=True)
class Slice(SourceOp):
    """Elements `start` to `stop` (not included) of each axis: 0 <= start < stop <= length (batch axis not counted)."""

    start: tuple[int, ...]
    stop: tuple[int, ...]

    def infer(self, *args: Tensor) -> Tensor:
        """The smaller shape; LutraError where it is empty or outside."""
        (x,) = args
        fits = len(self.start) == len(self.stop) == len(x.shape) and all(
            0 <= a < b <= n for a, b, n in zip(self.start, self.stop, x.shape, strict=True))
        if not fits:
            raise LutraError(f"a slice from {self.start} to {self.stop} of a tensor of shape {x.shape} (without batch "
                             "axis) is empty or outside", hint="keep at least one element of each axis")
        return Tensor(tuple(b - a for a, b in zip(self.start, self.stop, strict=True)), REAL)

    def evaluate(self, *args: Array) -> Array:
        """NumPy's slice of each frame."""
        (x,) = args
        return x[(slice(None), *map(slice, self.start, self.stop))]


@dataclass(frozen=True)
class Take(SourceOp):
    """Element i of the result along `axis` (of one frame, not negative) is element indices[i] of the argument.

    indices: int64, one axis, not negative. A permutation of channels, a slice with a step, a repeated choice.
    """

    axis: int
    indices: Constant

    def infer(self, *args: Tensor) -> Tensor:
        """The axis gets as many elements as there are indices; LutraError for one outside."""
        (x,) = args
        chosen = self.indices.array
        assert 0 <= self.axis < len(x.shape) and chosen.ndim == 1 and chosen.size, (self.axis, chosen.shape)
        outside = chosen[(chosen < 0) | (chosen >= x.shape[self.axis])]
        if outside.size:
            raise LutraError(f"index {outside[0]} does not exist in {x.shape[self.axis]} elements",
                             hint="export the model again")
        return Tensor((*x.shape[: self.axis], chosen.size, *x.shape[self.axis + 1 :]), REAL)

    def evaluate(self, *args: Array) -> Array:
        """NumPy's take of each frame."""
        (x,) = args
        return np.take(x, self.indices.array, axis=self.axis + 1)


@dataclass(frozen=True)
class Upsample(SourceOp):
    """Each element `factors[i]` times along axis i (batch axis not counted): nearest neighbour at integer factors."""

    factors: tuple[int, ...]

    def infer(self, *args: Tensor) -> Tensor:
        """The larger shape."""
        (x,) = args
        assert len(self.factors) == len(x.shape) and min(self.factors, default=1) >= 1, (self.factors, x.shape)
        return Tensor(tuple(n * f for n, f in zip(x.shape, self.factors, strict=True)), REAL)

    def evaluate(self, *args: Array) -> Array:
        """NumPy's repeat of each axis in turn."""
        (x,) = args
        for i, f in enumerate(self.factors):
            x = np.repeat(x, f, axis=i + 1) if f > 1 else x
        return x


@dataclass(frozen=True)
class DepthToSpace(SourceOp):
    """(C * block**2, H, W) -> (C, H * block, W * block).

    Channel of the argument that becomes pixel (i, j) of a block of channel c: (i * block + j) * C + c in mode DCR,
    (c * block + i) * block + j in mode CRD (torch's PixelShuffle).
    """

    block: int
    mode: str

    def infer(self, *args: Tensor) -> Tensor:
        """The shape with blocks for channels; LutraError where the channels make no whole blocks."""
        (x,) = args
        assert self.mode in (DCR, CRD), self.mode
        check_plane(x)
        c, h, w = x.shape
        if self.block < 1 or c % self.block**2:
            raise LutraError(f"{c} channels make no blocks of {self.block} times {self.block}",
                             hint="the channels must be a multiple of the block size squared")
        return Tensor((c // self.block**2, h * self.block, w * self.block), REAL)

    def evaluate(self, *args: Array) -> Array:
        """Split the channels, and move two of the axes behind rows and columns."""
        (x,) = args
        n, c, h, w = x.shape
        b = self.block
        if self.mode == DCR:
            split, order = (n, b, b, c // b**2, h, w), (0, 3, 4, 1, 5, 2)
        else:
            split, order = (n, c // b**2, b, b, h, w), (0, 1, 4, 2, 5, 3)
        return x.reshape(split).transpose(order).reshape(n, c // b**2, h * b, w * b)


@dataclass(frozen=True)
class SpaceToDepth(SourceOp):
    """(C, H * block, W * block) -> (C * block**2, H, W): pixel (i, j) of each block becomes channel
    (i * block + j) * C + c, which DepthToSpace in mode DCR takes back.
    """

    block: int

    def infer(self, *args: Tensor) -> Tensor:
        """The shape with channels for blocks; LutraError where rows or columns make no whole blocks."""
        (x,) = args
        check_plane(x)
        c, h, w = x.shape
        if self.block < 1 or h % self.block or w % self.block:
            raise LutraError(f"{h} rows and {w} columns make no blocks of {self.block} times {self.block}",
                             hint="rows and columns must be multiples of the block size")
        return Tensor((c * self.block**2, h // self.block, w // self.block), REAL)

    def evaluate(self, *args: Array) -> Array:
        """Split rows and columns, and move the places in a block before the channels."""
        (x,) = args
        n, c, h, w = x.shape
        b = self.block
        split = x.reshape(n, c, h // b, b, w // b, b)
        return split.transpose(0, 3, 5, 1, 2, 4).reshape(n, c * b * b, h // b, w // b)


def check_plane(x: Tensor) -> None:
    """LutraError unless the tensor is (C, H, W)."""
    if len(x.shape) != 3:
        raise LutraError(f"a tensor of shape {x.shape} (without batch axis) is not (channels, rows, columns)",
                         hint="use it on images")
