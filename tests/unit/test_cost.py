"""The cost model: every unit on every family, refused where it was not fitted; figures of the fit within the bar."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lutra.errors import LutraError
from lutra.ops import units
from lutra.ops.base import FAMILIES
from lutra.ops.cost import TABLE, coefficients, estimate, weighed
from lutra.plan.stages import folds_of, placed

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("unit", units(), ids=lambda u: u.__name__)
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_unit_has_a_cost_on_every_family(family, unit, data):
    node = data.draw(unit.samples())
    fold = data.draw(st.sampled_from(folds_of(node)))
    cost = placed("unit", node, fold).cost(family)
    assert cost.lut >= 0
    assert cost.ff >= 0
    assert cost.bram >= 0


def test_what_was_not_fitted_is_refused():
    with pytest.raises(LutraError, match="no cost model for family 'ice40'"):
        estimate("ice40", "matmul", {})
    with pytest.raises(LutraError, match="no cost model for 'topk' on xc7"):
        estimate("xc7", "topk", {})
    with pytest.raises(AssertionError, match="was not fitted"):
        estimate("xc7", "fifo", {"lut.magic": 1.0})


def test_a_prefix_says_which_resource_a_feature_takes_part_in():
    assert weighed("lut.tree", "lut")
    assert not weighed("lut.tree", "ff")
    assert weighed("tree", "lut")
    assert weighed("tree", "ff")
    assert not weighed("bram", "lut")


def test_estimate_is_the_weighed_sum():
    table = coefficients()["xc7"]["fifo"]
    cost = estimate("xc7", "fifo", {"one": 1.0, "counter": 4.0, "ff.out": 8.0, "bram": 3.0})
    assert np.isclose(cost.lut, table["lut"]["one"] + 4 * table["lut"]["counter"])
    assert np.isclose(cost.ff, table["ff"]["one"] + 4 * table["ff"]["counter"] + 8 * table["ff"]["ff.out"])
    assert cost.bram == 3


def test_no_coefficient_is_negative_and_every_fit_is_told():
    fits = json.loads(TABLE.read_text())["fits"]
    for family in FAMILIES:
        assert set(fits[family]) == set(coefficients()[family])
        assert {name.split("_")[0] for name in fits[family]} == {u.__name__.lower() for u in units()} | {"fetch"}
        for op in coefficients()[family].values():
            assert min(w for weights in op.values() for w in weights.values()) >= 0


@pytest.fixture
def draws(monkeypatch):
    pytest.importorskip("scipy")
    monkeypatch.syspath_prepend(str(BENCH))
    monkeypatch.delitem(sys.modules, "cost_units", raising=False)
    import cost_units

    return cost_units.draws


@pytest.mark.parametrize("unit", units(), ids=lambda u: u.__name__)
def test_drawn_configurations_are_legal(draws, unit):
    for op, x, fold in draws(unit.__name__.lower(), 7, 20):
        assert isinstance(op, unit)
        assert op.lanes(fold, x)
        assert op.block(fold, x).module == f"lutra_{unit.__name__.lower()}"
        for family in FAMILIES:
            assert op.cost(fold, x, family).lut > 0
