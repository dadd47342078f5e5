"""Upsample: nearest neighbour, by whole factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block, Param
from lutra.ir import Array, Node, Tensor
from lutra.ops.base import Cost, Fold, Loop, Unit, check_fold, divisors
from lutra.ops.cost import estimate
from lutra.ops.rom import in_block, lut_ram, sliced

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Upsample(Unit):
    """(H, W, C) -> (H * fy, W * fx, C): y[i, j] = x[i // fy, j // fx], for factors (fy, fx).

    A word is taken in the slot that first gives it, so the unit stores one row (one pixel if fy is 1) and no more. A
    row is taken in 1 / fy of the time: where the unit before is slower than that, the stream between holds the rest.
    `fold.ram` says where the row lies.
    """

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

    def folds(self, x: Tensor) -> tuple[Fold, ...]:
        """Every divisor of the channels."""
        return tuple(Fold(pe=d, simd=d) for d in divisors(x.channels))

    def lanes(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        """`fold.simd` both in and out."""
        check_fold("simd", fold.simd, x.channels, "channels")
        return fold.simd, fold.simd

    def loop(self, fold: Fold, x: Tensor) -> Loop:
        """A slot for each output word; the first one of each input word takes it."""
        (fy, fx), (height, width, channels) = self.factors, x.shape
        takes = np.zeros((height, fy, width, fx, channels // self.lanes(fold, x)[0]), np.int64)
        takes[:, 0, :, 0] = 1
        latency = 3 if self._in_block(fold, x) else 2
        return Loop(takes.size, np.cumsum(takes), np.arange(takes.size), latency)

    def cycles(self, fold: Fold, x: Tensor) -> int:
        """One an output word."""
        return self.infer(x).size // self.lanes(fold, x)[0]

    def _rounds(self, fold: Fold, x: Tensor) -> tuple[int, int, int, int]:
        """Words of a pixel, times that it is given, pixels of a row, times that this is given; in the fewest loops."""
        (fy, fx), words = self.factors, x.channels // self.lanes(fold, x)[0]
        if fy * fx == 1:
            return 1, 1, 1, 1
        if fy == 1:
            return words, 1, 1, fx
        return (words * x.shape[1], 1, 1, fy) if fx == 1 else (words, fx, x.shape[1], fy)

    def _depth(self, fold: Fold, x: Tensor) -> int:
        words, _, columns, _ = self._rounds(fold, x)
        return words * columns

    def _in_block(self, fold: Fold, x: Tensor) -> bool:
        return in_block(fold, self._depth(fold, x), fold.simd * x.range.bits)

    def block(self, fold: Fold, x: Tensor) -> Block:
        """`lutra_upsample`."""
        words, copies, columns, lines = self._rounds(fold, x)
        width = fold.simd * x.range.bits
        params: dict[str, Param] = {"WIDTH": width, "WORDS": words, "COPIES": copies, "COLUMNS": columns,
                                    "LINES": lines, "BLOCK": int(self._in_block(fold, x))}
        return Block("lutra_upsample", params, inputs=(width,), outputs=(width,))

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """The register slice, the memory with what passes it by, the place in it, counters."""
        depth, width = self._depth(fold, x), fold.simd * x.range.bits
        counters = float(sum((n - 1).bit_length() for n in self._rounds(fold, x)))
        common = {"one": 1.0, "slice": float(width), "counter": counters}
        if depth == 1:
            return common | {"ff.one": float(width)}
        common |= {"row": float(width), "place": float((depth - 1).bit_length())}
        if self._in_block(fold, x):
            return common | {"ff.block_out": float(width), "bram": float(sliced(depth, width))}
        return common | {"ff.fetched": float(width)} | lut_ram(depth, width, family)

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """From `features`, by coefficients fitted to synthesis."""
        return estimate(family, "upsample", self.features(fold, x, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Factors of one and more on either axis, frames of one row or column among them."""
        from hypothesis import strategies as st

        from lutra.ops.samples import planes

        return st.builds(lambda x, f: Node(cls(f), (x,)), planes(), st.tuples(st.integers(1, 4), st.integers(1, 4)))
