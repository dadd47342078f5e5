"""Plans for a rate, for a budget and by hand: what they hold, and what is refused in which words."""

import json
from dataclasses import FrozenInstanceError, replace
from importlib.resources import as_file, files
from itertools import product

import numpy as np
import pytest

import lutra
from lutra.errors import LutraError, TooSmallError
from lutra.ir import REAL, Constant, Graph, Input, Node, Range, Tensor
from lutra.ops.base import Fold
from lutra.ops.matmul.op import MatMul
from lutra.ops.reshape.op import Reshape
from lutra.ops.source import Relu
from lutra.ops.threshold.op import Threshold
from lutra.plan import fitting
from lutra.plan.candidates import RAMS, vector
from lutra.plan.candidates import network as choices_of
from lutra.plan.devices import device
from lutra.plan.fitting import planned
from lutra.plan.folding import by_hand, for_budget, for_fps
from lutra.plan.names import layer_names, pipeline
from lutra.plan.pipeline import connect
from lutra.plan.plan import Plan
from lutra.plan.prices import prices
from lutra.plan.search import measure
from lutra.plan.solve import cheapest

ZYNQ = device("xc7z020")
CLOCK = 100.0


def matmul(x, rows, rng):
    return Node(MatMul(Constant(rng.choice([-1, 1], (rows, x.out.channels)))), (x,), loc=f"dense {rows}")


def threshold(x, rng):
    r, c = x.out.range, x.out.channels
    values = Constant(rng.integers(r.lo, r.hi + 1, (c, 1)))
    return Node(Threshold(values, -1, 2, Constant(np.zeros(c, bool))), (x,))


def network(*rows, columns=16):
    """Dense layers with signs between them."""
    rng = np.random.default_rng(0)
    first = node = Node(Input("x", Tensor((1, columns), Range(-1, 1, 2))))
    node = Node(Reshape((columns,)), (node,))
    for i, n in enumerate(rows):
        node = matmul(node if i == 0 else threshold(node, rng), n, rng)
    return Graph((first,), (node,))


@pytest.fixture(scope="module")
def small():
    return network(6, 4)


@pytest.fixture(scope="module")
def medium():
    return network(64, 64, 10, columns=128)


def test_layers_are_named_by_kind_and_place(small):
    assert list(layer_names(small).values()) == ["matmul0", "threshold0", "matmul1"]


def test_source_operators_and_unread_inputs_have_no_pipeline(small):
    x = small.inputs[0]
    with pytest.raises(LutraError, match="input y: nothing reads this input"):
        pipeline(Graph((x, Node(Input("y", x.out))), small.outputs))
    real = Node(Input("x", Tensor((3,), REAL)))
    with pytest.raises(LutraError, match="relu has no hardware"):
        pipeline(Graph((real,), (Node(Relu(), (real,)),)))
    with pytest.raises(LutraError, match="nothing to build"):
        pipeline(Graph((x,), (x,)))


@pytest.mark.parametrize("interval", [8, 16, 24, 96])
def test_rate_is_reached_at_the_least_cost_of_all_folds(small, interval):
    plan = for_fps(small, ZYNQ, CLOCK, CLOCK * 1e6 / interval)
    assert plan.interval <= interval
    assert plan.fps >= CLOCK * 1e6 / interval
    found = choices_of(small, "xc7")
    choice = cheapest(found, interval, prices(ZYNQ))
    least = min(cost for cost, slowest in every_choice(small) if slowest <= interval)
    assert np.isclose(prices(ZYNQ) @ choice.cost, least)
    folds = {n: layer.folds[p] for n, layer, p in zip(found.nodes, found.layers, choice.picks, strict=True)}
    assert price(plan) <= price(planned(small, ZYNQ, CLOCK, folds))  # it may be another one that has smaller FIFOs


def price(plan):
    return prices(plan.device) @ vector(plan.cost)


@pytest.fixture(scope="module")
def digits():
    with as_file(files("lutra.data") / "digits.onnx") as model:
        acc = lutra.compile(model, "ecp5-25k", fps=1, input_range=(0, 16), input_scale=1 / 16)
    return acc.lowered.graph


def test_a_lower_rate_is_no_dearer(digits):
    rates = (5_000, 20_000, 30_000, 50_000, 100_000, 150_000)
    plans = [for_fps(digits, device("ecp5-25k"), CLOCK, fps) for fps in rates]
    found = [price(p) for p in plans]
    assert found == sorted(found)
    assert found[0] < found[-1]


@pytest.mark.parametrize("small", [fitting.SMALL, 0])
def test_a_rate_is_not_refused_where_a_faster_plan_fits(digits, small, monkeypatch):
    monkeypatch.setattr(fitting, "SMALL", small)  # in a large network only the fastest plan is tried
    tiny = replace(device("ecp5-25k"), name="tiny", lut=1727, ff=2_000, bram=0, dsp=0)
    plan = for_fps(digits, tiny, CLOCK, 20_000)  # the folds for this rate fit, and with their FIFOs do not
    assert plan.fps >= 20_000
    assert max(plan.share.values()) <= 1
    with pytest.raises(LutraError, match="no fold of this model fits"):
        for_fps(digits, replace(tiny, lut=1200), CLOCK, 20_000)


def every_choice(graph):
    """Cost and interval of all choices of folds, by composing the stages anew for each."""
    nodes = pipeline(graph)
    folds = [[replace(f, ram=r) for f in n.op.folds(n.args[0].out) for r in RAMS] for n in nodes]
    parts: dict = {}

    def part(stage):
        key = (stage.node, type(stage.unit), stage.fold)
        if key not in parts:
            parts[key] = prices(ZYNQ) @ vector(stage.cost("xc7")), stage.cycles
        return parts[key]

    for choice in product(*folds):
        found = [part(s) for s in connect(graph, dict(zip(nodes, choice, strict=True)), {}).stages]
        yield sum(c for c, _ in found), max(t for _, t in found)


def test_a_rate_from_a_whole_interval_gives_that_interval_room(medium):
    for interval in range(140, 160):
        assert for_fps(medium, ZYNQ, CLOCK, CLOCK * 1e6 / interval).interval <= interval


def test_rate_beyond_reach_names_the_greatest(small):
    with pytest.raises(LutraError, match=r"leave 0 cycles a frame.*at most 1e\+08 frames/s"):
        for_fps(small, ZYNQ, CLOCK, 2e8)
    assert for_fps(small, ZYNQ, CLOCK, 1e8).interval == 1
    with pytest.raises(LutraError, match="0 frames a second"):
        for_fps(small, ZYNQ, CLOCK, 0)


def test_device_too_small_says_by_how_much_and_what_fits(medium):
    tiny = replace(ZYNQ, name="tiny", lut=2_000, ff=4_000)
    with pytest.raises(LutraError, match=r"tiny is too small for 1e\+07 frames/s: it needs .* LUT where 2000 are") as e:
        for_fps(medium, tiny, CLOCK, 1e7)
    fps = float(e.value.hint.split(" frames/s fit")[0])
    assert "matmul0 pe=" in e.value.hint
    assert max(for_fps(medium, tiny, CLOCK, fps * (1 - 1e-5)).share.values()) <= 1
    with pytest.raises(LutraError, match="no fold of this model fits"):
        for_fps(medium, replace(ZYNQ, name="none", lut=20, ff=20), CLOCK, 1e4)


def test_what_is_scarce_is_spared(digits):
    chip = device("ecp5-25k")
    plans = {r: for_fps(digits, chip, CLOCK, 50_000, least=r) for r in ("lut", "ff", "bram")}
    for r, plan in plans.items():
        assert plan.fps >= 50_000 and max(plan.share.values()) <= 1
        assert getattr(plan.cost, r) == min(getattr(p.cost, r) for p in plans.values())
    usual = for_fps(digits, chip, CLOCK, 50_000)
    assert plans["lut"].cost.lut < 0.6 * usual.cost.lut and plans["lut"].cost.bram > usual.cost.bram
    assert for_budget(digits, chip, CLOCK, 0.2, least="lut").fps >= for_budget(digits, chip, CLOCK, 0.2).fps
    with pytest.raises(LutraError, match=r"least='slices' is no resource.*one of lut, ff"):
        for_fps(digits, chip, CLOCK, 50_000, least="slices")


def test_a_rate_is_not_refused_where_sparing_what_is_short_fits(digits):
    chip = device("ecp5-25k")
    least = for_fps(digits, chip, CLOCK, 50_000, least="lut")
    for room in (1.0, 1.05, 1.2):
        plan = for_fps(digits, replace(chip, lut=int(least.cost.lut * room) + 1), CLOCK, 50_000)
        assert plan.fps >= 50_000 and max(plan.share.values()) <= 1


def test_a_device_too_small_for_fifos_alone_says_what_they_take(digits):
    small = replace(device("ecp5-25k"), name="small", lut=1_200, bram=0)
    with pytest.raises(TooSmallError, match="too many") as e:
        for_fps(digits, small, CLOCK, 50_000)
    assert 0 < e.value.between["lut"] < 1_200 and e.value.between["bram"] == 0
    with pytest.raises(TooSmallError) as e:
        for_fps(digits, replace(small, lut=300), CLOCK, 50_000)
    assert not e.value.between


def test_budget_holds_and_more_of_it_is_no_slower(medium):
    plans = [for_budget(medium, ZYNQ, CLOCK, share) for share in (0.03, 0.1, 0.5)]
    for plan, share in zip(plans, (0.03, 0.1, 0.5), strict=True):
        assert max(plan.share.values()) <= share
    intervals = [p.interval for p in plans]
    assert intervals == sorted(intervals, reverse=True)
    assert intervals[0] > intervals[-1]


def test_budget_of_one_resource_alone(medium):
    plan = for_budget(medium, ZYNQ, CLOCK, {"lut": 0.05, "bram": 0.02})
    assert plan.share["lut"] <= 0.05
    assert plan.share["bram"] <= 0.02


def test_budgets_that_are_none(medium):
    with pytest.raises(LutraError, match=r"budget for 'slices'.*lut, ff, bram, dsp"):
        for_budget(medium, ZYNQ, CLOCK, {"slices": 0.5})
    with pytest.raises(LutraError, match=r"budget of 1\.5 of the device's lut"):
        for_budget(medium, ZYNQ, CLOCK, 1.5)
    with pytest.raises(LutraError, match=r"too small for the smallest fold.*too many"):
        for_budget(medium, ZYNQ, CLOCK, 0.001)


def test_folds_by_hand(medium, tmp_path):
    spec = {"matmul0": {"pe": 8, "simd": 32, "ram": "block"}, "1": {"pe": 4}}
    plan = by_hand(medium, ZYNQ, CLOCK, spec)
    nodes = pipeline(medium)
    assert plan.folds[nodes[0]] == Fold(8, 32, "block")
    assert plan.folds[nodes[1]] == Fold(4, 1, "auto")
    assert plan.interval == 8 * 4  # the named layers' own: the others do not bound it
    (tmp_path / "f.json").write_text(json.dumps(spec))
    (tmp_path / "f.toml").write_text('[matmul0]\npe = 8\nsimd = 32\nram = "block"\n[1]\npe = 4\n')
    for name in ("f.json", "f.toml"):
        assert by_hand(medium, ZYNQ, CLOCK, tmp_path / name).folds == plan.folds


@pytest.mark.parametrize(("spec", "message"), [
    ({"matmul0": {"pe": 3}}, r"folding of matmul0 \(dense 64\): pe=3 does not divide 64 rows \(try 2 or 4\)"),
    ({"matmul0": {"simd": 0}}, "simd=0 does not divide 128"),
    ({"matmull0": {"pe": 2}}, "no layer 'matmull0'.*matmul0"),
    ({"7": {"pe": 2}}, "no layer '7'.*matmul0, threshold0"),
    ({"matmul0": {"lanes": 2}}, "'lanes': 2.*is not a fold.*pe, simd, ram and mul"),
    ({"matmul0": {"mul": "dsp"}}, "folding of matmul0.*mul='dsp' is no way for it to multiply.*auto, lut"),
    ({"matmul0": 4}, "4 is not a fold"),
    ({"matmul0": {"pe": 2.0}}, r"pe=2\.0 is not an integer"),
    ({"matmul0": {"pe": True}}, "pe=True is not an integer"),
    ({"matmul0": {"ram": "disk"}}, "ram='disk'.*auto, lut, block"),
])
def test_folds_that_are_refused(medium, spec, message):
    with pytest.raises(LutraError, match=message):
        by_hand(medium, ZYNQ, CLOCK, spec)


def test_folding_files_that_are_refused(medium, tmp_path):
    with pytest.raises(LutraError, match="cannot read the folding file"):
        by_hand(medium, ZYNQ, CLOCK, tmp_path / "absent.toml")
    for name, text in (("a.json", "{"), ("b.toml", "= 1"), ("c.json", "[1]")):
        (tmp_path / name).write_text(text)
        with pytest.raises(LutraError, match=rf"{name}: .*(not a valid folding file|holds layers, not a list)"):
            by_hand(medium, ZYNQ, CLOCK, tmp_path / name)


def test_a_plan_is_read_back_and_never_changes(medium):
    plan = for_budget(medium, ZYNQ, CLOCK, 0.2)
    again = Plan.from_json(json.loads(json.dumps(plan.to_json())), medium)
    assert (again.folds, again.depths, again.device) == (plan.folds, plan.depths, plan.device)
    assert (again.interval, again.latency, again.cost) == (plan.interval, plan.latency, plan.cost)
    with pytest.raises(FrozenInstanceError):
        plan.clock_mhz = 1
    with pytest.raises(TypeError):
        plan.folds[pipeline(medium)[0]] = Fold()
    with pytest.raises(LutraError, match="clock of 0 MHz"):
        replace(plan, clock_mhz=0)


def test_figures_are_those_of_the_stages(medium):
    plan = for_fps(medium, ZYNQ, CLOCK, 100_000)
    assert plan.interval == max(plan.cycles.values()) == plan.cycles[plan.bottleneck.name]
    assert set(plan.costs) == {s.name for s in plan.stages}
    assert np.isclose(plan.cost.lut, sum(c.lut for c in plan.costs.values()))
    assert plan.share["lut"] == plan.cost.lut / ZYNQ.lut
    node = pipeline(medium)[0]
    assert plan.refold(node, Fold(64, 128)).folds[node] == Fold(64, 128)


def test_candidates_keep_the_best_of_each_pair_of_lanes(small):
    choices = choices_of(small, "xc7")
    for node, layer in zip(choices.nodes, choices.layers, strict=True):
        kept = {tuple(pair) for pair in layer.lanes.tolist()}
        assert kept == {node.op.lanes(f, node.args[0].out) for f in node.op.folds(node.args[0].out)}
    total = measure(choices, tuple(0 for _ in choices.layers))
    assert (total.cost >= 0).all()
