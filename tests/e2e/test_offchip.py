"""Weights in off-chip memory: a whole network, exact under any memory, as fast as planned or as the memory is."""

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import lutra
from lutra import LutraError
from lutra.hw.axi import PAGE, places
from lutra.ir import Constant, Graph, Input, Node, Range, Tensor
from lutra.ops.matmul.op import MatMul
from lutra.plan.devices import device
from lutra.plan.folding import by_hand, for_budget, for_fps
from lutra.plan.memory import available_gbs
from lutra.sim.rtl import Memory, from_words, to_words

DIGITS = Path(str(files("lutra") / "data" / "digits.onnx"))
SMALL = device("ecp5-25k")  # whose memory gives 1.28 GB/s
MEMORIES = [Memory(latency=300, outstanding=1), Memory(latency=90, rate=2.5, stalls=0.5), Memory(latency=1)]


@pytest.fixture(scope="module")
def acc(cache):
    return lutra.compile(DIGITS, fps=150_000, weights="offchip", cache=cache)


@pytest.fixture(scope="module")
def frames(acc):
    (end,) = acc.lowered.inputs
    return end.range.lo + np.random.default_rng(0).integers(0, end.range.levels, (24, *end.shape))


def run(acc, x, memory, **more):
    """The RTL's run and its integers."""
    (end,), of = acc.netlist.inputs, acc.lowered.inputs[0].range
    words = to_words(of.encode(x).reshape(-1, acc.netlist.width(end.stream) // of.bits), of.bits)
    found = acc._model.run(words, memory=memory, **more)
    (out,), y = acc.netlist.outputs, acc.lowered.graph.outputs[0].out
    codes = from_words(found.words, acc.netlist.width(out.stream) // y.range.bits, y.range.bits)
    return found, y.range.decode(codes).reshape(-1, *y.shape)


def test_every_matrix_is_off_the_chip(acc):
    matrices = {acc.plan.names[n]: f.ram for n, f in acc.plan.folds.items() if n.op.kind == "matmul"}
    assert set(matrices.values()) == {"offchip"} and acc.plan.traffic.keys() == matrices.keys()
    assert all(f.ram != "offchip" for n, f in acc.plan.folds.items() if n.op.kind != "matmul")


@pytest.mark.parametrize("memory", MEMORIES, ids=str)
@pytest.mark.parametrize("stalls", [0.0, 0.3])
def test_exact_however_slow_the_memory(acc, frames, memory, stalls):
    for seed in range(2):
        _, y = run(acc, frames, memory, stalls=stalls, seed=seed)
        assert np.array_equal(y, acc._runner.run(frames))


def test_interval_and_latency_as_planned_where_the_memory_keeps_up(acc):
    assert acc.measure() == {"interval": acc.interval, "latency": acc.latency}


def test_interval_is_what_the_bandwidth_allows_where_it_does_not(acc, frames):
    """All ports share it: a frame takes its bytes over the rate, whatever unit needs them."""
    total = sum(acc.plan.traffic.values())
    for part in (0.5, 0.25):
        rate = total / acc.interval * part
        found, _ = run(acc, np.tile(frames, (16, 1, 1, 1)), Memory(rate=rate))
        done = found.left.reshape(16 * len(frames), -1)[:, -1]
        half = 8 * len(frames)  # by then what the FIFOs held at the beginning is gone
        interval = (done[-1] - done[half - 1]) / half
        assert interval == pytest.approx(total / rate, rel=0.02)


def test_what_is_read_is_what_the_plan_reckons(acc, frames):
    """Up to what lies in the FIFOs at the end."""
    found, _ = run(acc, frames, Memory())
    depths = [i.block.params["DEPTH"] for i in acc.netlist.instances if i.block.region]
    for place, layer, read, depth in zip(places(acc.netlist), acc.memory_map(), found.fetched, depths, strict=True):
        due = acc.plan.traffic[layer["layer"]] * len(frames)
        assert due <= read + place.bits // 8 * 2 and read <= due + acc.plan.traffic[layer["layer"]] + (
            depth + 4) * place.bits // 8


def test_the_image_is_written_with_its_map(acc, tmp_path):
    acc.save(tmp_path / "build")
    rows = json.loads((tmp_path / "build" / "weights.json").read_text())
    image = (tmp_path / "build" / "weights.bin").read_bytes()
    for row, (_, region) in zip(rows, acc.netlist.regions, strict=True):
        assert row["offset"] % PAGE == 0 and image[row["offset"] :][: row["bytes"]] == region.image
    again = lutra.load(tmp_path / "build", cache=acc.cache.root)
    assert list(again.plan.folds.values()) == list(acc.plan.folds.values()) and again.rtl() == acc.rtl()
    data = json.loads((tmp_path / "build" / "report.json").read_text())["throughput"]
    assert data["bandwidth_gbs"] == pytest.approx(acc.plan.bandwidth_gbs) and "off-chip memory take" in (
        tmp_path / "build" / "report.html").read_text()


def test_by_hand_layer_by_layer(cache):
    folds = {"matmul0": {"simd": 9, "ram": "offchip"}, "matmul2": {"ram": "block"}}
    plan = lutra.compile(DIGITS, folding=folds, cache=cache).plan
    assert list(plan.traffic) == ["matmul0"]
    with pytest.raises(LutraError, match=r"folding of threshold0.*ram='offchip' \(one of auto, lut, block\)"):
        lutra.compile(DIGITS, folding={"threshold0": {"ram": "offchip"}}, cache=cache)
    with pytest.raises(LutraError, match=r"weights='moon' is no place for weights \(one of auto, written, offchip\)"):
        lutra.compile(DIGITS, weights="moon", cache=cache)


def matrix():
    """One of 64 x 128 bytes."""
    w = np.random.default_rng(0).integers(-128, 128, (64, 128))
    x = Node(Input("x", Tensor((128,), Range(0, 1))))
    return Graph((x,), (Node(MatMul(Constant(w)), (x,)),))


def test_more_than_the_memory_gives_is_refused():
    """8 KiB a frame: 1.28 GB/s are enough for 156,250 frames/s."""
    plan = for_fps(matrix(), SMALL, 100, 156_250, "offchip")
    assert plan.fps == 156_250 and plan.bandwidth_gbs == pytest.approx(available_gbs(SMALL)) == 1.28
    with pytest.raises(LutraError, match=r"needs to give 1\.64 GB/s where 1\.28 are there .*at most 156250 frames/s"):
        for_fps(matrix(), SMALL, 100, 200_000, "offchip")


def test_an_interval_that_memory_bounds():
    """8 KiB at 12.8 bytes a cycle take 640: no more lanes than for the 512 cycles below it, and what is said so."""
    plan = for_budget(matrix(), SMALL, 100, 0.7, "offchip")
    (fold,) = plan.folds.values()
    assert plan.interval == 640 and plan.cycles == {"matmul0": 512} and fold.pe * fold.simd == 16
    wide = by_hand(matrix(), SMALL, 100, {"matmul0": {"pe": 32, "ram": "offchip"}})
    assert wide.interval == 640 and wide.cycles == {"matmul0": 256}


def test_measured_as_planned_where_memory_bounds_the_interval(cache):
    """The digits at a clock at which the memory is slow."""
    acc = lutra.compile(DIGITS, "ecp5-25k", clock_mhz=400, budget=0.9, weights="offchip", cache=cache)
    assert acc.interval > max(acc.plan.cycles.values())
    assert acc.measure(400)["interval"] == pytest.approx(acc.interval, rel=0.01)
    assert acc.summary().throughput.bottleneck == "off-chip memory"


def test_words_wider_than_a_bus_take_a_cycle_for_each_beat():
    """128 bytes of weights a slot come in two beats of 64."""
    graph = matrix()
    plan = by_hand(graph, device("xcu250"), 100, {"matmul0": {"pe": 1, "simd": 128, "ram": "offchip"}})
    assert plan.interval == 128 and plan.traffic == {"matmul0": 8192}
