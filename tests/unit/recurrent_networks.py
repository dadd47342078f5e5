"""Recurrent networks for tests: cells with formats of few bits, and the whole chain of a reader of lines."""

from __future__ import annotations

import numpy as np

from lutra.ir import Array, Constant, Graph, Input, Node, Range, Tensor
from lutra.ops.argmax.op import ArgMax
from lutra.ops.collapse.op import Collapse
from lutra.ops.matmul.op import MatMul
from lutra.ops.recurrent.op import Gru, Lstm
from lutra.ops.requant.format import Format
from lutra.ops.turn.op import Turn, Unturn
from lutra.sim.job import Received
from lutra.sim.rtl import from_words, to_words

INDEX = Format(4, 6, True, "TRN", "SAT")


def integers(rng: np.random.Generator, bits: int, shape: tuple[int, ...]) -> Constant:
    """Weights of so many bits; one bit is -1 and 1."""
    if bits == 1:
        return Constant(rng.choice([-1, 1], shape))
    return Constant(rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape))


def activations(bits: int) -> Range:
    """What columns carry."""
    return Range(-1, 1, 2) if bits == 1 else Range(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def curve(low: float, high: float) -> Constant:
    """64 steps from one to the other, in units of 1/64."""
    x = np.arange(-32, 32) / 8
    return Constant(np.rint(64 * (low + (high - low) / (1 + np.exp(-x)))).astype(np.int64))


def lstm(rng: np.random.Generator, contexts: int, rows: int, columns: int, weight: int, bits: int,
         peepholes: bool = False, overflow: str = "SAT") -> Lstm:
    """A cell whose sums reach all of the tables; with `overflow` everything leaves its type now and then."""
    narrow, louder = overflow != "SAT", max(9 - weight - bits, 0)
    return Lstm(
        integers(rng, weight, (contexts, 4, rows, columns)), integers(rng, weight, (contexts, 4, rows, rows)),
        Constant(rng.integers(-40, 40, (contexts, 4, rows))),
        Constant(rng.integers(-4, 4, (contexts, 3, rows))) if peepholes else None,
        (louder, louder, 0, 1, 0),
        Format(0, 8 if narrow else 10, True, "TRN_ZERO", overflow), (INDEX, INDEX), curve(0, 1), curve(-1, 1),
        Format(6, 8 if narrow else 10, True, "RND_CONV", overflow), Format(2, 6, True, "TRN", "SAT"), curve(-1, 1),
        Format(13 - bits - narrow, bits, True, "RND_CONV", overflow))


def gru(rng: np.random.Generator, contexts: int, rows: int, columns: int, weight: int, bits: int,
        overflow: str = "SAT") -> Gru:
    """The same with other gates."""
    narrow, louder = overflow != "SAT", max(9 - weight - bits, 0)
    return Gru(
        integers(rng, weight, (contexts, 3, rows, columns)), integers(rng, weight, (contexts, 3, rows, rows)),
        Constant(rng.integers(-40, 40, (contexts, 3, rows))), Constant(rng.integers(-8, 8, (contexts, rows))),
        (louder, louder, 0, max(bits - 7, 0), max(7 - bits, 0)), 64,
        Format(0, 8 if narrow else 10, True, "TRN_ZERO", overflow), Format(0, 8, True, "TRN", overflow),
        (INDEX, INDEX), curve(0, 1), curve(-1, 1),
        Format(max(13 - bits, 6) - narrow, bits, True, "RND_CONV", overflow))


def reader(rng: np.random.Generator, longest: int, columns: int, rows: int, labels: int, weight: int = 2, bits: int = 4,
           peepholes: bool = False) -> Graph:
    """Both directions, a score for each label, the best label of each column, what that spells."""
    x = Node(Input("x", Tensor((longest, columns), activations(bits))))
    lengths = Node(Input("lengths", Tensor((1,), Range(1, longest))))
    turned = Node(Turn(activations(bits).lo), (x, lengths))
    h = Node(lstm(rng, 2, rows, columns, weight, bits, peepholes), (turned, lengths))
    scores = Node(MatMul(integers(rng, weight, (labels, 2 * rows))), (Node(Unturn(), (h, lengths)),))
    best = Node(ArgMax(), (scores,))
    return Graph((x, lengths), (Node(Collapse(0), (best, lengths)),))


def inside(x: Array, lengths: Array) -> Array:
    """The columns of sequences, one after another."""
    return x[np.arange(x.shape[1]) < lengths]


def words(of: Tensor, values: Array, lanes: int) -> Array:
    """Values (n, ...) as a stream's words."""
    return to_words(of.range.encode(values).reshape(-1, lanes), of.range.bits)


def integers_of(of: Tensor, end: Received, lanes: int) -> list[Array]:
    """What came, a frame each."""
    values = of.range.decode(from_words(end.words, lanes, of.range.bits))
    return np.split(values, end.ends[:-1])
