"""Pins: a top module around a design, for packages that have fewer pins than its streams have bits."""

from __future__ import annotations

from lutra.hw.netlist import Netlist
from lutra.hw.verilog import word_bytes

CONTROL_PINS = 7  # clk, rst, valid and ready twice, tlast


def pins(netlist: Netlist) -> int:
    """Pins of the design's own top module."""
    return CONTROL_PINS + sum(widths(netlist))


def widths(netlist: Netlist) -> tuple[int, int]:
    """Bits of tdata at the two ends."""
    (first,), (last,) = netlist.inputs, netlist.outputs
    return 8 * word_bytes(netlist.width(first.stream)), 8 * word_bytes(netlist.width(last.stream))


def serial_top(netlist: Netlist) -> str:
    """A top module `lutra_pins` whose data go in and out by one pin each, with valid and ready kept as they are.

    Input words are shifted in, lowest bit last; the design takes the register as it stands when valid is high. Output
    words are captured when they are taken, then shifted out, lowest bit first. Every port of the design is driven by
    or read into a register, so nothing of it can be optimised away and timing is measured between registers.
    """
    ins, outs = widths(netlist)
    return f"""\
// lutra_pins: {netlist.name} with serial data pins.
`default_nettype none
module lutra_pins (
  input  wire clk,
  input  wire rst,
  input  wire s_axis_tdata,
  input  wire s_axis_tvalid,
  output reg  s_axis_tready,
  output wire m_axis_tdata,
  output reg  m_axis_tvalid,
  input  wire m_axis_tready,
  output reg  m_axis_tlast
);
  reg rst_in, valid, ready;
  reg [{ins - 1}:0] word;
  reg [{outs - 1}:0] result;
  wire [{outs - 1}:0] data;
  wire in_ready, out_valid, last;
  always @(posedge clk) begin
    rst_in <= rst;
    valid <= s_axis_tvalid;
    ready <= m_axis_tready;
    word <= {_shift("word", ins, "s_axis_tdata")};
    s_axis_tready <= in_ready;
    m_axis_tvalid <= out_valid;
    m_axis_tlast <= last;
    result <= out_valid && ready ? data : {_shift("result", outs, "1'b0", right=True)};
  end
  assign m_axis_tdata = result[0];
  {netlist.name} design (
    .clk(clk), .rst(rst_in),
    .s_axis_tdata(word), .s_axis_tvalid(valid), .s_axis_tready(in_ready),
    .m_axis_tdata(data), .m_axis_tvalid(out_valid), .m_axis_tready(ready), .m_axis_tlast(last)
  );
endmodule
`default_nettype wire
"""


def _shift(name: str, width: int, bit: str, right: bool = False) -> str:
    if width == 1:
        return bit
    return f"{{{bit}, {name}[{width - 1}:1]}}" if right else f"{{{name}[{width - 2}:0], {bit}}}"
