"""The plan's interval and latency against RTL: a small network with every kind of stream, folded at random."""

import numpy as np
import pytest

from lutra.ir import Constant, Graph, Input, Node, Range, Tensor
from lutra.ops.argmax.op import ArgMax
from lutra.ops.matmul.op import MatMul
from lutra.ops.maxreduce.op import MaxReduce
from lutra.ops.pad.op import Pad
from lutra.ops.reshape.op import Reshape
from lutra.ops.threshold.op import Threshold
from lutra.ops.window.op import Window
from lutra.plan.assemble import assemble
from lutra.plan.devices import device
from lutra.plan.fitting import planned
from lutra.plan.folding import for_fps
from lutra.plan.names import pipeline
from lutra.sim.rtl import RtlModel, Stimulus, to_words
from lutra.tools.cache import Cache

FRAMES, SETTLED = 24, 8
DEVICE = device("xcu250")
LARGEST = 100  # lanes of a random matrix product: more takes long to compile


def network(rng):
    """Padding, two convolutions, pooling, two dense layers, arg-max."""

    def dense(x, rows):
        return Node(MatMul(Constant(rng.choice([-1, 1], (rows, x.out.channels)))), (x,))

    def sign(x):
        r, c = x.out.range, x.out.channels
        values = Constant(rng.integers(r.lo // 4, r.hi // 4 + 1, (c, 1)))
        return Node(Threshold(values, -1, 2, Constant(np.zeros(c, bool))), (x,))

    first = Node(Input("x", Tensor((12, 12, 2), Range(0, 15))))
    node = Node(Window((3, 3)), (Node(Pad((1, 1), (1, 1)), (first,)),))
    node = Node(MaxReduce(4), (Node(Window((2, 2), (2, 2)), (sign(dense(node, 8)),)),))
    node = sign(dense(Node(Window((3, 3)), (node,)), 12))
    node = sign(dense(Node(Reshape((node.out.size,)), (node,)), 24))
    return Graph((first,), (Node(ArgMax(), (dense(node, 10),)),))


def at_random(graph, rng):
    """A legal fold of each unit, drawn."""

    def drawn(node):
        folds = node.op.folds(node.args[0].out)
        small = [f for f in folds if node.op.kind != "matmul" or 4 <= f.pe * f.simd <= LARGEST]
        return small[rng.integers(len(small))]

    return {node: drawn(node) for node in pipeline(graph)}


@pytest.fixture(scope="module")
def plans():
    rng = np.random.default_rng(5)
    graph = network(rng)
    rates = [for_fps(graph, DEVICE, 100.0, 1e8 / interval) for interval in (1325, 1600, 5000)]
    return [*rates, *(planned(graph, DEVICE, 100.0, at_random(graph, rng)) for _ in range(7))]


def test_interval_and_latency_are_the_rtl_s(plans, cache):
    designs = [assemble(p.graph, p.folds, p.depths, f"d{k}", p.shared) for k, p in enumerate(plans)]
    x = plans[0].graph.inputs[0].out
    codes = np.random.default_rng(0).integers(0, x.range.levels, (FRAMES, x.size))
    lanes = [d.width(d.inputs[0].stream) // x.range.bits for d in designs]
    stimuli = [Stimulus(to_words(codes.reshape(-1, n), x.range.bits)) for n in lanes]
    assert any(p.depths for p in plans)
    runs = RtlModel.build_many(designs, Cache(cache), fast=False).run_many(stimuli)
    for plan, run in zip(plans, runs, strict=True):
        timing = run.timing(FRAMES)
        assert set(timing.intervals[SETTLED:]) == {plan.interval}, plan.to_json()
        assert timing.latency == plan.latency, plan.to_json()
