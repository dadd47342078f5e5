"""Recurrent cells and what is around them, as whole networks in RTL."""

import numpy as np
import pytest
from recurrent_networks import activations, gru, inside, integers_of, lstm, reader, words

from lutra.errors import LutraError
from lutra.ir import Constant, Graph, Input, Node, Range, Tensor
from lutra.ops.argmax.op import ArgMax
from lutra.ops.base import Fold
from lutra.ops.collapse.op import Collapse
from lutra.ops.mark.op import Mark
from lutra.ops.reorder.op import Reorder
from lutra.ops.turn.op import Turn, Unturn
from lutra.plan.assemble import assemble
from lutra.plan.depths import stream_depths
from lutra.plan.names import layer_names, pipeline
from lutra.plan.pipeline import connect
from lutra.plan.stages import folds_of
from lutra.sim.rtl import RtlModel, Stimulus
from lutra.tools.cache import Cache


def planned(graph, given):
    """Folds by name, else the fastest, and the depths of streams."""
    names = layer_names(graph)
    folds = {n: given.get(names[n], folds_of(n)[-1]) for n in pipeline(graph)}
    return folds, stream_depths(graph, folds)


def stimulus(graph, netlist, frames, seed=0, stalls=0.0):
    """Sequences and their lengths as a design takes them."""
    x, lengths = frames
    lanes = [netlist.width(e.stream) // n.out.range.bits for e, n in zip(netlist.inputs, graph.inputs, strict=True)]
    first = words(graph.inputs[0].out, inside(x, lengths), lanes[0])
    return Stimulus((first, words(graph.inputs[1].out, lengths, lanes[1])), stalls, seed)


def drawn(graph, lengths, seed):
    rng = np.random.default_rng(seed)
    x = graph.inputs[0].out
    return x.range.lo + x.range.step * rng.integers(0, x.range.levels, (len(lengths), *x.shape)), lengths


CHAIN = {"lstm0": Fold(2, 3, simd_r=2), "matmul0": Fold(5, 8)}  # fewer words of a column than of h


@pytest.fixture(scope="module")
def chain(cache):
    graph = reader(np.random.default_rng(3), longest=12, columns=6, rows=8, labels=5)
    folds, depths = planned(graph, CHAIN)
    netlist = assemble(graph, folds, depths)
    return graph, folds, depths, netlist, RtlModel.build(netlist, Cache(cache))


@pytest.mark.parametrize("stalls", [0.0, 0.5, (0.7, 0.0), (0.0, 0.7)], ids=str)
def test_the_whole_chain_equals_the_integers(chain, stalls):
    graph, _, _, netlist, model = chain
    lengths = np.array([[12], [1], [1], [5], [12], [2], [1], [9], [12], [12]])
    x, lengths = drawn(graph, lengths, 5)
    run = model.run(stimulus(graph, netlist, (x, lengths)).words, stalls=stalls, seed=7)
    y = graph.evaluate(x, lengths)[graph.outputs[0]]
    best = graph.evaluate(x, lengths)[graph.outputs[0].args[0]]
    assert len(np.unique(best)) > 2, "labels that hardly differ tell little"
    for wanted, found in zip(y[..., 0], integers_of(graph.outputs[0].out, run.received[0], 1), strict=True):
        assert np.array_equal(found[:, 0], wanted[: len(found)])
        assert found[-1, 0] == 0 and (found[:-1] != 0).all() and (wanted[len(found) :] == 0).all()


def test_the_whole_chain_has_the_interval_of_its_plan(chain):
    graph, folds, depths, netlist, model = chain
    lengths = np.full((10, 1), 12)
    run = model.run(stimulus(graph, netlist, drawn(graph, lengths, 6)).words)
    assert run.timing(10).interval == max(s.cycles for s in connect(graph, folds, depths).stages)


CELLS = [(1, 1, False, "SAT"), (1, 2, True, "WRAP"), (2, 2, False, "WRAP"), (2, 4, True, "SAT"),
         (4, 4, False, "SAT_SYM"), (4, 1, True, "SAT_ZERO"), (4, 8, False, "SAT"), (8, 8, True, "WRAP")]


@pytest.fixture(scope="module")
def cells(cache):
    """Cells of one direction and of two, of weights and activations of 1, 2, 4 and 8 bits."""
    graphs, netlists = [], []
    for k, (weight, bits, peepholes, overflow) in enumerate(CELLS):
        rng = np.random.default_rng(k)
        contexts, rows, columns = 1 + k % 2, (2, 4, 6)[k % 3], (3, 4)[k % 2]
        x = Node(Input("x", Tensor((600, contexts, columns), activations(bits))))
        lengths = Node(Input("lengths", Tensor((1,), Range(1, 600))))
        for op in (lstm(rng, contexts, rows, columns, weight, bits, peepholes, overflow),
                   gru(rng, contexts, rows, columns, weight, bits, overflow))[: 1 + k % 2]:
            graph = Graph((x, lengths), (Node(op, (x, lengths)),))
            graphs.append(graph)
            netlists.append(assemble(graph, *planned(graph, {"lstm0": Fold(2, 1), "gru0": Fold(1, columns)})))
    return graphs, netlists, RtlModel.build_many(netlists, Cache(cache), fast=False)


def test_cells_of_all_widths_and_lengths(cells):
    graphs, netlists, model = cells
    lengths = np.array([[1], [600], [2], [1], [37]])
    frames = [drawn(graph, lengths, k) for k, graph in enumerate(graphs)]
    runs = model.run_many([stimulus(*each) for each in zip(graphs, netlists, frames, strict=True)])
    for graph, netlist, (x, _), run in zip(graphs, netlists, frames, runs, strict=True):
        (out,) = graph.outputs
        y = graph.evaluate(x, lengths)[out]
        lanes = netlist.width(netlist.outputs[0].stream) // out.out.range.bits
        assert len(np.unique(inside(y, lengths))) > 1
        found = np.concatenate(integers_of(out.out, run.received[0], lanes)).reshape(-1, *out.out.shape[1:])
        assert np.array_equal(found, inside(y, lengths)), out.op.kind
        assert np.array_equal(run.received[0].ends * lanes, np.cumsum(lengths) * out.out.size // 600)


def test_saturation_and_wrap_are_met():
    """In these cells gates, c and h leave their types: the last test would tell little otherwise."""
    for k, (weight, bits, peepholes, overflow) in enumerate(CELLS):
        op = lstm(np.random.default_rng(k), 1, 4, 4, weight, bits, peepholes, overflow)
        s = op.sums(activations(bits))
        assert op.gate.overflows(s.a)
        assert op.cell.overflows(s.c)
        assert op.hidden.overflows(s.h) or overflow == "SAT"


FEW = Range(0, 3)


def sequence(shape, of=FEW, longest=None):
    x = Node(Input("x", Tensor(shape, of)))
    return x, Node(Input("lengths", Tensor((1,), Range(1, longest or shape[0]))))


@pytest.mark.parametrize(("op", "args", "said"), [
    (Turn(), sequence((4, 3), longest=5), "sequences of up to 5 columns where there is room for 4"),
    (Collapse(7), sequence((4, 1)), "a blank of 7, and labels in 0..3"),
    (Collapse(0), sequence((4, 2)), "2 labels of each column"),
    (Unturn(), sequence((4, 3, 2)), "3 directions"),
    (Turn(), sequence((4, 3), Range(-1, 1, 2)), "columns behind a sequence's end of 0"),
    (Mark(), (sequence((4, 3))[0], Node(Input("n", Tensor((1,), Range(0, 4))))), "lengths of shape"),
])
def test_what_does_not_fit_is_refused(op, args, said):
    with pytest.raises(LutraError, match=said.replace("(", r"\(")):
        Node(op, args)


def test_widths_that_do_not_fold_are_refused():
    graph = reader(np.random.default_rng(0), longest=4, columns=6, rows=8, labels=5)
    (node,) = [n for n in graph.nodes if n.op.kind == "lstm"]
    xs = tuple(a.out for a in node.args)
    for fold, said in ((Fold(3, 2), "pe=3 does not divide 8 neurons"), (Fold(2, 4), "simd=4 does not divide 6 inputs"),
                       (Fold(2, 2, simd_r=3), "simd_r=3 does not divide 8 states")):
        with pytest.raises(LutraError, match=said):
            node.op.lanes(fold, xs)


def test_what_mixes_columns_is_refused():
    x, lengths = sequence((4, 2))
    mixed = Node(Reorder(Constant(np.arange(8)[::-1].copy()), (4, 2)), (x,))
    graph = Graph((x, lengths), (Node(Mark(), (mixed, lengths)),))
    with pytest.raises(LutraError, match="reorder0 of a sequence"):
        assemble(graph, *planned(graph, {}))


def test_the_rest_hides_behind_the_other_direction():
    rng = np.random.default_rng(0)
    xs = Tensor((10, 2, 32), Range(-2, 1)), Tensor((1,), Range(1, 10))
    op = lstm(rng, 2, 128, 32, 2, 2)
    assert op.rest(Fold(1, 16, simd_r=64), xs[0]) == 0
    one, alone = lstm(rng, 1, 128, 32, 2, 2), (Tensor((10, 1, 32), Range(-2, 1)), xs[1])
    fold = Fold(1, 16, simd_r=64)
    assert one.cycles(fold, alone) == 10 * (256 + one.depth(fold, xs[0].range) + 8 - 1 - 2)


def test_labels_of_one_column_are_marked(cache):
    x, lengths = sequence((6, 4))
    graph = Graph((x, lengths), (Node(Mark(), (Node(ArgMax(), (x,)), lengths)),))
    netlist = assemble(graph, *planned(graph, {}))
    frames = drawn(graph, np.array([[6], [1], [3]]), 2)
    run = RtlModel.build(netlist, Cache(cache)).run(stimulus(graph, netlist, frames).words, stalls=0.4)
    found = [v[:, 0].tolist() for v in integers_of(graph.outputs[0].out, run.received[0], 1)]
    assert found == [np.argmax(v[:n], axis=1).tolist() for v, (n,) in zip(*frames, strict=True)]
