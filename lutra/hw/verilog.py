"""The Verilog printer: a netlist as text. It only instantiates and wires; the library's modules do the work."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from lutra.errors import LutraError
from lutra.hw.axi import constants, declared, places, wired
from lutra.hw.netlist import Block, End, Instance, Memory, Netlist, Stream

LIBRARY = Path(__file__).resolve().parents[1]  # modules lie beside their operators and in hw/rtl
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
DEFINES = re.compile(r"^\s*(?:module|package)\s+(lutra_\w+)", re.MULTILINE)
FOOTER = "endmodule\n\n`default_nettype wire\n"
MENTIONS = re.compile(r"\blutra_\w+")


def sources(netlist: Netlist) -> dict[str, str]:
    """File name -> text: the library files that the design uses (what a file needs comes before it), the top module
    `<name>.sv`, and the files of each memory. LutraError for a module that the library lacks.
    """
    files = design_modules(netlist)
    top = f"{netlist.name}.sv"
    assert top not in files, top
    files[top] = top_text(netlist)
    for instance in netlist.instances:
        files.update(memory_files(instance))
    return files


def memory_files(instance: Instance) -> dict[str, str]:
    """File name -> text of an instance's memories: `<instance>_<param>.hex`, or of one in parts
    `<instance>_<param>_000.hex` and so on.
    """
    files: dict[str, str] = {}
    for param, memory in _initial(instance.block).items():
        name = _memory_name(instance, param)
        if memory.whole:
            files[name] = memory.text()
        else:
            files.update({f"{name}_{k:03d}.hex": text for k, text in enumerate(memory.parts())})
    return files


def _initial(block: Block) -> dict[str, Memory]:
    """The memories that wake up with their words."""
    return {param: memory for param, memory in block.memories.items() if not memory.blank}


def _memory_name(instance: Instance, param: str) -> str:
    """What the string parameter says: the name of the file, or what those of its parts begin with."""
    return f"{instance.name}_{param.lower()}" + (".hex" if instance.block.memories[param].whole else "")


def design_modules(netlist: Netlist) -> dict[str, str]:
    """File name -> text of all modules of a design but its top."""
    files = modules(i.block for i in netlist.instances)
    return files | library(["lutra_control"]) if netlist.windows and netlist.controlled else files


def modules(blocks: Iterable[Block]) -> dict[str, str]:
    """File name -> text of the files of the library that blocks use, and of the modules that were made for them."""
    given = list(blocks)
    made = {b.module: b.text for b in given if b.text}
    used = {name for text in made.values() for name in MENTIONS.findall(text)} & _modules().keys()
    files = library([*(b.module for b in given if not b.text), *sorted(used)])
    return files | {f"{name}.sv": text for name, text in made.items()}


def library(modules: Iterable[str]) -> dict[str, str]:
    """File name -> text of the library files that define these modules and what they instantiate."""
    chosen: dict[str, str] = {}

    def need(module: str, by: str) -> None:
        if module not in _modules():
            raise LutraError(f"{by} needs the module {module}, which no file of the library defines")
        path = _modules()[module]
        if path.name not in chosen:
            text = path.read_text()
            code = COMMENT.sub(" ", text)
            own = set(DEFINES.findall(code))
            for name in sorted(set(MENTIONS.findall(code)) & _modules().keys() - own):
                need(name, path.name)
            chosen[path.name] = text

    for module in modules:
        need(module, "the design")
    return chosen


@cache
def _modules() -> dict[str, Path]:
    """Every module of the library and the file that defines it."""
    table: dict[str, Path] = {}
    for path in sorted([*LIBRARY.glob("ops/*/*.sv"), *LIBRARY.glob("hw/rtl/*.sv")]):
        for module in DEFINES.findall(COMMENT.sub(" ", path.read_text())):
            assert module not in table, (module, path, table[module])
            table[module] = path
    assert len({p.name for p in table.values()}) == len(set(table.values())), "two library files of one name"
    return table


def word_bytes(width: int) -> int:
    """Whole bytes that hold a word of `width` bits: what tdata is padded to."""
    return (width + 7) // 8


def top_text(netlist: Netlist) -> str:
    """The top module: AXI4-Stream at its ends, an instance for each block, wires for each stream."""
    sent = [_first(netlist, p, e) for p, e in zip(ports("s_axis", len(netlist.inputs)), netlist.inputs, strict=True)]
    got = [_last(netlist, p, e) for p, e in zip(ports("m_axis", len(netlist.outputs)), netlist.outputs, strict=True)]
    wires = [_wires(netlist, s) for s in netlist.streams]
    parts = [_header(netlist), _ports(netlist), _control(netlist), *wires, *sent]
    regions = places(netlist)
    reads = {p.instance: wired(p) for p in regions}
    parts += [*map(constants, regions), *(_instance(netlist, i, reads.get(i.name)) for i in netlist.instances)]
    parts += [*got, FOOTER]
    return "\n".join(parts)


def ports(name: str, count: int) -> tuple[str, ...]:
    """Prefixes of the ports of one stream, or of each of several: name, or name0, name1 and so on."""
    return (name,) if count == 1 else tuple(f"{name}{k}" for k in range(count))


def _header(netlist: Netlist) -> str:
    ends = [f"// {way}: {'up to ' * e.ragged}{e.words} words of {netlist.width(e.stream)} bits a frame{note}"
            for way, some, note in (("in", netlist.inputs, ""),
                                    ("out", netlist.outputs, ", the last one marked by tlast")) for e in some]
    ends += [f"// {p.port}: reads {p.size} bytes for ever, of the memory image from {p.offset} on; {p.port}_base is "
             f"their address, constant, a multiple of 4096" for p in places(netlist)]
    lines = "\n".join(ends)
    return f"""\
// {netlist.name}: generated by Lutra. {len(netlist.instances)} units, {len(netlist.streams)} streams.
{lines}
// A word's first element is in its low bits. tdata is padded with zeros to whole bytes. rst is synchronous.
// Each unit registers its outputs and no ready depends on another wire of the same cycle, so the AXI4-Stream rules
// hold at all ends with no register added there.
`default_nettype none
"""


def _ports(netlist: Netlist) -> str:
    lines = []
    for p, end in zip(ports("s_axis", len(netlist.inputs)), netlist.inputs, strict=True):
        top = 8 * word_bytes(netlist.width(end.stream)) - 1
        lines += [f"input  wire [{top}:0] {p}_tdata", f"input  wire {p}_tvalid", f"output wire {p}_tready"]
    for p, end in zip(ports("m_axis", len(netlist.outputs)), netlist.outputs, strict=True):
        top = 8 * word_bytes(netlist.width(end.stream)) - 1
        lines += [f"output wire [{top}:0] {p}_tdata", f"output wire {p}_tvalid", f"input  wire {p}_tready",
                  f"output wire {p}_tlast"]
    lines += [line for p in places(netlist) for line in declared(p)]
    body = ",\n  ".join(["input  wire clk", "input  wire rst", *lines, *_bus(netlist)])
    return f"module {netlist.name} (\n  {body}\n);\n"


AXI_LITE = (("input", "awaddr", 0), ("input", "awvalid", 1), ("output", "awready", 1), ("input", "wdata", 32),
            ("input", "wstrb", 4), ("input", "wvalid", 1), ("output", "wready", 1), ("output", "bresp", 2),
            ("output", "bvalid", 1), ("input", "bready", 1), ("input", "araddr", 0), ("input", "arvalid", 1),
            ("output", "arready", 1), ("output", "rdata", 32), ("output", "rresp", 2), ("output", "rvalid", 1),
            ("input", "rready", 1))  # direction, name, bits; 0: those of an address


def _bus(netlist: Netlist) -> list[str]:
    """Ports through which memories are written."""
    if not netlist.windows:
        return []
    bits = netlist.address_bits
    if not netlist.controlled:
        return ["input  wire bus_write", f"input  wire [{bits - 1}:0] bus_address", "input  wire [31:0] bus_value"]
    return [f"{way:6} wire {f'[{(size or bits) - 1}:0] ' if size != 1 else ''}s_axi_{name}"
            for way, name, size in AXI_LITE]


def _control(netlist: Netlist) -> str:
    """What stops the design while its memories are written."""
    if not netlist.windows or not netlist.controlled:
        return ""
    names = ", ".join(f".s_axi_{name}(s_axi_{name})" for _, name, _ in AXI_LITE)
    return f"""\
  wire stop, bus_write;
  wire [{netlist.address_bits - 1}:0] bus_address;
  wire [31:0] bus_value;
  wire reset = rst || stop;
  lutra_control #(
    .ADDRESS({netlist.address_bits}), .FROM({min(netlist.windows.values())}), .TO({netlist.last_address + 1}),
    .WAITS({int(bool(netlist.blank))})
  ) control (
    .clk(clk), .rst(rst), {names},
    .stop(stop), .write(bus_write), .address(bus_address), .value(bus_value)
  );
"""


def _wires(netlist: Netlist, stream: Stream) -> str:
    name = stream.name
    way = f"{stream.source or 'input'} -> {stream.sink or 'output'}"
    last = f", {name}_last" if stream.name in netlist.marked else ""
    return (f"  // {name}: {way}\n  wire [{stream.width - 1}:0] {name}_data;\n"
            f"  wire {name}_valid, {name}_ready{last};\n")


def _first(netlist: Netlist, port: str, end: End) -> str:
    name, width = end.stream, netlist.width(end.stream)
    total = 8 * word_bytes(width)
    padding = f"""\
  wire unused_{port} = &{{1'b0, {port}_tdata[{total - 1}:{width}]}};
""" if total > width else ""
    return f"""\
  assign {name}_data = {port}_tdata[{width - 1}:0];
  assign {name}_valid = {port}_tvalid;
  assign {port}_tready = {name}_ready{" && !stop" if netlist.windows and netlist.controlled else ""};
{padding}"""


def _last(netlist: Netlist, port: str, end: End) -> str:
    name, width = end.stream, netlist.width(end.stream)
    padding = 8 * word_bytes(width) - width
    assert not end.ragged or name in netlist.marked, f"{name} is ragged, and nothing says where its frames end"
    last = f"  assign {port}_tlast = {name}_last;\n" if end.ragged else _tlast(port, end.words, _reset(netlist))
    data = f"{{{padding}'b0, {name}_data}}" if padding else f"{name}_data"
    return f"""\
  assign {port}_tdata = {data};
  assign {port}_tvalid = {name}_valid;
  assign {name}_ready = {port}_tready;
{last}"""


def _reset(netlist: Netlist) -> str:
    """What resets the units."""
    return "reset" if netlist.windows and netlist.controlled else "rst"


def _tlast(port: str, words: int, reset: str) -> str:
    """Marks the last word of each frame: a count of the words that have left, and whether the next is the last."""
    if words == 1:
        return f"  assign {port}_tlast = 1'b1;\n"
    bits = (words - 1).bit_length()
    return f"""\
  reg [{bits - 1}:0] {port}_sent;  // words of this frame that have left
  reg {port}_last;
  always @(posedge clk)
    if ({reset}) begin
      {port}_sent <= {bits}'d0;
      {port}_last <= 1'b0;
    end else if ({port}_tvalid && {port}_tready) begin
      {port}_sent <= {port}_last ? {bits}'d0 : {port}_sent + {bits}'d1;
      {port}_last <= {port}_sent == {bits}'d{words - 2};
    end
  assign {port}_tlast = {port}_last;
"""


def _instance(netlist: Netlist, instance: Instance, reads: str | None) -> str:
    block = instance.block
    own = {"BASE": netlist.windows[instance.name], "ADDRESS": netlist.address_bits} if block.written else {}
    files = {p: _memory_name(instance, p) for p in _initial(block)}
    values = [f"    .{k}({_value(v)})" for k, v in {**block.params, **own, **files}.items()]
    params = " #(\n" + ",\n".join(values) + "\n  )" if values else ""
    lines = [f"    .clk(clk), .rst({_reset(netlist)})"]
    if block.written:
        lines.append("    .write(bus_write), .address(bus_address), .value(bus_value)")
    for way, streams in (("in", instance.inputs), ("out", instance.outputs)):
        if block.packed and len(streams) > 1:
            lines.append(", ".join(f".{way}_{wire}({{{', '.join(f'{s}_{wire}' for s in reversed(streams))}}})"
                                   for wire in ("data", "valid", "ready")))
            continue
        lines += [f"    .{p}_data({s}_data), .{p}_valid({s}_valid), .{p}_ready({s}_ready)"
                  for p, s in zip(ports(way, len(streams)), streams, strict=True)]
    lines += [f"    .out_last({s}_last)" for s in instance.outputs if s in netlist.marked]
    lines += [reads] if reads else []
    body = ",\n".join(lines)
    return f"""\
  {block.module}{params} {instance.name} (
{body}
  );
"""


def _value(value: int | str) -> str:
    """A parameter's value: a string, a plain decimal, or a sized literal where 32 bits do not hold it."""
    if isinstance(value, str):
        assert re.fullmatch(r"[\w.]*", value), value
        return f'"{value}"'
    if -(2**31) <= value < 2**31:
        return str(int(value))
    assert value > 0, value
    return f"{value.bit_length()}'d{value}"
