"""Window: each output pixel's input pixels side by side (im2col), from a circular buffer of rows.

What FINN-R (Blott et al., TRETS 2018, section 4.2) calls the sliding-window unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block, Param
from lutra.ir import Array, Node, Tensor
from lutra.ops.base import Cost, Fold, Loop, Unit, check_fold, divisors
from lutra.ops.cost import estimate
from lutra.ops.events import one_a_cycle
from lutra.ops.rom import in_block, lut_ram, sliced
from lutra.ops.window.schedule import Rows, fitted

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

SHORT = 8  # elements of a row of taps, below which copying tap by tap is faster


@dataclass(frozen=True)
class Window(Unit):
    """(H, W, C) -> (OH, OW, KH * KW * C), order (kh, kw, c): y[i, j] holds x[i * stride + kh * dilation, ...].

    taps: the kernel's rows and columns (KH, KW).

    `fold.simd` channels a word; `fold.ram` says where the row buffer lies. Padding is an operator of its own.
    """

    taps: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)

    def infer(self, *args: Tensor) -> Tensor:
        """Output rows and columns where the whole window lies in the frame."""
        (x,) = args
        if len(x.shape) != 3:
            raise LutraError(f"a window over shape {x.shape}", hint="(rows, columns, channels)")
        fields = (*self.taps, *self.stride, *self.dilation)
        if len(fields) != 6 or min(fields) < 1:
            raise LutraError(f"taps={self.taps} stride={self.stride} dilation={self.dilation} is no window")
        if self.reach[0] > x.shape[0] or self.reach[1] > x.shape[1]:
            raise LutraError(f"a window of {self.reach[0]}x{self.reach[1]} in a frame of {x.shape[0]}x{x.shape[1]}",
                             hint="pad the frame first")
        rows, columns = ((n - r) // s + 1 for n, r, s in zip(x.shape, self.reach, self.stride, strict=False))
        return Tensor((rows, columns, self.taps[0] * self.taps[1] * x.channels), x.range)

    @property
    def reach(self) -> tuple[int, int]:
        """Rows and columns from a window's first pixel to its last, both included."""
        (kh, kw), (dh, dw) = self.taps, self.dilation
        return (kh - 1) * dh + 1, (kw - 1) * dw + 1

    def evaluate(self, *args: Array) -> Array:
        """One copy of a view in which elements of several windows lie several times."""
        (x,) = args
        view = self._windows(x)
        if self.taps[1] * x.shape[-1] < SHORT:
            y = np.empty(view.shape, x.dtype)
            for i, j in np.ndindex(self.taps):
                y[:, :, :, i, j] = view[:, :, :, i, j]
            view = y
        return view.reshape(*view.shape[:3], -1)

    def _windows(self, x: Array) -> Array:
        """A view (N, OH, OW, KH, KW, C) of x (N, H, W, C)."""
        frames, height, width, channels = x.shape
        (sh, sw), (dh, dw) = self.stride, self.dilation
        rows, columns = (height - self.reach[0]) // sh + 1, (width - self.reach[1]) // sw + 1
        n, h, w, c = x.strides
        shape, strides = (frames, rows, columns, *self.taps, channels), (n, h * sh, w * sw, h * dh, w * dw, c)
        return np.lib.stride_tricks.as_strided(x, shape, strides, writeable=False)

    def folds(self, x: Tensor) -> tuple[Fold, ...]:
        """Every divisor of the channels."""
        return tuple(Fold(pe=d, simd=d) for d in divisors(x.channels))

    def lanes(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        """`fold.simd` both in and out."""
        check_fold("simd", fold.simd, x.channels, "channels")
        return fold.simd, fold.simd

    def rows(self, fold: Fold, x: Tensor) -> tuple[Rows, int]:
        """The schedule with its buffer, and its interval."""
        words, y = x.channels // self.lanes(fold, x)[0], self.infer(x)
        read = y.shape[1] * self.taps[0] * self.taps[1] * words
        stride = self.stride[0] if y.shape[0] > 1 else 1
        return fitted(Rows(x.shape[0], y.shape[0], self.reach[0], stride, x.shape[1] * words, read))

    def loop(self, fold: Fold, x: Tensor) -> Loop:
        """There is none: see `times` and `cycles`."""
        raise AssertionError("a window is two coupled loops, which no flat loop describes")

    def cycles(self, fold: Fold, x: Tensor) -> int:
        """The slower of writing and reading, and what one has to wait for the other."""
        return self.rows(fold, x)[1]

    def times(
        self, fold: Fold, x: Tensor, arrivals: Array, release: Array | None = None
    ) -> tuple[Array, Array]:
        """Row by row, see `schedule`."""
        rows, _ = self.rows(fold, x)
        latency = self._latency(fold, x)
        taken: list[Array] = []
        there: list[Array] = []
        arrived = arrivals.reshape(-1, rows.write)
        bounds = None if release is None else release.reshape(-1, rows.read) - latency

        def write(_: int, earliest: int) -> int:
            taken.append(one_a_cycle(np.maximum(arrived[len(taken)], earliest)))
            return int(taken[-1][-1])

        def read(start: int) -> int:
            bound = np.full(rows.read, start) if bounds is None else np.maximum(bounds[len(there)], start)
            there.append(one_a_cycle(bound))
            return int(there[-1][-1])

        state = rows.reset
        for _ in range(len(arrived) // rows.height):
            state = rows.frame(state, write, read)
        return np.concatenate(taken), np.concatenate(there) + latency

    def _memory(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        """Words and bits of a word of the row buffer."""
        rows, _ = self.rows(fold, x)
        return rows.slots * rows.write, fold.simd * x.range.bits

    def _latency(self, fold: Fold, x: Tensor) -> int:
        return 3 if in_block(fold, *self._memory(fold, x)) else 2

    def block(self, fold: Fold, x: Tensor) -> Block:
        """`lutra_window`."""
        (rows, _), y = self.rows(fold, x), self.infer(x)
        depth, width = self._memory(fold, x)
        params: dict[str, Param] = {
            "WIDTH": width, "WORDS": x.channels // fold.simd, "ROW": rows.write, "ROWS": rows.slots, "NEED": rows.need,
            "FREE": rows.stride, "FREE_LAST": rows.at_end, "DEBT": rows.debt, "KH": self.taps[0], "KW": self.taps[1],
            "OUT_ROWS": y.shape[0], "OUT_COLUMNS": y.shape[1], "BLOCK": int(in_block(fold, depth, width))}
        return Block("lutra_window", params | self._steps(rows, y, x.channels // fold.simd), inputs=(width,),
                     outputs=(width,))

    def _steps(self, rows: Rows, y: Tensor, words: int) -> dict[str, Param]:
        """Distances in the buffer from the last word of a round of the inner loops to the first of the next."""
        back_kw = words - 1
        back_kh = back_kw + (self.taps[1] - 1) * self.dilation[1] * words
        back_column = back_kh + (self.taps[0] - 1) * self.dilation[0] * rows.write
        back_row = back_column + (y.shape[1] - 1) * self.stride[1] * words
        steps = {"STEP_KW": self.dilation[1] * words - back_kw, "STEP_KH": self.dilation[0] * rows.write - back_kh,
                 "STEP_COLUMN": self.stride[1] * words - back_column, "STEP_ROW": rows.stride * rows.write - back_row,
                 "STEP_FRAME": rows.at_end * rows.write - back_row}
        return {k: v % (rows.slots * rows.write) for k, v in steps.items()}

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """The memory, the addresses, the loops' counters."""
        depth, width = self._memory(fold, x)
        y, address = self.infer(x), float((depth - 1).bit_length())
        counts = (x.channels // fold.simd, *self.taps, *y.shape[:2], self.rows(fold, x)[0].write)
        common = {"one": 1.0, "address": address, "counter": float(sum((n - 1).bit_length() for n in counts))}
        if in_block(fold, depth, width):
            return common | {"ff.block_out": float(width), "bram": float(sliced(depth, width))}
        return common | {"ff.out": float(width)} | lut_ram(depth, width, family)

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """From `features`, by coefficients fitted to synthesis."""
        return estimate(family, "window", self.features(fold, x, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Frames of one row and more; every stride and dilation, windows as large as the frame among them."""
        from hypothesis import strategies as st

        from lutra.ops.samples import planes

        @st.composite
        def slid(draw: st.DrawFn) -> Node:
            x = draw(planes())
            rows, columns = x.out.shape[:2]
            taps = draw(st.integers(1, min(rows, 4))), draw(st.integers(1, min(columns, 4)))
            room = [max(1, min(3, (n - 1) // max(k - 1, 1))) for n, k in ((rows, taps[0]), (columns, taps[1]))]
            dilation = draw(st.integers(1, room[0])), draw(st.integers(1, room[1]))
            return Node(cls(taps, draw(st.tuples(st.integers(1, 3), st.integers(1, 3))), dilation), (x,))

        return slid()
