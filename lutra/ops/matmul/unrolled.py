"""A graph of adders (`lutra.ops.matmul.adders`) as a module of its own."""

from __future__ import annotations

from hashlib import sha256

from lutra.ir import Range
from lutra.ops.matmul.adders import Adder, Adders, Operand


def module(graph: Adders, x: Range, y: Range) -> tuple[str, str]:
    """Name and text of the module: in_data the codes of x, out_data those of y, a word a cycle."""
    body = _body(graph, x, y)
    name = f"lutra_adders_{sha256(body.encode()).hexdigest()[:16]}"
    return name, f"""\
// {len(graph.outputs)} sums of {graph.inputs} inputs, {len(graph.adders)} adders, {graph.depth} registers deep.
module {name} (
{body}endmodule
"""


def adder_bits(graph: Adders) -> int:
    """Bits of all adders, without those that an operand's shift leaves as they are."""
    total = 0
    for adder, of in zip(graph.adders, graph.ranges[graph.inputs:], strict=True):
        kept = adder.right.shift if adder.left is not None and not adder.left.shift else 0
        if adder.left is not None and adder.left.shift and not adder.minus:
            kept = adder.left.shift
        total += of.bits - min(kept, of.bits)
    return total


def register_bits(graph: Adders) -> int:
    """Bits of the registers between stages."""
    return sum(_late(graph)[i] * of.bits for i, of in enumerate(graph.ranges))


def _late(graph: Adders) -> list[int]:
    """By how many registers each node is needed later than it is there."""
    late = [0] * len(graph.ranges)
    for k, adder in enumerate(graph.adders):
        for operand in (adder.left, adder.right):
            if operand is not None:
                wait = graph.stages[graph.inputs + k] - graph.stages[operand.index]
                late[operand.index] = max(late[operand.index], wait)
    for out in graph.outputs:
        if out is not None:
            late[out.index] = max(late[out.index], graph.depth - graph.stages[out.index])
    return late


def _body(graph: Adders, x: Range, y: Range) -> str:
    late = _late(graph)
    depth, ins, outs = graph.depth, graph.inputs * x.bits, len(graph.outputs) * y.bits
    valid = f"  logic [{depth - 1}:0] valid;\n" if depth else ""
    start = f"valid[{depth - 1}]" if depth else "in_valid"
    shift = "valid" if depth == 1 else f"valid[{depth - 2}:0]"
    follow = f"""\
  always_ff @(posedge clk)
    if (rst) valid <= '0;
    else if (en) valid <= {"in_valid" if depth == 1 else f"{{{shift}, in_valid}}"};
""" if depth else ""
    wires = [_wire(i, of, late[i]) for i, of in enumerate(graph.ranges)]
    inputs = [f"  assign n{i} = in_data[{i * x.bits}+:{x.bits}];" for i in range(graph.inputs)]
    sums = [f"  assign n{graph.inputs + k} = {_sum(graph, k, a)};" for k, a in enumerate(graph.adders)]
    held = [f"      n{i}_{k} <= n{i}{f'_{k - 1}' if k > 1 else ''};"
            for i in range(len(graph.ranges)) for k in range(1, late[i] + 1)]
    # Registers that stay registers: see lutra_hold.
    clocked = ["  (* keep *) always_ff @(posedge clk)", "    if (en) begin", *held, "    end\n"]
    steps = "\n".join(clocked) if held else ""
    sent = [f"  assign out[{r * y.bits}+:{y.bits}] = {_output(graph, o, y)};"
            for r, o in enumerate(graph.outputs)]
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
{valid}  logic [{outs - 1}:0] out;
  assign in_ready = en;
{follow}{chr(10).join([*wires, *inputs, *sums])}
{steps}{chr(10).join(sent)}
  lutra_skid #(.WIDTH({outs})) slice (
    .clk, .rst, .in_data(out), .in_valid({start}), .in_ready(en), .out_data, .out_valid, .out_ready);
"""


def _wire(index: int, of: Range, late: int) -> str:
    width = f"[{of.bits - 1}:0]"
    names = ", ".join(f"n{index}{f'_{k}' if k else ''}" for k in range(late + 1))
    return f"  logic {width} {names};"


def _sum(graph: Adders, k: int, adder: Adder) -> str:
    """A node from its operands, in its own width: what lies above that is the sign, or nothing."""
    bits, stage = graph.ranges[graph.inputs + k].bits, graph.stages[graph.inputs + k]
    left = f"{bits}'d0" if adder.left is None else _operand(graph, adder.left, bits, stage)
    return f"{left} {'-' if adder.minus else '+'} {_operand(graph, adder.right, bits, stage)}"


def _output(graph: Adders, out: Operand | None, y: Range) -> str:
    return f"{y.bits}'d0" if out is None else _operand(graph, out, y.bits, graph.depth)


def _operand(graph: Adders, operand: Operand, bits: int, stage: int) -> str:
    """An operand behind `stage` registers, extended or cut to so many bits."""
    of, late = graph.ranges[operand.index], stage - graph.stages[operand.index]
    name = f"n{operand.index}" + (f"_{late}" if late else "")
    if operand.shift < 0:
        name = f"{name}[{of.bits - 1}:{-operand.shift}]"
    wide = f"{bits}'($signed({name}))" if of.signed else f"{bits}'({name})"
    return f"({wide} << {operand.shift})" if operand.shift > 0 else wide
