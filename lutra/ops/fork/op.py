"""Fork: the same stream, given to several."""

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

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Fork(Passing):
    """The same stream, `sinks` times, in words of `fold.pe` elements: planning puts it behind a value with several
    users. A word stands at all outputs at once, and goes when the last sink has taken it; a word a cycle.
    """

    sinks: int

    def infer(self, *args: Tensor) -> Tensor:
        """The argument's own type."""
        if self.sinks < 2:
            raise LutraError(f"a fork to {self.sinks} sinks", hint="at least 2")
        return super().infer(*args)

    def loop(self, fold: Fold, x: Tensor) -> Loop:
        """A word in and out a slot."""
        slots = self.cycles(fold, x)
        return Loop(slots, np.arange(1, slots + 1), np.arange(slots), 1)

    def cycles(self, fold: Fold, x: Tensor) -> int:
        """One a word."""
        return x.size // self.lanes(fold, x)[0]

    def block(self, fold: Fold, x: Tensor) -> Block:
        """`lutra_fork`."""
        width = self.lanes(fold, x)[0] * x.range.bits
        params = {"WIDTH": width, "SINKS": self.sinks}
        return Block("lutra_fork", params, inputs=(width,), outputs=(width,) * self.sinks, packed=True)

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """Two words of registers, the choice between them, and what each sink has still to take."""
        width = self.lanes(fold, x)[0] * x.range.bits
        return {"one": 1.0, "sink": float(self.sinks), "ff.slice": 2.0 * width, "lut.slice": float(width)}

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """From `features`, by coefficients fitted to synthesis."""
        return estimate(family, "fork", self.features(fold, x, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Two sinks and more, words of every width."""
        from hypothesis import strategies as st

        from lutra.ops.samples import inputs

        return st.builds(lambda x, n: Node(cls(n), (x,)), inputs((1, 2, 6, 10)), st.sampled_from((2, 3, 5)))
