"""Mark: a sequence that says where it ends, for outputs of a design."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lutra.hw.netlist import Block
from lutra.ir import Array, Node, Tensor
from lutra.ops.base import Cost, Fold, Loop
from lutra.ops.cost import estimate
from lutra.ops.events import events
from lutra.ops.sequence import Passing, behind_slice, cleared, single

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Mark(Passing):
    """(B T, ..., C), lengths (B,) -> the same, with `blank` behind each sequence's end. `fold.pe` channels a word."""

    blank: int = 0

    def infer(self, *args: Tensor) -> Tensor:
        """The same."""
        x = self.check_sequence(args)
        self.check_blank(self.blank, x.range)
        return Tensor(x.shape, x.range)

    def evaluate(self, *args: Array) -> Array:
        """In 64 bits."""
        return cleared(args[0].astype(np.int64), args[1], self.blank)

    def loop(self, fold: Fold, xs: tuple[Tensor, ...]) -> Loop:
        """A word in and out in each slot."""
        words = np.arange(self.cycles(fold, xs))
        return Loop(len(words), np.stack([words + 1, words * xs[1].size // len(words) + 1]), words, 1)

    def times(self, fold: Fold, xs: tuple[Tensor, ...], arrivals: tuple[Array, ...], release: Array | None = None,
              ) -> tuple[tuple[Array, ...], Array]:
        """See `Unit.times`."""
        return behind_slice(events(self.loop(fold, single(xs))), arrivals, release)

    def block(self, fold: Fold, xs: tuple[Tensor, ...]) -> Block:
        """`lutra_mark`."""
        x, lengths = xs
        width = self.lanes(fold, xs)[1] * x.range.bits
        params = {"WIDTH": width, "WORDS": x.size // x.shape[0] // fold.pe, "LBITS": lengths.range.bits}
        return Block("lutra_mark", params, {}, (width, lengths.range.bits), (width,), last=True)

    def features(self, fold: Fold, xs: tuple[Tensor, ...], family: str) -> dict[str, float]:
        """Bits of the register slice, of lengths, of the counter."""
        x, lengths = xs
        words = x.size // x.shape[0] // fold.pe
        return {"unit": 1.0, "slice": float(fold.pe * x.range.bits), "length": float(lengths.range.bits),
                "count": float(words.bit_length())}

    def cost(self, fold: Fold, xs: tuple[Tensor, ...], family: str) -> Cost:
        """As fitted to synthesis."""
        return estimate(family, self.kind, self.features(fold, xs, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Of one axis beside time, and two; of one sequence, and several."""
        from hypothesis import strategies as st

        from lutra.ops.samples import groups, sequences

        alone = st.sampled_from(((), (), (2,), (3,))).flatmap(lambda axes: sequences((1, 2, 3, 6), axes))
        some = st.one_of(alone, st.sampled_from((2, 3)).flatmap(lambda count: groups((1, 2, 3, 6), count)))
        return some.map(lambda xs: Node(cls(xs[0].out.range.hi), xs))
