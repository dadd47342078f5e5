"""Width: the same stream in words of another size."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from lutra.hw.netlist import Block
from lutra.ir import Node, Tensor
from lutra.ops.base import Cost, Fold, Loop, check_fold, divisors
from lutra.ops.cost import estimate
from lutra.ops.passing import Passing

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Width(Passing):
    """`fold.simd` elements a word in, `fold.pe` out, of any ratio. The end with the narrower words moves in every
    cycle.
    """

    def folds(self, x: Tensor) -> tuple[Fold, ...]:
        """Every pair of divisors of the frame."""
        pairs = [Fold(p, q) for p in divisors(x.size) for q in divisors(x.size)]
        return tuple(sorted(pairs, key=lambda f: (f.pe + f.simd, f.pe)))

    def lanes(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        """`fold.simd` in, `fold.pe` out. LutraError where they do not divide the frame."""
        check_fold("simd", fold.simd, x.size, "elements of a frame")
        check_fold("pe", fold.pe, x.size, "elements of a frame")
        return fold.simd, fold.pe

    def loop(self, fold: Fold, x: Tensor) -> Loop:
        """A slot for each word of the narrower side; one of the wider side is taken when those held do not fill a
        narrower one, or given when those held fill a wider one.
        """
        taken, given = self.lanes(fold, x)
        slots = np.arange(1, self.cycles(fold, x) + 1)
        if taken > given:
            return Loop(len(slots), -(-slots * given // taken), slots - 1, 1)
        words = np.arange(1, x.size // given + 1)
        return Loop(len(slots), slots, -(-words * given // taken) - 1, 1)

    def cycles(self, fold: Fold, x: Tensor) -> int:
        """Words of the narrower side."""
        return x.size // min(self.lanes(fold, x))

    def block(self, fold: Fold, x: Tensor) -> Block:
        """`lutra_width`."""
        (taken, given), bits = self.lanes(fold, x), x.range.bits
        params = {"BITS": bits, "IN_LANES": taken, "OUT_LANES": given}
        return Block("lutra_width", params, inputs=(taken * bits,), outputs=(given * bits,))

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """Registers of each of the four forms, and the shifter of the general one."""
        (taken, given), bits = self.lanes(fold, x), x.range.bits
        if taken == given:
            return {"one": 1.0, "ff.same": 2.0 * given * bits, "lut.same": float(given * bits)}
        ratio = max(taken, given) // min(taken, given)
        if given % taken == 0:
            return {"one": 1.0, "ff.up": float((2 * given - taken) * bits), "counter": float(ratio.bit_length())}
        if taken % given == 0:
            return {"one": 1.0, "counter": float(ratio.bit_length()), "ff.down": float((taken + given) * bits),
                    "lut.down": float(taken * bits)}
        wide, places = max(2 * taken, taken + given) * bits, min(taken, given) // gcd(taken, given)
        return {"one": 1.0, "ff.gear": float((max(taken, given) + 2 * given) * bits), "lut.gear": float(wide * places),
                "lut.gear_out": float(given * bits)}

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """From `features`, by coefficients fitted to synthesis."""
        return estimate(family, "width", self.features(fold, x, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Frames of many divisors, for ratios up, down and in between."""
        from lutra.ops.samples import inputs

        return inputs((1, 2, 6, 12, 30), bits=5).map(lambda x: Node(cls(), (x,)))
