"""An input that several layers cast for themselves, without a word about what the hardware is fed."""

from itertools import product

import numpy as np
import pytest
from networks import weights

from lutra import LutraError
from lutra.ir import REAL, Constant, Graph, Input, Node, Tensor
from lutra.ops import source as s
from lutra.ops.source import real
from lutra.rules.finest import finest
from lutra.rules.lower import lower


def cast(width, fraction, rounding="RND", overflow="SAT", signed=True):
    return s.Cast(Constant(np.array(float(fraction))), width, signed, rounding, overflow)


def two_layers(first, second, before=()):
    """Two products of one input, each with a cast of its own; `before`: what the host does for both."""
    rng = np.random.default_rng(0)
    x = node = Node(Input("x", Tensor((6,), REAL)))
    for op in before:
        node = Node(op, (node,), "before")
    outs = []
    for k, op in enumerate((first, second)):
        w, q = weights(rng, (6, 3), 0.25, 4)
        outs.append(Node(s.MatMul(w, q), (Node(op, (node,), f"cast {k}"),), f"matmul {k}"))
    return Graph((x,), (Node(s.AddStreams(), tuple(outs), "add"),))


def numbers(rng):
    """Any reals, some far outside, some on every tie of 1/64 and just beside it."""
    ties = np.arange(-300, 300) / 64
    ties[300] = 1e-300  # beside 0 there are numbers so small that a shift makes them 0
    return np.concatenate([rng.normal(size=600) * 3, rng.normal(size=96) * 1e6, ties, np.nextafter(ties, 9),
                           np.nextafter(ties, -9), np.zeros(384)]).reshape(-1, 6)


FORMS = [(cast(8, 5), cast(8, 5)), (cast(8, 5), cast(6, 5)), (cast(8, 5), cast(8, 3)), (cast(6, 4, "TRN"), cast(8, 2)),
         (cast(7, 4, signed=False), cast(5, 3)), (cast(7, 4, "TRN", "SAT_SYM"), cast(4, -1, "TRN"))]


@pytest.mark.parametrize("forms", FORMS, ids=str)
@pytest.mark.parametrize("before", [(), (s.Sub(real(0.5)), s.Mul(real(0.375)))], ids=["", "normalised"])
def test_every_number_is_as_if_each_cast_it(forms, before, rng):
    graph, x = two_layers(*forms, before), numbers(rng)
    low = lower(graph, None, "xc7")
    found = low.output.real(low.graph.evaluate(low.input.integers(x))[low.graph.outputs[0]])
    assert np.array_equal(found, graph.evaluate(x)[graph.outputs[0]])
    assert low.input.range.bits <= 13


def test_the_finest_cast_of_many():
    x = numbers(np.random.default_rng(1)).ravel()
    for rounding in product(("RND", "TRN"), repeat=3):
        casts = [cast(8, 5, rounding[0]), cast(6, 6, rounding[1], "SAT_SYM"), cast(9, 1, rounding[2], signed=False)]
        common = finest(casts)
        for c in casts:
            assert np.array_equal(c.apply(common.apply(x)), c.apply(x))


def test_equal_casts_are_one():
    low = lower(two_layers(cast(8, 5), cast(8, 5)), None, "xc7")
    assert low.input.range.bits == 8
    assert [n.op.kind for n in low.graph.nodes if n.op.kind in ("requant", "rescale", "threshold", "table")] == []


@pytest.mark.parametrize("second", [cast(8, 5, "RND_CONV"), cast(6, 4, overflow="WRAP"), s.Relu()], ids=str)
def test_what_no_cast_can_serve_is_said(second):
    with pytest.raises(LutraError, match=r"^cast 0: the model's input feeds 2 operators .* input_range"):
        lower(two_layers(cast(8, 4), second), None, "xc7")
