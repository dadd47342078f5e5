"""A circuit (`lutra.hw.circuit`) as a module: a register behind every few levels, one enable for all of them.

The slice behind the last level is the only place where a stall stops anything, so a word needs no handshake on its way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from lutra.hw.circuit import LEVELS, Adder, Cell, Circuit, Clip, Number, Operand, Port
from lutra.ir import Range


@dataclass(frozen=True, eq=False)
class Pipelined:
    """A circuit and its outputs, None where one is 0. x, y: what the words' elements are coded as."""

    circuit: Circuit
    inputs: int
    outputs: tuple[Operand | None, ...]
    x: Range
    y: Range

    @cached_property
    def stages(self) -> tuple[int, ...]:
        """Of each cell, behind how many registers it lies."""
        return tuple((level - 1) // LEVELS if level else 0 for level in self.circuit.levels)

    @cached_property
    def depth(self) -> int:
        """Registers from input to output, the slice's not among them."""
        return max((self.stages[o.index] for o in self.outputs if o is not None), default=0)

    @cached_property
    def late(self) -> tuple[int, ...]:
        """By how many registers each cell is needed later than it is there."""
        late = [0] * len(self.stages)
        for k, cell in enumerate(self.circuit.cells):
            for index in _reads(cell):
                late[index] = max(late[index], self.stages[k] - self.stages[index])
        for out in self.outputs:
            if out is not None:
                late[out.index] = max(late[out.index], self.depth - self.stages[out.index])
        return tuple(0 if isinstance(c, Number) else n for c, n in zip(self.circuit.cells, late, strict=True))

    def logic_bits(self) -> int:
        """Bits of all adders, without those that an operand's shift leaves as they are, and functions of roundings."""
        return sum(self._functions(cell, of) for cell, of in zip(self.circuit.cells, self.circuit.ranges, strict=True))

    def _functions(self, cell: Cell, of: Range) -> int:
        if isinstance(cell, Clip):
            return of.bits + self.circuit.ranges[cell.of].bits // 5
        if not isinstance(cell, Adder):
            return 0
        first = self.circuit.cells[cell.left.index] if cell.left is not None else None
        if isinstance(first, Number):
            return (first.value & ((1 << of.bits) - 1)).bit_count()
        kept = cell.right.shift if cell.left is not None and not cell.left.shift else 0
        if cell.left is not None and cell.left.shift and not cell.minus:
            kept = cell.left.shift
        return of.bits - min(max(kept, 0), of.bits)

    def register_bits(self) -> int:
        """Bits of the registers between stages."""
        return sum(late * of.bits for late, of in zip(self.late, self.circuit.ranges, strict=True))

    @cached_property
    def module(self) -> tuple[str, str]:
        """Name and text of the module: in_data the codes of x, out_data those of y, a word a cycle."""
        body = self._body()
        name = f"lutra_unrolled_{sha256(body.encode()).hexdigest()[:16]}"
        size = f"{self.inputs} inputs, {len(self.outputs)} outputs, {len(self.stages)} cells"
        return name, f"""\
// {size}, {self.depth} registers deep.
module {name} (
{body}endmodule
"""

    def _body(self) -> str:
        ins, outs = self.inputs * self.x.bits, len(self.outputs) * self.y.bits
        cells = enumerate(self.circuit.cells)
        wires = [line for k, cell in cells if not isinstance(cell, Number) for line in self._cell(k, cell)]
        held = [f"      n{i}_{k} <= n{i}{f'_{k - 1}' if k > 1 else ''};"
                for i, late in enumerate(self.late) for k in range(1, late + 1)]
        # Registers that stay registers: see lutra_hold.
        clocked = ["  (* keep *) always_ff @(posedge clk)", "    if (en) begin", *held, "    end\n"]
        sent = [f"  assign out[{r * self.y.bits}+:{self.y.bits}] = {self._output(o)};"
                for r, o in enumerate(self.outputs)]
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
        if not self.depth:
            return "  logic sent;\n  assign sent = in_valid;\n"
        shift = "in_valid" if self.depth == 1 else f"{{valid[{self.depth - 2}:0], in_valid}}"
        return f"""\
  logic sent;
  logic [{self.depth - 1}:0] valid;
  assign sent = valid[{self.depth - 1}];
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
        lo, hi = (times_two(v, -cell.shift) for v in (of.lo, of.hi))
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
        return f"{self.y.bits}'d0" if out is None else self._operand(out, self.y.bits, self.depth)

    def _name(self, index: int, stage: int) -> str:
        late = stage - self.stages[index]
        return f"n{index}" + (f"_{late}" if late else "")

    def _operand(self, operand: Operand, bits: int, stage: int) -> str:
        """An operand behind `stage` registers, extended or cut to so many bits."""
        of, cell = self.circuit.ranges[operand.index], self.circuit.cells[operand.index]
        if isinstance(cell, Number):
            return _literal(times_two(cell.value, operand.shift), bits)
        name = self._name(operand.index, stage)
        if operand.shift < 0:
            name = f"{name}[{of.bits - 1}:{-operand.shift}]"
        wide = f"{bits}'($signed({name}))" if of.signed else f"{bits}'({name})"
        return f"({wide} << {operand.shift})" if operand.shift > 0 else wide


def times_two(value: int, shift: int) -> int:
    """floor(value * 2**shift)."""
    return value << shift if shift >= 0 else value >> -shift


def _reads(cell: Cell) -> tuple[int, ...]:
    match cell:
        case Adder(left, right, _):
            return (right.index,) if left is None else (left.index, right.index)
        case Clip(of):
            return (of,)
    return ()


def _literal(value: int, bits: int) -> str:
    return f"{bits}'d{value & ((1 << bits) - 1)}"


def _signed(value: int, bits: int, of: Range) -> str:
    """A bound to compare with: of the same width and sign."""
    assert of.lo <= value <= of.hi, (value, of)
    return f"$signed({_literal(value, bits)})" if of.signed else _literal(value, bits)
