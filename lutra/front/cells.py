"""Recurrent layers in real numbers as operators in fixed point: formats that the model does not have are chosen here.

Gates, tables and states are those of docs/adr/0010-recurrent-networks.md. How far that is from the model's own layer is
measured, and is in the operator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

from lutra.errors import LutraError
from lutra.front.grids import Grid, magnitude, point_of
from lutra.ir import Array, Constant
from lutra.ops.source import Gru, Lstm, Recurrent, real
from lutra.ops.source.recurrent import Word

Cell = TypeVar("Cell", Lstm, Gru)

WIDEST = 16  # bits of inputs and weights as integers
EXACT = 52  # bits of a sum that double precision surely holds
SEQUENCES, COLUMNS = 4, 64  # at most, on which the error is measured

STATE = TANH = Word(7, 8, True, "RND", "SAT")
SIGMOID = Word(7, 8, False, "RND", "SAT")
SUMS = MEMORY = Word(11, 16, True, "RND", "SAT")
SIGMOID_INDEX = Word(6, 10, True, "RND", "SAT")  # from -8 to 8, and the tangents from -4 to 4: they are flat behind
TANH_INDEX = MEMORY_INDEX = Word(7, 10, True, "RND", "SAT")
FINE = Word(40, 62, True, "RND", "SAT")  # as good as real numbers


@dataclass(frozen=True)
class Layer:
    """The numbers of a layer, with gates and directions as `Recurrent` has them. extra: None where there is none."""

    weights: Array
    recurrent: Array
    bias: Array
    extra: Array | None


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))


def entries(function: Callable[[Array], Array], given: Word, index: Word, entry: Word) -> Constant:
    """The integers of a table, of least squared error: the mean of the function over those numbers of the format
    `given` that the cast sends to an index; where none is sent, the function at the index itself.
    """
    x, indices = _numbers(given), _numbers(index)
    at = np.rint(np.ldexp(index.cast.apply(x) - indices[0], index.fraction)).astype(np.int64)
    count = np.bincount(at, minlength=indices.size)
    mean = np.bincount(at, function(x), indices.size) / np.maximum(count, 1)
    mean = np.where(count > 0, mean, function(indices))
    nearest = entry._replace(rounding="RND_CONV", overflow="SAT").cast.apply(mean)
    return Constant(np.ldexp(nearest, entry.fraction).astype(np.int64))


def _numbers(word: Word) -> Array:
    """All of a format, ascending."""
    least = -(1 << (word.width - 1)) if word.signed else 0
    return np.ldexp(np.arange(least, least + (1 << word.width)).astype(np.float64), -word.fraction)


def lstm(layer: Layer, x: Grid, columns: int, reverse: bool = False) -> Lstm:
    """An LSTM that reads such numbers, with chosen formats. LutraError: numbers that are not of few bits."""
    points = _points(layer, x) if layer.extra is None else (*_points(layer, x), _point(layer.extra, "the peepholes P"))
    op = Lstm(*_operands(layer), points, STATE, SUMS, SIGMOID_INDEX, TANH_INDEX, SIGMOID, TANH,
              entries(sigmoid, SUMS, SIGMOID_INDEX, SIGMOID), entries(np.tanh, SUMS, TANH_INDEX, TANH),
              MEMORY, MEMORY_INDEX, entries(np.tanh, MEMORY, MEMORY_INDEX, TANH), reverse=reverse)
    return _measured(replace(op, bias=_rounded(layer.bias, op.fraction)), layer, x, columns)


def gru(layer: Layer, x: Grid, columns: int, reverse: bool = False) -> Gru:
    """The same of a GRU. Its sums have the digits before the point that U_n h + b_hn needs."""
    assert layer.extra is not None
    inner = float((np.abs(layer.recurrent[:, 2]).sum(-1) + np.abs(layer.extra)).max())
    fraction = min(SUMS.fraction, SUMS.width - 1 - int(inner).bit_length())
    sums = SUMS._replace(fraction=max(fraction, TANH_INDEX.fraction))
    op = Gru(*_operands(layer), _points(layer, x), STATE, sums, SIGMOID_INDEX, TANH_INDEX, SIGMOID, TANH,
             entries(sigmoid, sums, SIGMOID_INDEX, SIGMOID), entries(np.tanh, sums, TANH_INDEX, TANH), reverse=reverse)
    extra = _rounded(layer.extra, op.points[2] + op.state.fraction)
    return _measured(replace(op, bias=_rounded(layer.bias, op.fraction), extra=extra), layer, x, columns)


def _operands(layer: Layer) -> tuple[Constant, Constant, Constant, Constant | None]:
    return (real(layer.weights), real(layer.recurrent), real(layer.bias),
            None if layer.extra is None else real(layer.extra))


def _points(layer: Layer, x: Grid) -> tuple[int, int, int]:
    if x.bits > WIDEST:
        raise LutraError(f"the sequences' numbers have {x.bits} bits as multiples of one power of two",
                         hint=f"quantise what the layer reads to {WIDEST} bits or less, with a power of two as scale")
    return x.point, _point(layer.weights, "the weights W"), _point(layer.recurrent, "the recurrent weights R")


def _point(values: Array, what: str) -> int:
    point = point_of(values)
    most = float(np.abs(values).max(initial=0.0))
    if magnitude(most, point) > WIDEST:
        raise LutraError(f"{what}, up to {most:g}, are no multiples of a power of two in {WIDEST} bits",
                         hint="quantise them with scales that are powers of two: a layer's sums have one binary point")
    return point


def _rounded(values: Array, point: int) -> Constant:
    return real(np.ldexp(np.rint(np.ldexp(values, point)), -point))


class _Real:
    """A layer whose functions are no tables."""

    def opened(self, a: Array) -> Array:
        return sigmoid(a)

    def bent(self, a: Array) -> Array:
        return np.asarray(np.tanh(a))

    @staticmethod
    def _looked_up(x: Array, *_: object) -> Array:
        return np.asarray(np.tanh(x))  # of the memory


class _RealLstm(_Real, Lstm):
    """An LSTM as the model has it."""


class _RealGru(_Real, Gru):
    """A GRU as the model has it."""


def _measured(op: Cell, layer: Layer, x: Grid, columns: int) -> Cell:
    """With the error seen on random sequences of numbers that the input can have."""
    _check_exact(op, x)
    kept = {f.name: getattr(op, f.name) for f in fields(op)}
    kept |= {"bias": real(layer.bias), "extra": None if layer.extra is None else real(layer.extra), "state": FINE,
             **({"memory": FINE} if isinstance(op, Lstm) else {"sums": FINE})}
    given = (_RealLstm if isinstance(op, Lstm) else _RealGru)(**kept)
    shape = (SEQUENCES, min(columns, COLUMNS), op.sizes[3])
    lo, hi = (int(np.ldexp(end, x.point)) for end in (x.lo, x.hi))
    drawn = np.ldexp(np.random.default_rng(0).integers(lo, hi, shape, endpoint=True).astype(np.float64), -x.point)
    lengths = np.full((SEQUENCES, 1), shape[1])
    error = np.abs(op.evaluate(drawn, lengths) - given.evaluate(drawn, lengths)).max()
    return replace(op, error=float(error))


def _check_exact(op: Recurrent, x: Grid) -> None:
    """LutraError where a sum could need more bits than double precision has."""
    most = np.abs(op.weights.array).sum(-1) * max(-x.lo, x.hi) + np.abs(op.recurrent.array).sum(-1) * op.state.most
    most = most + np.abs(op.bias.array)
    if op.extra is not None:
        most = most + np.abs(op.extra.array).max() * MEMORY.most
    bits = op.fraction + np.log2(max(float(most.max()), 1.0))
    if bits > EXACT:
        raise LutraError(f"sums of {bits:.0f} bits", hint="the binary points of inputs and weights lie too far apart")
