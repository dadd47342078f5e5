"""What stands around the designs of a simulation: a Verilog wrapper, and the C++ that hands its ports on."""

from __future__ import annotations

from collections.abc import Sequence

from lutra.hw.axi import ADDRESS, Place, places
from lutra.hw.netlist import End, Instance, Netlist
from lutra.hw.verilog import AXI_LITE, ports, word_bytes

BENCH = "lutra_bench"
HEARD = ("base", "arready", "rdata", "rlast", "rvalid")  # of a memory port
SAID = ("araddr", "arlen", "arvalid", "rready")
PORT = ("base", "araddr", "arlen", "arvalid", "arready", "rdata", "rlast", "rvalid", "rready")  # as in ReadPort
WRITES = ("awaddr", "awvalid", "awready", "wdata", "wstrb", "wvalid", "wready", "bresp", "bvalid", "bready")


def bench(netlists: Sequence[Netlist]) -> str:
    """The wrapper: clock and reset shared, every design's ends as ports of its own, all streams' states as probes."""
    declared, instances = [], []
    for k, n in enumerate(netlists):
        lines = [".clk(clk), .rst(rst)"]
        for port, own, end in _ends(n, k, "in"):
            top = 8 * word_bytes(n.width(end.stream)) - 1
            declared += [f"input wire [{top}:0] {own}_data", f"input wire {own}_valid", f"output wire {own}_ready"]
            lines.append(f".{port}_tdata({own}_data), .{port}_tvalid({own}_valid), .{port}_tready({own}_ready)")
        for port, own, end in _ends(n, k, "out"):
            top = 8 * word_bytes(n.width(end.stream)) - 1
            declared += [f"output wire [{top}:0] {own}_data", f"output wire {own}_valid", f"input wire {own}_ready",
                         f"output wire {own}_last"]
            lines.append(f".{port}_tdata({own}_data), .{port}_tvalid({own}_valid), .{port}_tready({own}_ready), "
                         f".{port}_tlast({own}_last)")
        for place, own in _reads(n, k):
            declared += _read_ports(place, own)
            lines.append(", ".join(f".{place.port}_{theirs}({own}_{theirs})" for theirs in HEARD + SAID))
            lines.append(f".{place.port}_rresp(2'b00), .{place.port}_arsize(), .{place.port}_arburst()")
        if n.windows and n.controlled:
            ports_, wired = _axi(n, k)
            declared += ports_
            lines.append(wired)
        body = ",\n    ".join(lines)
        instances.append(f"  {n.name} d{k} ({body});\n")
    probes = [f"d{k}.{s.name}" for k, n in enumerate(netlists) for s in n.streams][::-1]
    for what in ("valid", "ready"):
        declared.append(f"output wire [{len(probes) - 1}:0] probe_{what}")
        instances.append(f"  assign probe_{what} = {{{', '.join(f'{p}_{what}' for p in probes)}}};\n")
    head = ",\n  ".join(["input wire clk", "input wire rst", *declared])
    return f"module {BENCH} (\n  {head}\n);\n{''.join(instances)}endmodule\n"


def _ends(netlist: Netlist, k: int, way: str) -> list[tuple[str, str, End]]:
    """For each end of design k: its port's prefix, the wrapper's prefix for it, the end."""
    ends, port = (netlist.inputs, "s_axis") if way == "in" else (netlist.outputs, "m_axis")
    return [(p, f"{way}_{k}_{i}", e) for i, (p, e) in enumerate(zip(ports(port, len(ends)), ends, strict=True))]


def _reads(netlist: Netlist, k: int) -> list[tuple[Place, str]]:
    """Each memory port of design k, and the wrapper's prefix for it."""
    return [(place, f"mem_{k}_{i}") for i, place in enumerate(places(netlist))]


def _read_ports(place: Place, own: str) -> list[str]:
    widths = {"base": ADDRESS, "araddr": ADDRESS, "arlen": 8, "rdata": place.bits}
    ways = [("input", w) for w in HEARD] + [("output", w) for w in SAID]
    return [f"{way} wire [{widths.get(w, 1) - 1}:0] {own}_{w}" if w in widths else f"{way} wire {own}_{w}"
            for way, w in ways]


def _axi(netlist: Netlist, k: int) -> tuple[list[str], str]:
    """The ports of design k's AXI4-Lite port, addresses of 32 bits, and how they are wired."""
    declared, wired = [], []
    for way, name, bits in AXI_LITE:
        span = f"[{(bits or 32) - 1}:0] " if bits != 1 else ""
        declared.append(f"{way} wire {span}axi_{k}_{name}")
        wired.append(f".s_axi_{name}(axi_{k}_{name}{'' if bits else f'[{netlist.address_bits - 1}:0]'})")
    return declared, ", ".join(wired)


def model_text(netlists: Sequence[Netlist]) -> str:
    """The C++ that hands the verilated wrapper's ports to the harness."""
    designs: list[str] = []
    probes: list[str] = []
    fifos: list[str] = []
    for k, n in enumerate(netlists):
        ins = [f"{{{_pointers(own, 'data', 'valid', 'ready')}, {word_bytes(n.width(e.stream))}}}"
               for _, own, e in _ends(n, k, "in")]
        outs = [f"{{{_pointers(own, 'data', 'valid', 'ready', 'last')}, {word_bytes(n.width(e.stream))}, "
                f"{e.words // (e.parts or 1)}, {int(e.ragged)}}}"
                for _, own, e in _ends(n, k, "out")]
        reads = [f"{{{_pointers(own, *PORT)}, {place.bits // 8}}}" for place, own in _reads(n, k)]
        axi = _pointers(f"axi_{k}", *WRITES) if n.windows and n.controlled else ""
        designs.append(f"    {{{{{', '.join(ins)}}},\n     {{{', '.join(outs)}}},\n     {{{', '.join(reads)}}},\n"
                       f"     {{{axi}}}}},\n")
        bit = {s.name: len(probes) + i for i, s in enumerate(n.streams)}
        probes += [f'    {{{k}, "{name}", {at}}},\n' for name, at in bit.items()]
        fifos += [f"    {{{bit[i.inputs[0]]}, {bit[i.outputs[0]]}}},\n" for i in stores(n)]
    parts = {"DESIGNS": designs, "PROBES": probes, "STORES": fifos}
    text = MODEL
    for name, lines in parts.items():
        text = text.replace(name, "".join(lines))
    return text


def _pointers(own: str, *names: str) -> str:
    return ", ".join(f"&m.{own}_{name}" for name in names)


def stores(netlist: Netlist) -> list[Instance]:
    """The FIFOs of a design, in its order."""
    return [i for i in netlist.instances if i.block.module == "lutra_fifo"]


MODEL = """\
#include "Vbench.h"
#include "harness.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

int main(int argc, char** argv) {
  VerilatedContext context;
  context.randReset(2);  // registers wake up in random states: only reset and initial values may be relied on
  context.randSeed(1);
  context.traceEverOn(argc > 3);
  Vbench m{&context};
  Model model;
  model.clk = &m.clk;
  model.rst = &m.rst;
  model.designs = {
DESIGNS  };
  model.probes = {
PROBES  };
  model.stores = {
STORES  };
  model.probe_valid = reinterpret_cast<const uint8_t*>(&m.probe_valid);
  model.probe_ready = reinterpret_cast<const uint8_t*>(&m.probe_ready);
  model.eval = [&] { m.eval(); };
#if VM_TRACE
  VerilatedVcdC waves;
  m.trace(&waves, 99);
  waves.open(argv[3]);
  model.dump = [&](uint64_t time) { waves.dump(time); };
#endif
  int status = drive(model, argv[1], argv[2]);
#if VM_TRACE
  waves.close();
#endif
  m.final();
  return status;
}
"""
