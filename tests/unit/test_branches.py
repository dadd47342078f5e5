"""Networks that part and meet: the integer graph equals the source graph, and what each meeting becomes."""

import numpy as np
import pytest
from networks import batchnorm, quant, weights

from lutra import LutraError
from lutra.ir import REAL, Constant, Graph, Input, Node, Range, Tensor
from lutra.ops import source as s
from lutra.ops.source import real
from lutra.rules.entry import InputFormat
from lutra.rules.integers import Lowering
from lutra.rules.lower import lower

PIXELS = InputFormat(Range(0, 255), 1 / 255)
BYTES = InputFormat(Range(-128, 127), 1 / 64)


def feed(shape, name="x"):
    return Node(Input(name, Tensor(tuple(shape), REAL)))


def on(op, *args):
    return Node(op, args, f"{op.kind} behind {' and '.join(a.op.kind for a in args)}")


def conv(rng, x, m, size=3, pad=1, stride=1, groups=1, bits=4):
    w, q = weights(rng, (m, x.out.shape[0] // groups, size, size), 0.07, bits)
    return on(s.Conv(w, (stride, stride), (pad, pad), (pad, pad), (1, 1), groups, q), x)


def pool(kind, size, stride, pad=0, counted=0):
    both = (size, size), (stride, stride), (pad, pad), (pad, pad), (1, 1)
    return s.MaxPool(*both) if kind == "max" else s.AveragePool(*both, (counted, counted), (counted, counted))


def check(graph, given=PIXELS, frames=12, seed=0):
    """Lower, evaluate both on random frames, hold every range; return the lowered graph."""
    low = lower(graph, given, "xc7")
    rng = np.random.default_rng(seed)
    x = [rng.integers(e.range.lo, e.range.hi + 1, (frames, *e.source_shape)) for e in low.inputs]
    wanted = graph.evaluate(*(e.real(v) for e, v in zip(low.inputs, x, strict=True)))
    values = low.graph.evaluate(*(e.integers(v) for e, v in zip(low.inputs, x, strict=True)))
    for node in low.graph:
        assert node.out.range.holds(values[node]), node
        assert values[node].shape[1:] == node.out.shape
    for end, node, source in zip(low.outputs, low.graph.outputs, graph.outputs, strict=True):
        assert len(np.unique(values[node])) > 1, "a network that gives one number tells nothing"
        np.testing.assert_allclose(end.real(values[node]), wanted[source], rtol=1e-12, atol=1e-12)
    return low


def kinds(low):
    return [n.op.kind for n in low.graph.nodes]


def quantise(x, scale, bits=4, signed=False):
    return on(quant(scale, bits, signed), x)


@pytest.mark.parametrize("right", [0.25, 0.75, 0.31, 0.0625])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("join", [s.AddStreams, s.SubStreams])
def test_residual(rng, right, signed, join):
    x = feed((3, 8, 8))
    a = quantise(conv(rng, x, 6), 0.25, 5)
    b = quantise(on(batchnorm(rng, (6, 1, 1)), conv(rng, a, 6)), right, 5, signed=True)
    y = quantise(on(join(), a, b), 0.4, 6, signed)
    low = check(Graph((x,), (conv(rng, y, 4),)))
    assert kinds(low).count("add") == 1
    assert sum(n.op.kind in ("rescale", "threshold", "table") for n in low.graph.nodes) == 3


def test_both_paths_of_a_fork_share_their_quantiser(rng):
    x = feed((3, 8, 8))
    a = quantise(conv(rng, x, 4), 0.2)
    paths = [quantise(conv(rng, a, 4, size, size // 2), 0.3) for size in (1, 3, 3)]
    y = on(s.Concat(0), *paths)
    low = check(Graph((x,), (conv(rng, y, 3),)))
    assert kinds(low).count("window") == 3  # of the input, of a (shared by two), of y


def test_concatenated_channels_keep_their_scales(rng):
    x = feed((2, 6, 6))
    a, b = quantise(conv(rng, x, 3), 0.25), quantise(conv(rng, x, 5), 0.5)
    check(Graph((x,), (on(s.Concat(0), a, b),)))
    check(Graph((x,), (conv(rng, on(s.Concat(0), a, b), 4),)))


@pytest.mark.parametrize("axis", [1, 2])
def test_concatenated_rows_and_columns(rng, axis):
    x = feed((2, 5, 5))
    a, b = quantise(conv(rng, x, 3), 0.25), quantise(conv(rng, x, 3), 0.25)
    check(Graph((x,), (conv(rng, on(s.Concat(axis), a, b), 4),)))


@pytest.mark.parametrize("form", ["silu", "hardswish", "gelu-like", "square"])
def test_paths_of_one_stream_are_one_function(rng, form):
    x = feed((3, 8, 8))
    a = quantise(conv(rng, x, 5), 0.11, 6, signed=True)
    match form:
        case "silu":
            y = on(s.MulStreams(), a, on(s.Sigmoid(), a))
        case "hardswish":
            gate = on(s.Clip(real(0.0), real(1.0)), on(s.Add(real(0.5)), on(s.Mul(real(1 / 6)), a)))
            y = on(s.MulStreams(), a, gate)
        case "gelu-like":
            half = on(s.Mul(real(0.5)), a)
            y = on(s.AddStreams(), half, on(s.MulStreams(), half, on(s.Tanh(), a)))
        case "square":
            y = on(s.MulStreams(), a, a)
    low = check(Graph((x,), (conv(rng, quantise(y, 0.2, 5, True), 4),)))
    assert not {"mul", "add"} & set(kinds(low))


def test_a_product_of_two_streams(rng):
    x = feed((3, 8, 8))
    a, b = quantise(conv(rng, x, 4), 0.2), quantise(conv(rng, x, 4), 0.3, 5, True)
    low = check(Graph((x,), (conv(rng, quantise(on(s.MulStreams(), a, b), 0.5, 4, True), 3),)))
    assert kinds(low).count("mul") == 1


def test_squeeze_and_excite(rng):
    """A number for each channel multiplies all pixels."""
    x = feed((3, 6, 8))
    a = quantise(conv(rng, x, 4), 0.2)
    mean = quantise(on(s.AveragePool((6, 8), (1, 1), (0, 0), (0, 0), (1, 1), (0, 0), (0, 0)), a), 0.1)
    gate = quantise(on(s.Sigmoid(), conv(rng, mean, 4, 1, 0)), 0.06)
    low = check(Graph((x,), (conv(rng, quantise(on(s.MulStreams(), a, gate), 0.2), 3),)))
    assert {"upsample", "mul"} <= set(kinds(low))
    attention = quantise(conv(rng, a, 1), 0.2)
    check(Graph((x,), (quantise(on(s.MulStreams(), a, attention), 0.2, 5, True),)))


@pytest.mark.parametrize("groups, m", [(4, 4), (2, 6), (4, 8)])
def test_grouped_convolutions(rng, groups, m):
    x = feed((3, 8, 7))
    a = quantise(conv(rng, x, 4), 0.2)
    low = check(Graph((x,), (conv(rng, a, m, groups=groups, stride=2),)))
    assert ("depthwise" in kinds(low)) == (groups == m)


@pytest.mark.parametrize("counted", [0, 1])
@pytest.mark.parametrize("size, stride, pad", [(2, 2, 0), (3, 2, 1), (3, 1, 1)])
def test_average_pooling(rng, size, stride, pad, counted):
    x = feed((3, 9, 8))
    a = quantise(conv(rng, x, 4), 0.2, 5, signed=True)
    mean = on(pool("average", size, stride, pad, counted * pad), a)
    check(Graph((x,), (mean,)))
    check(Graph((x,), (conv(rng, quantise(mean, 0.1, 5, True), 4),)))


def test_global_average(rng):
    x = feed((3, 9, 8))
    a = quantise(conv(rng, x, 4), 0.2, 5)
    mean = on(s.AveragePool((9, 8), (1, 1), (0, 0), (0, 0), (1, 1), (0, 0), (0, 0)), a)
    low = check(Graph((x,), (mean,)))
    assert kinds(low).count("window") == 1


def test_upsampling_and_a_skip(rng):
    """A U-Net of one level."""
    x = feed((3, 8, 12))
    a = quantise(conv(rng, x, 4), 0.2)
    down = quantise(conv(rng, on(pool("max", 2, 2), a), 6), 0.3)
    up = quantise(conv(rng, on(s.Upsample((1, 2, 2)), down), 4), 0.2)
    low = check(Graph((x,), (conv(rng, on(s.Concat(0), up, a), 3),)))
    assert kinds(low).count("upsample") == 1


@pytest.mark.parametrize("stride, pad, more, groups", [(2, 0, 0, 1), (2, 1, 1, 1), (3, 2, 0, 2), (1, 1, 0, 1),
                                                       (2, 3, 0, 1)])
def test_transposed_convolution(rng, stride, pad, more, groups):
    x = feed((4, 6, 5))
    w, q = weights(rng, (4, 3, 3, 3), 0.07, 4)
    up = on(s.ConvTranspose(w, (stride, stride), (pad, pad), (pad - more, pad - more), (1, 1), groups, q), x)
    check(Graph((x,), (up,)))
    check(Graph((x,), (conv(rng, quantise(up, 0.3), 3),)))


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space_and_back(rng, mode):
    x = feed((3, 6, 5))
    a = quantise(conv(rng, x, 8), 0.2)
    wide = on(s.DepthToSpace(2, mode), a)
    low = check(Graph((x,), (conv(rng, wide, 4),)))
    assert kinds(low).count("reorder") == 1
    assert "reorder" not in kinds(check(Graph((x,), (wide,))))  # at the end it is the host's order
    check(Graph((x,), (conv(rng, on(s.SpaceToDepth(2), wide), 4),)))


def test_channel_shuffle_costs_nothing(rng):
    x = feed((3, 6, 5))
    a = quantise(conv(rng, x, 6), 0.2)
    split = on(s.Permute((1, 0, 2, 3)), on(s.Reshape((2, 3, 6, 5)), a))
    mixed = on(s.Reshape((6, 6, 5)), split)
    low = check(Graph((x,), (conv(rng, mixed, 6, groups=6),)))
    assert "reorder" not in kinds(low)


@pytest.mark.parametrize("start, stop", [((0, 0, 0), (2, 6, 5)), ((1, 2, 1), (5, 5, 4)), ((2, 0, 0), (6, 6, 5))])
def test_slices(rng, start, stop):
    x = feed((3, 6, 5))
    a = quantise(on(batchnorm(rng, (6, 1, 1)), conv(rng, x, 6)), 0.2)
    low = check(Graph((x,), (conv(rng, on(s.Slice(start, stop), a), 4),)))
    assert kinds(low).count("slice") == 1


def test_every_second_pixel_and_more_channels(rng):
    """The shortcut of a ResNet for CIFAR-10."""
    x = feed((3, 8, 8))
    a = quantise(conv(rng, x, 4), 0.2)
    b = quantise(conv(rng, a, 8, stride=2), 0.31, 5, signed=True)
    half = on(s.Take(2, Constant(np.arange(0, 8, 2))), on(s.Take(1, Constant(np.arange(0, 8, 2))), a))
    short = on(s.Pad((2, 0, 0), (2, 0, 0), 0.0), half)
    low = check(Graph((x,), (quantise(on(s.AddStreams(), b, short), 0.37),)))
    assert not {"slice", "reorder"} & set(kinds(low))


def test_chosen_channels(rng):
    x = feed((3, 6, 5))
    a = quantise(on(batchnorm(rng, (6, 1, 1)), conv(rng, x, 6)), 0.2)
    check(Graph((x,), (conv(rng, on(s.Take(0, Constant(np.array([4, 1, 2]))), a), 4),)))
    shuffled = on(s.Take(0, Constant(np.array([4, 1, 2, 0, 5, 3]))), a)
    assert "slice" not in kinds(check(Graph((x,), (conv(rng, shuffled, 4),))))
    with pytest.raises(LutraError, match="repeats"):
        lower(Graph((x,), (conv(rng, on(s.Take(0, Constant(np.array([4, 4]))), a), 4),)), PIXELS, "xc7")


def test_split_and_shuffle_of_a_residual_unit(rng):
    """As in ShuffleNet: half of the channels pass, half are convolved, and both are shuffled together."""
    x = feed((3, 6, 5))
    a = quantise(conv(rng, x, 6), 0.2)
    left, right = on(s.Slice((0, 0, 0), (3, 6, 5)), a), on(s.Slice((3, 0, 0), (6, 6, 5)), a)
    right = quantise(conv(rng, right, 3), 0.2)
    both = on(s.Concat(0), left, right)
    mixed = on(s.Reshape((6, 6, 5)), on(s.Permute((1, 0, 2, 3)), on(s.Reshape((2, 3, 6, 5)), both)))
    check(Graph((x,), (conv(rng, mixed, 4, groups=2),)))


def test_different_orders_meet(rng):
    x = feed((3, 6, 4))
    a = quantise(conv(rng, x, 4), 0.25)
    b = quantise(conv(rng, x, 16), 0.25)
    wide = on(s.Reshape((4, 6, 4)), on(s.Permute((1, 2, 0)), on(s.Slice((0, 0, 0), (4, 6, 4)), b)))
    check(Graph((x,), (quantise(on(s.AddStreams(), a, wide), 0.5),)))


def test_several_inputs_and_outputs(rng):
    a, b = feed((3, 6, 5), "a"), feed((2, 6, 5), "b")
    p, q = quantise(conv(rng, a, 4), 0.25), quantise(conv(rng, b, 4), 0.25)
    both = quantise(on(s.AddStreams(), p, q), 0.5)
    low = check(Graph((a, b), (conv(rng, both, 3), on(s.Softmax((0,)), p), p)), {"a": PIXELS, "b": BYTES})
    assert [e.source_shape for e in low.inputs] == [(3, 6, 5), (2, 6, 5)]
    assert low.outputs[1].operations == ("softmax",)


@pytest.mark.parametrize("seed", range(4))
def test_zero_points(rng, seed):
    """Asymmetric 8-bit quantisation on both sides of every operator."""
    rng = np.random.default_rng(seed)
    x = feed((3, 8, 8))

    def qdq(node, scale, zero, lo=0, hi=255):
        scale = real(np.float32(scale))
        codes = on(s.QuantizeLinear(scale, real(float(zero)), lo, hi), node)
        return on(s.Mul(scale), on(s.Sub(real(float(zero))), codes))

    a = qdq(conv(rng, x, 4, bits=8), 0.13, 100)
    b = qdq(conv(rng, a, 4, bits=8), 0.7, 3)
    c = qdq(on(s.AddStreams(), a, b), 0.83, 77)
    mean = qdq(on(pool("average", 2, 2), c), 0.5, 13)
    check(Graph((x,), (conv(rng, qdq(on(s.Concat(0), c, b), 0.9, 120), 8, groups=8, bits=8) if seed % 2 else
                       conv(rng, mean, 5, groups=1, bits=8),)), frames=4)


def test_sums_that_cannot_be_aligned_are_refused_by_name(rng):
    x = feed((3, 8, 8))
    a, b = conv(rng, x, 4, bits=8), on(s.Mul(real(np.float32(0.7 ** 0.5))), conv(rng, x, 4, bits=8))
    y = quantise(Node(s.AddStreams(), (a, b), "Add 'meeting' (node 7 of 9)"), 0.4)
    with pytest.raises(LutraError, match="no common divisor") as e:
        lower(Graph((x,), (y,)), PIXELS, "xc7")
    assert "meeting" in str(e.value)


def within(graph, tolerance, given=PIXELS):
    """Lower with an allowed error; the largest difference of the results, and the proofs."""
    low = lower(graph, given, "xc7", Lowering("xc7", tolerance))
    x = np.random.default_rng(0).integers(0, 256, (20, *low.input.source_shape))
    values = low.graph.evaluate(low.input.integers(x))
    wanted = graph.evaluate(low.input.real(x))[graph.outputs[0]]
    return np.abs(low.output.real(values[low.graph.outputs[0]]) - wanted).max(), low.proofs


@pytest.mark.parametrize("tolerance", [0.5, 0.05])
def test_an_allowed_error_is_kept_and_said(rng, tolerance):
    """Sums of unlike scales, unlike channels into a convolution, a convolution of accumulators."""
    x = feed((3, 8, 8))
    a, b = conv(rng, x, 4, bits=8), on(s.Mul(real(np.float32(0.7 ** 0.5))), conv(rng, x, 4, bits=8))
    for join in (s.AddStreams, s.SubStreams):
        error, proofs = within(Graph((x,), (on(join(), a, b),)), tolerance)
        assert 0 < error <= tolerance and max(p.error for p in proofs) == tolerance / 2
    both = on(s.Concat(0), quantise(a, 0.3), quantise(b, np.float32(0.2 ** 0.5)))
    w, q = weights(rng, (3, 8, 1, 1), 1.0, 4)
    flat = on(s.Conv(w, (1, 1), (0, 0), (0, 0), (1, 1), 1, q), both)
    with pytest.raises(LutraError, match="without a common divisor"):
        lower(Graph((x,), (flat,)), PIXELS, "xc7")
    error, proofs = within(Graph((x,), (flat,)), tolerance)
    assert 0 < error <= tolerance * np.abs(w.array).sum(axis=1).max()
    assert max(p.error for p in proofs) == tolerance
    w, q = weights(rng, (2, 4, 1, 1), 1.0, 4)
    soft = on(s.Conv(w, (1, 1), (0, 0), (0, 0), (1, 1), 1, q), on(s.Sigmoid(), on(s.Mul(real(0.01)), a)))
    error, _ = within(Graph((x,), (soft,)), tolerance / 10)
    assert 0 < error <= tolerance / 10 * np.abs(w.array).sum(axis=1).max()


def test_an_exact_network_stays_exact_whatever_is_allowed(rng):
    x = feed((3, 8, 8))
    a = quantise(conv(rng, x, 4), 0.25, 5)
    y = quantise(on(s.AddStreams(), a, quantise(conv(rng, a, 4), 0.31, 5, True)), 0.4, 6, True)
    error, proofs = within(Graph((x,), (y,)), 0.1)
    assert error == 0 and not any(p.error for p in proofs)


def test_a_tolerance_that_needs_too_many_bits_is_refused(rng):
    x = feed((3, 8, 8))
    soft = on(s.Sigmoid(), on(s.Mul(real(0.01)), conv(rng, x, 4, bits=8)))
    with pytest.raises(LutraError, match="bits"):
        within(Graph((x,), (conv(rng, soft, 3),)), 1e-9)


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_quantisers_of_many_bits(rng, bits):
    """Channels that rise and channels that fall, as multiply-shifts."""
    x = feed((3, 6, 6))
    a = on(batchnorm(rng, (6, 1, 1)), conv(rng, x, 6, bits=8))
    low = check(Graph((x,), (conv(rng, on(quant(np.float32(0.0003 * 2.0 ** (16 - bits)), bits), a), 3),)))
    (rescale,) = (n.op for n in low.graph.nodes if n.op.kind == "rescale")
    assert rescale.mul.array.min() < 0 < rescale.mul.array.max()


def test_a_float_in_the_middle_is_refused_by_name(rng):
    x = feed((3, 8, 8))
    a = quantise(conv(rng, x, 4), 0.2)
    soft = Node(s.Softmax((0,)), (a,), "Softmax 'inside' (node 3 of 9)")
    with pytest.raises(LutraError, match="inside"):
        lower(Graph((x,), (conv(rng, soft, 3),)), PIXELS, "xc7")
    with pytest.raises(LutraError, match="inside"):
        lower(Graph((x,), (conv(rng, on(s.AddStreams(), a, soft), 3),)), PIXELS, "xc7")
