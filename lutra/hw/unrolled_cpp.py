"""A circuit (`lutra.hw.circuit`) as an HLS function, the form of the module that `lutra.hw.unrolled` prints of it."""

from __future__ import annotations

from functools import lru_cache

from lutra.hw.circuit import Adder, Cell, Clip, Number, Operand, Port
from lutra.hw.pipelined import Pipelined, reads
from lutra.ir import Range


@lru_cache(maxsize=64)
def function(made: Pipelined, name: str) -> str:
    """Text of a header with the function template `name`: a word of codes of x in, one of codes of y out, each slot."""
    ins, outs = made.inputs * made.x.bits, len(made.outputs) * made.y.bits
    used = _used(made)
    cells = "".join(_cell(made, k, cell) for k, cell in enumerate(made.circuit.cells) if k in used)
    bits = made.y.bits
    sent = "".join(f"    lutra_set<{bits}>(result, {r}, ap_uint<{bits}>({_operand(made, o, bits)}));\n"
                   for r, o in enumerate(made.outputs) if o is not None)
    return f"""\
// {made.inputs} inputs, {len(made.outputs)} outputs, {len(made.stages)} cells.
#ifndef {name.upper()}_HPP
#define {name.upper()}_HPP

#include "lutra_hls.hpp"

template <int COUNT>
void {name}(hls::stream<ap_uint<{ins}> > &in, hls::stream<ap_uint<{outs}> > &out) {{
  for (int k = 0; k < COUNT; ++k) {{
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<{ins}> word = in.read();
    ap_uint<{outs}> result = 0;
{cells}{sent}    out.write(result);
  }}
}}

#endif
"""


def _used(made: Pipelined) -> set[int]:
    """The cells that an output depends on."""
    used = {o.index for o in made.outputs if o is not None}
    for k in range(len(made.circuit.cells) - 1, -1, -1):
        if k in used:
            used |= set(reads(made.circuit.cells[k]))
    return used


def _cell(made: Pipelined, k: int, cell: Cell) -> str:
    """A cell, in its own width."""
    of = made.circuit.ranges[k]
    match cell:
        case Number():
            return ""
        case Port(element):
            value = f"lutra_value<{int(of.signed)}>(lutra_get<{of.bits}>(word, {element}))"
        case Adder(None, right, _):
            value = f"-{_operand(made, right, of.bits + 1)}"
        case Adder(left, right, minus) if left is not None:
            sign = "-" if minus else "+"
            value = f"{_operand(made, left, of.bits + 1)} {sign} {_operand(made, right, of.bits + 1)}"
        case Clip():
            bits = _bits(made.circuit.ranges[cell.of])
            value = f"lutra_clip<{cell.shift}, {int(cell.even)}, {cell.lo}, {cell.hi}>(ap_int<{bits}>(n{cell.of}))"
    return f"    const lutra_cell<{_bits(of)}> n{k} = {value};\n"


def _bits(of: Range) -> int:
    """In two's complement."""
    return of.bits + (not of.signed)


def _operand(made: Pipelined, operand: Operand | None, bits: int) -> str:
    """An operand as a two's complement number of so many bits, cut where it is wider."""
    assert operand is not None
    cell = made.circuit.cells[operand.index]
    if isinstance(cell, Number):
        half = 1 << bits - 1
        return f"lutra_cell<{bits}>({(cell.value + half) % (2 * half) - half}LL)"
    name = f"n{operand.index}" if operand.shift >= 0 else f"(n{operand.index} >> {-operand.shift})"
    wide = f"lutra_cell<{bits}>({name})"
    return f"lutra_left<{bits}, {operand.shift}>({wide})" if operand.shift > 0 else wide
