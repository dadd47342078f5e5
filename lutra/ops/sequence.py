"""What the operators on sequences share: a stream of columns, and one of the lengths of the sequences.

A sequence is a tensor (T, ...) for the longest T that the hardware takes. Its stream is ragged: the columns before its
length, and nothing else. In `evaluate` the columns at and after the length are there, and cleared. A group of B
sequences, of which an engine works on a column each in turn, is (B T, ...), one sequence after the other, each for
itself as long as its length says.
"""

from __future__ import annotations

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Graph, Node, Range, Tensor
from lutra.ops.base import Fold, Join, check_fold, divisors
from lutra.ops.events import Events, one_a_cycle


class Sequential(Join):
    """A join of groups of sequences (B T, ...) and their lengths (B,), each in 1 .. T, which are its last stream. If it
    gives sequences, its hardware says with every word whether it is one's last.
    """

    by_column = True
    ragged = True  # whether what it gives is a sequence, too
    by_length = True  # whether its hardware gives as many columns as a sequence's length says
    blank: int = 0  # what `evaluate` has behind a sequence's end

    def parts(self, lengths: Tensor) -> tuple[int, int]:
        """How many sequences there are in a frame of what it reads and of what it gives: what ends by itself."""
        return lengths.size, lengths.size

    def read(self, lengths: Array) -> Array:
        """How many columns of what it reads there are (N, parts)."""
        return lengths

    def columns(self, x: Array, lengths: Array) -> Array:
        """How many columns of what it gives there are (N, parts), for these sequences."""
        return lengths

    def certain(self, lengths: Array, columns: int) -> Array:
        """How many of the `columns` of each sequence that its HLS form gives are those of `evaluate` (N, parts): all
        columns travel there, and those behind a sequence's end hold anything.
        """
        return lengths

    def check_blank(self, blank: int, of: Range) -> None:
        """LutraError unless columns in a range can be cleared to this value."""
        if not of.holds(np.array([blank])):
            raise LutraError(f"columns behind a sequence's end of {blank} where all are in {of}",
                             hint=f"give a blank of the range, such as {of.lo}")

    def check_single(self, lengths: Tensor) -> None:
        """LutraError where there are several lengths."""
        if lengths.size != 1:
            raise LutraError(f"{self.kind} with lengths of {lengths.size} sequences", hint="give one, the longest's")

    def check_sequence(self, args: tuple[Tensor, ...], rank: int = 0) -> Tensor:
        """The sequences' tensor; LutraError where the lengths do not fit it, or its axes are not `rank`."""
        if len(args) != 2:
            raise LutraError(f"{self.kind} of {len(args)} streams", hint="a sequence and its length")
        x, lengths = args
        if rank and len(x.shape) != rank:
            raise LutraError(f"{self.kind} of the shape {x.shape}", hint=f"{rank} axes, time first")
        if len(lengths.shape) != 1 or lengths.range.step > 1 or lengths.range.lo < 1:
            raise LutraError(f"lengths of shape {lengths.shape} in {lengths.range}",
                             hint="an integer from 1 on for each sequence")
        parts, _ = self.parts(lengths)
        if x.shape[0] % parts:
            raise LutraError(f"{x.shape[0]} columns of {parts} sequences", hint="room for as many in each")
        if lengths.range.hi > x.shape[0] // parts:
            raise LutraError(f"sequences of up to {lengths.range.hi} columns where there is room for "
                             f"{x.shape[0] // parts}", hint="a length is in 1 .. T")
        return x


class Passing(Sequential):
    """Reads the columns as they come, `fold.pe` channels a word, a word a cycle, and gives such words."""

    def folds(self, xs: tuple[Tensor, ...]) -> tuple[Fold, ...]:
        """Every divisor of the channels."""
        return tuple(Fold(pe=d, simd=d) for d in divisors(xs[0].channels))

    def lanes(self, fold: Fold, xs: tuple[Tensor, ...]) -> tuple[tuple[int, ...], int]:
        """`fold.pe` in and out. LutraError where it does not divide the channels."""
        check_fold("pe", fold.pe, xs[0].channels, "channels")
        return (fold.pe, 1), fold.pe

    def cycles(self, fold: Fold, xs: tuple[Tensor, ...]) -> int:
        """One a word that it reads."""
        return xs[0].size // self.lanes(fold, xs)[1]


def sequences_of(graph: Graph) -> int:
    """How many sequences a frame is of; one of a graph without any."""
    return max((n.args[-1].out.size for n in graph.nodes if isinstance(n.op, Sequential)), default=1)


def within(lengths: Array, columns: int) -> Array:
    """Which of so many columns of a frame its sequences, of these lengths (N, parts), have: (N, columns)."""
    each = np.arange(columns // lengths.shape[1]) < lengths.astype(np.int64)[..., None]
    return each.reshape(len(lengths), columns)


def cleared(y: Array, lengths: Array, blank: int = 0) -> Array:
    """Groups of sequences (N, B T, ...) with the columns at and after their lengths (N, B) cleared."""
    there = within(lengths, y.shape[1])
    kept: Array = np.where(there.reshape(*there.shape, *(1,) * (y.ndim - 2)), y, blank)
    return kept


def lengths_of(graph: Graph) -> dict[Node, Node]:
    """For each input and each output that is a sequence, the input that says how long it is."""
    found: dict[Node, Node] = {}
    for node in reversed(graph.nodes):  # from operators on sequences back to where these come from
        if isinstance(node.op, Sequential):
            found[node.args[0]] = node.args[-1]
        elif node in found:
            found.update(dict.fromkeys(node.args, found[node]))
    return {n: found[n] for n in graph.inputs if n in found} | {
        n: n.args[-1] for n in graph.outputs if isinstance(n.op, Sequential) and n.op.ragged}


def single(xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Of the streams of a group of sequences, those of each."""
    x, lengths = xs
    return Tensor((x.shape[0] // lengths.size, *x.shape[1:]), x.range), Tensor((1,), lengths.range)


def behind_slice(loop: Events, arrivals: tuple[Array, ...], release: Array | None) -> tuple[tuple[Array, ...], Array]:
    """See `Unit.times`: a flat loop, of one sequence, whose last stream, of a word that is needed from the first slot
    to the last, passes a register slice before it, which takes up to two words.
    """
    came = one_a_cycle(arrivals[-1])
    (*taken, _), there = loop.times((*arrivals[:-1], came + 1), release)
    written = there.reshape(len(came), -1)[:, -1] - loop.latency
    over = written + (loop.slots - 1 - int(loop.at[loop.writes][-1]))  # each frame's last slot
    room = np.concatenate([np.zeros(min(2, len(over)), over.dtype), over[:-2] + 1])
    return (*taken, one_a_cycle(np.maximum(came, room))), there
