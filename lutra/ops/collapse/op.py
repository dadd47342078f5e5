"""Collapse: from a label of each column to what is written, as connectionist temporal classification reads it.

A. Graves et al., "Connectionist Temporal Classification" (ICML 2006), section 3.1: repeats become one label, then
blanks are left out. On the label of the best score of each column this is greedy decoding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block
from lutra.ir import Array, Node, Tensor
from lutra.ops.base import Cost, Fold, Loop
from lutra.ops.cost import estimate
from lutra.ops.events import events
from lutra.ops.sequence import Sequential, behind_slice, single, within

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Collapse(Sequential):
    """Labels (B T, 1), lengths (B,) -> (B (T + 1), 1): of each sequence those that are not `blank` and differ from the
    one before, then blanks.

    In hardware the first of these blanks is the last word of a sequence.
    """

    by_length = False

    blank: int = 0

    def infer(self, *args: Tensor) -> Tensor:
        """The same range. LutraError where it lacks the blank."""
        x = self.check_sequence(args, 2)
        if x.shape[1] != 1:
            raise LutraError(f"{x.shape[1]} labels of each column", hint="one, as of ArgMax")
        if not x.range.holds(np.array([self.blank])):
            raise LutraError(f"a blank of {self.blank}, and labels in {x.range}", hint="the blank is one of the labels")
        return Tensor((x.shape[0] + args[1].size, 1), x.range)

    def evaluate(self, *args: Array) -> Array:
        """In 64 bits."""
        labels = self._labels(*args)
        keep = self._kept(labels, args[1])
        y = np.full((len(labels), labels.shape[1] + 1), self.blank, np.int64)
        sequences, columns = np.nonzero(keep)
        y[sequences, keep.cumsum(axis=1)[sequences, columns] - 1] = labels[sequences, columns]
        return y.reshape(len(args[0]), -1, 1)

    def _labels(self, x: Array, lengths: Array) -> Array:
        """Of each sequence (N B, T)."""
        return x.astype(np.int64).reshape(lengths.size, -1)

    def _kept(self, labels: Array, lengths: Array) -> Array:
        """Which of them (N B, T)."""
        before = np.concatenate([np.full((len(labels), 1), self.blank), labels[:, :-1]], axis=1)
        there = within(lengths.reshape(-1, 1), labels.shape[1])
        kept: Array = there & (labels != self.blank) & (labels != before)
        return kept

    def columns(self, x: Array, lengths: Array) -> Array:
        """The labels and a blank."""
        count: Array = self._kept(self._labels(x, lengths), lengths).sum(axis=1).reshape(lengths.shape) + 1
        return count

    def certain(self, lengths: Array, columns: int) -> Array:
        """All: its HLS form gives the blanks, too."""
        return np.full_like(lengths, columns)

    def folds(self, xs: tuple[Tensor, ...]) -> tuple[Fold, ...]:
        """One label a cycle."""
        return (Fold(),)

    def lanes(self, fold: Fold, xs: tuple[Tensor, ...]) -> tuple[tuple[int, ...], int]:
        """One of everything."""
        if (fold.pe, fold.simd) != (1, 1):
            raise LutraError(f"{fold} for labels", hint="pe=1 simd=1")
        return (1, 1), 1

    def cycles(self, fold: Fold, xs: tuple[Tensor, ...]) -> int:
        """One a label, and one for each sequence's blank."""
        return xs[0].shape[0] + xs[1].size

    def loop(self, fold: Fold, xs: tuple[Tensor, ...]) -> Loop:
        """A label in each slot, and out if it is kept; in a sequence's last one the blank."""
        slots, count = np.arange(self.cycles(fold, xs)), xs[1].size
        sequence = slots * count // len(slots)
        taken = np.minimum(slots - sequence + 1, (sequence + 1) * (xs[0].shape[0] // count))
        return Loop(len(slots), np.stack([taken, sequence + 1]), slots, 1)

    def times(self, fold: Fold, xs: tuple[Tensor, ...], arrivals: tuple[Array, ...], release: Array | None = None,
              ) -> tuple[tuple[Array, ...], Array]:
        """See `Unit.times`; of a sequence that keeps all its labels."""
        return behind_slice(events(self.loop(fold, single(xs))), arrivals, release)

    def block(self, fold: Fold, xs: tuple[Tensor, ...]) -> Block:
        """`lutra_collapse`."""
        x, lengths = xs
        params = {"BITS": x.range.bits, "LBITS": lengths.range.bits,
                  "BLANK": int(x.range.encode(np.array([self.blank]))[0])}
        return Block("lutra_collapse", params, {}, (x.range.bits, lengths.range.bits), (x.range.bits,), last=True)

    def features(self, fold: Fold, xs: tuple[Tensor, ...], family: str) -> dict[str, float]:
        """Bits of labels and of lengths."""
        return {"unit": 1.0, "label": float(xs[0].range.bits), "length": float(xs[1].range.bits)}

    def cost(self, fold: Fold, xs: tuple[Tensor, ...], family: str) -> Cost:
        """As fitted to synthesis."""
        return estimate(family, self.kind, self.features(fold, xs, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Few labels, so that repeats are frequent, and more; any of them the blank; of one sequence, and several."""
        from hypothesis import strategies as st

        from lutra.ops.samples import groups

        some = st.sampled_from((1, 1, 2, 3)).flatmap(lambda count: groups((1,), count, most=17, bits=3))
        return some.flatmap(lambda xs: st.sampled_from(
            xs[0].out.range.values().tolist()).map(lambda blank: Node(cls(blank), xs)))
