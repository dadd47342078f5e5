"""Whole networks by C simulation of their HLS form: equal to the RTL, word by word, and to the integer graph."""

import runpy
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import lutra
from lutra import LutraError
from lutra.cli import call
from lutra.hw.cpp import sources
from lutra.hw.netlist import Block, End, Instance, Netlist, Stream
from lutra.ir import Constant, Graph, Input, Node, Range, Tensor
from lutra.ops.add.op import Add
from lutra.ops.argmax.op import ArgMax
from lutra.ops.matmul.op import MatMul
from lutra.ops.pad.op import Pad
from lutra.ops.reshape.op import Reshape
from lutra.ops.threshold.op import Threshold
from lutra.ops.window.op import Window
from lutra.plan.assemble import assemble
from lutra.plan.devices import device
from lutra.plan.folding import for_fps
from lutra.sim.csim import CModel
from lutra.sim.reference import Runner
from lutra.sim.rtl import RtlModel, from_words, to_words
from lutra.tools.cache import Cache

DIGITS = Path(str(files("lutra") / "data" / "digits.onnx"))
FRAMES = 30


def conv(x, rows, rng):
    window = Node(Window((3, 3)), (Node(Pad((1, 1), (1, 1)), (x,)),))
    return Node(MatMul(Constant(rng.integers(-2, 3, (rows, window.out.channels)))), (window,))


def levels(x, rng):
    span = x.out.range
    values = np.sort(rng.integers(span.lo // 3, span.hi // 3 + 1, (x.out.channels, 3)), axis=1)
    return Node(Threshold(Constant(values), 0, 1, Constant(rng.random(x.out.channels) < 0.3)), (x,))


@pytest.fixture(scope="module")
def residual():
    """A block whose input skips two convolutions, a matrix behind it, and the greatest of that."""
    rng = np.random.default_rng(0)
    x = Node(Input("x", Tensor((6, 6, 2), Range(0, 15))))
    first = levels(conv(x, 4, rng), rng)
    inner = conv(levels(conv(first, 4, rng), rng), 4, rng)
    whole = levels(Node(Add((Constant(np.array([1])), Constant(np.array([3])))), (inner, first)), rng)
    flat = Node(Reshape((whole.out.size,)), (whole,))
    scores = Node(MatMul(Constant(rng.integers(-4, 4, (5, whole.out.size)))), (flat,))
    return Graph((x,), (Node(ArgMax(), (scores,)),))


def test_residual_hls_equals_rtl_equals_integers(residual, cache):
    plan = for_fps(residual, device("xc7z020"), 100.0, 100_000)
    netlist = assemble(residual, plan.folds, plan.depths)
    assert {"lutra_fork", "lutra_fifo", "lutra_add"} <= {i.block.module for i in netlist.instances}
    x = np.random.default_rng(1).integers(0, 16, (FRAMES, 6, 6, 2))
    of = residual.inputs[0].out.range
    words = to_words(of.encode(x).reshape(-1, netlist.width(netlist.inputs[0].stream) // of.bits), of.bits)
    (by_hls,) = CModel.build_many((netlist,), Cache(cache), strict=True).run(words)
    assert np.array_equal(by_hls, RtlModel.build(netlist, Cache(cache)).run(words).words)
    (out,) = residual.outputs
    y = out.out.range.decode(from_words(by_hls, 1, out.out.range.bits)).reshape(FRAMES, *out.out.shape)
    assert np.array_equal(y, Runner(residual).run(x))
    assert len(np.unique(y)) > 1


def test_several_inputs_and_outputs(cache):
    """One input goes out as it came, too: a wire through a FIFO."""
    rng = np.random.default_rng(4)
    a, b = (Node(Input(name, Tensor((5, 4), Range(lo, 7)))) for name, lo in (("a", 0), ("b", -8)))
    whole = Node(Add((Constant(np.array([1])), Constant(np.array([-2])))), (a, b))
    scores = Node(MatMul(Constant(rng.integers(-4, 4, (3, 4)))), (b,))
    graph = Graph((a, b), (whole, scores, a))
    plan = for_fps(graph, device("xc7z020"), 100.0, 1_000_000)
    netlist = assemble(graph, plan.folds, plan.depths)
    xs = tuple(n.out.range.lo + rng.integers(0, n.out.range.levels, (FRAMES, *n.out.shape)) for n in graph.inputs)
    words = []
    for x, n, end in zip(xs, graph.inputs, netlist.inputs, strict=True):
        of = n.out.range
        words.append(to_words(of.encode(x).reshape(-1, netlist.width(end.stream) // of.bits), of.bits))
    given = CModel.build_many((netlist,), Cache(cache), fast=False, strict=True).run(tuple(words))
    for found, n, end, y in zip(given, graph.outputs, netlist.outputs, Runner(graph).outputs(xs), strict=True):
        of = n.out.range
        codes = from_words(found, netlist.width(end.stream) // of.bits, of.bits)
        assert np.array_equal(of.decode(codes).reshape(y.shape), y)


def test_depths_are_the_plan_s(residual):
    plan = for_fps(residual, device("xc7z020"), 100.0, 100_000)
    netlist = assemble(residual, plan.folds, plan.depths)
    text = sources(netlist)[f"{netlist.name}.cpp"]
    fifos = [i for i in netlist.instances if i.block.module == "lutra_fifo"]
    for i in fifos:
        assert f"variable={i.outputs[0]} depth={2 + i.block.params['DEPTH']}\n" in text
    assert text.count("#pragma HLS STREAM") == len(netlist.streams) - len(fifos)


@pytest.mark.parametrize("weights", ["auto", "written", "offchip"])
def test_digits_wherever_weights_are(weights, cache):
    acc = lutra.compile(DIGITS, device="xcu280" if weights == "offchip" else "xc7z020", fps=100_000, weights=weights,
                        cache=cache)
    frames = np.random.default_rng(2).integers(0, 17, (12, *acc.lowered.input.source_shape)).astype(float)
    assert acc.verify(frames, backend="hls") == 120
    if weights == "written":
        rng = np.random.default_rng(3)
        other = {s.name: rng.integers(s.unit.span.lo, s.unit.span.hi + 1, s.unit.weights.shape)
                 for s in acc.plan.stages if isinstance(s.unit, MatMul)}
        changed = acc.with_weights(other)
        y = changed.simulate(frames, backend="hls", raw=True)
        assert np.array_equal(y, changed.run(frames, raw=True))
        assert not np.array_equal(y, acc.run(frames, raw=True))


def test_build_folder_and_command_line(tmp_path, cache):
    folder, images = tmp_path / "build", tmp_path / "x.npy"
    with np.load(Path(str(files("lutra") / "data" / "digits_test.npz"))) as z:
        np.save(images, z["images"][:20, None].astype(np.int64))
    given = [str(DIGITS), "--fps", "100000", "--input-range", "0", "16", "--input-scale", "0.0625",
             "--cache", str(cache)]
    assert call(["build", *given, "--backend", "hls", "-o", str(folder)]) == 0
    assert (folder / "hls" / "lutra_top.cpp").is_file()
    assert not (folder / "rtl").exists()
    assert call(["simulate", str(folder), "--input", str(images), "--backend", "hls", "--cache", str(cache)]) == 0
    assert lutra.load(folder, cache=cache).measured["verified_hls"] == {
        "frames": 20, "words": 200, "stalls": 0.0, "seed": 0}
    assert (folder / "hls").is_dir()
    assert not (folder / "rtl").exists()
    assert call(["simulate", str(folder), "--input", str(images), "--backend", "hls", "--stalls", "0.2"]) == 2


def test_an_operator_without_a_form_is_named():
    block = Block("lutra_strange", {}, inputs=(3,), outputs=(3,))
    streams = (Stream("a", 3, None, "u0", 1), Stream("b", 3, "u0", None, 1))
    odd = Netlist("odd", (Instance("u0", block, ("a",), ("b",)),), streams, (End("a", 1),), (End("b", 1),))
    with pytest.raises(LutraError, match=r"u0.*strange has no HLS form"):
        sources(odd)


def test_words_that_are_missing_or_left_over_end_the_simulation(residual, cache):
    plan = for_fps(residual, device("xc7z020"), 100.0, 100_000)
    netlist = assemble(residual, plan.folds, plan.depths)
    (end,) = netlist.inputs
    width = (netlist.width(end.stream) + 7) // 8
    counts = {end.words - 1: "is read where it is empty", end.words + 1: "is left with words that nobody took"}
    designs = [replace(netlist, inputs=(End(end.stream, words),)) for words in counts]
    model = CModel.build_many(designs, Cache(cache), fast=False)
    for k, (words, what) in enumerate(counts.items()):
        frames = [np.zeros((words * (k == i), width), np.uint8) for i in range(len(designs))]
        with pytest.raises(LutraError, match=rf"stream \w+ {what}"):
            model.run_many(frames)


def test_what_only_the_rtl_has_is_refused(cache):
    acc = lutra.compile(DIGITS, cache=cache)
    frames = np.zeros((1, *acc.lowered.input.source_shape))
    with pytest.raises(LutraError, match="stalls"):
        acc.simulate(frames, stalls=0.1, backend="hls")
    with pytest.raises(LutraError, match="backend='vhdl'"):
        acc.simulate(frames, backend="vhdl")


def test_a_kernel_by_itself(tmp_path, monkeypatch, capsys):
    example = Path(__file__).parents[2] / "examples" / "hls_kernel" / "run.py"
    monkeypatch.setattr("sys.argv", [str(example), "--headers", str(tmp_path / "hls")])
    runpy.run_path(str(example), run_name="__main__")
    assert "0 of 12 differ" in capsys.readouterr().out
    assert {"lutra_hls.hpp", "matmul.hpp", "dots.hpp"} <= {p.name for p in (tmp_path / "hls").iterdir()}
