"""Two matrices whose weights lie in one memory (`lutra_shared`): each runs as if it had one of its own, whatever the
other does, and the memory is what the plan counts."""

from dataclasses import replace

import numpy as np
import pytest

from lutra.errors import LutraError
from lutra.hw.verilog import library
from lutra.ir import Constant, Graph, Input, Node, Range, Tensor
from lutra.ops.base import SHARED, Fold
from lutra.ops.matmul.op import MatMul
from lutra.ops.shared import rests, saved_blocks, shared_cost
from lutra.plan.assemble import assemble
from lutra.plan.devices import device
from lutra.plan.fitting import planned
from lutra.plan.sharing import shape
from lutra.sim.reference import Runner
from lutra.sim.rtl import RtlModel, Stimulus, from_words, to_words
from lutra.synth.units import synthesise_block
from lutra.tools.cache import Cache

FRAMES = 8
DEVICES = {"xc7": device("xc7z020"), "ecp5": device("ecp5-25k"), "xcup": device("xczu3eg")}


def product(name, rows, columns, bits, pixels, x=None):
    """A matrix of random weights of so many bits (1: -1 and +1) times each pixel of an input of its own."""
    rng = np.random.default_rng(rows * columns + bits)
    weights = rng.choice([-1, 1], (rows, columns)) if bits == 1 else rng.integers(-(1 << bits - 1), 1 << bits - 1,
                                                                                 (rows, columns))
    values = x or (Range(-1, 1, 2) if bits == 1 else Range(-8, 7))
    return Node(MatMul(Constant(weights)), (Node(Input(name, Tensor((pixels, columns), values))),))


def beside(a, b, first, second, family="xc7"):
    """The plan of two products, side by side, under these folds; each has its own input and output."""
    folds = {a: replace(first, ram=SHARED), b: replace(second, ram=SHARED)}
    return planned(Graph((a.args[0], b.args[0]), (a, b)), DEVICES[family], 100.0, folds)


def plans(family="xc7"):
    """All bits in the shared block; the low bits of both in LUTs, of one of them, in block RAM; one word narrower than
    the other; as many outputs as slots, and fewer; bit planes, pairs and multipliers."""
    dense = Range(0, 1)
    return [
        beside(product("a", 16, 48, 5, 1), product("b", 15, 32, 3, 2), Fold(), Fold(), family),
        beside(product("a", 32, 32, 4, 2), product("b", 20, 30, 6, 1, dense), Fold(2, 2), Fold(2, 2), family),
        beside(product("a", 64, 40, 4, 1), product("b", 64, 32, 5, 1, dense), Fold(1, 10), Fold(1, 8), family),
        beside(product("a", 128, 90, 1, 1), product("b", 40, 40, 1, 3), Fold(1, 18), Fold(40, 1), family),
        beside(product("a", 300, 16, 1, 2), product("b", 5, 160, 8, 1), Fold(1, 16), Fold(1, 2, mul="dsp"), family),
    ]


@pytest.fixture(scope="module")
def built():
    return plans()


@pytest.fixture(scope="module")
def designs(built):
    return [assemble(p.graph, p.folds, p.depths, f"d{k}", p.shared) for k, p in enumerate(built)]


@pytest.fixture(scope="module")
def model(designs, cache):
    return RtlModel.build_many(designs, Cache(cache), fast=False)


def shapes(plan):
    ((a, b),) = plan.shared
    return shape(a, plan.folds[a]), shape(b, plan.folds[b])


def test_the_plans_have_what_is_to_be_tested(built, designs):
    kept = [tuple(bits for _, bits in rests(*shapes(p))) for p in built]
    assert {tuple(bool(bits) for bits in pair) for pair in kept} >= {(False, False), (True, True)}
    blocks = [{k: v for i in d.instances if i.of for k, v in i.block.params.items()} for d in designs]
    own = {b[f"BLOCK{k}"] > 0 for b in blocks for k in (0, 1) if b[f"OWN{k}"]}
    assert own == {False, True}  # in LUTs and in block RAM
    assert {i.block.params["FORM"] for d in designs for i in d.instances if not i.of} == {0, 1, 2}
    assert all(saved_blocks(*shapes(p), "xc7") > 0 for p in built)


def frames(plan):
    rng = np.random.default_rng(0)
    return tuple(rng.integers(0, n.out.range.levels, (FRAMES, *n.out.shape)) * n.out.range.step + n.out.range.lo
                 for n in plan.graph.inputs)


def stimulus(plan, design, **how):
    pairs = zip(plan.graph.inputs, design.inputs, frames(plan), strict=True)
    words = tuple(to_words(n.out.range.encode(x).reshape(-1, design.width(e.stream) // n.out.range.bits),
                           n.out.range.bits) for n, e, x in pairs)
    late = how.pop("late", None)
    arrivals = None if late is None else tuple(
        np.full(len(w), 20) + (k == late) * 37 * np.arange(len(w)) for k, w in enumerate(words))
    return Stimulus(words, arrivals=arrivals, **how)


def run(model, built, designs, **how):
    return model.run_many([stimulus(p, d, **how) for p, d in zip(built, designs, strict=True)], patience=20_000)


def wrong(built, designs, found):
    """The outputs that are not the integer graph's."""
    differ = []
    for plan, design, got in zip(built, designs, found, strict=True):
        expected = Runner(plan.graph).outputs(frames(plan))
        for node, end, received, y in zip(plan.graph.outputs, design.outputs, got.received, expected, strict=True):
            of = node.out.range
            codes = from_words(received.words, design.width(end.stream) // of.bits, of.bits)
            if not np.array_equal(of.decode(codes).reshape(y.shape), y):
                differ.append((plan.names[node], design.name))
    return differ


@pytest.mark.parametrize("stalls", [(0.0, 0.0), (0.5, 0.0), (0.2, 0.6), (0.7, 0.3)], ids=str)
def test_results_are_those_of_the_integer_graph(model, built, designs, stalls):
    assert wrong(built, designs, run(model, built, designs, stalls=stalls, seed=3)) == []


@pytest.mark.parametrize("late", [None, 0, 1])
def test_each_keeps_its_own_interval(model, built, designs, late):
    """With the other one held back, too: each output's frames come as fast as its unit alone gives them."""
    found = run(model, built, designs, late=late)
    assert wrong(built, designs, found) == []
    for plan, got in zip(built, found, strict=True):
        for k, (node, end) in enumerate(zip(plan.graph.outputs, got.received, strict=True)):
            last = end.left.reshape(FRAMES, -1)[:, -1]
            if k != late:
                assert set(np.diff(last)) == {plan.cycles[plan.names[node]]}, (plan.names[node], late)


@pytest.mark.parametrize(("right", "broken"), [
    ("if (en1) high1 <= words[index1]", "if (en0) high1 <= words[index1]"),
    ("assign en = !valid || ready", "assign en = 1'b1"),
    (".FROM(DEPTH0), .TO(DEPTH - 1)", ".FROM(0), .TO(DEPTH - 1)"),
    ("index == AW'(TO) ?", "index == AW'(TO - 1) ?"),
    ("else if (en) index <= index == AW'(DEPTH - 1)", "else index <= index == AW'(DEPTH - 1)"),
    ("{high, low}", "{low, high}"),
])
def test_faults_are_found(built, designs, cache, right, broken):
    text = library(["lutra_shared"])["shared.sv"]
    assert right in text
    changed = RtlModel.build_many(designs, Cache(cache), {"shared.sv": text.replace(right, broken)}, fast=False)
    try:
        assert wrong(built, designs, run(changed, built, designs, stalls=(0.2, 0.6), seed=3))
    except LutraError:
        return


@pytest.mark.parametrize("family", ["xc7", "ecp5", "xcup"])
def test_synthesis_finds_one_block_for_both(family, cache):
    """The block memories and registers are exact, the LUTs near; each by itself has a block more."""
    for plan in plans(family)[:2 if family != "xc7" else None]:
        ((block, of),) = [(i.block, i.of) for i in assemble(plan.graph, plan.folds, {}, shared=plan.shared).instances
                          if i.of]
        found = synthesise_block(block, family, Cache(cache))
        estimate = shared_cost(*shapes(plan), family)
        assert (found.bram, found.ff) == (estimate.bram, estimate.ff), block.params
        assert 0.4 * found.lut <= estimate.lut <= 2.5 * found.lut, (found, estimate)
        assert of.startswith("u0_")
