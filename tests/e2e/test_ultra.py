"""Weights in UltraRAM, which wakes up with nothing: written over AXI4-Lite before the first frame, in every shape."""

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import lutra
from lutra.errors import LutraError
from lutra.hw.netlist import Memory
from lutra.ir import Constant, Graph, Input, Node, Range, Tensor
from lutra.ops.matmul.op import MatMul
from lutra.ops.weights import written, written_cost
from lutra.plan.devices import device
from lutra.plan.folding import for_budget, for_fps
from lutra.plan.written import writable
from lutra.sim.rtl import RtlModel
from lutra.synth import synthesise_block
from lutra.tools.cache import Cache

DIGITS = Path(str(files("lutra") / "data" / "digits.onnx"))
# Words of three parts, of one and of four; one memory of the three holds the model's weights from power-up.
FOLDS = {"matmul0": {"pe": 4, "simd": 9, "ram": "ultra"}, "matmul1": {"simd": 9, "ram": "ultra"},
         "matmul2": {"pe": 2, "simd": 32}}


@pytest.fixture(scope="module")
def acc(cache):
    return lutra.compile(DIGITS, device="xczu7ev", folding=FOLDS, weights="written", cache=cache)


@pytest.fixture(scope="module")
def frames(acc):
    return np.random.default_rng(2).integers(0, 17, (4, *acc.lowered.input.source_shape)).astype(float)


def test_written_before_the_first_frame(acc, frames, cache):
    constant = lutra.compile(DIGITS, device="xczu7ev", folding={"matmul0": {"pe": 4}}, cache=cache)
    assert np.array_equal(acc.run(frames), constant.run(frames))
    assert acc.verify(frames, stalls=0.3) == 40
    assert acc.measure() == {"interval": acc.interval, "latency": acc.latency}


def test_other_weights_are_written_among_the_model_s(acc, frames):
    rng = np.random.default_rng(1)
    ops = {s.name: s.unit for s in acc.plan.stages}
    others = {n: rng.integers(ops[n].span.lo, ops[n].span.hi + 1, ops[n].weights.shape)
              for n in ("matmul1", "matmul2")}
    expected = acc.with_weights(others).run(frames, raw=True)
    assert not np.array_equal(expected, acc.run(frames, raw=True))
    assert np.array_equal(acc.simulate(frames, 0.4, seed=3, raw=True, weights=others), expected)


def test_nothing_is_taken_until_it_is_written(acc):
    model = RtlModel.build(acc.netlist, Cache(acc.cache.root))
    end = acc.netlist.inputs[0]
    words = np.zeros((end.words, (acc.netlist.width(end.stream) + 7) // 8), np.uint8)
    with pytest.raises(LutraError, match="deadlock"):
        model.run(words)


def test_no_file_says_what_it_wakes_up_with(acc):
    names = [name for name in acc.rtl() if name.endswith("_words.hex")]
    (kept,) = (i.name for i in acc.netlist.instances if i.block.written and i.name not in acc.netlist.blank)
    assert names == [f"{kept}_words.hex"]


def test_a_build_says_where_a_host_writes(acc, tmp_path, cache):
    folder = acc.save(tmp_path / "build")
    addresses = json.loads((folder / "addresses.json").read_text())
    assert [(a["layer"], a["in"], a["blank"], a["words"], a["word_bits"], a["word_bytes"]) for a in addresses] == [
        ("matmul0", "ultra", True, 2, 72, 16), ("matmul1", "ultra", True, 128, 18, 4),
        ("matmul2", "lut", False, 10, 128, 16)]
    writes = np.fromfile(folder / "writes.bin", "<u4").reshape(-1, 2)
    assert np.array_equal(writes, acc.writes())
    first = [a for a in addresses if a["blank"]]
    assert all(any(a["address"] <= at < a["address"] + a["bytes"] for a in first) for at in writes[1:-1, 0])
    windows = json.loads((folder / "report.json").read_text())["windows"]
    assert [w["address"] for w in windows] == [a["address"] for a in addresses]
    assert "Weights that can be written" in (folder / "report.html").read_text()
    assert lutra.load(folder, cache=cache).rtl() == acc.rtl()


def test_a_device_without_it_has_no_such_place(cache):
    with pytest.raises(LutraError, match=r"ram='ultra'"):
        lutra.compile(DIGITS, device="xc7z020", folding=FOLDS, weights="written", cache=cache)


def test_planned_where_the_device_has_it(rng):
    """A megabit: 4 of 96 blocks of UltraRAM are a smaller share of this device than 57 of 624 blocks of 18 Kbit."""
    x = Node(Input("x", Tensor((512,), Range(-8, 7))), ())
    y = Node(MatMul(Constant(rng.integers(-8, 8, (512, 512)))), (x,))
    graph = writable(Graph((x,), (y,)))
    plan = for_fps(graph, device("xczu7ev"), 100.0, 1000.0, "written")
    assert plan.folds[graph.outputs[0]].ram == "ultra"
    assert plan.cost.uram == plan.share["uram"] * 96 == 4
    other = for_fps(graph, device("xczu9eg"), 100.0, 1000.0, "written")
    assert other.folds[graph.outputs[0]].ram == "written"
    with pytest.raises(LutraError, match=r"it needs .*URAM where"):
        for_budget(graph, device("xczu5ev"), 100.0, {"bram": 1e-6, "uram": 0.01, "lut": 0.01}, "written")


@pytest.mark.parametrize(("depth", "width"), [
    (4096, 72), (2048, 144), (1000, 300), (5000, 100), (9216, 64), (16384, 40), (65536, 8), (3000, 1152), (20000, 32)])
def test_cost_is_that_of_synthesis(depth, width, cache):
    """Blocks and registers are exact."""
    found = synthesise_block(written(Memory((0,) * depth, width, blank=True), "ultra"), "xcup", Cache(cache))
    reckoned = written_cost(depth, width, "ultra", "xcup")
    assert (found.uram, found.bram, found.ff) == (reckoned.uram, 0, reckoned.ff)
    assert abs(found.lut - reckoned.lut) <= 16
