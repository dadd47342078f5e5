"""Turn, Unturn: the two directions in which a bidirectional cell takes a sequence, and one sequence again.

One engine works for both directions in turn: V. Rybalkin et al., "FINN-L" (arXiv 1807.04093), section 4. There the
output layer's scores are summed in a memory by column; here its columns are put together before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Node, Tensor
from lutra.ops.sequence import cleared
from lutra.ops.turn.buffer import Buffer

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Turn(Buffer):
    """(T, C), lengths -> (T, 2, C): column t, and column L - 1 - t of a sequence of length L. blank: what is behind its
    end in `evaluate`.
    """

    blank: int = 0

    UNTURN = 0

    def infer(self, *args: Tensor) -> Tensor:
        """The same range."""
        x = self.check_sequence(args, 2)
        self.check_blank(self.blank, x.range)
        return Tensor((x.shape[0], 2, x.shape[1]), x.range)

    def evaluate(self, *args: Array) -> Array:
        """Stacked, in 64 bits."""
        x, lengths = args
        return cleared(np.stack([x, backwards(x, lengths)], axis=2).astype(np.int64), lengths, self.blank)

    def channels(self, xs: tuple[Tensor, ...]) -> int:
        """C."""
        return xs[0].shape[1]

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Few columns and more, of one channel and more."""
        from lutra.ops.samples import sequences

        return sequences((1, 2, 3, 6)).map(lambda xs: Node(cls(xs[0].out.range.lo), xs))


@dataclass(frozen=True)
class Unturn(Buffer):
    """(T, 2, C), lengths -> (T, 2 C): what a cell made of each column forwards, then backwards: the second C channels
    of column t are those at L - 1 - t. blank: what is behind a sequence's end in `evaluate`.
    """

    blank: int = 0

    UNTURN = 1

    def infer(self, *args: Tensor) -> Tensor:
        """The same range."""
        x = self.check_sequence(args, 3)
        self.check_blank(self.blank, x.range)
        if x.shape[1] != 2:
            raise LutraError(f"{x.shape[1]} directions", hint="two, as of Turn")
        return Tensor((x.shape[0], 2 * x.shape[2]), x.range)

    def evaluate(self, *args: Array) -> Array:
        """Put together, in 64 bits."""
        x, lengths = args
        y = np.concatenate([x[:, :, 0], backwards(x[:, :, 1], lengths)], axis=-1)
        return cleared(y.astype(np.int64), lengths, self.blank)

    def channels(self, xs: tuple[Tensor, ...]) -> int:
        """C."""
        return xs[0].shape[2]

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Few columns and more, of one channel and more."""
        from lutra.ops.samples import sequences

        return sequences((1, 2, 3, 6), (2,)).map(lambda xs: Node(cls(xs[0].out.range.lo), xs))


def backwards(x: Array, lengths: Array) -> Array:
    """Sequences (N, T, C) from their last column on; behind their ends anything of them."""
    places = np.maximum(lengths.astype(np.int64) - 1 - np.arange(x.shape[1]), 0)
    return np.take_along_axis(x, places[..., None], axis=1)
