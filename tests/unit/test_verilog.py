"""The Verilog printer: what a design's files are, and that only Lutra's own names and values reach them."""

import re
from dataclasses import replace

import numpy as np
import pytest

from lutra.errors import LutraError
from lutra.hw import verilog
from lutra.hw.netlist import Block, End, Instance, Memory, Netlist, Stream, pack
from lutra.tools.find import verilator


def fifo(width=13, depth=2):
    return Block("lutra_fifo", {"WIDTH": width, "DEPTH": depth}, {}, (width,), (width,))


def netlist(*blocks, words=4, name="lutra_top"):
    names = [f"u{k}_unit" for k in range(len(blocks))]
    instances = tuple(Instance(n, b, (f"s{k}",), (f"s{k + 1}",))
                      for k, (n, b) in enumerate(zip(names, blocks, strict=True)))
    widths = [*blocks[0].inputs, *(b.outputs[0] for b in blocks)]
    ends = zip([None, *names], [*names, None], widths, strict=True)
    streams = tuple(Stream(f"s{k}", w, a, b) for k, (a, b, w) in enumerate(ends))
    return Netlist(name, instances, streams, (End("s0", words),), (End(f"s{len(blocks)}", words),))


def test_files_are_the_library_then_the_top():
    files = verilog.sources(netlist(fifo()))
    assert list(files) == ["ram.sv", "skid.sv", "fifo.sv", "lutra_top.sv"]  # what a file needs comes before it
    assert files == verilog.sources(netlist(fifo()))


def test_memories_are_files_of_their_own():
    memory = Memory(pack(np.array([[1, 2], [3, 0]]), 4), 8)
    block = replace(fifo(), memories={"WEIGHTS": memory, "BIAS": Memory((5,), 3)})
    files = verilog.sources(netlist(fifo(), block))
    assert files["u1_unit_weights.hex"] == "21\n03\n"
    assert files["u1_unit_bias.hex"] == "5\n"
    assert '.WEIGHTS("u1_unit_weights.hex")' in files["lutra_top.sv"]


def test_values_of_parameters():
    block = Block("lutra_fifo", {"WIDTH": 1, "A": -3, "B": 2**40 + 1, "C": "auto"})
    text = verilog.top_text(netlist(block))
    assert ".A(-3)" in text and f".B(41'd{2**40 + 1})" in text and '.C("auto")' in text


@pytest.mark.parametrize("value", ['x"); bad', "a\nb", "../x", "é b"])
def test_a_string_that_is_not_ours_is_a_mistake(value):
    with pytest.raises(AssertionError):
        verilog.top_text(netlist(Block("lutra_fifo", {"A": value})))


def test_every_name_in_the_top_is_ours():
    text = re.sub(r"//[^\n]*|`default_nettype \w+", "", verilog.top_text(netlist(fifo(), fifo(), words=5)))
    names = set(re.findall(r"(?<![`'\w.])[A-Za-z_]\w*", text))
    keywords = {"module", "endmodule", "input", "output", "wire", "reg", "assign", "always", "posedge", "if", "begin",
                "end", "else"}
    ours = r"lutra_\w+|[su]\d+_\w+|[sm]_axis\d*_(t\w+|sent|last)|clk|rst|unused_s_axis\d*"
    assert {n for n in names - keywords if not re.fullmatch(ours, n)} == set()


def test_an_unknown_module_is_an_error():
    with pytest.raises(LutraError, match="the design needs the module lutra_nothing"):
        verilog.sources(netlist(Block("lutra_nothing")))


def test_every_library_file_is_complete():
    for module in verilog._modules():
        assert module.startswith("lutra_")
        assert any(re.search(rf"module\s+{module}\b", text) for text in verilog.library([module]).values())


def test_the_header_says_what_it_is():
    text = verilog.top_text(netlist(fifo(13), words=784))
    assert "784 words of 13 bits a frame" in text and "1 units, 2 streams" in text


@pytest.mark.parametrize("width", [1, 8, 13, 64, 100])
@pytest.mark.parametrize("words", [1, 2, 3, 8])
def test_the_top_lints_clean(tmp_path, width, words):
    files = verilog.sources(netlist(fifo(width), fifo(width, 5), words=words))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    verilator()("--lint-only", "-Wall", "-Wno-DECLFILENAME", "--top-module", "lutra_top", *files, cwd=tmp_path)
    assert f"[{8 * ((width + 7) // 8) - 1}:0] m_axis_tdata" in files["lutra_top.sv"]
