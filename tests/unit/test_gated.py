"""Two bit planes, the second gated by the first: the integers, the schedule, and how many gates the RTL opened."""

from dataclasses import replace

import numpy as np
import pytest

from lutra.errors import LutraError
from lutra.hw.netlist import Block, End
from lutra.ir import Constant, Range, Tensor
from lutra.ops.base import Fold
from lutra.ops.gated.op import MASKED, PLAIN, Gated, planes
from lutra.sim.rtl import RtlModel, Stimulus, from_words, to_words
from lutra.synth.units import single
from lutra.tools.cache import Cache

CASES = [(PLAIN, Fold(4, 9)), (MASKED, Fold(2, 6)), (PLAIN, Fold(1, 18)), (MASKED, Fold(8, 18))]


def gated(rows, columns, thresholds, seed=0):
    weights = np.random.default_rng(seed).choice([-1, 1], (rows, columns))
    return Gated(Constant(weights), Constant(np.broadcast_to(np.array(thresholds), (rows,)).copy()))


def test_planes_are_the_paper_s_bits():
    """q = 0..3 is worth (2/3) q - 1 = (2 M + L) / 3, M and L the higher and the lower bit as -1 and +1."""
    q = np.arange(4)
    first, second = planes(2 * q - 3)
    assert first.tolist() == [-1, -1, 1, 1]
    assert second.tolist() == [-1, 1, -1, 1]
    assert np.array_equal(2 * first + second, 2 * q - 3)
    assert [p.tolist() for p in planes(np.array([-2, 0, 2]))] == [[0, 0, 0]] * 2


def test_it_is_both_convolutions_under_the_gate():
    op = gated(6, 20, [-30, -20, 0, 3, 20, 30])
    x = np.random.default_rng(1).choice([-3, -1, 0, 1, 3], (500, 20))
    first, second = (p @ op.weights.array.T for p in planes(x))
    expected = 2 * first + np.where(first >= op.thresholds.array, second, 0)
    assert np.array_equal(op.evaluate(x), expected)
    assert np.array_equal(op.kernel(Tensor((20,), MASKED))(x.astype(np.float32)), expected)
    assert np.array_equal(op.gates(x), first >= op.thresholds.array)
    assert op.gates(x).all(axis=0).tolist() == [True, True, False, False, False, False]


@pytest.mark.parametrize("x", [PLAIN, MASKED], ids=str)
@pytest.mark.parametrize("columns", [1, 2, 3])
def test_the_range_holds_everything_and_no_more(columns, x):
    values = np.stack(np.meshgrid(*[x.values()] * columns), axis=-1).reshape(-1, columns)
    values = values[(values % 2 != 0).all(axis=1) | (x == MASKED)]
    for threshold in range(-5, 6):
        op = gated(1, columns, threshold)
        y, of = op.evaluate(values), op.infer(Tensor((columns,), x)).range
        assert of.holds(y)
        if x == PLAIN:
            assert (of.lo, of.hi) == (y.min(), y.max())


def test_a_pixel_takes_two_passes_and_waits_for_its_gates():
    op, x = gated(32, 36, 0), Tensor((5, 36), PLAIN)
    assert op.shape(Fold(2, 6), x).wait == 0
    assert op.cycles(Fold(2, 6), x) == 5 * 2 * 16 * 6
    small = op.shape(Fold(32, 36), x)
    assert small.wait == small.depth - small.at + 3
    loop = op.loop(Fold(16, 18), x)
    wait = op.shape(Fold(16, 18), x).wait
    assert loop.slots == op.cycles(Fold(16, 18), x) == 5 * (8 + wait)
    assert loop.reads[:4].tolist() == [1, 2, 2, 2]
    assert (loop.writes[:2] - wait).tolist() == [5, 7]


@pytest.mark.parametrize(("x", "fold"), CASES, ids=str)
def test_the_rtl_opens_the_gates_of_the_reference(x, fold, cache):
    """A module of the test's own brings out which gates of `lutra_gated_core` were open, beside the sums."""
    op, n = gated(8, 36, np.arange(-12, 20, 4)), 40
    tensor = Tensor((3, 36), x)
    block, y = op.block(fold, tensor), op.infer(tensor).range
    text = PROBE.format(SIMD=block.inputs[0], OUT=fold.pe * y.bits, PE=fold.pe, **{
        "params": ", ".join(f".{k}({v})" for k, v in block.params.items())})
    probe = Block("lutra_probe", {}, block.memories, block.inputs, (fold.pe * (y.bits + 1),), text=text)
    frames = np.random.default_rng(2).choice([v for v in (-3, -1, 0, 1, 3) if x.holds(np.array([v]))], (n, 3, 36))
    words = to_words(x.encode(frames).reshape(-1, fold.simd), x.bits)
    ends = End("i0", 3 * 36 // fold.simd), End("o0", 3 * 8 // fold.pe)
    design = replace(single(probe), inputs=ends[:1], outputs=ends[1:])
    model = RtlModel.build_many((design,), Cache(cache), fast=False)
    (run,) = model.run_many([Stimulus((words,), (0.2, 0.2), 1)])
    bits = from_words(run.words, fold.pe * (y.bits + 1), 1)
    opened = bits[:, fold.pe * y.bits :].reshape(n, 3, 8)
    sums = bits[:, : fold.pe * y.bits].reshape(-1, fold.pe, y.bits) @ (1 << np.arange(y.bits))
    assert np.array_equal(y.decode(sums).reshape(n, 3, 8), op.evaluate(frames))
    assert np.array_equal(opened == 1, op.gates(frames))
    assert 0.3 < opened.mean() < 0.7
    assert int(opened.sum()) == int(op.gates(frames).sum())


PROBE = """
module lutra_probe #(
    parameter WEIGHTS = "",
    parameter LEVELS = ""
) (
    input  logic              clk,
    input  logic              rst,
    input  logic [{SIMD}-1:0] in_data,
    input  logic              in_valid,
    output logic              in_ready,
    output logic [{OUT}+{PE}-1:0] out_data,
    output logic              out_valid,
    input  logic              out_ready
);
    lutra_gated_core #({params}, .WEIGHTS(WEIGHTS), .LEVELS(LEVELS)) core (
        .clk, .rst, .in_data, .in_valid, .in_ready, .out_data(out_data[{OUT}-1:0]), .opened(out_data[{OUT}+:{PE}]),
        .out_valid, .out_ready);
endmodule
"""


@pytest.mark.parametrize(("make", "words"), [
    (lambda: gated(2, 3, 0).infer(Tensor((4,), PLAIN)), "3 columns for 4 channels"),
    (lambda: gated(2, 3, 0).infer(Tensor((3,), Range(0, 3))), "inputs in 0..3"),
    (lambda: Gated(Constant(np.array([[2, 1]])), Constant(np.zeros(1, int))).infer(Tensor((2,), PLAIN)), "no matrix"),
    (lambda: Gated(Constant(np.array([[-1, 1]])), Constant(np.zeros(2, int))).infer(Tensor((2,), PLAIN)), "for 1 rows"),
    (lambda: gated(2, 3, 0).cycles(Fold(3, 1), Tensor((3,), PLAIN)), "pe=3 does not divide 2"),
])
def test_refusals_show_the_value(make, words):
    with pytest.raises(LutraError, match=words):
        make()
