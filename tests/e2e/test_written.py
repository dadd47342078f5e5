"""Weights that are written at run time: the digits network, its weights through the real AXI4-Lite port."""

from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import lutra
from lutra.errors import LutraError
from lutra.hw.verilog import library
from lutra.sim.rtl import RtlModel, to_words
from lutra.tools.cache import Cache

DIGITS = Path(str(files("lutra") / "data" / "digits.onnx"))
# Words of three parts, of one and of four.
FOLDS = {"matmul0": {"pe": 4, "simd": 9}, "matmul1": {"simd": 9}, "matmul2": {"pe": 2, "simd": 32}}
LAYERS = ("matmul0", "matmul1", "matmul2")


@pytest.fixture(scope="module")
def acc(cache):
    return lutra.compile(DIGITS, device="xc7z020", folding=FOLDS, weights="written", cache=cache)


@pytest.fixture(scope="module")
def others(acc):
    """Other weights for every layer, anything that may be written."""
    rng = np.random.default_rng(1)
    ops = {s.name: s.unit for s in acc.plan.stages}
    return {n: rng.integers(ops[n].span.lo, ops[n].span.hi + 1, ops[n].weights.shape) for n in LAYERS}


@pytest.fixture(scope="module")
def frames(acc):
    return np.random.default_rng(2).integers(0, 17, (4, *acc.lowered.input.source_shape)).astype(float)


def test_the_model_s_weights_are_there_from_power_up(acc, frames, cache):
    constant = lutra.compile(DIGITS, device="xc7z020", folding=FOLDS, cache=cache)
    assert np.array_equal(acc.run(frames), constant.run(frames))
    assert acc.verify(frames, stalls=0.3) == 40


def test_other_weights_through_the_port(acc, frames, others):
    expected = acc.with_weights(others).run(frames, raw=True)
    assert not np.array_equal(expected, acc.run(frames, raw=True))
    for stalls in (0.0, 0.4):
        assert np.array_equal(acc.simulate(frames, stalls, seed=3, raw=True, weights=others), expected)


def test_one_layer_keeps_the_others(acc, frames, others):
    one = {"matmul1": others["matmul1"]}
    expected = acc.with_weights(one).run(frames, raw=True)
    assert np.array_equal(acc.simulate(frames, raw=True, weights=one), expected)


def test_the_sequence_stops_fills_and_lets_go(acc, others):
    sequence = acc.writes(others)
    assert sequence[0].tolist() == [0, 1]
    assert sequence[-1].tolist() == [0, 0]
    windows = acc.netlist.windows
    sizes = {i.name: i.block.window for i in acc.netlist.instances if i.block.written}
    words = [i.block.memories[i.block.written].width for i in acc.netlist.instances if i.block.written]
    assert words == [72, 18, 128]
    for name, base in windows.items():
        assert base % sizes[name] == 0
        assert ((sequence[1:-1, 0] >= base) & (sequence[1:-1, 0] < base + sizes[name])).any()
    spans = sorted((b, b + sizes[n]) for n, b in windows.items())
    assert spans[0][0] >= 4
    assert all(a[1] <= b[0] for a, b in pairwise(spans))


def test_a_running_design_takes_no_weights(acc, frames, others):
    """Every write to a memory is refused while the design runs, and beyond the memories always."""
    sequence = acc.writes(others)
    beyond = np.array([[0, 1], [acc.netlist.last_address + 1, 0]], np.uint32)
    end = acc.netlist.inputs[0]
    words = np.zeros((end.words, (acc.netlist.width(end.stream) + 7) // 8), np.uint8)
    model = RtlModel.build(acc.netlist, Cache(acc.cache.root))
    for writes in (sequence[1:], beyond):
        with pytest.raises(LutraError, match=r"AXI4-Lite port 0: write [01] is refused"):
            model.run(words, writes=writes)


@pytest.mark.parametrize(("weights", "text"), [
    ({"matmul9": np.zeros((8, 9), int)}, "no layer 'matmul9'"),
    ({"threshold0": np.zeros((8, 9), int)}, "threshold0: its weights cannot be written"),
    ({"matmul0": np.zeros((9, 8), int)}, r"weights of shape \(9, 8\)"),
    ({"matmul0": np.zeros((8, 9))}, "type float64"),
    ({"matmul0": np.full((8, 9), 2)}, "weights from 2 to 2"),
])
def test_bad_weights_are_one_sentence(acc, weights, text):
    with pytest.raises(LutraError, match=text):
        acc.writes(weights)


def test_constant_weights_are_not_written(cache):
    constant = lutra.compile(DIGITS, device="xc7z020", folding=FOLDS, cache=cache)
    with pytest.raises(LutraError, match="its weights cannot be written"):
        constant.with_weights({"matmul0": np.zeros((8, 9), int)})
    with pytest.raises(LutraError, match="weights='sometimes'"):
        lutra.compile(DIGITS, weights="sometimes", cache=cache)


def test_saved_and_read_back(acc, frames, others, tmp_path, cache):
    again = lutra.load(acc.save(tmp_path / "build"), cache=cache)
    assert again.rtl() == acc.rtl()
    assert np.array_equal(again.writes(others), acc.writes(others))


@pytest.mark.parametrize(("file", "right", "wrong"), [
    ("weights.sv", "== ADDRESS'(PARTS - 1)", "== ADDRESS'(PARTS)"),
    ("weights.sv", "AW'(address >> (2 + PW))", "AW'(address >> 2) + AW'(PW == 0)"),
    ("weights.sv", "address[ADDRESS-1:WINDOW] == (ADDRESS-WINDOW)'(BASE >> WINDOW)", "address[2] == address[2]"),
    ("control.sv", "value_there ? !turn : s_axi_wvalid", "s_axi_wvalid"),
    ("control.sv", "if (turn && steers) stop <= value[0]", "if (turn && steers) stop <= 1'b1"),
])
def test_faults_are_found(acc, frames, others, file, right, wrong):
    text = library(["lutra_control", "lutra_weights"])[file]
    assert right in text
    model = RtlModel.build_many([acc.netlist], acc.cache, {file: text.replace(right, wrong)}, fast=False)
    expected = acc.with_weights(others).run(frames, raw=True)
    given = acc.lowered.input
    codes = given.range.encode(given.integers(frames))
    end = acc.netlist.inputs[0]
    words = to_words(codes.reshape(-1, acc.netlist.width(end.stream) // given.range.bits), given.range.bits)
    try:
        run = model.run(words, stalls=0.3, writes=acc.writes(others), patience=20_000)
    except LutraError:
        return
    (found,) = acc._received(run)
    assert not np.array_equal(acc.lowered.outputs[0].raw(found), expected)
