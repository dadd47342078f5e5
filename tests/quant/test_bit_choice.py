"""The frontier and the integer program against all combinations; plans written, edited and read."""

import itertools
import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import lutra.quant as q
from lutra.errors import LutraError
from lutra.quant.search.choice import problem
from lutra.quant.search.costs import Bits, bitops, size, together
from lutra.quant.search.frontier import best_within, frontier
from lutra.quant.search.layers import Layer, layers, same_input
from lutra.quant.search.lines import WIDTH, lines
from lutra.quant.search.plan import BitPlan, Rated
from lutra.quant.search.program import solve, total

# few different numbers, so that equal costs and scores are common; halves add exactly
NUMBERS = st.integers(0, 12).map(lambda k: k / 2)


@st.composite
def tables(draw, costs=1):
    """Scores and costs of up to 8 variables of up to 4 options."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=8))
    while len(sizes) > 6 and max(sizes) == 4:
        sizes[sizes.index(4)] = 3  # 3**8 combinations at most
    return [[draw(st.lists(NUMBERS, min_size=n, max_size=n)) for n in sizes] for _ in range(costs + 1)]


def choices(table):
    return itertools.product(*(range(len(options)) for options in table))


def brute_frontier(scores, costs):
    pairs = {(total(costs, c), total(scores, c)) for c in choices(scores)}
    best, kept = float("inf"), []
    for cost, score in sorted(pairs):
        if score < best:
            best = score
            kept.append((cost, score))
    return kept


@settings(max_examples=60, deadline=None)
@given(tables())
def test_the_frontier_is_that_of_all_combinations(drawn):
    scores, costs = drawn
    points = frontier(scores, costs)
    assert [(p.cost, p.score) for p in points] == brute_frontier(scores, costs)
    assert all((total(costs, p.choice), total(scores, p.choice)) == (p.cost, p.score) for p in points)


@settings(max_examples=60, deadline=None)
@given(tables(), st.integers(1, 20))
def test_buckets_bound_the_frontier_and_its_error(drawn, buckets):
    scores, costs = drawn
    points = frontier(scores, costs, buckets)
    width = sum(map(max, costs)) / buckets
    assert len(points) <= buckets + 2
    assert all((total(costs, p.choice), total(scores, p.choice)) == (p.cost, p.score) for p in points)
    for cost, score in brute_frontier(scores, costs):
        assert any(p.score <= score and p.cost <= cost + len(scores) * width + 1e-9 for p in points)


@settings(max_examples=25, deadline=None)
@given(tables(costs=2), st.floats(0, 1), st.floats(0, 1))
def test_the_program_is_the_best_of_all_combinations(drawn, first, second):
    scores, *costs = drawn
    named = dict(zip("ab", costs, strict=True))
    spans = [(sum(map(min, c)), sum(map(max, c))) for c in costs]
    limits = {n: round(2 * (lo + r * (hi - lo))) / 2 for (n, (lo, hi)), r in zip(zip("ab", spans, strict=True),
                                                                                   (first, second), strict=True)}
    fits = [c for c in choices(scores) if all(total(named[n], c) <= limits[n] for n in "ab")]
    if not fits:
        with pytest.raises(LutraError, match="no choice"):
            solve(scores, named, limits)
        return
    found = solve(scores, named, limits)
    assert found in fits
    assert total(scores, found) == min(total(scores, c) for c in fits)


LAYERS = [Layer(f"l{i}", 100 * (i + 1), 1000 * (7 - i), f"l{i}") for i in range(6)]
OPTIONS = [Bits(w, a) for w in (2, 4, 8) for a in (4, 8)]


def loss(layer, bits):
    return layer.macs * 4.0**-bits.weights + layer.parameters * 4.0**-bits.activations


def test_ties_are_one_variable_and_equal_all_combinations_that_keep_them():
    ties = [("l1", "l4"), ("l4", "l5"), ("l0",)]
    made = problem(LAYERS, OPTIONS, loss, together(size, bitops), ties)
    assert made.ties == (("l0",), ("l1", "l4", "l5"), ("l2",), ("l3",))
    plan = made.plan("test", {"size": 900.0, "bitops": 700e3})
    assert plan.bits["l1"] == plan.bits["l4"] == plan.bits["l5"]
    best = float("inf")
    for free in itertools.product(OPTIONS, repeat=4):
        bits = dict(zip(("l0", "l1", "l2", "l3"), free, strict=True))
        bits |= {"l4": bits["l1"], "l5": bits["l1"]}
        costs = [size(layer, bits[layer.path]) | bitops(layer, bits[layer.path]) for layer in LAYERS]
        if sum(c["size"] for c in costs) <= 900 and sum(c["bitops"] for c in costs) <= 700e3:
            best = min(best, sum(loss(layer, bits[layer.path]) for layer in LAYERS))
    assert plan.score == pytest.approx(best, rel=1e-12)
    assert plan.cost["size"] <= 900 and plan.cost["bitops"] <= 700e3


def built(layer, bits):
    """In LUTs, in multipliers, which narrow factors have no use for, or partly so."""
    luts = layer.macs * bits.weights * bits.activations / 1e3
    blocks = [{"lut": luts / 4, "dsp": 4.0}, {"lut": luts / 2, "dsp": 2.0}]
    return [{"lut": luts, "dsp": 0.0}, *(blocks if min(bits) > 2 else [])]


@pytest.mark.parametrize("limits", [{"lut": 500.0, "dsp": 8.0}, {"lut": 380.0, "dsp": 10.0, "size": 700.0}])
def test_of_several_ways_to_build_a_layer_the_choice_takes_what_fits(limits):
    made = problem(LAYERS[:4], OPTIONS, loss, together(built, size), [("l1", "l3")])
    plan = made.plan("test", limits)
    best, cheapest = float("inf"), float("inf")
    for free in itertools.product(OPTIONS, repeat=3):
        bits = [*free, free[1]]
        score = sum(loss(layer, b) for layer, b in zip(LAYERS, bits, strict=False))
        for some in itertools.product(*(together(built, size)(x, b) for x, b in zip(LAYERS, bits, strict=False))):
            cost = {name: sum(way[name] for way in some) for name in ("lut", "dsp", "size")}
            if all(cost[name] <= limit for name, limit in limits.items()):
                best = min(best, score)
            if score <= 500 and all(cost[name] <= limits[name] for name in limits if name != "lut"):
                cheapest = min(cheapest, cost["lut"])
    assert plan.score == pytest.approx(best, rel=1e-12)
    assert all(plan.cost[name] <= limit for name, limit in limits.items()) and plan.cost["dsp"] > 0
    again = plan.rated()
    assert again.score == pytest.approx(plan.score) and again.cost == pytest.approx(plan.cost)
    others = {name: limit for name, limit in limits.items() if name != "lut"}
    assert made.figures(made.least("lut", 500.0, others))[1]["lut"] == pytest.approx(cheapest, rel=1e-12)


def test_the_trade_off_within_several_limits_has_the_plan_and_nothing_that_another_point_beats():
    limits = {"lut": 500.0, "dsp": 8.0}
    plan = problem(LAYERS, OPTIONS, loss, built).plan("test", limits)
    costs, scores = zip(*plan.frontier, strict=True)
    assert (plan.cost["lut"], plan.score) in plan.frontier and len(plan.frontier) > 5
    assert list(costs) == sorted(set(costs)) and list(scores) == sorted(set(scores), reverse=True)


def test_a_plan_is_never_worse_than_uniform_bits_of_its_cost():
    made = problem(LAYERS, OPTIONS, loss, size)
    for bits in OPTIONS:
        limit = sum(size(layer, bits)["size"] for layer in LAYERS)
        plan = made.plan("test", {"size": limit})
        uniform = next(u for u in plan.uniform if u.bits == bits)
        assert uniform.cost["size"] == limit >= plan.cost["size"] and plan.score <= uniform.score


@pytest.mark.parametrize("limits, what", [
    ({"size": 500.0}, "500 or less.*least that can be reached is 525"), ({}, "no limit"), ({"lut": 1.0}, "'lut'"),
    ({"size": 500.0, "bitops": 1e9}, "size of 500"), ({"size": 530.0, "bitops": 2e5}, "reached is 216,000"),
])
def test_limits_that_cannot_be_met_are_named(limits, what):
    with pytest.raises(LutraError, match=what):
        problem(LAYERS, OPTIONS, loss, together(size, bitops)).plan("test", limits)


def test_limits_that_can_only_be_met_apart_are_named():
    with pytest.raises(LutraError, match=r"all limits together: a 1, b 1"):
        solve([[0, 0]], {"a": [[0, 2]], "b": [[2, 0]]}, {"a": 1, "b": 1})
    with pytest.raises(LutraError, match=r"together: a 1.9, b 8.*that can be reached is a 2, b 9"):
        solve([[3, 2, 1], [0, 0, 0]], {"a": [[0, 1, 2], [0, 1.5, 3]], "b": [[20, 9, 0], [9, 2, 1]]}, {"a": 1.9, "b": 8})
    with pytest.raises(LutraError, match="is 3"):
        best_within(frontier([[1, 2]], [[5, 3]]), 2)


def test_a_tie_of_an_unknown_layer_is_refused():
    with pytest.raises(LutraError, match="no layer 'x'"):
        problem(LAYERS, OPTIONS, loss, size, [("l0", "x")])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 1)
        self.c, self.up = nn.Conv2d(4, 4, 3, stride=2, groups=2), nn.ConvTranspose2d(4, 2, 2, stride=2)
        self.unused, self.last = nn.Linear(3, 3), nn.Linear(12, 5)

    def forward(self, x):
        x = self.a(x) + self.b(x)
        x = self.up(self.c(self.c(x)))
        return self.last(x.flatten(1)[:, :12])


def test_layers_have_their_counts():
    net = Net().train()
    found = {layer.path: layer for layer in layers(net, torch.zeros(2, 3, 11, 11))}
    assert net.training and list(found) == ["a", "b", "c", "up", "last"]
    assert [(v.parameters, v.macs) for v in found.values()] == [
        (108, 108 * 121), (12, 12 * 121), (72, 72 * (25 + 4)), (32, 32 * 4), (60, 60)]
    assert same_input(list(found.values())) == [("a", "b")]


def test_networks_that_cannot_be_searched_are_refused():
    with pytest.raises(LutraError, match="no convolution"):
        layers(nn.ReLU(), torch.zeros(1, 3))
    tied = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    tied[1].weight = tied[0].weight
    with pytest.raises(LutraError, match="'0' and '1' share"):
        layers(tied, torch.zeros(1, 4))
    with pytest.raises(LutraError, match="quantised already"):
        layers(q.quantize(nn.Sequential(nn.Linear(4, 4)), q.Recipe(q.Fixed(4), q.Fixed(4))), torch.zeros(1, 4))


PLAN = BitPlan("test", {"a": Bits(3, 8), "l.[0]": Bits(5, 6)}, 0.5, {"size": 10.0}, {"size": 11.0},
               (Rated(Bits(4, 8), 0.7, {"size": 11.0}),), "size", ((9.0, 0.8), (10.0, 0.5)), 3,
               {"a": (Rated(Bits(3, 8), 0.25, {"size": 4.0}), Rated(Bits(4, 8), 0.125, {"size": 5.0})),
                "l.[0]": (Rated(Bits(5, 6), 0.25, {"size": 6.0}),)})


def test_a_plan_survives_its_file(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(PLAN.to_json())
    assert BitPlan.read(path) == PLAN
    short = BitPlan.from_json('{"method": "by hand", "bits": {"a": {"weights": 2, "activations": 4}}}')
    assert short.bits == {"a": Bits(2, 4)}
    older = {name: value for name, value in PLAN.data().items() if name != "layers"} | {"version": 1}
    assert BitPlan.from_json(json.dumps(older)) == replace(PLAN, layers={})


def test_an_edited_plan_is_rated_by_its_layers():
    assert PLAN.rated() == PLAN
    edited = replace(PLAN, bits={**PLAN.bits, "a": Bits(4, 8)}).rated()
    assert edited.score == 0.375 and edited.cost == {"size": 11.0}
    unknown = replace(PLAN, bits={**PLAN.bits, "a": Bits(4, 7)}).rated()
    assert unknown.score == 0 and unknown.cost == {} and unknown.bits["a"] == Bits(4, 7)


def test_layers_alone_add_up_to_the_plan():
    plan = problem(LAYERS, OPTIONS, loss, together(size, bitops), [("l1", "l4")]).plan("test", {"size": 900.0})
    assert {path: [r.bits for r in rated] for path, rated in plan.layers.items()} == {
        layer.path: OPTIONS for layer in LAYERS}
    again = plan.rated()
    assert again.score == pytest.approx(plan.score, rel=1e-12) and again.cost == plan.cost


@settings(max_examples=60, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=30),
                    lambda part: st.lists(part, max_size=8) | st.dictionaries(st.text(max_size=9), part, max_size=8)))
def test_lines_are_the_same_json(value):
    text = lines(value)
    assert json.loads(text) == value
    assert "\n" not in text or len(json.dumps(value)) > WIDTH


@pytest.mark.parametrize("edit, what", [
    (lambda d: d["bits"]["a"].update(weights=0), "the plan, a: 0 bits"),
    (lambda d: d["bits"]["a"].update(weights=4.0), "4.0 bits"),
    (lambda d: d["bits"]["a"].pop("activations"), "activations"),
    (lambda d: d.update(bits={}), "no bits"),
    (lambda d: d.update(bit=1), "unknown field 'bit'"),
    (lambda d: d.update(version=9), "version 9"),
    (lambda d: d.update(score="low"), "'low' is not a number"),
    (lambda d: d.update(frontier=[[1]]), "another kind"),
    (lambda d: d.pop("method"), "method"),
    (lambda d: d["layers"]["a"][1]["bits"].update(weights=99), "the plan, a: 99 bits"),
    (lambda d: d["layers"]["a"][0].pop("score"), "score"),
    (lambda d: d["layers"].update(b=[]), "no bits for the layer 'b'"),
    (lambda d: d.update(layers=[]), "another kind"),
    (lambda d: d["cost"].update(size=1e200), "not a number below"),
])
def test_a_damaged_plan_is_refused(edit, what):
    data = json.loads(PLAN.to_json())
    edit(data)
    with pytest.raises(LutraError, match=what):
        BitPlan.from_json(json.dumps(data))


def test_files_that_hold_no_plan_are_refused(tmp_path):
    with pytest.raises(LutraError, match="not JSON"):
        BitPlan.from_json("{")
    with pytest.raises(LutraError, match="cannot be read"):
        BitPlan.read(tmp_path / "none.json")
    with pytest.raises(LutraError, match=r"no layer 'l.\[0\]'"):
        PLAN.check({"a": None})
    with pytest.raises(LutraError, match="no bits for the layer 'b'"):
        PLAN.check({"a": None, "l.[0]": None, "b": None})


def test_the_recipe_has_the_plans_bits_and_the_bases_else():
    base = q.Recipe(q.Fixed(8, per_channel=True), q.Scaled(8), q.Fixed(9), overrides={
        "l.*": q.Recipe(q.Scaled(2), q.Fixed(2, signed=True), q.Fixed(7)), "skip": None})
    made = PLAN.recipe(base)
    assert made.form("a", "weight", ("a", "b")) == q.Fixed(3, per_channel=True)
    assert made.form("a", "input", ("a", "b")) == q.Scaled(8)
    assert made.form("l.[0]", "weight") == q.Scaled(5) and made.form("l.[0]", "input") == q.Fixed(6, signed=True)
    assert made.form("l.[0]", "output") == q.Fixed(7) and made.form("b", "output") == q.Fixed(9)
    assert made.form("l.0", "weight") == q.Scaled(2)  # brackets are no pattern
    with pytest.raises(LutraError, match=r"KHot.*cannot be chosen"):
        PLAN.recipe(q.Recipe(q.KHot(8, 2)))
    with pytest.raises(LutraError, match=r"skip.*floating point"):
        BitPlan("", {"skip": Bits(2, 2)}, 0, {}).recipe(base)
