"""What the operators that map each element by itself share: one lane count, one word a cycle, constants by channel.
Those of two streams take a word of both at once.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Range, Tensor
from lutra.ops.base import Fold, Join, Loop, Unit, check_fold, divisors
from lutra.ops.events import one_a_cycle


class Elementwise(Unit):
    """y[..., c] = f_c(x[..., c]). `fold.pe` channels a cycle, in and out."""

    by_column = True

    @property
    @abstractmethod
    def rows(self) -> int:
        """Channels that have constants of their own; 1 where all share one row."""

    @abstractmethod
    def latency(self, x: Tensor) -> int:
        """Cycles from a word's taking to its result standing at the output."""

    def folds(self, x: Tensor) -> tuple[Fold, ...]:
        """Every divisor of the channels."""
        return tuple(Fold(pe=p) for p in divisors(x.channels))

    def lanes(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        """`fold.pe` both in and out. LutraError where it does not divide the channels."""
        check_fold("pe", fold.pe, x.channels, "channels")
        return fold.pe, fold.pe

    def loop(self, fold: Fold, x: Tensor) -> Loop:
        """A word in and a word out in each slot."""
        words = x.size // self.lanes(fold, x)[0]
        return Loop(words, np.arange(1, words + 1), np.arange(words), self.latency(x))

    def cycles(self, fold: Fold, x: Tensor) -> int:
        """One a word."""
        return x.size // self.lanes(fold, x)[0]

    def words(self, fold: Fold, x: Tensor) -> int:
        """How many different words of constants the channels come in."""
        return 1 if self.rows == 1 else x.channels // fold.pe


class ElementwiseJoin(Join):
    """y[..., c] = f_c(x0[..., c], x1[..., c]) of two streams of equal shape. `fold.pe` channels a cycle, in and out.

    Each stream has a register slice of its own before words of both go on together, so that no stream's ready hangs on
    the other's valid: up to two words are taken before their partners come.
    """

    by_column = True

    @abstractmethod
    def latency(self, fold: Fold, xs: tuple[Tensor, ...]) -> int:
        """Cycles from the taking of two words to their result standing at the output."""

    def check_pair(self, args: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The two tensors; LutraError unless they are two of one shape."""
        if len(args) != 2 or args[0].shape != args[1].shape:
            raise LutraError(f"{self.kind} of shapes {', '.join(str(x.shape) for x in args)}",
                             hint="two streams of the same shape")
        return args[0], args[1]

    def folds(self, xs: tuple[Tensor, ...]) -> tuple[Fold, ...]:
        """Every divisor of the channels."""
        return tuple(Fold(pe=p) for p in divisors(xs[0].channels))

    def lanes(self, fold: Fold, xs: tuple[Tensor, ...]) -> tuple[tuple[int, ...], int]:
        """`fold.pe` in all three. LutraError where it does not divide the channels."""
        check_fold("pe", fold.pe, xs[0].channels, "channels")
        return (fold.pe, fold.pe), fold.pe

    def loop(self, fold: Fold, xs: tuple[Tensor, ...]) -> Loop:
        """A word of each in and a word out in each slot."""
        words = self.cycles(fold, xs)
        reads = np.arange(1, words + 1)
        return Loop(words, np.stack([reads, reads]), np.arange(words), self.latency(fold, xs))

    def cycles(self, fold: Fold, xs: tuple[Tensor, ...]) -> int:
        """One a word."""
        return xs[0].size // self.lanes(fold, xs)[1]

    def times(self, fold: Fold, xs: tuple[Tensor, ...], arrivals: tuple[Array, ...], release: Array | None = None,
              ) -> tuple[tuple[Array, ...], Array]:
        """See `Unit.times`. A word is taken once the last but one before it has gone on with its partner."""
        latency = self.latency(fold, xs)
        ready = np.maximum(*arrivals)
        gone = one_a_cycle(ready if release is None else np.maximum(ready, release - latency)) + 1
        room = np.concatenate([np.zeros(min(2, len(gone)), gone.dtype), gone[:-2] + 1])
        return tuple(one_a_cycle(np.maximum(a, room)) for a in arrivals), gone - 1 + latency


def check_rows(what: str, rows: int, x: Tensor) -> None:
    """LutraError unless there is a row for each channel of x, or one for all."""
    if rows not in (1, x.channels):
        raise LutraError(f"{rows} rows of {what} for {x.channels} channels", hint="one row, or one for each channel")


def by_word(values: Array, rows: int, fold: Fold, words: int) -> Array:
    """Constants (rows, ...) as (words, pe, ...): those of the channels of each word; row 0 for all if rows is 1."""
    if rows == 1:
        return np.repeat(values[None, :1], fold.pe, axis=1)
    return values.reshape(words, fold.pe, *values.shape[1:])


def lookup(table: Array, x: Range) -> Callable[[Array], Array]:
    """A function of arrays (..., channels) of any numeric type that takes table[c, v - x.lo] for each value v; the
    table (C or 1, x.hi - x.lo + 1) comes out as float32 where that is exact, else float64.
    """
    moves = table[:, 1:] != table[:, :-1]
    if table.shape[1] > 1 and (moves.sum(axis=1) <= 1).all():
        return step(x.lo + 1 + moves.argmax(axis=1), table[:, 0], table[:, -1], x)
    flat = np.ascontiguousarray(table.astype(float_type(int(np.abs(table).max(initial=0))))).reshape(-1)
    base = np.arange(len(table)) * table.shape[1] - x.lo
    shared = len(table) == 1

    def run(values: Array) -> Array:
        index = values if values.dtype.kind in "iu" else values.astype(np.intp)
        if not (shared and x.lo == 0):
            index = index + (np.intp(-x.lo) if shared else base)
        return flat.take(index, mode="wrap")  # indices are in the table; "wrap" is the mode that does not copy them

    return run


def step(at: Array, below: Array, above: Array, x: Range) -> Callable[[Array], Array]:
    """A function of arrays (..., channels) of values in x, of any numeric type: below[c] where v < at[c], else
    above[c] (each (C,) or (1,)), as int8 or floating point, whatever holds them exactly.
    """
    rise = above - below
    kind = float_type(int(max(np.abs(below).max(), np.abs(rise).max())))
    small = max(np.abs(below).max(), np.abs(rise).max()) < 128
    start, gap = (_alike(v.astype(np.int8 if small else kind)) for v in (below, rise))
    turn = at if x.largest >= 1 << 24 else at.astype(np.float32)
    whole = int(at[0]) if len(at) == 1 else None  # compares in the integers' own type

    def run(values: Array) -> Array:
        reached = values >= (turn if whole is None or values.dtype.kind not in "iu" else whole)
        y = reached.view(np.int8) if small else reached.astype(kind)
        y *= gap
        y += start
        return y

    return run


def _alike(values: Array) -> Array:
    """One of the values (C,) where all are equal, with no axis: far faster to combine with an array of few channels."""
    return values[0] if (values == values[0]).all() else values


def float_type(largest: int) -> type[np.float32] | type[np.float64] | type[np.int64]:
    """The fastest type in which all integers up to this magnitude are exact."""
    return np.float32 if largest < 2**24 else np.float64 if largest < 2**53 else np.int64


def wrapped(value: int, bits: int) -> int:
    """The number modulo 2**bits that two's complement of so many bits can hold."""
    half = 1 << (bits - 1)
    return (value + half) % (2 * half) - half
