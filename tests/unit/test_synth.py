"""Synthesis, place and route: counts by hand, and small designs through the real tools."""

from dataclasses import replace

import pytest

from lutra.errors import LutraError
from lutra.hw.netlist import Block, End, Instance, Netlist, Stream
from lutra.plan.devices import device
from lutra.synth import Resources, place, synthesise, synthesise_block
from lutra.synth.pins import pins, serial_top
from lutra.synth.report import SynthReport, count
from lutra.tools.cache import Cache


def fifo(width, depth, block=0):
    return Block("lutra_fifo", {"WIDTH": width, "DEPTH": depth, "BLOCK": block}, {}, (width,), (width,))


def chain(*blocks):
    names = [f"u{k}" for k in range(len(blocks))]
    ends = zip([None, *names], [*names, None], strict=True)
    (width,) = blocks[0].inputs
    streams = tuple(Stream(f"s{k}", width, a, b) for k, (a, b) in enumerate(ends))
    parts = tuple(Instance(n, b, (f"s{k}",), (f"s{k + 1}",))
                  for k, (n, b) in enumerate(zip(names, blocks, strict=True)))
    return Netlist("lutra_top", parts, streams, (End("s0", 4),), (End(streams[-1].name, 4),))


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    return Cache(tmp_path_factory.mktemp("synth"))


def test_cells_are_counted_in_the_units_of_devices():
    cells = {"LUT1": 1, "LUT6": 10, "INV": 2, "RAM32M": 3, "SRL16E": 4, "FDRE": 7, "FDSE": 1, "CARRY4": 5, "MUXF7": 6,
             "RAMB18E1": 1, "RAMB36E1": 2, "DSP48E1": 3, "BUFG": 1}
    assert count(cells) == Resources(13, 16, 8, 5, 6, 5, 0, 3)
    assert count(cells).lut == 29
    lattice = {"LUT4": 9, "CCU2C": 2, "TRELLIS_DPR16X4": 1, "TRELLIS_FF": 3, "PFUMX": 4, "DP16KD": 2, "MULT18X18D": 1}
    assert count(lattice) == Resources(13, 6, 3, 2, 4, 2, 0, 1)


def test_a_cell_that_is_not_known_is_refused():
    with pytest.raises(LutraError, match="unknown type 'SB_LUT4'"):
        count({"SB_LUT4": 1})


def test_shares_and_sums():
    report = SynthReport(device("xc7z020"), {"a": Resources(lut_logic=532), "b": Resources(lut_memory=532, bram=28)},
                         None, "Yosys")
    assert report.total == Resources(532, 532, bram=28)
    assert report.total.share(report.device)["lut"] == 0.02
    assert report.to_json()["share"]["bram"] == 0.1
    assert Resources(uram=1).share(report.device)["uram"] == float("inf")


@pytest.mark.parametrize("name", ["xc7z020", "xczu3eg", "ecp5-25k"])
def test_units_and_the_whole(name, tools):
    design = chain(fifo(8, 2), fifo(8, 2), fifo(8, 16))
    seen = []
    report = synthesise(design, device(name), tools, whole=True, progress=lambda *step: seen.append(step[1:]))
    assert seen == [(1, 3), (2, 3), (3, 3)]  # two units are the same
    assert list(report.units) == ["u0", "u1", "u2"]
    assert report.units["u0"] == report.units["u1"] == synthesise_block(fifo(8, 2), device(name).family, tools)
    assert report.units["u0"].ff == 18  # two words and their flags
    assert report.units["u2"].lut_memory == {"ecp5": 12}.get(device(name).family, 8)  # 8 bits of 15 words
    assert report.whole is not None
    assert report.whole.ff >= sum(u.ff for u in report.units.values())
    assert report.total == report.whole


def test_results_are_kept(tools, monkeypatch):
    first = synthesise_block(fifo(3, 2), "ecp5", tools)
    monkeypatch.setattr("lutra.synth.units.run_yosys", lambda *_: pytest.fail("ran again"))
    assert synthesise_block(fifo(3, 2), "ecp5", tools) == first


def test_place_and_route_to_a_bitstream(tools):
    report = place(chain(fifo(8, 2)), device("ecp5-25k"), 100.0, tools)
    assert report.met
    assert report.fmax_mhz > 100
    assert not report.serial
    assert report.utilisation["TRELLIS_FF"][1] == device("ecp5-25k").ff
    assert report.bitstream.read_bytes()[:2] == b"\xff\x00"
    assert report.bitstream.stat().st_size > 100_000
    assert report.to_json()["device"] == "ecp5-25k"


def test_more_bits_than_pins_go_in_and_out_serially(tools):
    design = chain(fifo(120, 2))
    assert pins(design) == 247
    report = place(design, device("ecp5-25k"), 50.0, tools)
    assert report.serial
    assert report.utilisation["TRELLIS_IO"][0] == 9
    assert report.utilisation["TRELLIS_FF"][0] >= 2 * 120 + 2 * 120  # the design's words and the pins' registers


def test_serial_pins_of_single_bits():
    text = serial_top(chain(fifo(1, 2)))
    assert "reg [7:0] word" in text  # tdata is whole bytes
    assert "word <= {word[6:0], s_axis_tdata}" in text


def test_what_cannot_be_placed(tools):
    with pytest.raises(LutraError, match=r"no open tool places and routes xc7z020.*ecp5-25k"):
        place(chain(fifo(8, 2)), device("xc7z020"), 100.0, tools)
    with pytest.raises(LutraError, match=r"does not fit ecp5-25k: \d+ FF where there are 3"):
        place(chain(fifo(11, 2)), replace(device("ecp5-25k"), ff=3), 100.0, tools)  # no other test has placed it
    assert not [p for p in tools.root.iterdir() if p.name.startswith(".")]
