"""FINN-L's published rows by the benchmark's cycle model, and lanes for a recurrent cell's states by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest
from recurrent_networks import reader

from lutra.errors import LutraError
from lutra.ops.base import Fold
from lutra.plan.devices import device
from lutra.plan.hand import by_hand

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    monkeypatch.delitem(sys.modules, "lstm", raising=False)
    import lstm

    return lstm


def test_the_published_rows_within_a_hundredth(bench):
    assert [str(row) for row in bench.ROWS] == ["W2A2", "W2A4", "W4A4", "W4A8"]
    for row in bench.ROWS:
        assert abs(row.cycles / (row.ms * 1e5) - 1) < 0.01, row
    assert bench.ROWS[0].cycles == 2 * 520 * (82 + 42)  # bound by the output layer: 64 cycles for the hidden one


def test_our_engine_at_their_folds_hides_its_drain(bench):
    row = bench.ROWS[0]
    cell = next(n for n in bench.network(row).nodes if n.op.kind == "lstm")
    fold, xs = Fold(row.pe, row.simd, simd_r=row.simd_r), tuple(a.out for a in cell.args)
    assert cell.op.drain() == 8
    assert cell.op.cycles(fold, xs) == 2 * 520 * 64


def test_lanes_for_states_by_hand():
    graph = reader(np.random.default_rng(0), longest=6, columns=6, rows=8, labels=5)
    plan = by_hand(graph, device("xc7z020"), 100.0, {"lstm0": {"pe": 2, "simd": 3, "simd_r": 2}})
    (stage,) = [s for s in plan.stages if s.unit.kind == "lstm"]
    assert str(stage.fold) == "pe=2 simd=3 simd_r=2"
    assert stage.block.params["SX"] == 2 and stage.block.params["SR"] == 4
    for name, fields, said in (("lstm0", {"simd_r": 3}, "simd_r=3 does not divide 8 states"),
                               ("matmul0", {"simd_r": 2}, "simd_r=2 of matmul"),
                               ("lstm0", {"simd_r": True}, "simd_r=True is not an integer")):
        with pytest.raises(LutraError, match=said):
            by_hand(graph, device("xc7z020"), 100.0, {name: fields})
