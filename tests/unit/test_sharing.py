"""Weights of two layers in one block memory: which pairs, what plans say and cost, what fits thanks to them."""

import json
from dataclasses import replace
from functools import cache as once

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutra.errors import LutraError
from lutra.hw import cpp
from lutra.ir import Constant, Graph, Input, Node, Range, Tensor
from lutra.ops.base import SHARED, Cost, Fold
from lutra.ops.matmul.op import MatMul
from lutra.ops.shared import half_cost, may_share, saved_blocks, shared_cost
from lutra.ops.threshold.op import Threshold
from lutra.plan.assemble import assemble
from lutra.plan.devices import device
from lutra.plan.folding import by_hand, for_fps
from lutra.plan.plan import Plan
from lutra.plan.sharing import matching
from lutra.report.collect import collect
from lutra.report.model import Model
from lutra.sim.reference import Runner
from lutra.sim.rtl import RtlModel, from_words, to_words
from lutra.tools.cache import Cache

ECP5 = device("ecp5-25k")
FPS, CLOCK = 20_000, 100.0


@pytest.fixture(scope="module")
def dense():
    """Four matrices of 44 x 44 and one of 10 x 44, of 4 bits: each of the four is half of a block memory."""
    rng = np.random.default_rng(0)
    first = node = Node(Input("x", Tensor((44,), Range(0, 3))))
    for rows in (44, 44, 44, 44, 10):
        node = Node(MatMul(Constant(rng.integers(-8, 8, (rows, 44)))), (node,))
        if rows == 44:
            r = node.out.range
            steps = np.sort(rng.integers(r.lo // 8, r.hi // 8, (rows, 3)), 1)
            node = Node(Threshold(Constant(steps), 0, 1, Constant(np.zeros(rows, bool))), (node,))
    return Graph((first,), (node,))


@pytest.fixture(scope="module")
def plan(dense):
    return for_fps(dense, ECP5, CLOCK, FPS)


def alone(monkeypatch):
    """No matrix may share."""
    monkeypatch.setattr(MatMul, "memorises", lambda *_: False)


def test_half_of_the_blocks(dense, plan, monkeypatch):
    assert plan.partners == {"matmul0": "matmul1", "matmul1": "matmul0", "matmul2": "matmul3", "matmul3": "matmul2"}
    assert plan.cost.bram == 2
    assert [plan.costs[f"matmul{k}"].bram for k in range(5)] == [1, 0, 1, 0, 0]  # counted once
    alone(monkeypatch)
    other = for_fps(dense, ECP5, CLOCK, FPS)
    assert (other.cost.bram, other.partners) == (4, {})
    assert (plan.interval, plan.latency, plan.depths) == (other.interval, other.latency, other.depths)


def test_what_does_not_fit_fits(dense, monkeypatch):
    tiny = replace(ECP5, name="tiny", lut=2_000, bram=2)
    plan = for_fps(dense, tiny, CLOCK, FPS)
    assert max(plan.share.values()) <= 1
    assert len(plan.shared) == 2
    alone(monkeypatch)
    with pytest.raises(LutraError, match="tiny is too small for 20000 frames/s"):
        for_fps(dense, tiny, CLOCK, FPS)


def test_what_finds_no_other_is_planned_as_if_it_could_not_share(dense, monkeypatch):
    """One matrix of a block and a half: the rest of a block that is left is nobody's."""
    rng = np.random.default_rng(0)
    x = Node(Input("x", Tensor((44,), Range(0, 3))))
    one = Graph((x,), (Node(MatMul(Constant(rng.integers(-8, 8, (44, 44)))), (x,)),))
    tight = replace(ECP5, lut=500)  # in LUTs it takes more
    plan = for_fps(one, tight, CLOCK, FPS)
    alone(monkeypatch)
    assert plan.folds == for_fps(one, tight, CLOCK, FPS).folds
    assert plan.shared == () and plan.cost.bram == 1


def test_rtl_is_the_integer_graph_at_the_same_interval(plan, cache):
    design = assemble(plan.graph, plan.folds, plan.depths, shared=plan.shared)
    memories = [i for i in design.instances if i.block.module == "lutra_shared"]
    assert [(i.of, len(i.outputs)) for i in memories] == [("u0_matmul", 2), ("u6_matmul", 2)]
    x, frames = plan.graph.inputs[0], 10
    given = np.random.default_rng(1).integers(0, 4, (frames, 44))
    words = to_words(given.reshape(-1, design.width(design.inputs[0].stream) // 2), 2)
    of, (expected,) = plan.graph.outputs[0].out.range, Runner(plan.graph).outputs((given,))
    model = RtlModel.build(design, Cache(cache))
    for stalls in (0.0, 0.4):
        run = model.run((words,), stalls=stalls)
        codes = from_words(run.words, design.width(design.outputs[0].stream) // of.bits, of.bits)
        assert np.array_equal(of.decode(codes).reshape(expected.shape), expected)
        if not stalls:
            assert run.timing(frames).interval == plan.interval
            assert run.timing(frames).latency == plan.latency
    assert x.out.size == 44


def test_a_plan_is_read_back(dense, plan):
    again = Plan.from_json(json.loads(json.dumps(plan.to_json())), dense)
    assert (again.folds, again.shared, again.cost) == (plan.folds, plan.shared, plan.cost)
    older = {k: v for k, v in for_fps(dense, device("xc7z020"), CLOCK, 1e6).to_json().items() if k != "shared"}
    assert Plan.from_json(older, dense).shared == ()  # of before memories were shared


def test_another_fold_leaves_the_other_a_memory_of_its_own(plan):
    (a, b), rest = plan.shared
    other = plan.refold(a, Fold(1, 2))
    assert other.shared == (rest,)
    assert other.folds[b] == replace(plan.folds[b], ram="block")
    assert other.cost.bram == plan.cost.bram + 1


def test_the_report_says_so(plan):
    layers = {x.name: x for x in collect(version="", model=Model("", "", 0), plan=plan).layers}
    assert layers["matmul2"].shares == "matmul3" and layers["matmul3"].shares == "matmul2"
    assert layers["matmul4"].shares == ""
    assert layers["matmul3"].memory_bits >= 44 * 44 * 4
    assert (layers["matmul2"].estimated.bram, layers["matmul3"].estimated.bram) == (1, 0)


def test_by_hand(dense):
    shared, own = {"pe": 1, "ram": "shared"}, {"pe": 1, "ram": "block"}
    plan = by_hand(dense, ECP5, CLOCK, {"matmul0": shared, "matmul1": own, "matmul2": own, "matmul3": shared})
    assert {a: b for a, b in plan.partners.items() if a != "matmul4"} == {"matmul0": "matmul3", "matmul3": "matmul0"}
    with pytest.raises(LutraError, match=r"folding of matmul1.*no other layer's weights save a block memory"):
        by_hand(dense, ECP5, CLOCK, {"matmul1": shared, **{f"matmul{k}": own for k in (0, 2, 3, 4)}})
    with pytest.raises(LutraError, match=r"ram='shared'.*one of auto, lut, block"):
        by_hand(dense, ECP5, CLOCK, {"threshold0": {"ram": "shared"}})


@given(st.integers(2, 7).flatmap(lambda n: st.lists(st.integers(-1, 2), min_size=n * n, max_size=n * n)))
def test_no_matching_saves_more(flat):
    n = int(len(flat) ** 0.5)
    table = np.triu(np.array(flat).reshape(n, n), 1)
    saved = (table + table.T).tolist()

    @once
    def most(left):
        if not left:
            return 0
        first, others = left[0], left[1:]
        return max([most(others), *(saved[first][j] + most(tuple(k for k in others if k != j)) for j in others)])

    pairs = matching(saved)
    assert len({k for pair in pairs for k in pair}) == 2 * len(pairs)
    assert sum(saved[i][j] for i, j in pairs) == most(tuple(range(n)))


def test_a_hundred_layers_are_matched_at_once():
    pairs = matching([[int(i != j) for j in range(101)] for i in range(101)])
    assert pairs == [(k, k + 1) for k in range(0, 100, 2)]  # neighbours


@given(st.integers(2, 9000), st.integers(1, 80), st.sampled_from(["xc7", "ecp5"]))
def test_what_may_share_saves_a_block_with_its_like(depth, width, family):
    one = (depth, width)
    assert may_share(one, family) == (saved_blocks(one, one, family) > 0)
    if may_share(one, family):
        half = half_cost(one, family)
        assert half + half == shared_cost(one, one, family)
        assert half.bram % 1 == 0.5


def test_costs_of_blocks():
    assert saved_blocks((1936, 4), (1936, 4), "xc7") == 1
    assert saved_blocks((2304, 4), (2304, 4), "xc7") < 0  # 4608 words: a block holds 2 bits of each
    assert saved_blocks((512, 40), (512, 40), "ecp5") == 1  # what is left of each is 22 bits wide
    assert saved_blocks((512, 64), (512, 64), "ecp5") < 0
    assert saved_blocks((9000, 1), (9000, 1), "xc7") == 0  # too deep for any
    assert shared_cost((512, 18), (512, 18), "xc7") == Cost(4.0, 22, 1)


def test_pairs_are_of_all_that_say_so(dense, plan):
    with pytest.raises(AssertionError, match="pairs are of SHARED"):
        replace(plan, shared=plan.shared[:1])
    assert {f.ram for n, f in plan.folds.items() if n in plan.shared[0]} == {SHARED}


def test_hls_functions_have_memories_of_their_own(plan):
    apart = plan.apart()
    assert (apart.shared, apart.cost.bram, apart.interval, apart.latency) == ((), 4, plan.interval, plan.latency)
    assert cpp.sources(assemble(apart.graph, apart.folds, apart.depths))
    with pytest.raises(LutraError, match="shared has no HLS form"):
        cpp.sources(assemble(plan.graph, plan.folds, plan.depths, shared=plan.shared))
