"""The C++ printer: a netlist as a top function for HLS. As the Verilog printer's, its text only calls and joins.

Each module of the RTL has an HLS function template of the same name and parameters in an .hpp beside its .sv, so one
netlist is both. A FIFO is the depth of its stream; a stream's words are the RTL's, bit for bit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from lutra.errors import LutraError
from lutra.hw.axi import places
from lutra.hw.netlist import End, Instance, Memory, Netlist, Stream
from lutra.hw.verilog import COMMENT, ports, word_bytes

LIBRARY = Path(__file__).resolve().parents[1]  # headers lie beside their operators' modules and in hw/hls
SHARED = LIBRARY / "hw" / "hls"
SIMULATED = SHARED / "sim"  # what stands for a vendor's headers in C simulation
FIFO = "lutra_fifo"
LOOKED_UP = ("lutra_table", "lutra_threshold")  # whose lanes each read their memory at an address of their own
DEPTH = 2  # of a stream without a FIFO: what a unit's register slice holds
WIDEST = 4096  # bits of a word: AP_INT_MAX_W of the vendor's headers
COUNT, UNIT = "COUNT", "UNIT"  # words a frame of a unit's first output; the number of the instance
LIMB = 64
FUNCTION = re.compile(r"template <([^>]*)>\s*void (lutra_\w+)\(([^{;]*)\) \{")
PARAMETER = re.compile(r"^(?:int|class\.\.\.) (\w+)(?: = (-?\d+))?$")
ARRAY = re.compile(r"const lutra_limb \(&(\w+)\)\[(\w+)\]\[(\w+)\]")
INCLUDES = re.compile(r'#include "(\w+\.hpp)"')


@dataclass(frozen=True)
class Form:
    """An HLS function: the name of its file, its integer parameters with their defaults, the memories it takes."""

    file: str
    params: Mapping[str, int | None]
    memories: tuple[str, ...]


def sources(netlist: Netlist) -> dict[str, str]:
    """File name -> text: the library headers that the design uses, `<name>.cpp` with its top function, `<name>.hpp`
    that declares it, and a header for each memory. LutraError for an operator that has no HLS form.
    """
    files = headers(netlist)
    for instance in netlist.instances:
        files.update(memory_files(instance))
    assert not files.keys() & {f"{netlist.name}.cpp", f"{netlist.name}.hpp"}, netlist.name
    return files | {f"{netlist.name}.hpp": declaration(netlist), f"{netlist.name}.cpp": definition(netlist)}


def headers(netlist: Netlist) -> dict[str, str]:
    """File name -> text of the library headers that a design includes, and those made for its blocks."""
    chosen: dict[str, str] = {}

    def need(name: str) -> None:
        if name not in chosen:
            chosen[name] = library()[name].read_text(encoding="utf-8")
            for included in INCLUDES.findall(chosen[name]):
                need(included)

    for name in ("ends.hpp", *(form(i).file for i in _units(netlist) if not i.block.text)):
        need(name)
    return chosen | {f"{i.block.module}.hpp": i.block.cpp for i in _units(netlist) if i.block.text}


def memory_files(instance: Instance) -> dict[str, str]:
    """File name -> text of the memories of an instance that nobody writes: `<instance>_<param>.hpp`, an array each."""
    names = {param: _memory(instance, param) for param in instance.block.memories if param != instance.block.written}
    return {f"{name}.hpp": array(name, instance.block.memories[param]) for param, name in names.items()}


def _memory(instance: Instance, param: str) -> str:
    return f"{instance.name}_{param.lower()}"


def array(name: str, memory: Memory) -> str:
    """A memory as C++: an array of words of limbs."""
    limbs, words = -(-memory.width // LIMB), len(memory.words)
    mask = (1 << LIMB) - 1
    rows = ("{" + ", ".join(f"{word >> LIMB * k & mask:#x}u" for k in range(limbs)) + "}" for word in memory.words)
    head = f"// {words} words of {memory.width} bits.\nstatic const lutra_limb {name}[{words}][{limbs}] = {{\n"
    return head + ",\n".join(rows) + "};\n"


@cache
def library() -> dict[str, Path]:
    """The library's headers by name."""
    paths = sorted([*LIBRARY.glob("ops/*/*.hpp"), *SHARED.glob("*.hpp")])
    assert len({p.name for p in paths}) == len(paths), "two headers of one name"
    return {p.name: p for p in paths}


@cache
def forms() -> dict[str, Form]:
    """Every HLS function of the library, by the module whose form it is."""
    table: dict[str, Form] = {}
    for file, path in library().items():
        for declared, name, arguments in FUNCTION.findall(COMMENT.sub(" ", path.read_text(encoding="utf-8"))):
            assert name not in table, (name, file, table[name])
            arrays = ARRAY.findall(arguments)
            deduced = {size for _, *sizes in arrays for size in sizes}
            found = [PARAMETER.match(" ".join(p.split())) for p in declared.split(",")]
            assert all(found), (name, declared)
            params = {p[1]: int(p[2]) if p[2] else None for p in found if p and "class" not in p[0]}
            own = {k: v for k, v in params.items() if k not in deduced}
            table[name] = Form(file, own, tuple(a for a, *_ in arrays))
    return table


def form(instance: Instance) -> Form:
    """The HLS form of an instance's module; LutraError where it has none."""
    block = instance.block
    if block.text and block.cpp:
        return Form(f"{block.module}.hpp", {COUNT: None}, ())
    if block.text or block.module not in forms():
        raise LutraError(f"{block.module.removeprefix('lutra_')} has no HLS form", f"unit {instance.name}",
                         "use the RTL back-end")
    return forms()[block.module]


def declaration(netlist: Netlist) -> str:
    """The header of the top function."""
    guard = f"{netlist.name.upper()}_HPP"
    return f"""\
// {netlist.name}: generated by Lutra.
#ifndef {guard}
#define {guard}

#include "lutra_hls.hpp"

{_signature(netlist)};

#endif
"""


def definition(netlist: Netlist) -> str:
    """The top function: AXI4-Stream at its ends, a call for each unit, a stream for each wire."""
    _check(netlist)
    joined = _joined(netlist)
    files = sorted(headers(netlist).keys() - {"lutra_hls.hpp"})
    arrays = [name for i in netlist.instances for name in memory_files(i)]
    includes = "".join(f'#include "{name}"\n' for name in (f"{netlist.name}.hpp", *files, *arrays))
    lines = [*_interfaces(netlist), *_storage(netlist), "#pragma HLS DATAFLOW", *_streams(netlist, joined),
             *_calls(netlist, joined)]
    ends = "".join(f"// {way}: {e.words} words of {netlist.width(e.stream)} bits a frame.\n"
                   for way, some in (("in", netlist.inputs), ("out", netlist.outputs)) for e in some)
    return f"""\
// {netlist.name}: generated by Lutra. {len(netlist.instances)} units; a call is a frame.
{ends}\
{includes}
{_signature(netlist)} {{
{chr(10).join(lines)}
}}
"""


def _check(netlist: Netlist) -> None:
    """LutraError where a word is wider than the vendor's headers take."""
    for i in netlist.instances:
        bits = int(i.block.params.get("SIMD", 1)) * int(i.block.params.get("WBITS", 1))  # of a row's weights in a slot
        if bits > WIDEST:
            raise LutraError(f"rows of {bits} bits of weights in {i.name}",
                             hint=f"HLS takes up to {WIDEST} bits: use a smaller simd, or the RTL back-end")
    for stream in netlist.streams:
        if stream.width > WIDEST:
            raise LutraError(f"words of {stream.width} bits between {stream.source} and {stream.sink}",
                             hint=f"HLS takes up to {WIDEST} bits: use fewer lanes, or the RTL back-end")
        assert stream.words, f"{stream.name}: words a frame are not known"


def _ends(netlist: Netlist) -> Iterator[tuple[str, End, bool]]:
    """Each end of a design: its argument's name, the end, whether it is an input."""
    for name, some, given in (("s_axis", netlist.inputs, True), ("m_axis", netlist.outputs, False)):
        for port, end in zip(ports(name, len(some)), some, strict=True):
            yield port, end, given


def _signature(netlist: Netlist) -> str:
    arguments = []
    for port, end, given in _ends(netlist):
        bits = 8 * word_bytes(netlist.width(end.stream))
        word = f"ap_uint<{bits}>" if given else f"ap_axiu<{bits}, 0, 0, 0>"
        arguments.append(f"hls::stream<{word} > &{port}")
    arguments += [f"const ap_uint<{p.bits}> *{p.port}" for p in places(netlist)]
    for i in netlist.instances:
        if i.block.written:
            memory = i.block.memories[i.block.written]
            arguments.append(f"const lutra_limb {given_memory(i)}[{len(memory.words)}][{-(-memory.width // LIMB)}]")
    return f"void {netlist.name}({', '.join(arguments)})"


def given_memory(instance: Instance) -> str:
    """The argument that is an instance's written memory."""
    return _memory(instance, instance.block.written)


def _interfaces(netlist: Netlist) -> list[str]:
    """AXI4-Stream at the ends, an AXI4 port for each region, AXI4-Lite for memories that a host writes."""
    lines = [f"#pragma HLS INTERFACE mode=axis port={port}" for port, _, _ in _ends(netlist)]
    lines += [f"#pragma HLS INTERFACE mode=m_axi port={p.port} offset=slave bundle={p.port} "
              f"depth={8 * p.size // p.bits}" for p in places(netlist)]
    lines += [f"#pragma HLS INTERFACE mode=s_axilite port={given_memory(i)}"
              for i in netlist.instances if i.block.written]
    return [*lines, "#pragma HLS INTERFACE mode=ap_ctrl_none port=return"]


def _storage(netlist: Netlist) -> list[str]:
    """Where memories lie: in block RAM or LUTs, as the RTL's; with a port for each lane that reads on its own."""
    lines = []
    for i in netlist.instances:
        kind = "rom_np" if i.block.module in LOOKED_UP else "rom_1p"
        impl = "bram" if i.block.params.get("BLOCK") else "lutram"
        lines += [f"#pragma HLS BIND_STORAGE variable={_memory(i, param)} type={kind} impl={impl}"
                  for param, memory in i.block.memories.items() if param != i.block.written and len(memory.words) > 1]
    return lines


def _units(netlist: Netlist) -> list[Instance]:
    return [i for i in netlist.instances if i.block.module != FIFO]


def _joined(netlist: Netlist) -> dict[str, str]:
    """For each stream the one that stands for it: what a FIFO takes is what it gives."""
    joined = {s.name: s.name for s in netlist.streams}
    for instance in reversed(netlist.instances):
        if instance.block.module == FIFO:
            joined[instance.inputs[0]] = joined[instance.outputs[0]]
    return joined


def _streams(netlist: Netlist, joined: Mapping[str, str]) -> list[str]:
    """The streams and their depths: a FIFO's, and the register slice's of the unit that fills it."""
    depths: dict[str, int] = {}
    block = set()
    for instance in netlist.instances:
        if instance.block.module == FIFO:
            name = joined[instance.outputs[0]]
            depths[name] = depths.get(name, DEPTH) + int(instance.block.params["DEPTH"])
            block |= {name} if instance.block.params["BLOCK"] else set()
    lines = []
    for s in netlist.streams:
        if joined[s.name] == s.name:
            lines.append(f'  hls::stream<ap_uint<{s.width}> > {s.name}("{s.name}");')
            lines.append(f"#pragma HLS STREAM variable={s.name} depth={depths.get(s.name, DEPTH)}")
            if s.name in block:
                lines.append(f"#pragma HLS BIND_STORAGE variable={s.name} type=fifo impl=bram")
    return lines


def _calls(netlist: Netlist, joined: Mapping[str, str]) -> list[str]:
    by_name = {s.name: s for s in netlist.streams}
    calls = [f"  lutra_enter<{netlist.width(e.stream)}, {e.words}>({port}, {joined[e.stream]});"
             for port, e, given in _ends(netlist) if given]
    calls += [_call(netlist, k, i, by_name, joined) for k, i in enumerate(netlist.instances) if i.block.module != FIFO]
    return calls + [f"  lutra_leave<{netlist.width(e.stream)}, {e.words}>({joined[e.stream]}, {port});"
                    for port, e, given in _ends(netlist) if not given]


def _call(
    netlist: Netlist, number: int, instance: Instance, streams: Mapping[str, Stream], joined: Mapping[str, str]
) -> str:
    block, of = instance.block, form(instance)
    known = {COUNT: streams[instance.outputs[0]].words, UNIT: number, **block.params}
    unknown = block.params.keys() - of.params.keys()
    missing = [k for k, default in of.params.items() if k not in known and default is None]
    absent = {m.lower() for m in block.memories if m != block.written} - set(of.memories)
    assert not unknown and not missing and not absent, (block.module, unknown, missing, absent)
    first = [p.port for p in places(netlist) if p.instance == instance.name]
    first += [given_memory(instance)] if block.written else []
    values = ", ".join(str(known.get(k, default)) for k, default in of.params.items())
    arguments = [*first, *(joined[s] for s in (*instance.inputs, *instance.outputs))]
    held = {param.lower(): _memory(instance, param) for param in block.memories}
    arguments += [held.get(name, "lutra_none") for name in of.memories]
    return f"  {block.module}<{values}>({', '.join(arguments)});"


def separate(netlists: Iterable[Netlist]) -> tuple[Netlist, ...]:
    """The same designs under names that do not meet in one program: top functions and, by instances, memories."""
    return tuple(replace(n, name=f"{n.name}_d{k}", instances=tuple(replace(i, name=f"d{k}_{i.name}")
                                                                  for i in n.instances))
                 for k, n in enumerate(netlists))

