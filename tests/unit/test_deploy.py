"""Vendor projects: scripts run with the vendor's commands replaced by notes of what they were called with."""

import json
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from block_design import answers, faults, read
from hypothesis import given
from hypothesis import strategies as st
from tcl_mock import Script

import lutra
from lutra import LutraError
from lutra.deploy import alveo, zynq
from lutra.deploy.boards import Board, board, boards
from lutra.deploy.design import Parts
from lutra.deploy.interface import interfaces, layouts
from lutra.deploy.package import package_script
from lutra.deploy.project import project
from lutra.deploy.tcl import command, word
from lutra.deploy.wrapper import wrapper
from lutra.hw.netlist import Block, End, Instance, Memory, Netlist, Region, Stream
from lutra.hw.verilog import AXI_LITE, top_text
from lutra.plan.devices import device

try:
    import tkinter

    TCL = ["real", "small"] if tkinter.Tcl() else []
except ImportError:
    TCL = ["small"]
HOSTILE = 'x"] ; exec rm -rf / ; # {$env(HOME)} \\\n}[exit] é 🙂'


def netlist(inputs=(5,), outputs=(80,), regions=0, written=False, ragged=False):
    """A design with these ends and ports; it computes nothing. ragged: its frames differ in length, and those of the
    last output by what is in them.
    """
    streams = [Stream(f"i{k}", w, None, "u") for k, w in enumerate(inputs)]
    streams += [Stream(f"o{k}", w, "u", None) for k, w in enumerate(outputs)]
    names = [s.name for s in streams]
    block = Block("lutra_fifo", inputs=inputs, outputs=outputs, last=ragged)
    instances = [Instance("u", block, tuple(names[: len(inputs)]), tuple(names[len(inputs) :]))]
    for k in range(regions):
        streams.append(Stream(f"w{k}", 32, f"f{k}", None))
        block = Block("lutra_fetch", outputs=(32,), region=Region(b"\0" * 64, 64, 16))
        instances.append(Instance(f"f{k}", block, (), (f"w{k}",)))
    if written:
        memory = Memory(tuple(range(600)), 70)
        block = Block("lutra_weights", memories={"WORDS": memory}, outputs=(70,), written="WORDS")
        instances.append(Instance("m", block, (), ("v",)))
        streams.append(Stream("v", 70, "m", None))
    filler = [None] * (len(outputs) - 1) + [2 if ragged else None]
    return Netlist("lutra_top", tuple(instances), tuple(streams),
                   tuple(End(f"i{k}", 4, ragged) for k in range(len(inputs))),
                   tuple(End(f"o{k}", 3, ragged, filler[k]) for k in range(len(outputs))))


DESIGNS = {"one": {}, "wide": {"inputs": (700,), "outputs": (1,)}, "two": {"inputs": (8, 33), "outputs": (4, 4, 9)},
           "written": {"written": True}, "streamed": {"regions": 7},
           "ragged": {"inputs": (40, 3), "outputs": (33, 5), "ragged": True}}


def parts(name, what):
    design, of = netlist(**DESIGNS[what]), board(name)
    return Parts(design, *layouts(design, of), interfaces(design, of), of, 125.0)


def script(made):
    return (alveo if made.board.kind == "pcie" else zynq).system_script(made)


def cases():
    return [(b.name, what) for b in boards() for what in DESIGNS if (b.kind, what) != ("pcie", "streamed")]


def answer(words, present=True):
    """What the vendor's commands give in a build that goes well."""
    match words:
        case "get_board_parts", *_:
            return "vendor:board:part0:1.0 vendor:board:part0:1.2" if present else ""
        case "get_property", name, *_:
            return {"PROGRESS": "100%", "STATS.WNS": "0.125", "DIRECTORY": "/runs"}.get(name, "slave")
    return answers(words)


@pytest.mark.parametrize("tcl", TCL)
@pytest.mark.parametrize("name, what", cases())
def test_the_block_design_is_sound(name, what, tcl):
    made = parts(name, what)
    calls = getattr(Script(script(made), "/build/vendor/system.tcl", answer), tcl)()
    design = read(calls, made.buses)
    assert faults(design) == []
    assert ("create_project", "-force", "-part", made.board.part, "lutra", "/build/vendor/work/system") in calls
    widths = {layout.port: 8 * layout.bus for layout in (*made.inputs, *made.outputs)}
    for k in range(max(len(made.inputs), len(made.outputs))):
        if made.board.kind == "pcie":
            assert set(widths.values()) == {512}
            continue
        config = design.cells[f"engine{k}"][1]
        for way, stream, ends in (("mm2s", "c_m_axis_mm2s", made.inputs), ("s2mm", "c_s_axis_s2mm", made.outputs)):
            assert config[f"CONFIG.c_include_{way}"] == str(int(k < len(ends)))
            if k < len(ends):
                bits = int(config[f"CONFIG.{stream}_tdata_width"])
                assert bits == widths[ends[k].port] <= int(config[f"CONFIG.c_m_axi_{way}_data_width"])
    clocks = [v for _, config in design.cells.values() for k, v in config.items()
              if k.endswith(("FREQMHZ", "REQUESTED_OUT_FREQ"))]
    assert clocks == ["125"]


@pytest.mark.parametrize("name, what", [("pynq-z1", "streamed"), ("zcu104", "two"), ("u280", "written")])
def test_both_interpreters_say_the_same(name, what):
    text = script(parts(name, what))
    runs = [getattr(Script(text, "/build/vendor/system.tcl", answer), tcl)() for tcl in TCL]
    found = [[call for call in calls if call[0].endswith(("_bd_cell", "_net"))] for calls in runs]
    assert len(found[0]) > 10 and all(calls == found[0] for calls in found)


BROKEN = [
    ("unlike buses", "engine0/S_AXIS_S2MM", "engine0/S_AXI_LITE"),
    ("no such interface", "engine0/M_AXIS_MM2S]", "engine0/M_AXIS]"),
    ("not a master and a slave", "[get_bd_intf_pins engine0/M_AXIS_MM2S]", "[get_bd_intf_pins lutra/s_axis]"),
    ("hangs in the air", "[get_bd_intf_pins lutra/s_axi_host]", "[get_bd_intf_pins engine0/S_AXI_LITE]"),
    ("is not driven", " [get_bd_pins engine0/m_axi_s2mm_aclk]", ""),
    ("is no input", "reset/slowest_sync_clk", "reset/clk"),
    ("driven 2 times", "[get_bd_pins lutra/aclk]", "[get_bd_pins lutra/aclk] [get_bd_pins lutra/aclk]"),
    ("overlap", "0x43c00000", "0x40400000"),
    ("no such interface", "NUM_MI 2", "NUM_MI 1"),
]


@pytest.mark.parametrize("fault, right, wrong", BROKEN)
def test_faults_of_a_block_design_are_found(fault, right, wrong):
    made = parts("pynq-z1", "one")
    text = script(made)
    assert right in text
    design = read(Script(text.replace(right, wrong), "/build/vendor/system.tcl", answer).small(), made.buses)
    assert any(fault in said for said in faults(design)), faults(design)


@pytest.mark.skipif("real" not in TCL, reason="branches are run by Tcl itself, which this Python lacks")
@pytest.mark.parametrize("name, key, value, refused", [
    ("u280", "board", False, "board files"), ("pynq-z1", "board", False, None),
    ("zcu104", "STATS.WNS", "-0.5", "0.5"), ("zcu104", "PROGRESS", "40%", "the build failed"),
])
def test_a_build_that_goes_wrong_stops(name, key, value, refused):
    def wrong(words):
        if words[:2] == ("get_property", key):
            return value
        return answer(words, present=key != "board")

    run = Script(script(parts(name, "one")), "/build/vendor/system.tcl", wrong)
    if refused is None:
        run.real()
        assert any("no board files" in text for text in run.printed)
        return
    with pytest.raises(tkinter.TclError, match=refused):
        run.real()
    assert not any(call[:2] == ("file", "copy") for call in run.calls)


@pytest.mark.parametrize("tcl", TCL)
@pytest.mark.parametrize("about", ["digits", HOSTILE, "[exit]", "$x", "}", "{", "\\", "a\nb"])
def test_a_model_name_is_never_a_command(about, tcl):
    made = parts("pynq-z1", "one")
    modes = {bus.name: bus.mode for bus in made.buses}

    def said(words):
        if words[0] == "ipx::get_bus_interfaces":
            return words[1]
        return modes.get(words[2], "slave") if words[:2] == ("get_property", "interface_mode") else answer(words)

    files = ["../rtl/lutra_top.sv", "../rtl/u0_w.hex", "rtl/lutra_ip.v"]
    text = package_script(made.board, files, made.buses, about)
    calls = getattr(Script(text, "/build/vendor/package.tcl", said), tcl)()
    shown = "".join(c if ord(c) < 0x10000 else "?" for c in about)
    assert ("set_property", "display_name", f"Lutra: {shown}", "core") in calls
    assert not {"exec", "exit", "rm"} & {call[0] for call in calls}
    added = [call[-1] for call in calls if call[0] == "add_files"]
    assert added == [f"/build/vendor/{name}" for name in files]
    assert ("set_property", "file_type", "Memory Initialization Files", "u0_w.hex") in calls


@pytest.mark.skipif("real" not in TCL, reason="procedures are run by Tcl itself, which this Python lacks")
def test_packaging_stops_where_a_port_was_not_taken_for_its_bus():
    made = parts("pynq-z1", "one")
    text = package_script(made.board, ["rtl/lutra_ip.v"], made.buses, "x")
    with pytest.raises(tkinter.TclError, match="m_axis was not packaged as a master"):
        Script(text, "/build/vendor/package.tcl",
               lambda w: w[1] if w[0] == "ipx::get_bus_interfaces" else answer(w)).real()


@given(st.text())
def test_a_quoted_word_is_the_text(text):
    kept = "".join(c if ord(c) < 0x10000 else "?" for c in text)
    for tcl in TCL:
        (call,) = getattr(Script(command("note", text), "/s.tcl", answer), tcl)()
        assert call == ("note", kept) or "\0" in text or re.search("[\ud800-\udfff]", text)
    assert "\n" not in word(text)


PORT = re.compile(r'X_INTERFACE_INFO = "xilinx.com:\w+:\w+:1.0 (\w+) (\w+)" \*\)\s+(?:\(\*.*?\*\)\s+)?'
                  r"(input|output)\s+wire (?:\[(\d+):0\] )?(\w+)")
TOP = re.compile(r"^\s*(input|output)\s+wire (?:\[(\d+):0\] )?(\w+)", re.MULTILINE)


@pytest.mark.parametrize("name, what", cases())
def test_every_port_of_the_ip_is_in_a_bus(name, what):
    made = parts(name, what)
    text = wrapper(made.netlist, made.board, made.clock_mhz, 0x1234)
    header = text[: text.index(");\n")]
    found = {(bus, pin): (way, int(high or 0) + 1, port) for bus, pin, way, high, port in PORT.findall(header)}
    assert len(found) == len(TOP.findall(header))
    expected = {(b.name, s.name): (s.way, s.bits, f"{b.name}_{s.name.lower()}") for b in made.buses for s in b.signals}
    expected |= {("aclk", "CLK"): ("input", 1, "aclk"), ("aresetn", "RST"): ("input", 1, "aresetn")}
    assert found == expected
    assert f"ASSOCIATED_BUSIF {':'.join(b.name for b in made.buses)}, ASSOCIATED_RESET aresetn" in header
    assert "FREQ_HZ 125000000" in header


@pytest.mark.parametrize("name, what", cases())
def test_the_wrapper_connects_every_port_of_the_top(name, what):
    made = parts(name, what)
    top = top_text(made.netlist)
    ports = {port for _, _, port in TOP.findall(top[top.index("module ") : top.index(");\n")])}
    text = wrapper(made.netlist, made.board, made.clock_mhz, 0)
    inside = text[text.index("lutra_top top (") :]
    assert set(re.findall(r"\.(\w+)\(", inside)) == ports
    assert all(f"s_axi_{n}" in ports for _, n, _ in AXI_LITE) == bool(made.netlist.windows)


def test_words_are_padded_to_whole_beats():
    inputs, outputs = layouts(netlist(inputs=(5, 700), outputs=(80,)), board("pynq-z1"))
    assert [(x.padded, x.bus, x.words) for x in (*inputs, *outputs)] == [(1, 1, 4), (128, 8, 4), (16, 8, 3)]
    inputs, _ = layouts(netlist(inputs=(5, 700)), board("u280"))
    assert [(x.padded, x.bus) for x in inputs] == [(64, 64), (128, 64)]


def test_frames_whose_length_nobody_knows_are_filled_up():
    made = parts("zcu104", "ragged")
    assert [(x.ragged, x.filler) for x in made.outputs] == [(True, None), (False, 2)]
    text = wrapper(made.netlist, made.board, made.clock_mhz, 0)
    assert text.count("lutra_fill ") == 1 and ".BITS(8), .WORDS(3), .VALUE(8'd2)) m_axis1_fill" in text
    assert "lutra_fill" not in wrapper(made.netlist, made.board, made.clock_mhz, 0, hls=True)


@pytest.mark.parametrize("name, design, said", [
    ("u280", {"regions": 1}, "off-chip memory"), ("zcu104", {"regions": 49}, "at most 48"),
    ("zcu104", {"inputs": (1,) * 5}, "5 inputs"), ("pynq-z1", {"outputs": (1,) * 5}, "5 outputs"),
])
def test_what_a_board_does_not_hold_is_refused(name, design, said):
    with pytest.raises(LutraError, match=said):
        layouts(netlist(**design), board(name))


def test_memory_ports_take_every_region():
    made = parts("zcu104", "streamed")
    groups = zynq.masters(made)
    assert sorted(m for g in groups[1:] for m in g) == [f"lutra/m_axi{k}" for k in range(7)]
    assert [len(g) for g in groups] == [2, 3, 2, 2]


def test_too_many_addresses_are_refused():
    big = netlist(written=True)
    memory = Memory((0,), 1 << 35)  # a window of 4 GiB
    block = Block("lutra_weights", memories={"WORDS": memory}, outputs=(1,), written="WORDS")
    wide = replace(big, instances=(big.instances[0], Instance("m", block, (), ("v",))))
    for name in ("pynq-z1", "zcu104", "u280"):
        of = board(name)
        with pytest.raises(LutraError, match="bytes of addresses"):
            script(Parts(wide, *layouts(wide, of), interfaces(wide, of), of, 100.0))


def test_boards_carry_devices_of_the_table():
    for b in boards():
        assert isinstance(b, Board) and b.part.startswith(device(b.device).name)
    assert {b.name for b in boards()} == {"pynq-z1", "ultra96-v2", "zcu104", "u280"}
    assert board(" PYNQ-Z1 ").part == "xc7z020clg400-1"
    with pytest.raises(LutraError, match="zcu104"):
        board("zcu10")


def test_the_card_keeps_its_power():
    assert "D32" in alveo.PINS and "PULLDOWN" in alveo.PINS
    made = parts("u280", "one")
    design = read(Script(script(made), "/b/vendor/system.tcl", answer).small(), made.buses)
    assert ("low/dout", "hbm_cattrip") in design.wires and design.cells["low"][1]["CONFIG.CONST_VAL"] == "0"


@pytest.fixture(scope="module")
def digits(cache):
    """A whole accelerator."""
    model = (files("lutra.data") / "digits.onnx").read_bytes()
    return lutra.compile(model, "xczu7ev", fps=20_000, weights="offchip", input_range=(0, 16), input_scale=1 / 16,
                         cache=cache)


def test_the_scripts_name_files_that_exist(digits, tmp_path):
    folder = digits.save(tmp_path / "build", board="zcu104")
    calls = []
    for text in ("package", "system"):
        path = folder / "vendor" / f"{text}.tcl"
        calls += Script(path.read_text(), str(path), lambda words: words[-1]).small()
    added = [Path(call[-1]).resolve() for call in calls if call[0] == "add_files" and call[-1].startswith("/")]
    assert sorted(added) == sorted(p for where in ("rtl", "vendor/rtl") for p in (folder / where).resolve().iterdir())
    assert [call[1] for call in calls if call[0] == "source"] == [str(folder / "vendor" / "package.tcl")]
    assert (folder / "driver" / "weights.bin").read_bytes() == (folder / "weights.bin").read_bytes()


def test_designs_are_told_apart(digits):
    def identity(acc):
        files = project(acc.lowered, acc.netlist, board("zcu104"), acc.plan.clock_mhz, "x")
        return json.loads(files["driver/format.json"])["id"], files["vendor/rtl/lutra_ip.v"]

    (one, text), (two, _) = identity(digits), identity(digits.replan(replace(digits.plan, depths={})))
    assert one != two and f"32'h{one:08x}" in text.decode()


@pytest.mark.parametrize("tcl", TCL)
def test_the_hls_script(tmp_path, cache, tcl):
    model = (files("lutra.data") / "digits.onnx").read_bytes()
    acc = lutra.compile(model, "xc7z020", fps=20_000, clock_mhz=150, input_range=(0, 16), input_scale=1 / 16,
                        cache=cache)
    folder = acc.save(tmp_path / "build", backend="hls", board="pynq-z1")
    vendor = folder / "vendor"

    def calls(name, answer=answers):
        return getattr(Script((vendor / name).read_text(), str(vendor / name), answer), tcl)()

    said = calls("hls.tcl")
    verbs = [call[0] for call in said]
    order = ["open_project", "set_top", "add_files", "open_solution", "set_part", "create_clock", "csim_design",
             "csynth_design", "export_design"]
    assert [v for v in verbs if v in order] == ["open_project", "set_top", "add_files", *order[2:]]
    named = [Path(w).resolve() for call in said if call[0] == "add_files" for w in call if w.startswith(str(vendor))]
    assert named == [folder / "hls" / "lutra_top.cpp", vendor / "testbench.cpp"] and all(p.is_file() for p in named)
    assert ("set_part", "xc7z020clg400-1") in said and ("create_clock", "-period", "6.6667", "-name", "default") in said
    assert ("csim_design", "-argv", str(vendor / "vectors.bin")) in said and (vendor / "vectors.bin").is_file()
    assert any("-I" + str(vendor / ".." / "hls") in word for call in said for word in call)
    modes = {b.name: b.mode for b in interfaces(acc.netlist, board("pynq-z1"))}

    def taken(words):
        if words[0] == "ipx::get_bus_interfaces":
            return words[1]
        return modes.get(words[2], "slave") if words[:2] == ("get_property", "interface_mode") else answers(words)

    made = "/verilog/lutra_top.v /verilog/rom.dat"
    packaged = calls("package.tcl", lambda words: made if words[0] == "glob" else taken(words))
    assert ("add_files", "-norecurse", made) in packaged and "../rtl/" not in (vendor / "package.tcl").read_text()
    assert any(call[0] == "glob" and str(vendor / "work/hls/solution/syn/verilog/*.v") in call for call in packaged)
