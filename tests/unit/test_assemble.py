"""Assembly: what stands between units, what the ends are, and that the whole computes what the graph means."""

import numpy as np
import pytest

from lutra.ir import Constant, Graph, Input, Node, Range, Tensor
from lutra.ops import Fold
from lutra.ops.matmul.op import MatMul
from lutra.ops.reshape.op import Reshape
from lutra.ops.threshold.op import Threshold
from lutra.plan.assemble import assemble
from lutra.plan.names import Sink
from lutra.sim.reference import Runner
from lutra.sim.rtl import RtlModel, from_words, to_words
from lutra.tools.cache import Cache


def weights(rows, columns, seed):
    return Constant(2 * np.random.default_rng(seed).integers(0, 2, (rows, columns)) - 1)


@pytest.fixture(scope="module")
def design():
    """A network of two layers with a reshape in it: the graph, and a fold for each unit."""
    x = Node(Input("x", Tensor((2, 6), Range(0, 7))))
    flat = Node(Reshape((12,)), (x,))
    first = Node(MatMul(weights(8, 12, 0)), (flat,))
    bits = Node(Threshold(Constant(np.array([[1]])), -1, 2, Constant(np.array([False]))), (first,))
    last = Node(MatMul(weights(3, 8, 1)), (bits,))
    return Graph((x,), (last,)), {first: Fold(4, 3), bits: Fold(2), last: Fold(1, 4)}


def test_what_stands_between(design):
    graph, folds = design
    _, bits, last = folds
    netlist = assemble(graph, folds, {Sink(bits, 0): 3, Sink(last, 0): 2})
    assert netlist.name == "lutra_top"
    assert [i.name for i in netlist.instances] == [
        "u0_matmul", "u1_fifo", "u2_width", "u3_threshold", "u4_width", "u5_fifo", "u6_matmul"]
    assert [s.name for s in netlist.streams] == [f"s{k}" for k in range(8)]
    assert (netlist.inputs[0].words, netlist.outputs[0].words) == (4, 3)
    assert netlist.streams[0].width == 3 * 3 and netlist.streams[0].source is None and netlist.streams[-1].sink is None
    for stream, before, after in zip(netlist.streams[1:], netlist.instances, netlist.instances[1:], strict=False):
        assert (stream.source, stream.sink) == (before.name, after.name)
        assert (stream.width,) == before.block.outputs == after.block.inputs


def test_no_fifo_where_no_depth_is_given(design):
    graph, folds = design
    assert not [i for i in assemble(graph, folds, {}).instances if i.block.module == "lutra_fifo"]


@pytest.mark.parametrize("depth, stalls", [(0, 0.0), (0, 0.4), (4, 0.4)])
def test_the_rtl_is_the_graph(design, cache, depth, stalls):
    graph, folds = design
    netlist = assemble(graph, folds, {Sink(n, 0): depth for n in list(folds)[1:] if depth})
    x = np.random.default_rng(2).integers(0, 8, (50, 2, 6))
    run = RtlModel.build(netlist, Cache(cache)).run(to_words(x.reshape(-1, 3), 3), stalls=stalls, seed=4)
    out = graph.outputs[0].out
    y = out.range.decode(from_words(run.words, 1, out.range.bits)).reshape(50, 3)
    assert np.array_equal(y, Runner(graph).run(x))


def test_a_graph_without_units_is_a_fifo(cache):
    x = Node(Input("x", Tensor((5,), Range(-4, 3))))
    netlist = assemble(Graph((x,), (Node(Reshape((1, 5)), (x,)),)), {}, {})
    assert [(i.block.module, i.block.params["DEPTH"]) for i in netlist.instances] == [("lutra_fifo", 2)]
    assert (netlist.inputs[0].words, netlist.outputs[0].words) == (5, 5)
    words = to_words(np.arange(10)[:, None] % 8, 3)
    assert np.array_equal(RtlModel.build(netlist, Cache(cache)).run(words).words, words)


def test_a_value_with_two_users_is_forked():
    x = Node(Input("x", Tensor((4,), Range(0, 3))))
    a, b = (Node(MatMul(weights(2, 4, k)), (x,)) for k in (0, 1))
    netlist = assemble(Graph((x,), (a, b)), {a: Fold(1, 4), b: Fold(1, 2)}, {Sink(b, 0): 2})
    assert [i.name for i in netlist.instances] == ["u0_fork", "u1_fifo", "u2_width", "u3_matmul", "u4_matmul"]
    fork, fifo, _, first, _ = netlist.instances
    assert first.inputs + fifo.inputs == fork.outputs
    assert [(e.words, netlist.width(e.stream)) for e in netlist.outputs] == [(2, a.out.range.bits)] * 2
