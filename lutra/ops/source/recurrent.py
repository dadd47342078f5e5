"""Recurrent layers and what belongs to them, with the formats of all that is inside, and lengths of sequences."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from lutra.errors import LutraError
from lutra.ir import REAL, Array, Constant, Tensor
from lutra.ops.source.base import SourceOp, real
from lutra.ops.source.cast import Cast


class Word(NamedTuple):
    """A fixed-point format: an integer worth 2**-fraction, `ap_fixed<width, width - fraction, rounding, overflow>`."""

    fraction: int
    width: int
    signed: bool
    rounding: str
    overflow: str

    @property
    def cast(self) -> Cast:
        """To this format."""
        return Cast(real(float(self.fraction)), *self[1:])

    @property
    def most(self) -> float:
        """The greatest magnitude."""
        codes = self.cast.codes
        return max(-codes.lo, codes.hi) * 2.0**-self.fraction


class Sequence(SourceOp):
    """An operator on sequences (T, ...), whose second argument is the sequence's length (1,), 1 to T."""


@dataclass(frozen=True)
class Recurrent(Sequence):
    """A recurrent layer: (T, I) to (T, D H), forward then backward; zero at and after the length.

    Its fields, of D directions, G gates, H neurons and I inputs:
        weights (D, G, H, I), recurrent (D, G, H, H), bias (D, G, H), extra: as the operator says; real numbers.
        points: bits behind the binary points of x, weights, recurrent and, of an LSTM with peepholes, of these.
        state, sums: formats of the states and of the gates' sums.
        sigmoid_index, tanh_index: what sums are cast to, to address a table; sigmoid, tanh: formats of the entries.
        sigmoid_table, tanh_table: the entries as integers, from the least index on.
        error: by how much states were seen to differ from those of the model's own layer, where that is in real numbers
            and the import chose the formats; 0 where the model has them.
        reverse: its one direction is the backward one.
    """

    weights: Constant
    recurrent: Constant
    bias: Constant
    extra: Constant | None
    points: tuple[int, ...]
    state: Word
    sums: Word
    sigmoid_index: Word
    tanh_index: Word
    sigmoid: Word
    tanh: Word
    sigmoid_table: Constant
    tanh_table: Constant
    error: float = field(default=0.0, kw_only=True)
    reverse: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        assert not (self.reverse and self.sizes[0] > 1), self.sizes
        for name in WORDS:
            if hasattr(self, name):
                object.__setattr__(self, name, Word(*getattr(self, name)))  # a text has tuples

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """D, G, H and I."""
        d, g, h, i = self.weights.shape
        return d, g, h, i

    @property
    @abstractmethod
    def fraction(self) -> int:
        """Bits behind the binary point of the gates' exact sums."""

    @abstractmethod
    def step(self, a: Array, h: Array, c: Array) -> tuple[Array, Array]:
        """State and memory (N, D, H) behind a column of which W x is a (N, D, G, H)."""

    def infer(self, *args: Tensor) -> Tensor:
        """(T, D H); LutraError where columns have another size."""
        x, lengths = args
        directions, _, size, inputs = self.sizes
        if len(x.shape) != 2 or x.shape[1] != inputs:
            raise LutraError(f"sequences of shape {x.shape} for a layer that reads columns of {inputs}",
                             hint="give (batch, columns, inputs)")
        assert lengths.shape == (1,), lengths
        return Tensor((x.shape[0], directions * size), REAL)

    def evaluate(self, *args: Array) -> Array:
        """Column by column, every number exact in double precision."""
        x, lengths = np.asarray(args[0], np.float64), args[1].astype(np.int64).reshape(-1, 1)
        directions, _, size, _ = self.sizes
        at = np.arange(x.shape[1])
        back = np.where(at < lengths, lengths - 1 - at, at)
        turned = [x, np.take_along_axis(x, back[:, :, None], 1)][self.reverse :][:directions]
        a = np.stack([np.einsum("nti,ghi->ntgh", v, w, optimize=True)
                      for v, w in zip(turned, self.weights.array, strict=True)], 2)
        found = np.zeros((len(x), x.shape[1], directions, size))
        h = c = np.zeros((len(x), directions, size))
        for t in range(x.shape[1]):
            h, c = self.step(a[:, t], h, c)
            found[:, t] = h
        if self.reverse or directions == 2:
            found[:, :, -1] = np.take_along_axis(found[:, :, -1], back[:, :, None], 1)
        return np.where((at < lengths)[..., None], found.reshape(*x.shape[:2], -1), 0.0)

    def by_state(self, h: Array) -> Array:
        """U h of all gates (N, D, G, H)."""
        found: Array = np.einsum("ndk,dghk->ndgh", h, self.recurrent.array, optimize=True)
        return found

    def opened(self, a: Array) -> Array:
        """What a gate's exact sums open."""
        return self._looked_up(self.sums.cast.apply(a), self.sigmoid_index, self.sigmoid_table, self.sigmoid)

    def bent(self, a: Array) -> Array:
        """The hyperbolic tangent of exact sums."""
        return self._looked_up(self.sums.cast.apply(a), self.tanh_index, self.tanh_table, self.tanh)

    @staticmethod
    def _looked_up(x: Array, index: Word, table: Constant, entry: Word) -> Array:
        place = np.ldexp(index.cast.apply(x), index.fraction).astype(np.int64)
        lo = -(1 << (index.width - 1)) if index.signed else 0
        return np.ldexp(table.array[place - lo].astype(np.float64), -entry.fraction)


@dataclass(frozen=True)
class Lstm(Recurrent):
    """Gates i, f, g, o. extra: peepholes (D, 3, H) of i, f and o. memory: the cell's format; memory_index addresses
    `memory_table`, the tangent of it.
    """

    memory: Word
    memory_index: Word
    memory_table: Constant

    @property
    def fraction(self) -> int:
        """Bits behind the binary point of the gates' exact sums."""
        terms = [self.points[0] + self.points[1], self.points[2] + self.state.fraction]
        return max(terms if self.extra is None else [*terms, self.points[3] + self.memory.fraction])

    def step(self, a: Array, h: Array, c: Array) -> tuple[Array, Array]:
        """The equations."""
        i, f, g, o = np.moveaxis(a + self.by_state(h) + self.bias.array, 2, 0)
        if self.extra is not None:
            i, f = i + self.extra.array[:, 0] * c, f + self.extra.array[:, 1] * c
        c = self.memory.cast.apply(self.opened(i) * self.bent(g) + self.opened(f) * c)
        if self.extra is not None:
            o = o + self.extra.array[:, 2] * c
        tanh = self._looked_up(c, self.memory_index, self.memory_table, self.tanh)
        return self.state.cast.apply(self.opened(o) * tanh), c


@dataclass(frozen=True)
class Gru(Recurrent):
    """Gates r, z, n; extra: b_hn (D, H), added to U_n h before the gate r multiplies it."""

    @property
    def fraction(self) -> int:
        """Bits behind the binary point of the gates' exact sums."""
        return max(self.points[0] + self.points[1], self.points[2] + self.state.fraction,
                   self.sums.fraction + self.sigmoid.fraction)

    def step(self, a: Array, h: Array, c: Array) -> tuple[Array, Array]:
        """The equations."""
        assert self.extra is not None
        by_h = self.by_state(h)
        r, z = np.moveaxis(self.opened(a[:, :, :2] + by_h[:, :, :2] + self.bias.array[:, :2]), 2, 0)
        inner = self.sums.cast.apply(by_h[:, :, 2] + self.extra.array)
        n = self.bent(a[:, :, 2] + r * inner + self.bias.array[:, 2])
        return self.state.cast.apply((1.0 - z) * n + z * h), c


@dataclass(frozen=True)
class CtcCollapse(Sequence):
    """Labels (T,) or (T, 1) without repeats and blanks, (T + 1, ...), then blanks to the end."""

    blank: int

    def infer(self, *args: Tensor) -> Tensor:
        """One label more: at least one blank ends them."""
        x, _ = args
        if int(np.prod(x.shape[1:], dtype=np.int64)) != 1:
            raise LutraError(f"labels of shape {x.shape}: one for each column is needed", hint="take the arg-max first")
        return Tensor((x.shape[0] + 1, *x.shape[1:]), REAL)

    def evaluate(self, *args: Array) -> Array:
        """Frame by frame."""
        x, lengths = args[0].reshape(*args[0].shape[:2]).astype(np.int64), args[1].astype(np.int64).ravel()
        out = np.full((len(x), x.shape[1] + 1), self.blank, np.int64)
        for n, (row, length) in enumerate(zip(x, lengths, strict=True)):
            row = row[:length]
            kept = row[(np.diff(row, prepend=self.blank) != 0) & (row != self.blank)]
            out[n, : len(kept)] = kept
        return out.reshape(len(x), x.shape[1] + 1, *args[0].shape[2:])


@dataclass(frozen=True)
class Last(Sequence):
    """The last column of a sequence (T, ...), the one before its end: (1, ...). backward: so many of its numbers, the
    last ones, are of the first column, where the backward direction of a layer ends.
    """

    backward: int = 0

    def infer(self, *args: Tensor) -> Tensor:
        """One column."""
        x, lengths = args
        assert lengths.shape == (1,) and 0 <= self.backward <= x.size // x.shape[0], (x, lengths, self.backward)
        return Tensor((1, *x.shape[1:]), REAL)

    def evaluate(self, *args: Array) -> Array:
        """By the lengths (N, 1)."""
        x, lengths = args[0], args[1].astype(np.int64).ravel()
        found = x[np.arange(len(x)), lengths - 1].reshape(len(x), -1)
        forward = found.shape[1] - self.backward
        first = x[:, 0].reshape(len(x), -1)
        return np.concatenate([found[:, :forward], first[:, forward:]], axis=1).reshape(len(x), 1, *x.shape[2:])


WORDS = ("state", "sums", "sigmoid_index", "tanh_index", "sigmoid", "tanh", "memory", "memory_index")
