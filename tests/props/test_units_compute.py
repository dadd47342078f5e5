"""What holds of every sample of the computing units: ranges hold and are reached, kernels equal the meaning."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lutra.ir import Node
from lutra.ops.matmul.op import MatMul
from lutra.ops.rescale.op import Rescale
from lutra.ops.table.op import Table
from lutra.ops.threshold.op import Threshold

UNITS = (MatMul, Threshold, Rescale, Table)
TYPES = (np.int32, np.int64, np.float32, np.float64)


def frames(node: Node, seed: int, count: int = 5):
    rng, x = np.random.default_rng(seed), node.args[0].out
    values = x.range.lo + x.range.step * rng.integers(0, x.range.levels, (count, *x.shape))
    values[0], values[1] = x.range.lo, x.range.hi
    return values


@pytest.mark.parametrize("unit", UNITS, ids=lambda u: u.__name__)
@settings(max_examples=60)
@given(st.data(), st.integers(0, 99), st.sampled_from(TYPES))
def test_kernels_equal_the_meaning_and_stay_in_range(unit, data, seed, kind):
    node = data.draw(unit.samples())
    x = frames(node, seed)
    y = node.op.evaluate(x)
    assert y.dtype == np.int64
    assert y.shape == (len(x), *node.out.shape)
    assert node.out.range.holds(y)
    assert np.array_equal(node.out.range.decode(node.out.range.encode(y)), y)
    assert np.array_equal(node.op.kernel(node.args[0].out)(x.astype(kind)), y)


@settings(max_examples=60)
@given(MatMul.samples())
def test_both_ends_of_a_product_are_reached(node):
    w, x = node.op.weights.array, node.args[0].out.range
    highest, lowest = np.where(w > 0, x.hi, x.lo), np.where(w > 0, x.lo, x.hi)
    assert node.op.evaluate(highest).max() == node.out.range.hi
    assert node.op.evaluate(lowest).min() == node.out.range.lo


@pytest.mark.parametrize("unit", (Rescale, Table), ids=lambda u: u.__name__)
@settings(max_examples=40)
@given(st.data())
def test_ranges_of_elementwise_units_are_the_narrowest(unit, data):
    node = data.draw(unit.samples())
    x = node.args[0].out
    every = np.broadcast_to(x.range.values()[:, None], (x.range.levels, x.channels))
    y = node.op.evaluate(every)
    least = 0 if getattr(node.op, "gap", 1) > 1 else y.min()  # codes of steps count from 0
    assert (least, y.max()) == (node.out.range.lo, node.out.range.hi)


@pytest.mark.parametrize("unit", UNITS, ids=lambda u: u.__name__)
@settings(max_examples=30)
@given(st.data())
def test_schedules_agree_with_themselves(unit, data):
    """Every word is read once and in order, every output word has a slot, features are not negative."""
    node = data.draw(unit.samples())
    x, op = node.args[0].out, node.op
    for fold in op.folds(x):
        simd, pe = op.lanes(fold, x)
        loop = op.loop(fold, x)
        assert len(loop.reads) == loop.slots == op.cycles(fold, x)
        assert loop.reads[-1] * simd == x.size
        assert set(np.diff(loop.reads, prepend=0)) <= {0, 1}
        assert len(loop.writes) * pe == node.out.size
        assert (np.diff(loop.writes) > 0).all()
        for family in ("xc7", "ecp5"):
            assert min(op.features(fold, x, family).values()) >= 0
