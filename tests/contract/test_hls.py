"""The contract's cases by C simulation: every operator's HLS form gives what its operator means."""

from __future__ import annotations

import numpy as np
import pytest
from cases import Case, choose

from lutra.ops import units
from lutra.sim.csim import CModel
from lutra.tools.cache import Cache

CASES = {"MatMul": 16}  # more than of others: it has five forms
SOME = 6


@pytest.fixture(scope="module")
def chosen() -> list[Case]:
    return [case for unit in units() for case in choose(unit, CASES.get(unit.__name__, SOME))]


@pytest.fixture(scope="module")
def model(chosen, cache) -> CModel:
    """All of them in one program, without a warning from our files."""
    return CModel.build_many([c.netlist for c in chosen], Cache(cache), fast=False, strict=True)


def test_hls_equals_evaluate(chosen, model):
    frames = [c.frames(c.count, start=k) for k, c in enumerate(chosen)]
    results = model.run_many([c.words(v) for c, v in zip(chosen, frames, strict=True)])
    wrong = [str(c) for c, v, ends in zip(chosen, frames, results, strict=True)
             if not all(np.array_equal(c.integers(words, c.count), c.op.evaluate(*v)) for words in ends)]
    assert wrong == []


def test_every_operator_is_there(chosen):
    assert {type(c.op) for c in chosen} == set(units())
