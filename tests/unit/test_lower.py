"""The integer graph equals the source graph, and what each chain becomes."""

import numpy as np
import pytest
from networks import batchnorm, bipolar, network, quant, weights

from lutra import LutraError
from lutra.ir import Range
from lutra.ops import source as s
from lutra.ops.source import real
from lutra.rules.entry import InputFormat
from lutra.rules.lower import lower

PIXELS = InputFormat(Range(0, 255), 1 / 255)


def check(graph, given, x):
    """Lower, evaluate both, hold every range; return the lowered graph."""
    low = lower(graph, given, "xc7")
    reference = graph.evaluate(low.input.real(x))[graph.outputs[0]]
    values = low.graph.evaluate(low.input.integers(x))
    for node in low.graph:
        assert node.out.range.holds(values[node]), node
        assert values[node].shape[1:] == node.out.shape
    result = low.output.real(values[low.graph.outputs[0]])
    np.testing.assert_allclose(result, reference, rtol=1e-12, atol=1e-12)
    if set(low.output.operations) <= {"argmax"}:
        assert np.array_equal(result, reference) or not low.output.operations
    return low


def kinds(low):
    return [n.op.kind for n in low.graph.nodes]


def test_convolutional_network(rng):
    w, q = weights(rng, (6, 3, 3, 3), 0.1, 3)
    v, r = weights(rng, (96, 5), 0.05, 4)
    graph = network((3, 10, 10), quant(0.02, 8, False), s.Conv(w, (1, 1), (0, 0), (0, 0), (1, 1), 1, q),
                    batchnorm(rng, (6, 1, 1)), s.MaxPool((2, 2), (2, 2), (0, 0), (0, 0), (1, 1)), s.Relu(),
                    quant(0.3, 4, False), s.Reshape((96,)), s.MatMul(v, r), s.Add(real(rng.normal(size=5))),
                    s.Softmax((0,)))
    x = rng.integers(0, 256, (40, 3, 10, 10)).astype(np.uint8)
    low = check(graph, PIXELS, x)
    assert low.output.operations == ("softmax",)
    assert kinds(low)[2:] == ["window", "matmul", "threshold", "window", "maxreduce", "reshape", "matmul"]
    assert check(graph, None, x / 255).input.host is not None


def test_zero_padding_of_an_input_without_zero(rng):
    """2x - 1 of x = k / 255 is never 0: padding needs the odd integers 2k - 255 and zero between them."""
    w, q = weights(rng, (5, 3, 3, 3), 0.1, 3)
    graph = network((3, 9, 8), s.Mul(real(2 / 255)), s.Sub(real(1.0)), s.Conv(w, (2, 1), (1, 1), (1, 0), (1, 1), 1, q),
                    batchnorm(rng, (5, 1, 1)), quant(0.3, 4))
    low = check(graph, InputFormat(Range(0, 255), 1.0), rng.integers(0, 256, (30, 3, 9, 8)))
    pad = next(n for n in low.graph.nodes if n.op.kind == "pad")
    assert pad.out.range.lo <= -255 and pad.op.value == 0


def test_bipolar_padding_is_ternary(rng):
    graph = network((3, 10), quant(0.25, 6), s.Conv(bipolar(rng, (8, 3, 3)), (1,), (1,), (1,), (1,)),
                    s.Add(real(rng.normal(size=(8, 1)))), s.BipolarQuant(real(1.0)),
                    s.Conv(bipolar(rng, (2, 8, 2)), (1,), (1,), (0,), (1,)), quant(1.0, 3), s.Reshape((20,)),
                    s.Add(real(rng.normal(size=20))), s.Sign())
    low = check(graph, InputFormat(Range(-32, 31), 0.125), rng.integers(-32, 32, (50, 3, 10)))
    assert [n.out.range for n in low.graph.nodes if n.op.kind == "pad"][-1] == Range(-1, 1)


def test_argmax_in_hardware_where_order_is_kept(rng):
    w, q = weights(rng, (16, 7), 0.5, 4)
    tail = (s.Mul(real(0.3)), s.Add(real(-2.0)), s.ArgMax(0))
    low = check(network((16,), quant(1.0, 4), s.MatMul(w, q), *tail), None, rng.normal(size=(50, 16)) * 4)
    assert kinds(low)[-1] == "argmax" and low.output.operations == ()
    whole = (s.Mul(real(0.5)), s.Add(real(rng.integers(-9, 9, 7) * 0.25)), s.ArgMax(0))
    low = check(network((16,), quant(1.0, 4), s.MatMul(w, q), *whole), None, rng.normal(size=(50, 16)) * 4)
    assert kinds(low)[-2:] == ["rescale", "argmax"]
    odd = (s.Add(real(rng.normal(size=7))), s.ArgMax(0))
    low = check(network((16,), quant(1.0, 4), s.MatMul(w, q), *odd), None, rng.normal(size=(50, 16)) * 4)
    assert low.output.operations == ("argmax",)


def test_channels_last_exporters_and_flattening(rng):
    """Transposes around convolutions cost nothing; a flatten's order goes into the weights."""
    w, q = weights(rng, (4, 2, 3, 3), 0.1, 3)
    v, r = weights(rng, (4 * 5 * 4, 3), 0.1, 3)
    graph = network((7, 6, 2), quant(0.1, 5), s.Permute((2, 0, 1)), s.Conv(w, (1, 1), (0, 0), (0, 0), (1, 1), 1, q),
                    quant(0.2, 4), s.Permute((1, 2, 0)), s.Relu(), quant(0.2, 3, False), s.Permute((2, 0, 1)),
                    s.Reshape((80,)), s.MatMul(v, r))
    low = check(graph, None, rng.normal(size=(30, 7, 6, 2)))
    assert low.input.shape == (7, 6, 2)


@pytest.mark.parametrize("mode", ["ROUND", "FLOOR", "CEIL", "ROUND_TO_ZERO", "UP", "DOWN", "HALF_UP", "HALF_DOWN"])
@pytest.mark.parametrize(("signed", "narrow", "bits"), [(True, False, 4), (True, True, 2), (False, False, 6)])
def test_every_rounding_mode_at_ties(rng, mode, signed, narrow, bits):
    """Scales of powers of two make half steps exact: every integer of the range is compared."""
    graph = network((1,), quant(0.5, bits, signed, narrow, mode), s.MatMul(real(np.ones((1, 1)))))
    x = np.arange(-80, 80)[:, None]
    check(graph, InputFormat(Range(-80, 79), 0.125), x)


def test_a_row_of_small_weights_makes_the_others_no_wider(rng):
    """Points of channels lie 9 bits apart; one channel does nothing."""
    w = rng.integers(-8, 8, (16, 5))
    w[0], w[:, 3] = 7, 0
    graph = network((16,), quant(0.25, 5), s.MatMul(real(w * 2.0 ** np.array([0, -9, -2, 0, -1]))), quant(0.5, 6))
    low = check(graph, None, rng.normal(size=(50, 16)) * 4)
    (product,) = (n.op for n in low.graph.nodes if n.op.kind == "matmul")
    assert np.array_equal(product.weights.array, w.T)


def test_rows_share_their_scale_where_that_is_no_wider(rng):
    w = np.array([[7, 2], [-8, 4]])
    graph = network((2,), quant(0.25, 5), s.MatMul(real(w * 0.5)), s.Relu(), quant(0.5, 6, False))
    low = check(graph, None, rng.normal(size=(50, 2)) * 4)
    (product,) = (n.op for n in low.graph.nodes if n.op.kind == "matmul")
    assert np.array_equal(product.weights.array, w.T)


@pytest.mark.parametrize("rows, walked", [(16, True), (900, False)])
def test_a_cast_to_a_finer_grid_than_the_one_before_it_is_no_table_of_thresholds(rng, rows, walked):
    """8 bits with a sign, then ReLU, then 8 bits without one and a point further right: even numbers only."""
    w, q = weights(rng, (rows, 6), 2.0**-7, 8)
    graph = network((rows,), quant(0.25, 8), s.MatMul(w, q), s.Cast(real(2.0), 8, True, "RND", "SAT"), s.Relu(),
                    s.Cast(real(3.0), 8, False, "RND", "SAT"), s.MatMul(*weights(rng, (6, 3), 0.1, 3)))
    low = check(graph, None, rng.normal(size=(80, rows)) * 8)
    assert low.proofs[0].walked == walked
    (unit,) = (n for n in low.graph.nodes if n.op.kind == "rescale")
    assert unit.out.range == Range(0, 254, 2)


def test_wide_accumulators_are_decided_by_bisection(rng):
    w, q = weights(rng, (16, 8), 2**-5, 6)
    v, r = weights(rng, (8, 4), 2**-5, 6)
    for bias in (rng.integers(-32, 32, 8) / 32, rng.normal(size=8)):
        graph = network((16,), s.MatMul(w, q), s.Add(real(bias)), s.Relu(), quant(2**-6, 6, False), s.MatMul(v, r))
        low = check(graph, InputFormat(Range(-(2**15), 2**15 - 1), 2**-10), rng.integers(-4096, 4096, (200, 16)))
        assert [p.walked for p in low.proofs] == [False]


def test_falling_maximum(rng):
    """A negative normalisation before a pool: rows of the product are negated."""
    w, q = weights(rng, (4, 2, 2, 2), 0.1, 3)
    norm = s.BatchNorm(real(np.array([-1.0, 2.0, -0.5, 1.0]).reshape(4, 1, 1)), real(rng.normal(size=(4, 1, 1))),
                       real(rng.normal(size=(4, 1, 1))), real(np.ones((4, 1, 1))), 0.0)
    graph = network((2, 6, 6), quant(0.1, 4), s.Conv(w, (1, 1), (0, 0), (0, 0), (1, 1), 1, q), norm,
                    s.MaxPool((2, 2), (1, 1), (1, 0), (0, 1), (1, 1)), quant(0.2, 3))
    check(graph, None, rng.normal(size=(40, 2, 6, 6)))


@pytest.mark.parametrize(("ops", "text"), [
    ((s.MatMul(real(np.random.default_rng(0).normal(size=(4, 3)))),), "weights .* not quantised"),
    ((s.Softmax((0,)), s.MatMul(real(np.eye(4)))), "softmax works on real numbers in the middle"),
    ((s.Mul(real(np.array([0.3, 0.7, 1.1, 0.9]))), s.Sigmoid(), s.MatMul(real(np.eye(4)))), "without being quantised"),
])
def test_what_is_in_the_way_is_named(ops, text):
    with pytest.raises(LutraError, match=text) as caught:
        lower(network((4,), quant(0.5, 4), *ops), None, "xc7")
    assert caught.value.at and caught.value.hint


def test_an_unquantised_input_asks_for_its_format(rng):
    w, q = weights(rng, (4, 3), 0.5, 4)
    with pytest.raises(LutraError, match="input_range"):
        lower(network((4,), s.MatMul(w, q)), None, "xc7")


def test_values_that_no_integer_stands_for(rng):
    w, q = weights(rng, (4, 3), 0.5, 4)
    low = lower(network((4,), s.MatMul(w, q)), InputFormat(Range(0, 255), 1 / 255), "xc7")
    with pytest.raises(LutraError, match=r"0\.1234 is no multiple"):
        low.input.integers(np.full((1, 4), 0.1234))
    with pytest.raises(LutraError, match="outside the input range"):
        low.input.integers(np.full((1, 4), 256))
    with pytest.raises(LutraError, match="shape"):
        low.input.integers(np.zeros((1, 5)))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers(rng, kind, value):
    w, q = weights(rng, (4, 3), 0.5, 4)
    low = lower(network((4,), s.MatMul(w, q)), InputFormat(Range(0, 255), 1 / 255), "xc7")
    with pytest.raises(LutraError, match=str(value)):
        low.input.integers(np.full((1, 4), value, kind))
