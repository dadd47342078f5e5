"""The contract's cases by C simulation: every operator's HLS form gives what its operator means."""

from __future__ import annotations

from itertools import product

import pytest
from cases import WIDEST, Case, choose, draw

from lutra.ir import Input, Node, Range, Tensor
from lutra.ops import Fold, units
from lutra.ops.requant.modes import OVERFLOWS
from lutra.ops.requant.op import Requant
from lutra.plan.region import Region
from lutra.sim.csim import CModel
from lutra.tools.cache import Cache

CASES = {"MatMul": 16, "Requant": 16}  # more than of others: they have many forms and modes
SOME, REGIONS = 4, 3
KINDS = [*product((True, False), OVERFLOWS[:-1]), (True, OVERFLOWS[-1])]  # WRAP_SM is of signed types


@pytest.fixture(scope="module")
def chosen() -> list[Case]:
    found = [case for unit in units() for case in choose(unit, CASES.get(unit.__name__, SOME))]
    rows = [Case(node, node.op.folds(node.args[0].out)[0]) for node in draw(Region, 4 * REGIONS)]
    return found + [case for case in rows if case.width <= WIDEST][:REGIONS] + list(map(one_bit, KINDS))


def one_bit(kind: tuple[bool, str]) -> Case:
    """A cast to a type of one bit, whose ends are as near as can be."""
    x = Node(Input("x", Tensor((4,), Range(-16, 15))))
    return Case(Node(Requant(1, 1, kind[0], "RND", kind[1]), (x,)), Fold(pe=4))


@pytest.fixture(scope="module", params=[True, False], ids=["plain", "by limbs"])
def model(request, chosen, cache) -> CModel:
    """All of them in one program, without a warning from our files."""
    return CModel.build_many([c.netlist for c in chosen], Cache(cache), fast=False, strict=True, plain=request.param)


def test_hls_equals_evaluate(chosen, model):
    frames = [c.frames(c.count, start=k) for k, c in enumerate(chosen)]
    results = model.run_many([c.words(v, ragged=False) for c, v in zip(chosen, frames, strict=True)])
    wrong = [str(c) for c, v, ends in zip(chosen, frames, results, strict=True)
             if not all(c.same(v, words) for words in ends)]
    assert wrong == []


def test_every_operator_and_form_is_there(chosen):
    assert {type(c.op) for c in chosen} == {*units(), Region}
    products = [c.instance.block for c in chosen if "FORM" in c.instance.block.params]
    assert {b.params["FORM"] for b in products} == set(range(5))
    assert {"lutra_matmul", "lutra_matmul_streamed"} <= {b.module for b in products}
