"""The memory of weights that are written: what synthesis makes of it beside what the plan reckons with."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import lutra
from lutra.hw.netlist import Memory
from lutra.hw.verilog import AXI_LITE, library
from lutra.ops.base import Cost
from lutra.ops.weights import port_cost, written, written_cost
from lutra.plan.written import writes
from lutra.synth import synthesise_block
from lutra.synth.units import synthesise_files
from lutra.tools.cache import Cache

DIGITS = Path(str(files("lutra") / "data" / "digits.onnx"))


@pytest.mark.parametrize("family", ["xc7", "ecp5"])
@pytest.mark.parametrize(("depth", "width", "place"), [(512, 36, "block"), (64, 24, "lut")])
def test_cost_is_that_of_synthesis(depth, width, place, family, cache, rng):
    words = tuple(int(v) for v in rng.integers(0, 1 << width, depth))
    found = synthesise_block(written(Memory(words, width), place), family, Cache(cache))
    reckoned = written_cost(depth, width, place, family)
    assert found.bram == reckoned.bram
    assert found.ff == reckoned.ff
    assert abs(found.lut - reckoned.lut) < max(40, 0.2 * found.lut)


def test_a_word_is_written_in_parts_the_low_one_first():
    memory = Memory((0x1_2222_3333, (1 << 65) | 7), 66)
    assert writes(memory, 0x40) == [(0x40, 0x22223333), (0x44, 1), (0x48, 0), (0x50, 7), (0x54, 0), (0x58, 2)]
    assert writes(Memory((5, 6), 4), 8) == [(8, 5), (12, 6)]


def test_windows_are_powers_of_two():
    block = written(Memory(tuple(range(9)), 70), "lut")
    assert block.window == 4 * 4 * 16
    assert np.array_equal([a for a, _ in writes(block.memories["WORDS"], 0)][:4], [0, 4, 8, 16])


@pytest.mark.parametrize("family", ["xc7", "xcup", "ecp5"])
@pytest.mark.parametrize("windows", [(32, 32, 64), (2048, 1024, 4096), (1 << 26, 1 << 24, 1 << 16)])
def test_the_port_costs_what_synthesis_makes_of_it(windows, family, cache):
    first, last = max(windows), max(windows) + sum(windows) - 1
    text = control_alone(last.bit_length(), first, last + 1)
    found = synthesise_files({**library(["lutra_control"]), "unit.sv": text}, "unit", family, Cache(cache))
    reckoned = port_cost(windows, family)
    assert found.ff == reckoned.ff
    assert abs(found.lut - reckoned.lut) <= 5
    assert found.bram == reckoned.bram == 0


def control_alone(bits, first, end):
    """`lutra_control` with these parameters, its ports those of a module `unit`."""
    bus = [("output", "stop", 1), ("output", "write", 1), ("output", "address", 0), ("output", "value", 32)]
    named = [(way, f"s_axi_{name}", size) for way, name, size in AXI_LITE] + bus
    declared = ", ".join(f"{way} wire [{(size or bits) - 1}:0] {name}" for way, name, size in named)
    wired = ", ".join(f".{name}({name})" for _, name, _ in named)
    return (f"module unit(input wire clk, input wire rst, {declared});\n"
            f"lutra_control #(.ADDRESS({bits}), .FROM({first}), .TO({end})) c (.clk(clk), .rst(rst), {wired});\n"
            "endmodule\n")


def test_a_plan_has_the_port_and_the_netlist_s_windows(cache):
    acc = lutra.compile(DIGITS, device="xc7z020", fps=20000, weights="written", cache=cache)
    sizes = [i.block.window for i in acc.netlist.instances if i.block.written]
    assert [s.addresses for s in acc.plan.stages if s.addresses] == sizes
    assert acc.plan.port_cost == port_cost(sizes, "xc7")
    assert acc.netlist.address_bits + 41 == acc.plan.port_cost.ff
    without = sum(acc.plan.costs.values(), Cost())
    assert acc.plan.cost == without + acc.plan.port_cost
    assert lutra.compile(DIGITS, device="xc7z020", fps=20000, cache=cache).plan.port_cost == Cost()
