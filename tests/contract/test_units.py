"""The contract of every hardware operator, taken from the set. Nothing names an operator but MatMul's own count."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from cases import LIMIT, Bench, Case, choose, differences, draw

import lutra.ops
from lutra.hw.verilog import sources
from lutra.ir import Range
from lutra.ops import Fold, units
from lutra.sim.wrapper import bench
from lutra.tools.find import verilator, yosys

UNITS = units()
NO_HARDWARE = {"fetch", "reshape", "source"}  # folders of lutra/ops that hold no unit
STALLS = [(0.0, 0.0), (0.3, 0.3), (0.7, 0.0), (0.0, 0.7)]


@pytest.fixture(scope="module", params=UNITS, ids=lambda u: u.__name__)
def unit(request):
    return request.param


@pytest.fixture(scope="module")
def built(unit, cache) -> Bench:
    return Bench.build(choose(unit, LIMIT.get(unit.__name__, 14)), cache)


def test_the_set_is_whole():
    folders = {p.parent.name for p in Path(lutra.ops.__file__).parent.glob("*/op.py")} - NO_HARDWARE
    assert folders == {u.__module__.split(".")[-2] for u in UNITS}
    assert folders


def test_evaluate_stays_in_range_and_equals_the_kernel(unit):
    for node in draw(unit, 60):
        case = Case(node, Fold())
        xs = case.frames(6, start=1)
        y, kernel = node.op.evaluate(*xs), node.op.kernel(case.reads)
        assert np.issubdtype(y.dtype, np.integer), (node.op, y.dtype)
        assert y.shape == (6, *node.out.shape), (node.op, y.shape)
        assert node.out.range.holds(y), (node.op, node.out)
        for kinds in product((np.int64, np.float32, None), repeat=len(xs)):
            values = [v.astype(kind or narrowest(x.range)) for v, x, kind in zip(xs, case.xs, kinds, strict=True)]
            assert np.array_equal(kernel(*values), y), (node.op, kinds)


def narrowest(of: Range) -> np.dtype:
    return np.result_type(*map(np.min_scalar_type, (of.lo, of.hi)))


@pytest.mark.parametrize("stalls", STALLS, ids=str)
def test_rtl_equals_evaluate(built, stalls):
    assert differences(built.run(start=len(STALLS), stalls=stalls)) == []


def test_measured_interval_equals_cycles(built):
    for case, _, run in built.run(start=2, whole=True):
        assert run.timing(case.count).interval == case.stage.cycles, case


def test_measured_times_equal_times(built):
    for case, _, run in built.run(start=3, whole=True):
        agree(case, run, tuple(np.zeros(len(taken), np.int64) for taken in run.sent))


def test_measured_times_equal_times_for_late_words(built):
    rng = np.random.default_rng(4)
    late = [tuple(np.cumsum(rng.integers(0, 6, case.count * end.words)) for end in case.netlist.inputs)
            for case in built.cases]
    for (case, _, run), arrivals in zip(built.run(start=4, arrivals=late, whole=True), late, strict=True):
        agree(case, run, arrivals)


def agree(case: Case, run, arrivals):
    taken, there = case.stage.times(arrivals)
    for sent, expected in zip(run.sent, taken, strict=True):
        assert np.array_equal(sent, expected), f"{case}: words taken at other times"
    for end in run.received:
        assert case.on_time(end, there), f"{case}: words there at other times"


def test_lint_is_clean(built, tmp_path):
    """Verilator -Wall on every case in place, but for two of its warnings. DECLFILENAME: a file may hold a unit's own
    parts beside it. UNUSEDSIGNAL: in its smallest shapes a parametric module has no use for a clock, an index or the
    upper bits of a row."""
    files = {name: text for n in built.model.netlists for name, text in sources(n).items() if name.endswith(".sv")}
    files["bench.sv"] = bench(built.model.netlists)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    waived = ("-Wno-DECLFILENAME", "-Wno-UNUSEDSIGNAL")
    verilator()("--lint-only", "-Wall", *waived, "--top-module", "lutra_bench", *files, cwd=tmp_path)


def test_yosys_reads_it(built, tmp_path):
    """Every case elaborates without a latch, an undriven wire or a combinational loop."""
    files = {name: text for n in built.model.netlists for name, text in sources(n).items()}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    code = " ".join(n for n in files if n.endswith(".sv"))
    tops = "\n".join(f"design -push-copy\nhierarchy -check -top {n.name}\nproc\nopt_clean\ncheck -assert\n"
                     "select -assert-none t:$dlatch t:$adlatch\ndesign -pop" for n in built.model.netlists)
    (tmp_path / "read.ys").write_text(f"read_verilog -sv -defer {code}\n{tops}\n")
    yosys()("-s", "read.ys", cwd=tmp_path, timeout_s=300)


def test_matmul_under_twenty_folds():
    (matmul,) = [u for u in UNITS if u.__name__ == "MatMul"]
    found = {(c.node.out.channels, c.xs[0].channels, c.fold.pe, c.fold.simd) for c in choose(matmul, LIMIT["MatMul"])}
    assert len(found) >= 20
    assert sum(rows != columns for rows, columns, _, _ in found) >= 10
