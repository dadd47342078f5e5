"""Graphs with branches against RTL: interval, latency, and what streams hold, which simulation records."""

import json

import numpy as np
import pytest

from lutra.ir import Constant, Graph, Input, Node, Range, Tensor
from lutra.ops.add.op import Add
from lutra.ops.concat.op import Concat
from lutra.ops.fifo.op import Fifo
from lutra.ops.matmul.op import MatMul
from lutra.ops.pad.op import Pad
from lutra.ops.reshape.op import Reshape
from lutra.ops.threshold.op import Threshold
from lutra.ops.window.op import Window
from lutra.plan.assemble import netlist
from lutra.plan.devices import device
from lutra.plan.fitting import planned
from lutra.plan.names import pipeline, sinks
from lutra.plan.pipeline import connect
from lutra.plan.plan import Plan
from lutra.plan.stages import folds_of
from lutra.sim.reference import Runner
from lutra.sim.rtl import RtlModel, Stimulus, from_words, to_words
from lutra.tools.cache import Cache

FRAMES, SETTLED = 24, 8
DEVICE = device("xcu250")
LARGEST = 64  # lanes of a random matrix product: more takes long to compile
DEEP = 400  # words: more than any stream of these networks ever holds
ONE = Constant(np.array([1]))


def dense(x, rows, rng):
    y = Node(MatMul(Constant(rng.choice([-1, 1], (rows, x.out.channels)))), (x,))
    return sign(y, rng)


def sign(x, rng):
    r, c = x.out.range, x.out.channels
    values = Constant(rng.integers(r.lo // 4, r.hi // 4 + 1, (c, 1)))
    return Node(Threshold(values, -1, 2, Constant(np.zeros(c, bool))), (x,))


def conv(x, rows, rng):
    return dense(Node(Window((3, 3)), (Node(Pad((1, 1), (1, 1)), (x,)),)), rows, rng)


def added(a, b, rng):
    return sign(Node(Add((ONE, ONE)), (a, b)), rng)


def at_random(rng):
    """Convolutions, products, sums and concatenations over values that are drawn, read once or several times."""
    inputs = tuple(Node(Input(f"x{k}", Tensor((6, 6, 2), Range(0, 3)))) for k in range(rng.integers(1, 3)))
    values, read = list(inputs), set()

    def drawn():
        fresh = [n for n in values if n not in read]
        some = fresh if fresh and rng.random() < 0.6 else values
        node = some[rng.integers(len(some))]
        read.add(node)
        return node

    for _ in range(rng.integers(3, 8)):
        kind, a = rng.integers(5), drawn()
        if kind < 2:
            values.append((conv, dense)[kind](a, int(rng.choice([2, 4])), rng))
            continue
        b = drawn()
        if kind == 2:
            values.append(Node(Concat(), (a, b)))
        else:
            alike = a.out.shape == b.out.shape
            values.append(added(a, b, rng) if alike else added(conv(a, 4, rng), dense(b, 4, rng), rng))
    ends = [n for n in values if n not in read]
    while len(ends) > 2:
        ends = [Node(Concat(), (ends[0], ends[1])), *ends[2:]]
    if len(ends) == 1 and rng.integers(2):
        ends = [values[len(inputs)], *ends]  # read inside, too
    return Graph(inputs, (*ends[:-1], Node(Reshape((ends[-1].out.size,)), (ends[-1],))))


def residual(rng):
    """Two blocks with a shortcut."""
    x = Node(Input("x", Tensor((8, 8, 2), Range(0, 7))))
    node = conv(x, 4, rng)
    for _ in range(2):
        node = added(conv(conv(node, 4, rng), 4, rng), node, rng)
    return Graph((x,), (dense(node, 3, rng),))


def folded(graph, rng):
    """A legal fold of each unit, drawn."""

    def drawn(node):
        small = [f for f in folds_of(node) if node.op.kind != "matmul" or f.pe * f.simd <= LARGEST]
        return small[rng.integers(len(small))]

    return planned(graph, DEVICE, 100.0, {node: drawn(node) for node in pipeline(graph)})


def frames(graph):
    rng = np.random.default_rng(0)
    return [rng.integers(0, n.out.range.hi + 1, (FRAMES, *n.out.shape)) for n in graph.inputs]


def driven(plan, design, evenly=False):
    """Frames for each input of a design, offered at once or evenly."""
    words, arrivals = [], []
    for node, end, x in zip(plan.graph.inputs, design.inputs, frames(plan.graph), strict=True):
        bits = node.out.range.bits
        words.append(to_words(x.reshape(-1, design.width(end.stream) // bits), bits))
        frame = np.arange(end.words) * plan.interval // end.words
        arrivals.append((frame + plan.interval * np.arange(FRAMES)[:, None]).ravel())
    return Stimulus(tuple(words), arrivals=tuple(arrivals) if evenly else None)


def run(plans, designs, cache, evenly=False):
    stimuli = [driven(p, d, evenly) for p, d in zip(plans, designs, strict=True)]
    return RtlModel.build_many(designs, Cache(cache), fast=False).run_many(stimuli, record=True)


@pytest.fixture(scope="module")
def plans():
    rngs = [np.random.default_rng(seed) for seed in range(12)]
    return [folded(at_random(rng), rng) for rng in rngs]


@pytest.fixture(scope="module")
def designs(plans):
    return [netlist(p.pipeline, f"d{k}", p.shared) for k, p in enumerate(plans)]


def test_the_plans_have_what_is_to_be_tested(plans):
    assert {len(p.graph.inputs) for p in plans} == {len(p.graph.outputs) for p in plans} == {1, 2}
    assert max(s.sinks for p in plans for s in p.stages) > 2
    assert any(s.name.startswith("input") and s.name.endswith("_fork") for p in plans for s in p.stages)
    assert any(path.end is None and len(readers) > 1 for p in plans for readers in sinks(p.graph).values()
               for path in [p.pipeline.paths[readers[-1]]])


def test_a_plan_is_read_back(plans):
    for plan in plans:
        again = Plan.from_json(json.loads(json.dumps(plan.to_json())), plan.graph)
        assert (again.folds, again.depths, again.latency) == (plan.folds, plan.depths, plan.latency)


def test_interval_latency_and_integers_are_the_rtl_s(plans, designs, cache):
    for plan, design, found in zip(plans, designs, run(plans, designs, cache), strict=True):
        timing = found.timing(FRAMES)
        assert set(timing.intervals[SETTLED:]) == {plan.interval}, plan.to_json()
        assert timing.latency == plan.latency, plan.to_json()
        expected = Runner(plan.graph).outputs(tuple(frames(plan.graph)))
        ends = zip(plan.graph.outputs, design.outputs, found.received, strict=True)
        for y, (node, end, got) in zip(expected, ends, strict=True):
            of = node.out.range
            codes = from_words(got.words, design.width(end.stream) // of.bits, of.bits)
            assert np.array_equal(of.decode(codes).reshape(y.shape), y)


def test_no_stream_is_ever_full_in_steady_state(plans, designs, cache):
    """Frames that come evenly: what a FIFO would need never to hold a word up is no more than it has."""
    found = run(plans, designs, cache, evenly=True)
    for plan, design, got in zip(plans, designs, found, strict=True):
        depths = {i.outputs[0]: s.unit.depth for i, s in zip(design.instances, plan.stages, strict=True)
                  if isinstance(s.unit, Fifo)}
        assert all(got.occupancy[stream] <= depth for stream, depth in depths.items()), plan.to_json()


def test_depths_are_what_deep_streams_hold(cache):
    """Bits of all streams of a residual network: no more than 10 % above what is recorded with deep ones everywhere."""
    rng = np.random.default_rng(3)
    graph = residual(rng)
    plan = folded(graph, rng)
    streams = [s for node, readers in sinks(graph).items() if node.args for s in readers if s.user]
    deep = connect(graph, plan.folds, dict.fromkeys(streams, DEEP))
    design = netlist(deep, "deep")
    (found,) = run([plan], [design], cache, evenly=True)
    assert set(found.timing(FRAMES).intervals[SETTLED:]) == {plan.interval}
    wires = {i.outputs[0]: s for i, s in zip(design.instances, deep.stages, strict=True) if isinstance(s.unit, Fifo)}
    recorded = sum(found.occupancy[wire] * width(s) for wire, s in wires.items() if found.occupancy[wire] > 1)
    assert 0 < sum(s.unit.depth * width(s) for s in plan.stages if isinstance(s.unit, Fifo)) <= 1.1 * recorded


def width(stage):
    return stage.lanes[1] * stage.out.range.bits
