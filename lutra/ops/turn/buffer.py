"""A memory of two groups of sequences: one is written while the one before is read in another order."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block, Param
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
    def directions_of(self, xs: Xs) -> int:
        """One or two."""

    @abstractmethod
    def channels(self, xs: Xs) -> int:
        """Of a column of one direction."""

    def check_directions(self, directions: int, sequences: int) -> None:
        """LutraError unless there is something to turn."""
        if directions not in (1, 2) or directions * sequences == 1:
            raise LutraError(f"{self.kind} of {directions} directions of {sequences} sequences",
                             hint="two directions, or one of several sequences")

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
        """One for each word of all directions."""
        return self._columns(xs) * xs[1].size * self.directions_of(xs) * self.words(fold, xs)

    def _columns(self, xs: Xs) -> int:
        """The most that a sequence has."""
        return xs[0].shape[0] // self.parts(xs[1])[0]

    def loop(self, fold: Fold, xs: Xs) -> Loop:
        """There is none; see `times` and `cycles`."""
        raise AssertionError("writing and reading of sequences are two coupled loops, which no flat loop describes")

    def times(self, fold: Fold, xs: Xs, arrivals: tuple[Array, ...], release: Array | None = None,
              ) -> tuple[tuple[Array, ...], Array]:
        """See `Unit.times`. A group is written once its lengths are there and the group before the one before it was
        read, and read once it is written.
        """
        lengths = arrivals[1].reshape(-1, xs[1].size)
        given, latency = self.cycles(fold, xs), self._latency(fold, xs)
        comes = arrivals[0].reshape(len(lengths), -1)
        bounds = np.zeros((len(lengths), given), np.int64) if release is None else release.reshape(-1, given) - latency
        wrote, read = [-1, -1], [-1, -1]  # when the last words of groups were written, and were read
        told, known = [np.full(1, -1)], -1  # when lengths were taken, and the last group's were all there
        taken, there = np.empty_like(comes), np.empty_like(bounds)
        for b in range(len(lengths)):
            own, known = _collected(lengths[b], int(told[-1][-1]), known, wrote)
            taken[b] = one_a_cycle(np.maximum(comes[b], max(known, wrote[-1] + 1, read[-2] + 1)))
            wrote.append(int(taken[b, -1]))
            there[b] = one_a_cycle(np.maximum(bounds[b], max(wrote[-1], read[-1]) + 1))
            read.append(int(there[b, -1]))
            told.append(own)
        return (taken.reshape(-1), np.concatenate(told[1:])), there.reshape(-1) + latency

    def _memory(self, fold: Fold, xs: Xs) -> tuple[int, int]:
        """Depth and width."""
        kept = self.directions_of(xs) if self.UNTURN else 1
        return 2 * kept * self._columns(xs) * xs[1].size * self.words(fold, xs), fold.pe * xs[0].range.bits

    def _latency(self, fold: Fold, xs: Xs) -> int:
        return 3 if in_block(fold, *self._memory(fold, xs)) else 2

    def blank_params(self, x: Tensor) -> dict[str, Param]:
        """What stands for columns that a sequence of a group lacks, if it gives any."""
        return {}

    def block(self, fold: Fold, xs: Xs) -> Block:
        """The module of this way."""
        (x, lengths), (depth, width) = xs, self._memory(fold, xs)
        params: dict[str, Param] = {
            "WIDTH": width, "WORDS": self.words(fold, xs), "COLUMNS": self._columns(xs), "LBITS": lengths.range.bits,
            "SEQUENCES": lengths.size, "DIRECTIONS": self.directions_of(xs),
            "BLOCK": int(in_block(fold, depth, width)), **self.blank_params(x)}
        return Block(f"lutra_{self.kind}", params, {}, (width, lengths.range.bits), (width,), last=True)

    def features(self, fold: Fold, xs: Xs, family: str) -> dict[str, float]:
        """The memory; bits of addresses and of lengths; of the output."""
        depth, width = self._memory(fold, xs)
        block = in_block(fold, depth, width)
        memory = {"bram": float(sliced(depth, width))} if block else lut_ram(depth, width, family)
        return memory | {"unit": 1.0, "address": float((depth - 1).bit_length()), "length": float(xs[1].range.bits),
                         "out": float(width), "ff.slow": float(width * block)}

    def cost(self, fold: Fold, xs: Xs, family: str) -> Cost:
        """As fitted to synthesis for one sequence, and what more of them add."""
        return estimate(family, self.kind, self.features(fold, xs, family)) + self._of_group(fold, xs)

    def _of_group(self, fold: Fold, xs: Xs) -> Cost:
        """Counted: of each further sequence its length in four registers, and where it goes on and begins from the
        back; three of the longest one's. LUTs a bit of them as in synthesis for xc7, within 3 % in three designs.
        """
        more, bits = xs[1].size - 1, xs[1].range.bits
        places = 2 * (self.directions_of(xs) - 1) * (self._memory(fold, xs)[0] - 1).bit_length()
        registers = more * (4 * bits + places) + (3 * bits if more else 0)
        return Cost(float(more * (3 * bits + 2 * places)), float(registers))


def _collected(came: Array, last: int, known: int, wrote: list[int]) -> tuple[Array, int]:
    """When a group's lengths, which come at these times, are taken, and from when on they are known. last: when the one
    before them was taken; known: from when on those of the group before; wrote: when the last words of groups were
    written. One passes a register slice of two words; several wait together until those before are done with.
    """
    if len(came) == 1:
        taken = np.maximum(came, max(last, wrote[-2]) + 1)
        return taken, int(taken[0]) + 1
    taken = one_a_cycle(np.maximum(came, max(last + 1, known)))
    return taken, max(int(taken[-1]) + 1, wrote[-1]) + 1
