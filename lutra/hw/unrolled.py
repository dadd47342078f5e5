"""A pipelined circuit (`lutra.hw.pipelined`) as a module: one enable for all of its registers.

The slice behind the last level is the only place where a stall stops anything, so a word needs no handshake on its way.
"""

from __future__ import annotations

from hashlib import sha256

from lutra.hw.circuit import Adder, Cell, Clip, Number, Operand, Port, times
from lutra.hw.pipelined import Pipelined
from lutra.ir import Range


def module(made: Pipelined) -> tuple[str, str]:
    """Name and text of the module: in_data the codes of x, out_data those of y, a word a cycle."""
    body = _Printer(made).body()
    name = f"lutra_unrolled_{sha256(body.encode()).hexdigest()[:16]}"
    size = f"{made.inputs} inputs, {len(made.outputs)} outputs, {len(made.stages)} cells"
    return name, f"""\
// {size}, {made.depth} registers deep.
module {name} (
{body}endmodule
"""


class _Printer:
    """Prints the cells of one."""

    def __init__(self, made: Pipelined) -> None:
        self.made, self.circuit, self.stages, self.late = made, made.circuit, made.stages, made.late

    def body(self) -> str:
        ins, outs = self.made.inputs * self.made.x.bits, len(self.made.outputs) * self.made.y.bits
        cells = enumerate(self.circuit.cells)
        wires = [line for k, cell in cells if not isinstance(cell, Number) for line in self._cell(k, cell)]
        held = [f"      n{i}_{k} <= n{i}{f'_{k - 1}' if k > 1 else ''};"
                for i, late in enumerate(self.late) for k in range(1, late + 1)]
        # Registers that stay registers: see lutra_hold.
        clocked = ["  (* keep *) always_ff @(posedge clk)", "    if (en) begin", *held, "    end\n"]
        sent = [f"  assign out[{r * self.made.y.bits}+:{self.made.y.bits}] = {self._output(o)};"
                for r, o in enumerate(self.made.outputs)]
        return f"""\
  input  logic clk,
  input  logic rst,
  input  logic [{ins - 1}:0] in_data,
  input  logic in_valid,
  output logic in_ready,
  output logic [{outs - 1}:0] out_data,
  output logic out_valid,
  input  logic out_ready
);
  logic en;
  logic [{outs - 1}:0] out;
  assign in_ready = en;
{self._valid()}{chr(10).join(wires)}
{chr(10).join(clocked) if held else ""}{chr(10).join(sent)}
  lutra_skid #(.WIDTH({outs})) slice (
    .clk, .rst, .in_data(out), .in_valid(sent), .in_ready(en), .out_data, .out_valid, .out_ready);
"""

    def _valid(self) -> str:
        """`sent`: whether the word before the slice is one."""
        if not self.made.depth:
            return "  logic sent;\n  assign sent = in_valid;\n"
        shift = "in_valid" if self.made.depth == 1 else f"{{valid[{self.made.depth - 2}:0], in_valid}}"
        return f"""\
  logic sent;
  logic [{self.made.depth - 1}:0] valid;
  assign sent = valid[{self.made.depth - 1}];
  always_ff @(posedge clk)
    if (rst) valid <= '0;
    else if (en) valid <= {shift};
"""

    def _cell(self, k: int, cell: Cell) -> list[str]:
        """A cell, and the wires of its registers, in its own width: what lies above that is the sign, or nothing."""
        bits = self.circuit.ranges[k].bits
        names = ", ".join(f"n{k}{f'_{late}' if late else ''}" for late in range(self.late[k] + 1))
        wires = f"  logic [{bits - 1}:0] {names};"
        match cell:
            case Port(element):
                return [wires, f"  assign n{k} = in_data[{element * bits}+:{bits}];"]
            case Adder(left, right, minus):
                first = f"{bits}'d0" if left is None else self._operand(left, bits, self.stages[k])
                second = self._operand(right, bits, self.stages[k])
                return [wires, f"  assign n{k} = {first} {'-' if minus else '+'} {second};"]
            case Clip():
                return [wires, *self._clip(k, cell, bits)]
        raise AssertionError(cell)

    def _clip(self, k: int, cell: Clip, bits: int) -> list[str]:
        """q: the quotient, unclipped, one bit wider where that is needed to say how far it reaches."""
        of, t = self.circuit.ranges[cell.of], self._name(cell.of, self.stages[k])
        lo, hi = (times(v, -cell.shift) for v in (of.lo, of.hi))
        q = Range(min(lo - (cell.even and lo % 2), 0) if of.lo < 0 else 0, hi)
        width, sign = q.bits, "$signed" if q.signed else ""
        shown = [f"  logic [{width - 1}:0] q{k};"]
        kept = f"{t}[{of.bits - 1}:{cell.shift}]" if cell.shift > 0 else t
        if cell.shift >= of.bits:
            kept = f"{t}[{of.bits - 1}]" if of.signed else "1'd0"
        quotient = f"{width}'({'$signed' if of.signed else ''}({kept}))"
        if cell.shift < 0:
            quotient = f"({quotient} << {-cell.shift})"
        if cell.even and cell.shift > 0:
            rest = f"|{t}[{min(cell.shift, of.bits) - 1}:0]"
            quotient += f" & {{{{{width - 1}{{1'b1}}}}, {rest}}}" if width > 1 else f" & ({rest})"
        shown.append(f"  assign q{k} = {quotient};")
        value = f"{bits}'({sign}(q{k}))"
        if q.hi > cell.hi:
            value = f"{self._over(k, cell, q)} ? {_literal(cell.hi, bits)} : {value}"
        if q.lo < cell.lo:
            under = f"q{k}[{width - 1}]" if not cell.lo else f"{sign}(q{k}) < {_signed(cell.lo, width, q)}"
            value = f"{under} ? {_literal(cell.lo, bits)} : {value}"
        return [*shown, f"  assign n{k} = {value};"]

    def _over(self, k: int, cell: Clip, q: Range) -> str:
        """Whether the quotient is above the upper bound, where it is not below the lower one."""
        size = cell.hi.bit_length()
        if cell.hi > 0 and cell.hi + 1 == 1 << size and cell.lo >= 0:
            return f"|q{k}[{q.bits - 1}:{size}]"
        return f"{'$signed' if q.signed else ''}(q{k}) > {_signed(cell.hi, q.bits, q)}"

    def _output(self, out: Operand | None) -> str:
        return f"{self.made.y.bits}'d0" if out is None else self._operand(out, self.made.y.bits, self.made.depth)

    def _name(self, index: int, stage: int) -> str:
        late = stage - self.stages[index]
        return f"n{index}" + (f"_{late}" if late else "")

    def _operand(self, operand: Operand, bits: int, stage: int) -> str:
        """An operand behind `stage` registers, extended or cut to so many bits."""
        of, cell = self.circuit.ranges[operand.index], self.circuit.cells[operand.index]
        if isinstance(cell, Number):
            return _literal(cell.value, bits)
        name = self._name(operand.index, stage)
        if operand.shift < 0:
            name = f"{name}[{of.bits - 1}:{-operand.shift}]"
        wide = f"{bits}'($signed({name}))" if of.signed else f"{bits}'({name})"
        return f"({wide} << {operand.shift})" if operand.shift > 0 else wide


def _literal(value: int, bits: int) -> str:
    return f"{bits}'d{value & ((1 << bits) - 1)}"


def _signed(value: int, bits: int, of: Range) -> str:
    """A bound to compare with: of the same width and sign."""
    assert of.lo <= value <= of.hi, (value, of)
    return f"$signed({_literal(value, bits)})" if of.signed else _literal(value, bits)
