"""Recurrent cells for the contract suite: formats and tables at random, most of them left by some values."""

from __future__ import annotations

from hypothesis import strategies as st

from lutra.ir import Constant, Node, Range
from lutra.ops.recurrent.op import Gru, Lstm
from lutra.ops.recurrent.values import spanned
from lutra.ops.requant.format import Format
from lutra.ops.requant.modes import OVERFLOWS, ROUNDINGS
from lutra.ops.samples import integers, sequences

SIZES = (1, 2, 3, 4, 6)
CONTEXTS = ((1, 1), (2, 1), (2, 1), (3, 1), (1, 2), (1, 3), (2, 2))  # directions, sequences


@st.composite
def formats(draw: st.DrawFn, of: Range, widest: int) -> Format:
    """What something in a range may be cast to, in up to so many bits, some of them too few for it."""
    width = draw(st.integers(1, widest))
    overflow = draw(st.sampled_from(OVERFLOWS))
    signed = overflow == "WRAP_SM" or draw(st.booleans())
    if (overflow, signed) == ("SAT_SYM", True):
        width += width == 1  # of one bit nothing but 0 is symmetric, which `ap_fixed` does not keep
    shift = max(of.bits - width - draw(st.integers(0, 2)), -1)
    return Format(shift, width, signed, draw(st.sampled_from(ROUNDINGS)), overflow)


@st.composite
def tables(draw: st.DrawFn, index: Format) -> Constant:
    """Entries for each value of an index, signed or not."""
    bits = draw(st.integers(1, 8))
    lo = draw(st.sampled_from((0, -(1 << (bits - 1)))))
    return Constant(integers(draw, lo, lo + (1 << bits) - 1, (1 << index.width,)))


def weights(draw: st.DrawFn, shape: tuple[int, ...]) -> Constant:
    """Bipolar, or of 2 to 8 bits."""
    bits = draw(st.sampled_from((1, 1, 2, 3, 4, 8)))
    if bits == 1:
        return Constant(2 * integers(draw, 0, 1, shape) - 1)
    return Constant(integers(draw, -(1 << (bits - 1)), (1 << (bits - 1)) - 1, shape))


def _shifts(draw: st.DrawFn) -> tuple[int, int, int, int, int]:
    a, b, c, d, e = (draw(st.integers(0, 2)) for _ in range(5))
    return a, b, c, d, e


@st.composite
def lstms(draw: st.DrawFn) -> Node:
    """With peepholes and without, of one context and more, each with weights of its own or some with the same."""
    (directions, count), rows = draw(st.sampled_from(CONTEXTS)), draw(st.sampled_from(SIZES))
    x, lengths = draw(sequences(SIZES, (directions * count,), bits=6))
    gate = draw(formats(Range(-512, 511), 10))
    index = draw(formats(gate.range, 6)), draw(formats(gate.range, 6))
    cell = draw(formats(Range(-512, 511), 9))
    index_c = draw(formats(cell.range, 6))
    sigmoid, tanh, cell_tanh = draw(tables(index[0])), draw(tables(index[1])), draw(tables(index_c))
    most = spanned(sigmoid).largest * spanned(cell_tanh).largest
    hidden = draw(formats(Range(-most - 1, most), draw(st.sampled_from((1, 2, 4, 8)))))
    peepholes = Constant(integers(draw, -4, 3, (directions, 3, rows))) if draw(st.booleans()) else None
    op = Lstm(weights(draw, (directions, 4, rows, x.out.shape[2])), weights(draw, (directions, 4, rows, rows)),
              Constant(integers(draw, -64, 63, (directions, 4, rows))), peepholes, _shifts(draw), gate, index, sigmoid,
              tanh, cell, index_c, cell_tanh, hidden)
    return Node(op, (x, lengths))


@st.composite
def grus(draw: st.DrawFn) -> Node:
    """Of one context and more, each with weights of its own or some with the same."""
    (directions, count), rows = draw(st.sampled_from(CONTEXTS)), draw(st.sampled_from(SIZES))
    x, lengths = draw(sequences(SIZES, (directions * count,), bits=6))
    gate, gate_h = draw(formats(Range(-512, 511), 10)), draw(formats(Range(-128, 127), 8))
    index = draw(formats(gate.range, 6)), draw(formats(gate.range, 6))
    hidden = draw(formats(Range(-512, 511), draw(st.sampled_from((1, 2, 4, 8)))))
    op = Gru(weights(draw, (directions, 3, rows, x.out.shape[2])), weights(draw, (directions, 3, rows, rows)),
             Constant(integers(draw, -64, 63, (directions, 3, rows))),
             Constant(integers(draw, -16, 15, (directions, rows))), _shifts(draw), draw(st.integers(-1, 16)), gate,
             gate_h, index, draw(tables(index[0])), draw(tables(index[1])), hidden)
    return Node(op, (x, lengths))
