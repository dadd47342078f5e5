"""Fifo: a stream that can hold words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block
from lutra.ir import Node, Tensor
from lutra.ops.base import Cost, Fold, Loop
from lutra.ops.cost import estimate
from lutra.ops.passing import Passing
from lutra.ops.rom import in_block, lut_ram, sliced

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Fifo(Passing):
    """The same stream; holds `depth` words of `fold.pe` elements, the one at its output among them. `fold.ram` says
    where. A word a cycle for depth >= 2, every other cycle for depth 1.
    """

    depth: int

    def infer(self, *args: Tensor) -> Tensor:
        """The argument's own type."""
        if self.depth < 1:
            raise LutraError(f"a FIFO of depth {self.depth} holds nothing", hint="at least 1")
        return super().infer(*args)

    def in_block(self, fold: Fold, x: Tensor) -> bool:
        """Whether the words lie in block RAM."""
        return self.depth > 3 and in_block(fold, self.depth, fold.pe * x.range.bits)

    def loop(self, fold: Fold, x: Tensor) -> Loop:
        """A word in and out a slot; with depth 1 the slot after it is lost."""
        slots, each = self.cycles(fold, x), 2 if self.depth == 1 else 1
        return Loop(slots, np.arange(slots) // each + 1, np.arange(0, slots, each), self.latency(fold, x))

    def latency(self, fold: Fold, x: Tensor) -> int:
        """Cycles that a word takes through it when it is empty."""
        return 1 if self.depth <= 2 else 3 if self.in_block(fold, x) else 2

    def cycles(self, fold: Fold, x: Tensor) -> int:
        """One a word; two for depth 1."""
        return x.size // self.lanes(fold, x)[0] * (2 if self.depth == 1 else 1)

    def block(self, fold: Fold, x: Tensor) -> Block:
        """`lutra_fifo`."""
        width = self.lanes(fold, x)[0] * x.range.bits
        params = {"WIDTH": width, "DEPTH": self.depth, "BLOCK": int(self.in_block(fold, x))}
        return Block("lutra_fifo", params, inputs=(width,), outputs=(width,))

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """Registers, counters, and the memory as LUT RAM words of each bit or as block RAMs."""
        width = self.lanes(fold, x)[0] * x.range.bits
        if self.depth <= 2:
            return {"one": 1.0, "ff.slice": float(width * self.depth), "lut.slice": float(width * (self.depth - 1))}
        counters = {"one": 1.0, "counter": float(self.depth.bit_length())}
        if self.in_block(fold, x):
            return counters | {"ff.block_out": float(width), "bram": float(sliced(self.depth, width))}
        return counters | {"ff.out": float(width)} | lut_ram(self.depth - 1, width, family)

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """From `features`, by coefficients fitted to synthesis."""
        return estimate(family, "fifo", self.features(fold, x, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Every way of building it: depths 1, 2, and more in LUT RAM; deep and wide enough for block RAM."""
        from hypothesis import strategies as st

        from lutra.ops.samples import inputs

        depths = st.sampled_from((1, 2, 3, 4, 5, 7, 16, 33, 600))
        return st.builds(lambda x, d: Node(cls(d), (x,)), inputs((1, 2, 6, 10)), depths)
