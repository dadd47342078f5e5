"""What the recurrent cells share: shapes, the schedule, the products of columns and of states.

V. Rybalkin et al., "FINN-L: Library Extensions and Design Trade-off Analysis for Variable Precision LSTM Networks on
FPGAs" (arXiv 1807.04093), section 4: PE neurons with all their gates at once, lanes of their own for the input and for
the state, and the directions interleaved in time on one engine. The drain is hidden here where they are (see `rest`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from math import lcm
from typing import ClassVar

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block, Memory, Param, pack
from lutra.ir import Array, Constant, Range, Tensor
from lutra.ops.base import Cost, Fold, Loop, check_fold, divisors
from lutra.ops.cost import estimate
from lutra.ops.events import Events
from lutra.ops.matmul.forms import multipliers
from lutra.ops.recurrent.features import Cell, features
from lutra.ops.recurrent.params import Tables, table_memories, table_params
from lutra.ops.recurrent.products import Products
from lutra.ops.recurrent.values import Product, check_operand, check_shape, product
from lutra.ops.requant.format import Format
from lutra.ops.rom import in_block
from lutra.ops.sequence import Sequential, behind_slice, cleared

AUTO = Fold()  # its memories lie where their size says
Step = Callable[[Array, Array, Array], tuple[Array, Array]]


class Recurrent(Sequential):
    """(T, contexts, I), lengths -> (T, contexts, H): what a cell makes of each column and of what it made of the last.

    The contexts are independent: the directions of one sequence after the other (see `Turn`). A direction's weights are
    its own; lengths: of the longest sequence. weights: (directions, gates, H, I), recurrent: (directions, gates, H, H),
    of at most 16 bits.
    """

    weights: Constant
    recurrent: Constant
    shifts: tuple[int, int, int, int, int]
    index: tuple[Format, Format]
    hidden: Format

    GATES: ClassVar[int]
    MODULE: ClassVar[str]

    def settle(self, names: tuple[str, ...]) -> None:
        """Make formats of these fields, and of `index`, where they are tuples, as they are when read from text."""
        for name in names:
            object.__setattr__(self, name, Format(*getattr(self, name)))
        object.__setattr__(self, "index", tuple(Format(*f) for f in self.index))

    @abstractmethod
    def check(self, x: Range) -> None:
        """LutraError where the fields do not fit each other, or columns in x."""

    @abstractmethod
    def drain(self) -> int:
        """Cycles from a product to its h in memory."""

    @abstractmethod
    def biases(self, products: tuple[Products, Products]) -> Array:
        """What each sum begins with (directions, sums, H), what sums of codes lack included."""

    @abstractmethod
    def sum_bits(self, x: Range) -> int:
        """Bits of a sum, two's complement."""

    @abstractmethod
    def cell_params(self, fold: Fold, x: Tensor) -> dict[str, Param]:
        """Parameters that this cell has and others have not."""

    def cell_memories(self, fold: Fold) -> dict[str, Memory]:
        """Constants that this cell has and others have not."""
        return {}

    @property
    @abstractmethod
    def tables(self) -> Tables:
        """Its tables by the names of their parameters."""

    @abstractmethod
    def neuron(self, fold: Fold, x: Tensor) -> Cell:
        """What its cost depends on."""

    @abstractmethod
    def stepper(self, x: Product, h: Product) -> Step:
        """A step: of a column (N, directions, I), the last h (N, directions, H) and the state (the same), the new h and
        state. x, h: the products.
        """

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Directions, gates, H, I."""
        directions, gates, rows, columns = self.weights.shape
        return directions, gates, rows, columns

    def infer(self, *args: Tensor) -> Tensor:
        """What the type of h holds."""
        x = self.check_sequence(args, 3)
        if len(self.weights.shape) != 4 or not all(self.weights.shape) or self.weights.shape[1] != self.GATES:
            raise LutraError(f"weights of shape {self.weights.shape}", hint=f"(directions, {self.GATES}, H, I)")
        directions, gates, rows, columns = self.sizes
        if x.shape[1] % directions or x.shape[2] != columns:
            raise LutraError(f"weights of {directions} directions and {columns} columns for {x.shape[1:]}")
        self.check_single(args[1])
        check_shape("recurrent weights", self.recurrent, (directions, gates, rows, rows))
        for what, of in (("inputs", x.range), ("weights", self.weights.range), ("states", self.hidden.range),
                         ("recurrent weights", self.recurrent.range)):
            check_operand(what, of)
        self.check(x.range)
        return Tensor((*x.shape[:2], rows), self.hidden.range)

    def evaluate(self, *args: Array) -> Array:
        """Column by column, in 64 bits."""
        return self._run(self.stepper(product(self.weights, 2**62), product(self.recurrent, 2**62)), *args)

    def kernel(self, xs: tuple[Tensor, ...]) -> Callable[..., Array]:
        """With products by BLAS."""
        reach = [int(np.abs(w.array.astype(np.int64)).sum(axis=-1).max()) * of.largest
                 for w, of in ((self.weights, xs[0].range), (self.recurrent, self.hidden.range))]
        step = self.stepper(product(self.weights, reach[0]), product(self.recurrent, reach[1]))
        return lambda x, lengths: self._run(step, x, lengths)

    def _run(self, step: Step, x: Array, lengths: Array) -> Array:
        directions, _, rows, columns = self.sizes
        h = state = np.zeros((x[:, 0].size // (directions * columns), directions, rows), np.int64)
        out = np.zeros((*x.shape[:3], rows), np.int64)
        for t in range(int(lengths.max(initial=0))):
            h, state = step(x[:, t].reshape(-1, directions, columns), h, state)
            out[:, t] = h.reshape(out[:, t].shape)
        return cleared(out, lengths)

    def folds(self, xs: tuple[Tensor, ...]) -> tuple[Fold, ...]:
        """Every divisor of H with every divisor of I, and as few lanes for h as keep up with those for the column."""
        _, _, rows, columns = self.sizes
        pairs = sorted(((p, q) for p in divisors(rows) for q in divisors(columns)), key=lambda f: (f[0] * f[1], f[0]))
        plain = [Fold(p, q, simd_r=self._balanced(q)) for p, q in pairs]
        return tuple(g for f in plain for g in (f, *(replace(f, mul=m) for m in self._multipliers(f, xs[0].range))))

    def _balanced(self, simd: int) -> int:
        _, _, rows, columns = self.sizes
        return next(d for d in divisors(rows) if rows // d <= columns // simd)

    def _multipliers(self, fold: Fold, x: Range) -> tuple[str, ...]:
        """Kinds of multipliers, other than those in LUTs, that both products can have."""
        first, second = (multipliers(p.lanes) for p in self.products(fold, x))
        return tuple(m for m in first if m in second)

    def lanes(self, fold: Fold, xs: tuple[Tensor, ...]) -> tuple[tuple[int, ...], int]:
        """`fold.simd` of a column, a length, `fold.pe` neurons. LutraError where they do not fold the cell."""
        _, _, rows, columns = self.sizes
        check_fold("pe", fold.pe, rows, "neurons")
        check_fold("simd", fold.simd, columns, "inputs of a column")
        check_fold("simd_r", fold.simd_r or self._balanced(fold.simd), rows, "states")
        return (fold.simd, 1), fold.pe

    def products(self, fold: Fold, x: Range) -> tuple[Products, Products]:
        """Of the column, and of h."""
        sx, sh, *_ = self.shifts
        return (Products(self.weights, x, sx, fold.simd, fold),
                Products(self.recurrent, self.hidden.range, sh, fold.simd_r or self._balanced(fold.simd), fold))

    def depth(self, fold: Fold, x: Range) -> int:
        """Registers from a slot to its products."""
        return max(p.depth for p in self.products(fold, x))

    def step(self, fold: Fold, x: Range) -> tuple[int, int]:
        """Words of sums of a step of a context, and slots of each."""
        return self.sizes[2] // fold.pe, max(p.words for p in self.products(fold, x))

    def rest(self, fold: Fold, x: Tensor) -> int:
        """Cycles after a step of all contexts until the first one's h can be read again: 0 where the others' steps take
        as long as the drain.

        Word k of h is taken in slot k of the SR last ones of a step's first sum, not before the neurons in it have left
        the drain behind them.
        """
        (_, states), (nf, sf) = self.products(fold, x.range), self.step(fold, x.range)
        k = np.arange(states.words)
        given = -(-(k + 1) * states.simd // fold.pe) * sf - 1  # the slot in which the last neuron of each is summed up
        wanted = sf - states.words + k + x.shape[1] * nf * sf
        return max(0, int((given - wanted).max()) + self.depth(fold, x.range) + self.drain() - 1)

    def hiding(self, fold: Fold, x: Tensor) -> int:
        """The fewest sequences in turn with which nothing of the drain is left; those that there are, if it is not."""
        nf, sf = self.step(fold, x.range)
        return -(-(x.shape[1] * nf * sf + self.rest(fold, x)) // (self.sizes[0] * nf * sf))

    def cycles(self, fold: Fold, xs: tuple[Tensor, ...]) -> int:
        """T steps of every context, and rests."""
        self.lanes(fold, xs)
        nf, sf = self.step(fold, xs[0].range)
        return xs[0].shape[0] * (xs[0].shape[1] * nf * sf + self.rest(fold, xs[0]))

    def events(self, fold: Fold, xs: tuple[Tensor, ...]) -> Events:
        """The slots with a word."""
        x, contexts = xs[0], xs[0].shape[1]
        (nf, sf), words = self.step(fold, x.range), self.products(fold, x.range)[0].words
        slots = self.cycles(fold, xs)
        first = np.arange(x.shape[0])[:, None] * (slots // x.shape[0]) + np.arange(contexts) * nf * sf  # of each step
        taken = (first[..., None] + np.arange(words)).reshape(-1)
        given = (first[..., None] + np.arange(1, nf + 1) * sf - 1).reshape(-1)
        at = np.union1d(taken, given)
        places = np.searchsorted(at, taken), np.zeros(1, np.int64)
        latency = self.depth(fold, x.range) + self.drain()
        return Events(slots, latency, at, places, np.searchsorted(at, given), (len(taken), 1, len(given)))

    def loop(self, fold: Fold, xs: tuple[Tensor, ...]) -> Loop:
        """For each column, for each context, for each of NF words of sums, SF slots; then the rest."""
        events = self.events(fold, xs)
        counts = np.zeros((2, events.slots), np.int64)
        for row, takes in zip(counts, events.takes, strict=True):
            row[events.at[takes]] = 1
        return Loop(events.slots, counts.cumsum(axis=1), events.at[events.writes], events.latency)

    def times(self, fold: Fold, xs: tuple[Tensor, ...], arrivals: tuple[Array, ...], release: Array | None = None,
              ) -> tuple[tuple[Array, ...], Array]:
        """See `Unit.times`."""
        return behind_slice(self.events(fold, xs), arrivals, release)

    def features(self, fold: Fold, xs: tuple[Tensor, ...], family: str) -> dict[str, float]:
        """Structural terms of the cost (see `lutra.ops.recurrent.features`)."""
        halves = self.products(fold, xs[0].range)
        return features(self._params(fold, xs), halves, self.neuron(fold, xs[0]), self.tables, family)

    def cost(self, fold: Fold, xs: tuple[Tensor, ...], family: str) -> Cost:
        """As fitted to synthesis."""
        return estimate(family, self.kind, self.features(fold, xs, family))

    def block(self, fold: Fold, xs: tuple[Tensor, ...]) -> Block:
        """The module, with what all cells have."""
        (x, lengths), ((simd, _), pe) = xs, self.lanes(fold, xs)
        halves, bits = self.products(fold, x.range), self.sum_bits(x.range)
        bias = self.biases(halves) & ((1 << bits) - 1)
        words = bias.reshape(self.sizes[0], bias.shape[1], -1, pe).transpose(0, 2, 3, 1).reshape(-1, pe * bias.shape[1])
        memories = {"WX": halves[0].memory(), "WH": halves[1].memory(),
                    "BIAS": Memory(pack(words, bits), bits * words.shape[1])}
        memories |= table_memories(self.tables) | self.cell_memories(fold)
        taken = simd * x.range.bits, lengths.range.bits
        return Block(self.MODULE, self._params(fold, xs), memories, taken, (pe * self.hidden.width,), last=True)

    def _params(self, fold: Fold, xs: tuple[Tensor, ...]) -> dict[str, Param]:
        """All parameters."""
        (x, lengths), (directions, _, rows, _), pe = xs, self.sizes, fold.pe
        halves, contexts = self.products(fold, x.range), x.shape[1]
        together = lcm(pe, halves[1].simd)
        params: dict[str, Param] = {
            "PE": pe, "NF": rows // pe, "SX": halves[0].words, "SR": halves[1].words, "CONTEXTS": contexts,
            "DIRECTIONS": directions, "REST": self.rest(fold, x), "LBITS": lengths.range.bits,
            "ABITS": self.sum_bits(x.range), "SIMD": fold.simd, "XBITS": x.range.bits, "XSIGNED": int(x.range.signed),
            "SIMD_R": halves[1].simd, "TOGETHER": together,
            "STATE_BLOCK": int(in_block(AUTO, 2 * contexts * rows // together, pe * self.hidden.width)),
        }
        params |= halves[0].params("X") | halves[1].params("H") | table_params(self.tables)
        return params | self.cell_params(fold, x)
