"""Weights deeper than a block memory of the widest shape: in slices, and banks of 16384 words. The contract's own
samples are smaller."""

import numpy as np
import pytest
from cases import Bench, Case, differences

from lutra.hw.verilog import library
from lutra.ir import Constant, Input, Node, Range, Tensor
from lutra.ops.base import Fold
from lutra.ops.matmul.op import MatMul

# rows, columns, PE, SIMD, weights, and the bits of a slice
SHAPES = [(60, 60, 1, 6, Range(-128, 127), 18), (64, 72, 2, 3, Range(-8, 7), 18), (40, 120, 1, 2, Range(-16, 15), 4),
          (132, 130, 1, 1, Range(-4, 3), 1), (30, 90, 1, 5, Range(-1, 1, 2), 5)]


def case(rows, columns, pe, simd, weights, _):
    rng = np.random.default_rng(rows)
    values = weights.lo + weights.step * rng.integers(0, weights.levels, (rows, columns))
    x = Node(Input("x", Tensor((columns,), Range(-2, 1))))
    return Case(Node(MatMul(Constant(values)), (x,)), Fold(pe, simd, "block"))


@pytest.fixture(scope="module")
def deep():
    return [case(*shape) for shape in SHAPES]


def test_slices_and_banks(deep, cache):
    assert [c.netlist.instances[0].block.params["BLOCK"] for c in deep] == [shape[-1] for shape in SHAPES]
    results = Bench.build(deep, cache).run(start=5)
    assert differences(results) == []
    for c, _, run in results:
        assert run.timing(c.count).interval == c.stage.cycles


@pytest.mark.parametrize(("right", "wrong"), [
    ("held[place_held[AW-1:BW]*WIDTH+:WIDTH]", "held[0+:WIDTH]"),
    ("if (en) place_held <= place", "place_held <= index"),
    ("8'(48 + K % 10)", "8'(48 + (K == 1 ? 0 : K % 10))"),
    ("fetched[b*WIDTH+s*BLOCK+:BITS]", "fetched[b*WIDTH+(SLICES-1-s)*BLOCK+:BITS]"),
])
def test_faults_are_found(deep, cache, right, wrong):
    text = library(["lutra_rom"])["rom.sv"]
    assert right in text
    seen_by = deep[3:4] if "place" in right else deep[:1]
    assert differences(Bench.build(seen_by, cache, {"rom.sv": text.replace(right, wrong)}).run(start=5))
