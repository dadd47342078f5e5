"""Units that became one: the contract of a unit, held by rows of small matrices and requantisers. And which do."""

import numpy as np
import pytest
from cases import WIDEST, Bench, Case, differences, draw

from lutra.hw.circuit import times
from lutra.hw.verilog import sources
from lutra.ir import Constant, Graph, Input, Node, Range, Tensor
from lutra.ops.base import Fold
from lutra.ops.matmul.op import MatMul
from lutra.ops.rescale.op import Rescale
from lutra.plan.names import Sink
from lutra.plan.pipeline import connect
from lutra.plan.region import Region, laid, regions
from lutra.sim.wrapper import bench
from lutra.tools.find import verilator, yosys

CASES = 30


@pytest.fixture(scope="module")
def built(cache) -> Bench:
    every = [Case(node, node.op.folds(node.args[0].out)[0]) for node in draw(Region, 2 * CASES)]
    return Bench.build([case for case in every if case.width <= WIDEST][:CASES], cache)


def test_circuits_are_their_units_in_a_row_within_their_ranges():
    for node in draw(Region, 150):
        made, x = laid(node.op, node.args[0].out), node.args[0].out
        frames = np.random.default_rng(0).integers(x.range.lo, x.range.hi + 1, (100, x.channels))
        frames[:2] = [[x.range.lo], [x.range.hi]]
        cells = made.circuit.evaluate(frames)
        assert all(of.holds(v) for of, v in zip(made.circuit.ranges, cells, strict=True))
        y = [0 * frames[:, 0] if o is None else times(cells[o.index], o.shift) for o in made.outputs]
        assert np.array_equal(np.stack(y, axis=1), node.op.evaluate(frames)), node.op


@pytest.mark.parametrize("stalls", [(0.0, 0.0), (0.3, 0.3), (0.7, 0.0), (0.0, 0.7)], ids=str)
def test_rtl_equals_evaluate(built, stalls):
    assert differences(built.run(start=7, stalls=stalls)) == []


def test_a_word_a_cycle_at_the_times_of_the_schedule(built):
    for case, _, run in built.run(start=2):
        assert run.timing(case.count).interval == case.stage.cycles == case.xs[0].pixels
        _, there = case.stage.times(tuple(np.zeros(len(taken), np.int64) for taken in run.sent))
        assert np.array_equal(run.received[0].left, there), case


def test_verilator_and_yosys_read_it(built, tmp_path):
    files = {name: text for n in built.model.netlists for name, text in sources(n).items() if name.endswith(".sv")}
    files["bench.sv"] = bench(built.model.netlists)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    waived = ("-Wno-DECLFILENAME", "-Wno-UNUSEDSIGNAL")
    code = " ".join(n for n in files if n.endswith(".sv") and n != "bench.sv")
    reads = [f"design -push-copy\nhierarchy -check -top {n.name}\nproc\nopt_clean\ncheck -assert\ndesign -pop\n"
             for n in built.model.netlists]
    (tmp_path / "read.ys").write_text(f"read_verilog -sv -defer {code}\n{''.join(reads)}")
    yosys()("-s", "read.ys", cwd=tmp_path, timeout_s=300)
    verilator()("--lint-only", "-Wall", *waived, "--top-module", "lutra_bench", *files, cwd=tmp_path)


def chain(outputs=1):
    """A matrix, a requantiser, a matrix; with two outputs, the requantiser's too."""
    x = Node(Input("x", Tensor((4,), Range(-8, 7))))
    w = np.arange(-6, 6).reshape(3, 4)
    first = Node(MatMul(Constant(w)), (x,))
    middle = Node(Rescale(Constant(np.array([1])), Constant(np.array([5, -9, 0])), 2, True, 0, 15), (first,))
    last = Node(MatMul(Constant(w[:, :3])), (middle,))
    return Graph((x,), (last, middle)[:outputs]), (first, middle, last)


def folded(nodes, mul="adders"):
    first, middle, last = nodes
    return {first: Fold(3, 4, mul=mul), middle: Fold(3), last: Fold(3, 3, mul="adders")}


def test_neighbours_become_one_stage():
    graph, nodes = chain()
    (row,) = regions(graph, folded(nodes), {}).values()
    assert row == nodes
    pipe = connect(graph, folded(nodes), {})
    assert [s.name for s in pipe.stages] == ["matmul0_matmul1"]
    assert pipe.stages[0].out == graph.outputs[0].out
    assert pipe.stages[0].cycles == 1


@pytest.mark.parametrize("change, rows", [
    ("a FIFO", ["first middle"]), ("another reader", ["first middle"]), ("a folded matrix", ["middle last"]),
    ("a folded requantiser", []), ("no adders", []),
])
def test_what_keeps_them_apart(change, rows):
    graph, nodes = chain(2 if change == "another reader" else 1)
    folds, depths = folded(nodes, "lut" if change in ("no adders", "a folded matrix") else "adders"), {}
    match change:
        case "a FIFO":
            depths = {Sink(nodes[2], 0): 2}
        case "a folded requantiser":
            folds[nodes[1]] = Fold(1)
        case "no adders":
            folds[nodes[2]] = Fold(3, 3)
    names = dict(zip(nodes, ("first", "middle", "last"), strict=True))
    assert [" ".join(names[n] for n in row) for row in regions(graph, folds, depths).values()] == rows
