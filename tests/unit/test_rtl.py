"""The RTL simulation itself: words arrive whole, time is what it says, a broken rule and a deadlock are seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_verilog import fifo, netlist

from lutra.errors import LutraError
from lutra.hw.netlist import End, Instance, Netlist, Stream, pack
from lutra.sim.job import Received
from lutra.sim.rtl import RtlModel, RtlRun, Stimulus, from_words, to_words
from lutra.tools.cache import Cache


@pytest.fixture(scope="module")
def tools(cache):
    return Cache(cache)


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**32))
def test_words_hold_codes(bits, lanes, count, seed):
    codes = np.random.default_rng(seed).integers(0, 2**bits, (count, lanes))
    words = to_words(codes, bits)
    assert words.dtype == np.uint8 and words.shape == (count, (lanes * bits + 7) // 8)
    assert tuple(int.from_bytes(w.tobytes(), "little") for w in words) == pack(codes, bits)
    assert np.array_equal(from_words(words, lanes, bits), codes)


def words(width, count, seed=0):
    return to_words(np.random.default_rng(seed).integers(0, 2, (count, width)), 1)


@pytest.mark.parametrize("stalls", [0.0, 0.3, (0.0, 0.9), (0.9, 0.0)])
def test_a_fifo_hands_on_every_word(tools, stalls):
    designs = [netlist(fifo(w, d), words=n) for w, d, n in [(1, 2, 1), (8, 1, 2), (13, 3, 3), (64, 2, 4), (100, 7, 5)]]
    model = RtlModel.build_many(designs, tools)
    given = [words(d.streams[0].width, 60) for d in designs]
    runs = model.run_many([Stimulus(x, stalls, seed) for seed, x in enumerate(given)])
    for x, run in zip(given, runs, strict=True):
        assert np.array_equal(run.words, x)
        assert (np.diff(run.taken) > 0).all() and (np.diff(run.left) > 0).all() and (run.left > run.taken).all()


def test_the_cycles_are_exact(tools):
    run = RtlModel.build(netlist(fifo(8)), tools).run(words(8, 12))
    assert np.array_equal(run.taken, np.arange(12))
    assert np.array_equal(run.left, np.arange(12) + 1)
    assert run.timing(3).intervals == (4, 4) and run.timing(3).interval == 4 and run.timing(3).latency == 4


def test_words_arrive_when_they_are_told_to(tools):
    when = np.array([0, 5, 5, 20])
    run = RtlModel.build(netlist(fifo(8)), tools).run(words(8, 4), arrivals=when)
    assert run.taken.tolist() == [0, 5, 6, 20]


def pair(first=(8, 2), second=(13, 3)):
    """Two FIFOs side by side: a design of two inputs and two outputs, of 4 and of 2 words a frame."""
    instances, streams = [], []
    for k, of in enumerate((first, second)):
        instances.append(Instance(f"u{k}", fifo(*of), (f"a{k}",), (f"b{k}",)))
        streams += [Stream(f"a{k}", of[0], None, f"u{k}"), Stream(f"b{k}", of[0], f"u{k}", None)]
    ends = [tuple(End(f"{s}{k}", words) for k, words in enumerate((4, 2))) for s in "ab"]
    return Netlist("lutra_top", tuple(instances), tuple(streams), *ends)


def test_a_design_of_several_ends(tools):
    given = words(8, 40), words(13, 20)
    run = RtlModel.build(pair(), tools).run(given, stalls=0.4, seed=3)
    assert all(np.array_equal(end.words, x) for end, x in zip(run.received, given, strict=True))
    assert all((end.left > taken).all() for end, taken in zip(run.received, run.sent, strict=True))
    assert len({tuple(np.diff(taken[:20])) for taken in run.sent}) == 2  # each end stalls by itself


def test_latency_is_from_the_first_input_to_the_last_output(tools):
    late = np.array([2, 3, 4, 5, 12, 13, 14, 15]), np.array([1, 9, 11, 19])
    run = RtlModel.build(pair(), tools).run((words(8, 8), words(13, 4)), arrivals=late)
    assert [taken.tolist() for taken in run.sent] == [when.tolist() for when in late]
    assert (run.timing(2).intervals, run.timing(2).latency) == ((10,), 10)


def test_a_deadlock_of_one_end_is_seen(tools):
    broken_one = {"skid.sv": broken(PASSES.replace("!out_valid;", "WIDTH != 13;", 1))["skid.sv"]}
    model = RtlModel.build_many([pair((8, 1), (13, 2))], tools, changed=broken_one)
    said = r"input 0 took 8 of 8 .*input 1 took 0 of 4 .*output 1 gave 0 of 4 .* a1 valid"
    with pytest.raises(LutraError, match=said):
        model.run((words(8, 8), words(13, 4)), patience=1000)


@pytest.mark.parametrize("stalls", [0.0, (0.0, 0.6), (0.6, 0.0)])
def test_occupancy_is_the_least_depth_that_holds_nothing_up(tools, stalls):
    model = RtlModel.build(pair((8, 500), (13, 300)), tools)
    run = model.run((words(8, 400), words(13, 200)), stalls=stalls, record=True)
    for name, taken, end in zip(("b0", "b1"), run.sent, run.received, strict=True):
        gone = np.searchsorted(end.left, taken, side="left")  # before the cycle in which a word comes
        most = int((np.arange(len(taken)) + 1 - gone).max())
        assert 1 <= most < 300 and run.occupancy[name] == most
    depths = run.occupancy["b0"], run.occupancy["b1"]
    tight = RtlModel.build(pair((8, depths[0]), (13, depths[1])), tools)
    again = tight.run((words(8, 400), words(13, 200)), stalls=stalls)
    assert all(np.array_equal(a, b) for a, b in zip(again.sent, run.sent, strict=True))
    assert not again.occupancy


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_stalls_take_their_share_and_come_in_bursts(tools, share):
    run = RtlModel.build(netlist(fifo(8)), tools).run(words(8, 40_000), stalls=(0.0, share))
    assert 1 - 40_000 / run.left[-1] == pytest.approx(share, abs=0.05)
    assert np.diff(run.left).max() >= 16


def test_seeds_decide(tools):
    model, x = RtlModel.build(netlist(fifo(8)), tools), words(8, 400)
    a, b, c = (model.run(x, stalls=0.5, seed=s).left for s in (1, 1, 2))
    assert np.array_equal(a, b) and not np.array_equal(a, c)


def test_an_unsteady_run_has_no_interval():
    run = RtlRun((np.arange(4),), (Received(np.zeros((4, 1), np.uint8), np.array([1, 2, 5, 9]), np.arange(1, 5)),))
    with pytest.raises(LutraError, match=r"no steady interval, the last were \[3, 4\]"):
        _ = run.timing(4).interval


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_that_is_none(tools, share):
    with pytest.raises(LutraError, match="is not a share of the cycles"):
        RtlModel.build(netlist(fifo(8)), tools).run(words(8, 4), stalls=share)


def test_waveforms_on_request(tools, tmp_path):
    RtlModel.build(netlist(fifo(8)), tools).run(words(8, 4), vcd=tmp_path / "a.vcd")
    text = (tmp_path / "a.vcd").read_text()
    assert "$enddefinitions" in text and "s_axis_tdata" in text and "#20" in text


def broken(body):
    """A register slice whose rules are broken on purpose."""
    head = """module lutra_skid #(parameter int WIDTH = 1) (input logic clk, input logic rst,
    input logic [WIDTH-1:0] in_data, input logic in_valid, output logic in_ready,
    output logic [WIDTH-1:0] out_data, output logic out_valid, input logic out_ready);
"""
    return {"skid.sv": f"{head}{body}\nendmodule\n"}


PASSES = """assign in_ready = !out_valid;
always_ff @(posedge clk) begin
  if (!out_valid) out_data <= in_data;
  out_valid <= !rst && (out_valid ? !out_ready : in_valid && in_ready);
end"""


@pytest.mark.parametrize("old, new, said", [
    ("", "", None),
    ("out_ready : in_valid", "1'b1 : in_valid", "valid fell before the word was taken"),
    ("if (!out_valid) out_data <= in_data", "out_data <= out_data + 1", "data changed before the word was taken"),
    ("assign in_ready = !out_valid", "assign in_ready = !out_valid || out_ready", "depends on an input of the same"),
    ("assign in_ready = !out_valid", "assign in_ready = !out_valid && in_valid", "depends on an input of the same"),
    ("assign in_ready = !out_valid", "assign in_ready = 1'b0",
     r"input 0 took 0 of 8 words; .*output 0 gave 0 of 8 .* s0 valid blocked"),
    ("out_valid ? !out_ready : in_valid && in_ready", "1'b1", "a word came after the last one"),
])
def test_broken_rules_are_seen(tools, old, new, said):
    assert old in PASSES
    model = RtlModel.build_many([netlist(fifo(8))], tools, changed=broken(PASSES.replace(old, new) if old else PASSES))
    if said is None:
        assert np.array_equal(model.run(words(8, 8), stalls=0.5).words, words(8, 8))
        return
    with pytest.raises(LutraError, match=said):
        model.run(words(8, 8), stalls=0.5, patience=1000)
