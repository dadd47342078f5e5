"""ReLU and clips on accumulators that are too wide to walk: exact, or left alone."""

from __future__ import annotations

import numpy as np
import pytest

from lutra.ir import Input, Node, Range, Tensor
from lutra.ops.source import Add, Clip, Mul, Relu, real
from lutra.rules.clip import clip
from lutra.rules.view import apply

WIDE = Range(-(2**27), 2**27 - 1)


def both(before, op, given=WIDE, channels=3):
    """What the chain and what the clip give, at many integers; None where there is no clip."""
    node = Node(Input("x", Tensor((channels,), given)))
    found = clip(node, before, op)
    if found is None:
        return None
    unit, after = found
    x = np.random.default_rng(0).integers(given.lo, given.hi + 1, (4000, channels))
    x[:2] = [[given.lo] * channels, [given.hi] * channels]
    x[2:400] = np.random.default_rng(1).integers(-200, 200, (398, channels))
    y = unit.op.evaluate(x)
    assert unit.out.range.holds(y)
    return apply((*before, op), x), apply(after, y)


@pytest.mark.parametrize("op", [Relu(), Clip(real(0.0), real(6.0)), Clip(real(-0.5), real(np.inf)),
                                Clip(real(-1e9), real(1e9))], ids=["relu", "relu6", "below", "far"])
@pytest.mark.parametrize("before", [
    (), (Mul(real(2.0**-9)),), (Mul(real(2.0**-9)), Add(real(np.array([0.25, -3.0, 2.0**-9])))),
], ids=["plain", "scaled", "biased"])
def test_bounds_that_are_integers(before, op):
    if not before and isinstance(op, Clip) and float(op.lo.array) == -0.5:
        assert both(before, op) is None  # half an integer
        return
    wanted, found = both(before, op)
    assert (wanted == found).all()


def test_a_scale_for_each_channel_has_only_zero_in_common():
    before = (Mul(real(np.array([0.5, 0.25, 2.0]))),)
    wanted, found = both(before, Relu())
    assert (wanted == found).all()
    assert both(before, Clip(real(0.0), real(6.0))) is None


@pytest.mark.parametrize("before", [(Mul(real(-1.0)),), (Mul(real(0.5)), Add(real(0.2)))], ids=["falls", "between"])
def test_what_is_no_clip_of_integers(before):
    assert both(before, Relu()) is None
