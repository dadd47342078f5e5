"""Lstm and Gru: recurrent cells in fixed point, every inner value with a format of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lutra.hw.netlist import Memory, Param, pack
from lutra.ir import Array, Constant, Node, Range, Tensor
from lutra.ops.base import Fold
from lutra.ops.recurrent.engine import AUTO, Recurrent, Step
from lutra.ops.recurrent.features import Cell
from lutra.ops.recurrent.params import Tables, cast_params
from lutra.ops.recurrent.products import Products
from lutra.ops.recurrent.values import (
    Product,
    check_operand,
    check_shape,
    check_shifts,
    check_sum,
    check_table,
    left,
    looked_up,
    plus,
    reached,
    signed_bits,
    spanned,
    times,
)
from lutra.ops.requant.format import Format
from lutra.ops.rom import in_block

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class LstmSums:
    """What is cast: a, of every gate; peeped, the peepholes' part of it; c before its cast; h before its cast."""

    a: Range
    peeped: Range
    c: Range
    h: Range


@dataclass(frozen=True)
class Lstm(Recurrent):
    """Long short-term memory with gates i, f, g, o, as PyTorch orders them; with shifts (x, h, c, ig, fc):

        a_g = (W_g x << x) + (U_g h << h) + (p_g c << c) + b_g     c: the last for i and f, the new one for o
        z_g = table_g[index_g(gate(a_g))]                          sigmoid for i, f, o; tanh for g
        c   = cell((z_i z_g << ig) + (z_f c << fc))
        h   = hidden(z_o cell_tanh[index_c(c)])

    from c = h = 0 on. bias: (directions, 4, H); peepholes p: (directions, 3, H) of i, f, o. index: of sigmoid and tanh.
    A table has an entry for each value of its index, in order of the values.
    """

    weights: Constant
    recurrent: Constant
    bias: Constant
    peepholes: Constant | None
    shifts: tuple[int, int, int, int, int]
    gate: Format
    index: tuple[Format, Format]
    sigmoid: Constant
    tanh: Constant
    cell: Format
    index_c: Format
    cell_tanh: Constant
    hidden: Format

    GATES = 4
    MODULE = "lutra_lstm"

    def __post_init__(self) -> None:
        self.settle(("gate", "cell", "index_c", "hidden"))

    def check(self, x: Range) -> None:
        """Shapes, tables, formats and the widths of sums."""
        directions, _, rows, _ = self.sizes
        check_shifts(self.shifts, 5)
        check_shape("a bias", self.bias, (directions, 4, rows))
        if self.peepholes is not None:
            check_shape("peepholes", self.peepholes, (directions, 3, rows))
            check_operand("peepholes", self.peepholes.range)
        for what, table, index in (("sigmoid", self.sigmoid, self.index[0]), ("tanh", self.tanh, self.index[1]),
                                   ("tanh of the cell", self.cell_tanh, self.index_c)):
            check_table(what, table, index)
        s = self.sums(x)
        for cast, of in ((self.gate, s.a), (self.cell, s.c), (self.hidden, s.h), (self.index_c, self.cell.range),
                         *((index, self.gate.range) for index in self.index)):
            cast.checked(check_sum("sums", of))
        check_operand("cells", self.cell.range)

    def sums(self, x: Range) -> LstmSums:
        """The ranges of what is cast, for columns in x."""
        sx, sh, sc, ig, fc = self.shifts
        sigmoid, tanh = spanned(self.sigmoid), spanned(self.tanh)
        peeped = Range(0, 0) if self.peepholes is None else left(times(spanned(self.peepholes), self.cell.range), sc)
        a = plus(reached(self.bias, (self.weights, x, sx), (self.recurrent, self.hidden.range, sh)), peeped)
        c = plus(left(times(sigmoid, tanh), ig), left(times(sigmoid, self.cell.range), fc))
        return LstmSums(a, peeped, c, times(sigmoid, spanned(self.cell_tanh)))

    def stepper(self, x: Product, h: Product) -> Step:
        """The equations."""
        sx, sh, sc, ig, fc = self.shifts
        bias = self.bias.array.astype(np.int64)
        peep = None if self.peepholes is None else self.peepholes.array.astype(np.int64)

        def gated(table: Constant, index: Format, a: Array) -> Array:
            return looked_up(table, index, self.gate.cast(a))

        def step(column: Array, last: Array, c: Array) -> tuple[Array, Array]:
            a = (x(column) << sx) + (h(last) << sh) + bias
            i, f, g, o = (a[:, :, k] for k in range(4))
            if peep is not None:
                i, f = i + (peep[:, 0] * c << sc), f + (peep[:, 1] * c << sc)
            zi, zf = (gated(self.sigmoid, self.index[0], v) for v in (i, f))
            new = self.cell.cast((zi * gated(self.tanh, self.index[1], g) << ig) + (zf * c << fc))
            if peep is not None:
                o = o + (peep[:, 2] * new << sc)
            zo = gated(self.sigmoid, self.index[0], o)
            return self.hidden.cast(zo * looked_up(self.cell_tanh, self.index_c, new)), new

        return step

    def drain(self) -> int:
        """Sums, casts, gates, two products, their sum, c and its tanh, the product, h; o waits for c's product."""
        return 8 if self.peepholes is None else 11

    def sum_bits(self, x: Range) -> int:
        """Of a."""
        return signed_bits(self.sums(x).a)

    def biases(self, products: tuple[Products, Products]) -> Array:
        """The bias, and what codes lack."""
        biases: Array = self.bias.array.astype(np.int64) + products[0].missing() + products[1].missing()
        return biases

    def cell_params(self, fold: Fold, x: Tensor) -> dict[str, Param]:
        """Casts, peepholes, c."""
        s, words, (_, _, sc, ig, fc) = self.sums(x.range), x.shape[1] * self.sizes[2] // fold.pe, self.shifts
        params: dict[str, Param] = {
            "UBITS": signed_bits(s.c), "IG_SHIFT": ig, "FC_SHIFT": fc,
            "CELL_BLOCK": int(in_block(AUTO, words, fold.pe * self.cell.width))}
        casts = {"G": (self.gate, s.a), "S": (self.index[0], self.gate.range), "T": (self.index[1], self.gate.range),
                 "C": (self.cell, s.c), "K": (self.index_c, self.cell.range), "H": (self.hidden, s.h)}
        if self.peepholes is not None:
            params |= {"PEEPHOLES": 1, "PBITS": signed_bits(spanned(self.peepholes)), "PEEP_SHIFT": sc}
        return params | cast_params(casts)

    def cell_memories(self, fold: Fold) -> dict[str, Memory]:
        """Peepholes."""
        if self.peepholes is None:
            return {}
        bits = signed_bits(spanned(self.peepholes))
        words = self.peepholes.array.astype(np.int64).reshape(self.sizes[0], 3, -1, fold.pe).transpose(0, 2, 3, 1)
        codes = words.reshape(-1, 3 * fold.pe) & ((1 << bits) - 1)
        return {"PEEP": Memory(pack(codes, bits), bits * codes.shape[1])}

    @property
    def tables(self) -> Tables:
        """Of the gates, and tanh of the cell."""
        return {"SIGMOID": (self.sigmoid, self.index[0]), "TANH": (self.tanh, self.index[1]),
                "CELL_TANH": (self.cell_tanh, self.index_c)}

    def neuron(self, fold: Fold, x: Tensor) -> Cell:
        """Four gates, c, h."""
        s, peeps = self.sums(x.range), self.peepholes is not None
        z, n, c = signed_bits(spanned(self.sigmoid)), signed_bits(spanned(self.tanh)), self.cell.width + 1
        of_c = signed_bits(spanned(self.cell_tanh))
        peep = ((signed_bits(spanned(self.peepholes)), c),) * 3 if self.peepholes is not None else ()
        quotients = (self.gate.quotient(s.a),) * 4 + (self.cell.quotient(s.c), self.hidden.quotient(s.h))
        waiting = 3 * c + 3 * of_c + 6 * signed_bits(s.a) if peeps else 3 * z
        words = x.shape[1] * self.sizes[2] // fold.pe, fold.pe * self.cell.width
        return Cell(quotients, ((z, n), (z, c), (z, of_c), *peep), ("SIGMOID",) * 3 + ("TANH", "CELL_TANH"),
                    waiting + z + n + z + c + z + of_c, ((*words, in_block(AUTO, *words)),))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """One context and more, with peepholes and without, values that leave their types."""
        from lutra.ops.recurrent.samples import lstms

        return lstms()


@dataclass(frozen=True)
class Gru(Recurrent):
    """Gated recurrent unit with gates r, z, n, as PyTorch orders them; with shifts (x, h, u, zn, zh):

        a_g = (W_g x << x) + (U_g h << h) + b_g                    of r and z; z_g = sigmoid[index(gate(a_g))]
        u   = gate_h(U_n h + hidden_bias)
        n   = tanh[index(gate((W_n x << x) + (z_r u << u) + b_n))]
        h   = hidden(((one - z_z) n << zn) + (z_z h << zh))

    from h = 0 on: ONNX's linear_before_reset = 1. bias b: (directions, 3, H), hidden_bias: (directions, H). index: of
    sigmoid and of tanh. A table has an entry for each value of its index, in order of the values.
    """

    weights: Constant
    recurrent: Constant
    bias: Constant
    hidden_bias: Constant
    shifts: tuple[int, int, int, int, int]
    one: int
    gate: Format
    gate_h: Format
    index: tuple[Format, Format]
    sigmoid: Constant
    tanh: Constant
    hidden: Format

    GATES = 3
    MODULE = "lutra_gru"

    def __post_init__(self) -> None:
        self.settle(("gate", "gate_h", "hidden"))

    def check(self, x: Range) -> None:
        """Shapes, tables, formats and the widths of sums."""
        directions, _, rows, _ = self.sizes
        check_shifts(self.shifts, 5)
        check_shape("a bias", self.bias, (directions, 3, rows))
        check_shape("a hidden bias", self.hidden_bias, (directions, rows))
        check_table("sigmoid", self.sigmoid, self.index[0])
        check_table("tanh", self.tanh, self.index[1])
        s = self.sums(x)
        for cast, of in ((self.gate, s.a), (self.gate_h, s.u), (self.hidden, s.h),
                         *((index, self.gate.range) for index in self.index)):
            cast.checked(check_sum("sums", of))
        check_operand("recurrent parts", self.gate_h.range)
        check_operand("one less a gate", s.rest)

    def sums(self, x: Range) -> GruSums:
        """The ranges of what is cast, for columns in x."""
        sx, sh, su, zn, zh = self.shifts
        sigmoid = spanned(self.sigmoid)
        rest = Range(self.one - sigmoid.hi, self.one - sigmoid.lo)
        both = reached(self.bias, (self.weights, x, sx), (self.recurrent, self.hidden.range, sh))
        u = reached(self.hidden_bias, (self.recurrent, self.hidden.range, 0))
        new = plus(reached(self.bias, (self.weights, x, sx)), left(times(sigmoid, self.gate_h.range), su))
        a = Range(min(both.lo, new.lo), max(both.hi, new.hi))
        h = plus(left(times(rest, spanned(self.tanh)), zn), left(times(sigmoid, self.hidden.range), zh))
        return GruSums(a, u, rest, h)

    def stepper(self, x: Product, h: Product) -> Step:
        """The equations; the state is h."""
        sx, sh, su, zn, zh = self.shifts
        bias, of_state = self.bias.array.astype(np.int64), self.hidden_bias.array.astype(np.int64)

        def step(column: Array, last: Array, state: Array) -> tuple[Array, Array]:
            a, b = (x(column) << sx) + bias, h(last)
            zr, zz = (looked_up(self.sigmoid, self.index[0], self.gate.cast(a[:, :, k] + (b[:, :, k] << sh)))
                      for k in (0, 1))
            u = self.gate_h.cast(b[:, :, 2] + of_state)
            n = looked_up(self.tanh, self.index[1], self.gate.cast(a[:, :, 2] + (zr * u << su)))
            new = self.hidden.cast(((self.one - zz) * n << zn) + (zz * last << zh))
            return new, state

        return step

    def drain(self) -> int:
        """Sums, casts, gates and u, their product, n's cast, n, two products, the cast of their sum, h."""
        return 9

    def sum_bits(self, x: Range) -> int:
        """Of a, and of u shifted as what r and z get of h is."""
        s = self.sums(x)
        return max(signed_bits(s.a), signed_bits(left(s.u, self.shifts[1])))

    def biases(self, products: tuple[Products, Products]) -> Array:
        """Of r and z; of n's column; of n's h. What codes lack is theirs whose products they are."""
        column, states = (p.missing() for p in products)
        own, of_state = self.bias.array.astype(np.int64), self.hidden_bias.array.astype(np.int64)
        split = (of_state << self.shifts[1]) + states[:, 2]
        return np.concatenate([own[:, :2] + column[:, :2] + states[:, :2], own[:, 2:] + column[:, 2:],
                               split[:, None]], axis=1)

    def cell_params(self, fold: Fold, x: Tensor) -> dict[str, Param]:
        """Casts, the last h."""
        s, words, (_, sh, su, zn, zh) = self.sums(x.range), x.shape[1] * self.sizes[2] // fold.pe, self.shifts
        shifted = self.gate_h._replace(shift=self.gate_h.shift + sh)
        casts = {"G": (self.gate, s.a), "U": (shifted, left(s.u, sh)), "S": (self.index[0], self.gate.range),
                 "T": (self.index[1], self.gate.range), "H": (self.hidden, s.h)}
        params: dict[str, Param] = {
            "RU_SHIFT": su, "ZN_SHIFT": zn, "ZH_SHIFT": zh, "ONE": self.one, "RBITS": signed_bits(s.rest),
            "VBITS": signed_bits(s.h),
            "PAST_BLOCK": int(in_block(AUTO, words, fold.pe * self.hidden.width))}
        return params | cast_params(casts)

    @property
    def tables(self) -> Tables:
        """Of the gates."""
        return {"SIGMOID": (self.sigmoid, self.index[0]), "TANH": (self.tanh, self.index[1])}

    def neuron(self, fold: Fold, x: Tensor) -> Cell:
        """Two gates, u, n, h."""
        s, h, u = self.sums(x.range), self.hidden.width + 1, self.gate_h.width + 1
        z, n, rest = signed_bits(spanned(self.sigmoid)), signed_bits(spanned(self.tanh)), signed_bits(s.rest)
        quotients = (self.gate.quotient(s.a),) * 3 + (self.gate_h.quotient(s.u), self.hidden.quotient(s.h))
        words = x.shape[1] * self.sizes[2] // fold.pe, fold.pe * self.hidden.width
        return Cell(quotients, ((z, u), (rest, n), (z, h)), ("SIGMOID",) * 2 + ("TANH",),
                    3 * (signed_bits(s.a) + z) + z + u + rest + n + z + h, ((*words, in_block(AUTO, *words)),))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """One context and more, values that leave their types."""
        from lutra.ops.recurrent.samples import grus

        return grus()


@dataclass(frozen=True)
class GruSums:
    """What is cast: a, of every gate; u and h before their casts. rest: one less a gate."""

    a: Range
    u: Range
    rest: Range
    h: Range
