"""Turn, Unturn: the order in which a recurrent cell takes sequences, both directions or a group, and theirs again.

One engine works for both directions in turn: V. Rybalkin et al., "FINN-L" (arXiv 1807.04093), section 4. There the
output layer's scores are summed in a memory by column; here its columns are put together before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Param
from lutra.ir import Array, Node, Tensor
from lutra.ops.sequence import cleared
from lutra.ops.turn.buffer import Buffer

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Turn(Buffer):
    """A group of B sequences (B T, C), lengths (B,) -> (T, B D, C), as many columns as the longest has: of each in turn
    column t, and if D = `directions` is 2 behind it column L - 1 - t of its L. blank: what is behind its end there.
    """

    blank: int = 0
    directions: int = 2

    UNTURN = 0

    def parts(self, lengths: Tensor) -> tuple[int, int]:
        """B, one."""
        return lengths.size, 1

    def columns(self, x: Array, lengths: Array) -> Array:
        """Those of the longest."""
        return longest(lengths)

    def infer(self, *args: Tensor) -> Tensor:
        """The same range."""
        x = self.check_sequence(args, 2)
        self.check_blank(self.blank, x.range)
        sequences = args[1].size
        self.check_directions(self.directions, sequences)
        return Tensor((x.shape[0] // sequences, sequences * self.directions, x.shape[1]), x.range)

    def evaluate(self, *args: Array) -> Array:
        """Stacked, in 64 bits."""
        x, lengths = args
        x = x.reshape(len(x), lengths.shape[1], -1, x.shape[-1])
        ways = (x, backwards(x, lengths))[: self.directions]
        each = cleared_each(np.stack(ways, axis=3).astype(np.int64), lengths, self.blank)
        return each.transpose(0, 2, 1, 3, 4).reshape(len(x), x.shape[2], -1, x.shape[3])

    def directions_of(self, xs: tuple[Tensor, ...]) -> int:
        """D."""
        return self.directions

    def blank_params(self, x: Tensor) -> dict[str, Param]:
        """Bits of an element, and the code."""
        return {"BITS": x.range.bits, "BLANK": int(x.range.encode(np.array([self.blank]))[0])}

    def channels(self, xs: tuple[Tensor, ...]) -> int:
        """C."""
        return xs[0].shape[1]

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Few columns and more, of one channel and more, of one sequence and more."""
        from hypothesis import strategies as st

        from lutra.ops.samples import groups

        ways = st.sampled_from(((1, 2), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2), (4, 1)))
        return ways.flatmap(lambda way: groups((1, 2, 3, 6), way[0]).map(
            lambda xs: Node(cls(xs[0].out.range.lo, way[1]), xs)))


@dataclass(frozen=True)
class Unturn(Buffer):
    """(T, B D, C), lengths (B,) -> (B T, D C), D one or two: what a cell made of each column of a group of B sequences,
    one after the other. The second C channels of column t are those at L - 1 - t. blank: what is behind a sequence's
    end in `evaluate`.
    """

    blank: int = 0

    UNTURN = 1

    def parts(self, lengths: Tensor) -> tuple[int, int]:
        """One, B."""
        return 1, lengths.size

    def read(self, lengths: Array) -> Array:
        """Those of the longest."""
        return longest(lengths)

    def infer(self, *args: Tensor) -> Tensor:
        """The same range."""
        x = self.check_sequence(args, 3)
        self.check_blank(self.blank, x.range)
        sequences = args[1].size
        directions = self.directions_of(args)
        if x.shape[1] != sequences * directions:
            raise LutraError(f"{x.shape[1]} directions of {sequences} sequences", hint="one or two of each, as of Turn")
        self.check_directions(directions, sequences)
        return Tensor((sequences * x.shape[0], directions * x.shape[2]), x.range)

    def evaluate(self, *args: Array) -> Array:
        """Put together, in 64 bits."""
        x, lengths = args
        frames, columns, _, channels = x.shape
        x = x.reshape(frames, columns, lengths.shape[1], -1, channels).transpose(0, 2, 1, 3, 4)
        ways = (x[..., 0, :], *(backwards(x[..., d, :], lengths) for d in range(1, x.shape[3])))
        y = np.concatenate(ways, axis=-1).reshape(frames, -1, len(ways) * channels)
        return cleared(y.astype(np.int64), lengths, self.blank)

    def directions_of(self, xs: tuple[Tensor, ...]) -> int:
        """D."""
        return xs[0].shape[1] // xs[1].size

    def channels(self, xs: tuple[Tensor, ...]) -> int:
        """C."""
        return xs[0].shape[2]

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Few columns and more, of one channel and more, of one sequence and more."""
        from hypothesis import strategies as st

        from lutra.ops.samples import groups

        ways = st.sampled_from(((1, 2), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2), (4, 1)))
        return ways.flatmap(lambda way: groups((1, 2, 3, 6), way[0], way[0] * way[1]).map(
            lambda xs: Node(cls(xs[0].out.range.lo), xs)))


def longest(lengths: Array) -> Array:
    """The greatest of each group's lengths (N, B): (N, 1)."""
    most: Array = lengths.max(axis=1, keepdims=True)
    return most


def cleared_each(y: Array, lengths: Array, blank: int) -> Array:
    """Groups (N, B, T, ...) with the columns at and after their lengths (N, B) cleared."""
    return cleared(y.reshape(len(y), -1, *y.shape[3:]), lengths, blank).reshape(y.shape)


def backwards(x: Array, lengths: Array) -> Array:
    """Groups (N, B, T, C) from each sequence's last column on; behind their ends anything of them."""
    places = np.maximum(lengths.astype(np.int64)[..., None] - 1 - np.arange(x.shape[2]), 0)
    return np.take_along_axis(x, places[..., None], axis=2)
