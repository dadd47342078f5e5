"""MaxReduce: the largest of a window, for each channel. With Window before it, max-pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block
from lutra.ir import Array, Node, Tensor
from lutra.ops.base import Cost, Fold, Loop, Unit, check_fold, divisors
from lutra.ops.cost import estimate
from lutra.ops.rom import lut_ram

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class MaxReduce(Unit):
    """(..., window * C), order (window, C) -> (..., C): y[..., c] = max over k of x[..., k, c]. Codes are compared,
    which is the order of values.
    """

    window: int

    def infer(self, *args: Tensor) -> Tensor:
        """A window-th of the channels, the same range."""
        (x,) = args
        if self.window < 1 or x.channels % self.window:
            raise LutraError(f"{x.channels} channels are not {self.window} pixels of a window")
        return Tensor((*x.shape[:-1], x.channels // self.window), x.range)

    def evaluate(self, *args: Array) -> Array:
        """The maximum over the window's axis."""
        (x,) = args
        y: Array = x.reshape(*x.shape[:-1], self.window, -1).max(axis=-2)
        return y

    def folds(self, x: Tensor) -> tuple[Fold, ...]:
        """Every divisor of the output's channels."""
        return tuple(Fold(pe=d, simd=d) for d in divisors(x.channels // self.window))

    def lanes(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        """`fold.simd` both in and out."""
        check_fold("simd", fold.simd, x.channels // self.window, "channels")
        return fold.simd, fold.simd

    def loop(self, fold: Fold, x: Tensor) -> Loop:
        """A slot for each input word; those of a window's last pixel give one."""
        slots = self.cycles(fold, x)
        words = x.channels // self.window // fold.simd
        writes = np.arange(slots).reshape(x.pixels, self.window, words)[:, -1].reshape(-1)
        return Loop(slots, np.arange(1, slots + 1), writes, 1)

    def cycles(self, fold: Fold, x: Tensor) -> int:
        """One an input word."""
        return x.size // self.lanes(fold, x)[0]

    def block(self, fold: Fold, x: Tensor) -> Block:
        """`lutra_maxreduce`."""
        lanes, bits = self.lanes(fold, x)[0], x.range.bits
        params = {"BITS": bits, "SIGNED": int(x.range.signed), "LANES": lanes,
                  "WORDS": x.channels // self.window // lanes, "WINDOW": self.window}
        return Block("lutra_maxreduce", params, inputs=(lanes * bits,), outputs=(lanes * bits,))

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """Comparators, the register slice, what was largest so far (register or LUT RAM), counters."""
        lanes = self.lanes(fold, x)[0]
        width, words = lanes * x.range.bits, x.channels // self.window // lanes
        memory = lut_ram(words, width, family) if words > 1 else {"one_word": float(width)}
        return memory | {"one": 1.0, "slice": float(width), "lut.compare": float(width), "lanes": float(lanes),
                         "counter": float(self.window.bit_length() + words.bit_length())}

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """From `features`, by coefficients fitted to synthesis."""
        return estimate(family, "maxreduce", self.features(fold, x, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Windows of one pixel and more, of one word and more."""
        from hypothesis import strategies as st

        from lutra.ops.samples import inputs

        def pool(window: int) -> SearchStrategy[Node]:
            channels = tuple(window * c for c in (1, 2, 3, 4, 6))
            return inputs(channels).map(lambda x: Node(cls(window), (x,)))

        return st.sampled_from((1, 2, 3, 4, 9)).flatmap(pool)
