"""Slice: a box of each frame, the rest dropped."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block, Param
from lutra.ir import Array, Node, Tensor
from lutra.ops.base import Cost, Fold, Loop, Unit, check_fold, divisors
from lutra.ops.cost import estimate

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

AXES = (("TOP", "ROWS", "BOTTOM"), ("LEFT", "COLUMNS", "RIGHT"), ("WORD", "WORDS", "WORDS_AFTER"))


@dataclass(frozen=True)
class Slice(Unit):
    """y = x[start[0]:stop[0], start[1]:stop[1], ...]: one start and one stop for each axis, up to three of them."""

    by_column = True  # where it keeps the first axis whole, which its place in a frame then has no part in

    start: tuple[int, ...]
    stop: tuple[int, ...]

    def infer(self, *args: Tensor) -> Tensor:
        """The box's shape, the same range."""
        (x,) = args
        if not len(self.start) == len(self.stop) == len(x.shape) <= len(AXES):
            raise LutraError(f"start={self.start} stop={self.stop} for shape {x.shape}", hint="one each for each axis")
        if not all(0 <= a < b <= n for a, b, n in zip(self.start, self.stop, x.shape, strict=True)):
            raise LutraError(f"start={self.start} stop={self.stop} is no box of a frame of shape {x.shape}")
        return Tensor(tuple(b - a for a, b in zip(self.start, self.stop, strict=True)), x.range)

    def evaluate(self, *args: Array) -> Array:
        """As numpy slices."""
        (x,) = args
        return x[(slice(None), *map(slice, self.start, self.stop))]

    def folds(self, x: Tensor) -> tuple[Fold, ...]:
        """Every divisor of the channels with which no word holds both kept and dropped ones."""
        return tuple(Fold(pe=d, simd=d) for d in divisors(self._whole(x)))

    def _whole(self, x: Tensor) -> int:
        return gcd(self.start[-1], self.stop[-1], x.channels)

    def lanes(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        """`fold.simd` both in and out."""
        check_fold("simd", fold.simd, self._whole(x), "channels that are kept or dropped together")
        return fold.simd, fold.simd

    def loop(self, fold: Fold, x: Tensor) -> Loop:
        """A slot for each input word; those of the box give one."""
        lanes, slots = self.lanes(fold, x)[0], self.cycles(fold, x)
        words = np.arange(slots).reshape(*x.shape[:-1], -1)
        first, last = (*self.start[:-1], self.start[-1] // lanes), (*self.stop[:-1], self.stop[-1] // lanes)
        return Loop(slots, np.arange(1, slots + 1), words[tuple(map(slice, first, last))].reshape(-1), 1)

    def cycles(self, fold: Fold, x: Tensor) -> int:
        """One an input word."""
        return x.size // self.lanes(fold, x)[0]

    def _spans(self, fold: Fold, x: Tensor) -> list[tuple[int, int, int]]:
        """Before, in and after the box: rows, columns, words of a pixel. Axes that the frame lacks are of one."""
        lanes = self.lanes(fold, x)[0]
        spans = [(a, b - a, n - b) for a, b, n in zip(self.start, self.stop, x.shape, strict=True)]
        before, size, after = spans[-1]
        spans[-1] = before // lanes, size // lanes, after // lanes
        return [(0, 1, 0)] * (len(AXES) - len(spans)) + spans

    def block(self, fold: Fold, x: Tensor) -> Block:
        """`lutra_slice`."""
        params: dict[str, Param] = {"WIDTH": fold.simd * x.range.bits}
        for names, span in zip(AXES, self._spans(fold, x), strict=True):
            params |= dict(zip(names, span, strict=True))
        width = fold.simd * x.range.bits
        return Block("lutra_slice", params, inputs=(width,), outputs=(width,))

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """The register slice, counters."""
        counted, cut = [0], [0]  # bits of the counters of whole axes, and of those that are cut
        for before, size, after in self._spans(fold, x):
            (cut if before + after else counted).append((before + size + after - 1).bit_length())
        return {"one": 1.0, "slice": float(fold.simd * x.range.bits), "counter": float(sum(counted)),
                "counters": float(np.count_nonzero(counted)), "span": float(sum(cut)),
                "spans": float(np.count_nonzero(cut))}

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """From `features`, by coefficients fitted to synthesis."""
        return estimate(family, "slice", self.features(fold, x, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Boxes anywhere in frames of one to three axes, whole frames and single elements among them."""
        from hypothesis import strategies as st

        from lutra.ops.samples import inputs, planes

        @st.composite
        def cut(draw: st.DrawFn) -> Node:
            x = draw(st.one_of(planes(), inputs((1, 4, 6, 12), 5)))
            spans = [sorted(draw(st.tuples(st.integers(0, n), st.integers(0, n)).filter(lambda s: s[0] != s[1])))
                     if draw(st.booleans()) else [0, n] for n in x.out.shape]
            return Node(cls(tuple(a for a, _ in spans), tuple(b for _, b in spans)), (x,))

        return cut()
