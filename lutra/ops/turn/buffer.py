"""A memory of two sequences: one is written while the one before is read in another order."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from lutra.hw.netlist import Block
from lutra.ir import Array, Tensor
from lutra.ops.base import Cost, Fold, Loop, check_fold, divisors
from lutra.ops.cost import estimate
from lutra.ops.events import one_a_cycle
from lutra.ops.rom import in_block, lut_ram, sliced
from lutra.ops.sequence import Sequential

Xs = tuple[Tensor, ...]


class Buffer(Sequential):
    """Sequences whose columns change places. `fold.pe` channels of one direction a word, in and out."""

    UNTURN: ClassVar[int]

    @abstractmethod
    def channels(self, xs: Xs) -> int:
        """Of a column of one direction."""

    def folds(self, xs: Xs) -> tuple[Fold, ...]:
        """Every divisor of a direction's channels."""
        return tuple(Fold(pe=d, simd=d) for d in divisors(self.channels(xs)))

    def lanes(self, fold: Fold, xs: Xs) -> tuple[tuple[int, ...], int]:
        """`fold.pe` in and out. LutraError where it does not divide a direction's channels."""
        check_fold("pe", fold.pe, self.channels(xs), "channels of a direction")
        return (fold.pe, 1), fold.pe

    def words(self, fold: Fold, xs: Xs) -> int:
        """Words of a column of one direction."""
        return self.channels(xs) // self.lanes(fold, xs)[1]

    def cycles(self, fold: Fold, xs: Xs) -> int:
        """One for each word of both directions."""
        return 2 * xs[0].shape[0] * self.words(fold, xs)

    def loop(self, fold: Fold, xs: Xs) -> Loop:
        """There is none; see `times` and `cycles`."""
        raise AssertionError("writing and reading of sequences are two coupled loops, which no flat loop describes")

    def times(self, fold: Fold, xs: Xs, arrivals: tuple[Array, ...], release: Array | None = None,
              ) -> tuple[tuple[Array, ...], Array]:
        """See `Unit.times`. A sequence is written once its length is there and the one before the one before it was
        read, and read once it is written.
        """
        lengths = one_a_cycle(arrivals[1])
        given, latency = self.cycles(fold, xs), self._latency(fold, xs)
        came = np.maximum(arrivals[0].reshape(len(lengths), -1), lengths[:, None] + 1)
        bounds = np.zeros((len(lengths), given), np.int64) if release is None else release.reshape(-1, given) - latency
        wrote = read = before = -1  # when the last word was written, was read, and of the sequence before was read
        begins, over = np.empty((2, len(lengths), 1), np.int64), np.empty(len(lengths), np.int64)
        for b, (comes, bound) in enumerate(zip(_ends(came), _ends(bounds), strict=True)):
            begins[0, b] = max(wrote, before) + 1
            over[b] = wrote = max(int(comes), max(wrote, before) + came.shape[1])
            begins[1, b] = max(wrote, read) + 1
            before, read = read, max(int(bound), max(wrote, read) + given)
        taken, there = one_a_cycle(np.maximum(came, begins[0])), one_a_cycle(np.maximum(bounds, begins[1]))
        room = np.concatenate([np.zeros(min(2, len(over)), np.int64), over[:-2] + 1])
        return (taken.reshape(-1), one_a_cycle(np.maximum(lengths, room))), there.reshape(-1) + latency

    def _memory(self, fold: Fold, xs: Xs) -> tuple[int, int]:
        """Depth and width."""
        x = xs[0]
        return 2 * (1 + self.UNTURN) * x.shape[0] * self.words(fold, xs), fold.pe * x.range.bits

    def _latency(self, fold: Fold, xs: Xs) -> int:
        return 3 if in_block(fold, *self._memory(fold, xs)) else 2

    def block(self, fold: Fold, xs: Xs) -> Block:
        """The module of this way."""
        (x, lengths), (depth, width) = xs, self._memory(fold, xs)
        params = {"WIDTH": width, "WORDS": self.words(fold, xs), "COLUMNS": x.shape[0], "LBITS": lengths.range.bits,
                  "BLOCK": int(in_block(fold, depth, width))}
        return Block(f"lutra_{self.kind}", params, {}, (width, lengths.range.bits), (width,), last=True)

    def features(self, fold: Fold, xs: Xs, family: str) -> dict[str, float]:
        """The memory; bits of addresses and of lengths; of the output."""
        depth, width = self._memory(fold, xs)
        block = in_block(fold, depth, width)
        memory = {"bram": float(sliced(depth, width))} if block else lut_ram(depth, width, family)
        return memory | {"unit": 1.0, "address": float((depth - 1).bit_length()), "length": float(xs[1].range.bits),
                         "out": float(width), "ff.slow": float(width * block)}

    def cost(self, fold: Fold, xs: Xs, family: str) -> Cost:
        """As fitted to synthesis."""
        return estimate(family, self.kind, self.features(fold, xs, family))


def _ends(earliest: Array) -> Array:
    """When the last word of each row (sequences, words) can be over, one a cycle, none before its own time."""
    ends: Array = (earliest + np.arange(earliest.shape[1])[::-1]).max(axis=1)
    return ends
