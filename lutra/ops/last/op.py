"""Last: the last column of a sequence, as classifiers of whole sequences read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lutra.hw.netlist import Block
from lutra.ir import Array, Node, Tensor
from lutra.ops.base import Cost, Fold, Loop
from lutra.ops.cost import estimate
from lutra.ops.events import events
from lutra.ops.sequence import Passing, behind_slice

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Last(Passing):
    """(T, ..., C), lengths -> (1, ..., C): the column before a sequence's end. `fold.pe` channels a word."""

    ragged = False

    def columns(self, x: Array, lengths: Array) -> Array:
        """One."""
        return np.ones_like(lengths)

    def certain(self, lengths: Array, columns: int) -> Array:
        """All of one."""
        return np.full_like(lengths, columns)

    def infer(self, *args: Tensor) -> Tensor:
        """One column."""
        x = self.check_sequence(args)
        self.check_single(args[1])
        return Tensor((1, *x.shape[1:]), x.range)

    def evaluate(self, *args: Array) -> Array:
        """In 64 bits."""
        x, lengths = args[0].astype(np.int64), args[1].astype(np.int64)
        return np.take_along_axis(x, lengths.reshape(-1, *(1,) * (x.ndim - 1)) - 1, axis=1)

    def loop(self, fold: Fold, xs: tuple[Tensor, ...]) -> Loop:
        """A word in each slot, out in those of the last column."""
        words = np.arange(self.cycles(fold, xs))
        return Loop(len(words), np.stack([words + 1, np.ones_like(words)]), words[-len(words) // xs[0].shape[0] :], 1)

    def times(self, fold: Fold, xs: tuple[Tensor, ...], arrivals: tuple[Array, ...], release: Array | None = None,
              ) -> tuple[tuple[Array, ...], Array]:
        """See `Unit.times`."""
        return behind_slice(events(self.loop(fold, xs)), arrivals, release)

    def block(self, fold: Fold, xs: tuple[Tensor, ...]) -> Block:
        """`lutra_last`."""
        x, lengths = xs
        width = self.lanes(fold, xs)[1] * x.range.bits
        params = {"WIDTH": width, "WORDS": x.size // x.shape[0] // fold.pe, "COLUMNS": x.shape[0],
                  "LBITS": lengths.range.bits}
        return Block("lutra_last", params, {}, (width, lengths.range.bits), (width,))

    def features(self, fold: Fold, xs: tuple[Tensor, ...], family: str) -> dict[str, float]:
        """Bits of the register slice, of lengths, of the counters of words and columns."""
        x, lengths = xs
        words = x.size // x.shape[0] // fold.pe
        return {"unit": 1.0, "slice": float(fold.pe * x.range.bits), "length": float(lengths.range.bits),
                "column": float(x.shape[0].bit_length()), "count": float(words.bit_length())}

    def cost(self, fold: Fold, xs: tuple[Tensor, ...], family: str) -> Cost:
        """As fitted to synthesis."""
        return estimate(family, self.kind, self.features(fold, xs, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Of one axis beside time, and two."""
        from hypothesis import strategies as st

        from lutra.ops.samples import sequences

        some = st.sampled_from(((), (), (2,), (3,))).flatmap(lambda axes: sequences((1, 2, 3, 6), axes))
        return some.map(lambda xs: Node(cls(), xs))
