"""Pad: a border of a constant around each frame, and between its rows and columns."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block, Param
from lutra.ir import Array, Node, Range, Tensor
from lutra.ops.base import Cost, Fold, Loop, Unit, check_fold, divisors
from lutra.ops.cost import estimate
from lutra.ops.events import one_a_cycle

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Pad(Unit):
    """(H, W, C) -> (before[0] + H' + after[0], before[1] + W' + after[1], C), filled up with `value`.

    inside: so many rows and columns between each two of the frame: H' = H + (H - 1) * inside[0]. A transposed
    convolution of stride s has s - 1 of them. `value` may lie outside x's range or off its step; the output's range
    holds both.
    """

    before: tuple[int, int]
    after: tuple[int, int]
    value: int = 0
    inside: tuple[int, int] = (0, 0)

    def infer(self, *args: Tensor) -> Tensor:
        """The larger frame; the narrowest range of the coarsest step that holds x's range and `value`."""
        (x,) = args
        if len(x.shape) != 3:
            raise LutraError(f"padding of rows and columns for shape {x.shape}", hint="(rows, columns, channels)")
        sizes = (*self.before, *self.after, *self.inside)
        if len(sizes) != 6 or min(sizes) < 0:
            what = f"before={self.before} after={self.after} inside={self.inside}"
            raise LutraError(f"padding {what} is not two counts each")
        shape = (*self._planes(*x.shape[:2]), x.channels)
        return Tensor(shape, self._range(x.range) if shape != x.shape else x.range)

    def _planes(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the output."""
        (top, left), (bottom, right), (rows, columns) = self.before, self.after, self.inside
        return top + height + (height - 1) * rows + bottom, left + width + (width - 1) * columns + right

    def _range(self, x: Range) -> Range:
        """The output's range where something is filled in."""
        step = gcd(x.step, self.value - x.lo) if x.step > 1 else 1
        return Range(min(x.lo, self.value), max(x.hi, self.value), step)

    def evaluate(self, *args: Array) -> Array:
        """A full plane, into which the frame is put."""
        (x,) = args
        kind = np.result_type(x.dtype, np.min_scalar_type(self.value))
        y = np.full((len(x), *self._planes(*x.shape[1:3]), x.shape[3]), self.value, kind)
        self._inner(y)[:] = x
        return y

    def _inner(self, y: Array) -> Array:
        """Of arrays (N, rows, columns, channels) of the output, the part that is the frame itself."""
        (top, left), (bottom, right), (rows, columns) = self.before, self.after, self.inside
        return y[:, top : y.shape[1] - bottom : rows + 1, left : y.shape[2] - right : columns + 1]

    def folds(self, x: Tensor) -> tuple[Fold, ...]:
        """Every divisor of the channels."""
        return tuple(Fold(pe=d, simd=d) for d in divisors(x.channels))

    def lanes(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        """`fold.simd` both in and out."""
        check_fold("simd", fold.simd, x.channels, "channels")
        return fold.simd, fold.simd

    def loop(self, fold: Fold, x: Tensor) -> Loop:
        """A slot for each output word; those of the frame itself take one."""
        takes = np.zeros((1, *self._planes(*x.shape[:2]), x.channels // self.lanes(fold, x)[0]), np.int64)
        self._inner(takes)[:] = 1
        reads = np.cumsum(takes)
        return Loop(len(reads), reads, np.arange(len(reads)), 1)

    def times(
        self, fold: Fold, x: Tensor, arrivals: Array, release: Array | None = None
    ) -> tuple[Array, Array]:
        """As a flat loop, but a frame's first slot waits for its first word even where that slot does not take it."""
        loop = self.loop(fold, x)
        words = int(loop.reads[-1])
        frame = np.arange(len(arrivals) // words)[:, None]
        known = arrivals[(np.maximum(loop.reads, 1) + words * frame).reshape(-1) - 1]
        if release is not None:
            known = np.maximum(known, release - loop.latency)
        start = one_a_cycle(known)
        taken = (np.diff(loop.reads, prepend=0) > 0) & (frame >= 0)
        return start[taken.reshape(-1)], start + loop.latency

    def cycles(self, fold: Fold, x: Tensor) -> int:
        """One an output word."""
        return self.infer(x).size // self.lanes(fold, x)[0]

    def _codes(self, tensor: Tensor) -> tuple[int, int, int]:
        """mul, add, border: output code = add + mul * (x's code, sign extended), modulo 2**bits; the border's code."""
        x, y = tensor.range, self.infer(tensor).range
        mul, add = (1, 0) if x.step == 1 else (x.step // y.step, (x.lo - (y.lo if y.step > 1 else 0)) // y.step)
        border = int(y.encode(np.array(self.value))) if y.holds(np.array([self.value])) else 0
        return mul, add & ((1 << y.bits) - 1), border

    def block(self, fold: Fold, x: Tensor) -> Block:
        """`lutra_pad`."""
        lanes, y = self.lanes(fold, x)[0], self.infer(x)
        if y.range.bits > 31:
            raise LutraError(f"padding of {y.range.bits} bits", hint="at most 31")
        mul, add, border = self._codes(x)
        params: dict[str, Param] = {
            "IN_BITS": x.range.bits, "IN_SIGNED": int(x.range.signed), "OUT_BITS": y.range.bits,
            "MUL": mul, "ADD": add, "BORDER": border,
            "LANES": lanes, "WORDS": x.channels // lanes, "HEIGHT": x.shape[0], "COLUMNS": x.shape[1],
            "TOP": self.before[0], "LEFT": self.before[1], "BOTTOM": self.after[0], "RIGHT": self.after[1],
            "ROW_GAP": self.inside[0], "COLUMN_GAP": self.inside[1]}
        return Block("lutra_pad", params, inputs=(lanes * x.range.bits,), outputs=(lanes * y.range.bits,))

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """The register slice, the border's multiplexer, codes that change, counters."""
        lanes, y = self.lanes(fold, x)[0], self.infer(x)
        mul, add, border = self._codes(x)
        width = lanes * y.range.bits
        adder = x.range.bits > 1 and (mul, add) != (1, 0)
        sizes = (x.channels // lanes, y.shape[0], y.shape[1], *self.inside)
        return {"one": 1.0, "slice": float(width), "lut.ones": float(lanes * border.bit_count()),
                "lut.recode": float(width * adder), "counter": float(sum(s.bit_length() for s in sizes))}

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """From `features`, by coefficients fitted to synthesis."""
        return estimate(family, "pad", self.features(fold, x, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Borders on any side or none, gaps or none, values inside and outside the range."""
        from hypothesis import strategies as st

        from lutra.ops.samples import planes

        sides = st.tuples(st.integers(0, 3), st.integers(0, 3))
        gaps = st.one_of(st.just((0, 0)), st.tuples(st.integers(0, 3), st.integers(0, 3)))
        return st.builds(lambda x, b, a, v, i: Node(cls(b, a, v, i), (x,)), planes(), sides, sides,
                         st.one_of(st.sampled_from((0, 1, -1)), st.integers(-140, 140)), gaps)
