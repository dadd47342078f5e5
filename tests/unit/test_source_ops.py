"""Each operator of source graphs against results by hand or by other code."""

import numpy as np
import pytest
from scipy import special
from scipy.signal import correlate

from lutra.errors import LutraError
from lutra.ir import REAL, Constant, Input, Node, Tensor
from lutra.ops import source as src
from lutra.ops.source import real


def node(op, shape):
    return Node(op, (Node(Input("x", Tensor(shape, REAL))),), "here")


def apply(op, x):
    """One frame through infer and evaluate."""
    x = np.asarray(x, dtype=np.float64)
    out = node(op, x.shape).out
    y = op.evaluate(x[None])[0]
    assert y.shape == out.shape
    return y


X = [-2.0, -0.5, 0.0, 0.5, 3.0]


@pytest.mark.parametrize("op, expected, slope", [
    (src.Add(real(1.5)), [-0.5, 1.0, 1.5, 2.0, 4.5], 1),
    (src.Sub(real(1.5)), [-3.5, -2.0, -1.5, -1.0, 1.5], 1),
    (src.RSub(real(1.5)), [3.5, 2.0, 1.5, 1.0, -1.5], -1),
    (src.Mul(real(-2.0)), [4.0, 1.0, 0.0, -1.0, -6.0], -1),
    (src.Div(real(4.0)), [-0.5, -0.125, 0.0, 0.125, 0.75], 1),
    (src.Neg(), [2.0, 0.5, 0.0, -0.5, -3.0], -1),
    (src.Relu(), [0.0, 0.0, 0.0, 0.5, 3.0], 1),
    (src.LeakyRelu(real(0.5)), [-1.0, -0.25, 0.0, 0.5, 3.0], 1),
    (src.LeakyRelu(real(-1.0)), [2.0, 0.5, 0.0, 0.5, 3.0], 0),
    (src.Clip(real(-1.0), real(1.0)), [-1.0, -0.5, 0.0, 0.5, 1.0], 1),
    (src.Clip(real(0.0), real(np.inf)), [0.0, 0.0, 0.0, 0.5, 3.0], 1),
    (src.Sign(), [-1.0, -1.0, 0.0, 1.0, 1.0], 1),
    (src.Abs(), [2.0, 0.5, 0.0, 0.5, 3.0], 0),
    (src.Tanh(), np.tanh(X), 1),
    (src.Sigmoid(), special.expit(X), 1),
    (src.BatchNorm(real(-3.0), real(0.25), real(1.0), real(3.0), 1.0), [4.75, 2.5, 1.75, 1.0, -2.75], -1),
    (src.BipolarQuant(real(0.5)), [-0.5, -0.5, 0.5, 0.5, 0.5], 1),
    (src.MultiThreshold(real([-0.5, 0.0, 3.0]), -2.0, 1.0), [1.0, -1.0, -3.0, -3.0, -5.0], -1),
    (src.QuantizeLinear(real(1.0), real(3.0), 0, 5), [1.0, 3.0, 3.0, 3.0, 5.0], 1),
    (src.QuantizeLinear(real(0.25), real(0.0), -3, 127), [-3.0, -2.0, 0.0, 2.0, 12.0], 1),
    (src.Erf(), special.erf(X), 1),
    (src.Gelu(False), X * special.ndtr(X), 0),
    (src.Gelu(True), X * special.expit(np.sqrt(8 / np.pi) * (np.array(X) + 0.044715 * np.power(X, 3))), 0),
    (src.Swish(1.0), X * special.expit(X), 0),
    (src.Swish(-2.0), X * special.expit(-2 * np.array(X)), 0),
    (src.HardSwish(), [-1 / 3, -0.5 * 2.5 / 6, 0.0, 0.5 * 3.5 / 6, 3.0], 0),
    (src.Mish(), X * np.tanh(np.log1p(np.exp(X))), 0),
    (src.Softplus(), np.log1p(np.exp(X)), 1),
    (src.Softsign(), [-2 / 3, -1 / 3, 0.0, 1 / 3, 0.75], 1),
    (src.Elu(2.0, 3.0, 1.0), [6 * np.expm1(-2), 6 * np.expm1(-0.5), 0.0, 1.5, 9.0], 1),
    (src.Elu(0.5, 1.0, 0.5), [0.5 * np.expm1(-4), 0.5 * np.expm1(-1), 0.0, 0.5, 3.0], 1),
    (src.Elu(-1.0, 1.0, 1.0), [-np.expm1(-2), -np.expm1(-0.5), 0.0, 0.5, 3.0], 0),
    (src.Elu(1.0, -1.0, 1.0), [-np.expm1(-2), -np.expm1(-0.5), 0.0, -0.5, -3.0], -1),
    (src.ThresholdedRelu(0.5), [0.0, 0.0, 0.0, 0.0, 3.0], 1),
    (src.ThresholdedRelu(-1.0), [0.0, -0.5, 0.0, 0.5, 3.0], 0),
    (src.Exp(), np.exp(X), 1),
    (src.Log(), [np.nan, np.nan, -np.inf, np.log(0.5), np.log(3)], 1),
    (src.Sqrt(), [np.nan, np.nan, 0.0, np.sqrt(0.5), np.sqrt(3)], 1),
    (src.Reciprocal(), [-0.5, -2.0, np.inf, 2.0, 1 / 3], 0),
    (src.Pow(real(3.0)), [-8.0, -0.125, 0.0, 0.125, 27.0], 1),
    (src.Pow(real(2.0)), [4.0, 0.25, 0.0, 0.25, 9.0], 0),
    (src.Round("FLOOR"), [-2.0, -1.0, 0.0, 0.0, 3.0], 1),
    (src.Round("HALF_EVEN"), [-2.0, 0.0, 0.0, 0.0, 3.0], 1),
])
def test_elementwise(op, expected, slope):
    np.testing.assert_allclose(apply(op, X), expected, rtol=1e-13)
    assert np.all(np.asarray(op.slope()) == slope)
    assert op.finite == (type(op) in (src.Sign, src.BipolarQuant, src.MultiThreshold, src.QuantizeLinear))
    assert op.with_params(*op.params()) == op


def test_sigmoid_and_softmax_do_not_overflow():
    far = [-1e4, -800.0, 800.0, 1e4]
    assert np.array_equal(apply(src.Sigmoid(), far), [0.0, 0.0, 1.0, 1.0])
    assert np.array_equal(apply(src.Softmax((0,)), far), [0.0, 0.0, 0.0, 1.0])


def test_softmax_and_its_logarithm():
    x = np.random.default_rng(0).normal(size=(3, 4, 5))
    np.testing.assert_allclose(apply(src.Softmax((1,)), x), special.softmax(x, axis=1), rtol=1e-12)
    np.testing.assert_allclose(apply(src.LogSoftmax((1, 2)), x), special.log_softmax(x, axis=(1, 2)), rtol=1e-12)


def test_parameters_of_channels_broadcast_and_are_replaced():
    x = np.arange(12.0).reshape(3, 2, 2)
    op = src.Mul(real(np.array([1.0, -2.0, 3.0]).reshape(3, 1, 1)))
    assert np.array_equal(apply(op, x), x * [[[1]], [[-2]], [[3]]])
    assert np.array_equal(op.slope().ravel(), [1, -1, 1])
    assert np.array_equal(op.with_params(np.array([1.0, 0.0])).apply(x[:, :, 0]), x[:, :, 0] * [1.0, 0.0])
    many = src.MultiThreshold(real(np.arange(6.0).reshape(2, 3, 1, 1)), 1.0, 0.0)
    assert [p.shape for p in many.params()] == [(3, 1, 1)] * 2
    assert many.with_params(*many.params()) == many


@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 3, 2, 2), (4, 1, 1)])
def test_a_parameter_that_does_not_fit_is_refused(shape):
    with pytest.raises(LutraError, match="does not fit a tensor of shape \\(3, 2, 2\\)") as e:
        node(src.Add(real(np.ones(shape))), (3, 2, 2))
    assert e.value.at == "here" and e.value.hint


def test_matmul_takes_the_last_axis():
    rng = np.random.default_rng(1)
    w, x = rng.normal(size=(4, 3)), rng.normal(size=(2, 4))
    np.testing.assert_allclose(apply(src.MatMul(real(w)), x), [[sum(x[i, k] * w[k, m] for k in range(4))
                                                                for m in range(3)] for i in range(2)])
    with pytest.raises(LutraError, match="do not fit a tensor of shape \\(5,\\)"):
        node(src.MatMul(real(w)), (5,))


def conv_by_hand(x, w, op):
    """Valid correlations of padded, dilated kernels, by scipy."""
    m, c = w.shape[:2]
    padded = np.pad(x, [(0, 0), *zip(op.before, op.after, strict=True)])
    spread = np.zeros((m, c, *((k - 1) * d + 1 for k, d in zip(op.kernel, op.dilation, strict=True))))
    spread[(slice(None), slice(None), *(slice(None, None, d) for d in op.dilation))] = w
    per = m // op.groups
    full = [sum(correlate(padded[i // per * c + j], spread[i, j], "valid", "direct") for j in range(c))
            for i in range(m)]
    return np.stack(full)[(slice(None), *(slice(None, None, s) for s in op.stride))]


@pytest.mark.parametrize("channels, results, groups, size, kernel, stride, before, after, dilation", [
    (3, 4, 1, (8, 7), (3, 3), (1, 1), (0, 0), (0, 0), (1, 1)),
    (3, 4, 1, (8, 7), (3, 2), (2, 3), (1, 0), (2, 1), (1, 2)),
    (4, 4, 4, (6, 6), (3, 3), (1, 1), (1, 1), (1, 1), (1, 1)),
    (4, 6, 2, (6, 6), (1, 1), (1, 1), (0, 0), (0, 0), (1, 1)),
    (2, 5, 1, (11,), (4,), (3,), (2,), (1,), (2,)),
    (1, 1, 1, (1, 1), (3, 3), (1, 1), (1, 1), (1, 1), (1, 1)),
])
def test_conv(channels, results, groups, size, kernel, stride, before, after, dilation):
    rng = np.random.default_rng(2)
    w, x = rng.normal(size=(results, channels // groups, *kernel)), rng.normal(size=(channels, *size))
    op = src.Conv(real(w), stride, before, after, dilation, groups)
    np.testing.assert_allclose(apply(op, x), conv_by_hand(x, w, op), atol=1e-12)


def test_a_batch_in_chunks_is_the_same(monkeypatch):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(7, 2, 5, 5))
    conv = src.Conv(real(rng.normal(size=(3, 2, 3, 3))), (1, 1), (1, 1), (1, 1), (1, 1))
    pool = src.MaxPool((2, 2), (2, 2), (0, 0), (0, 0), (1, 1))
    whole = conv.evaluate(x), pool.evaluate(x)
    monkeypatch.setattr("lutra.ops.source.window.CHUNK", 900)
    assert np.array_equal(conv.evaluate(x), whole[0])
    assert np.array_equal(pool.evaluate(x), whole[1])
    assert conv.evaluate(x[:0]).shape == (0, 3, 5, 5)


def conv_3x3(stride):
    return src.Conv(real(np.ones((4, 3, 3, 3))), stride, (0, 0), (0, 0), (1, 1))


def transposed(stride=(1, 1), after=(0, 0)):
    return src.ConvTranspose(real(np.ones((2, 1, 3, 3))), stride, (0, 0), after, (1, 1))


@pytest.mark.parametrize("op, shape, message", [
    (conv_3x3((1, 1)), (3, 2, 9), "a kernel of 3 .* larger than 2"),
    (conv_3x3((1, 1)), (2, 9, 9), "groups of 3 channels"),
    (conv_3x3((1, 1)), (27,), "do not fit a tensor"),
    (conv_3x3((0, 1)), (3, 9, 9), "stride 0"),
    (src.MaxPool((2, 2), (1, 1), (0, -1), (0, 0), (1, 1)), (3, 9, 9), "padding -1"),
    (src.Permute((0, 0)), (3, 4), "does not order the axes"),
    (src.Pad((1,), (1,), 0.0), (3, 4), "does not fit a tensor"),
    (src.Pad((-1, 0), (1, 0), 0.0), (3, 4), "does not fit a tensor"),
    (src.TopK(5, 0, True), (4,), "k=5 is not between 1 and the 4"),
    (src.Reshape((5,)), (2, 2), "4 elements do not fill"),
    (src.Slice((1,), (1,)), (4,), "empty or outside"), (src.Slice((0,), (5,)), (4,), "empty or outside"),
    (src.Take(0, Constant(np.array([4]))), (4,), "index 4 does not exist in 4 elements"),
    (src.DepthToSpace(2, "DCR"), (6, 2, 2), "6 channels make no blocks of 2"),
    (src.SpaceToDepth(2), (6, 2, 3), "2 rows and 3 columns make no blocks of 2"), (src.SpaceToDepth(1), (6,), "is not"),
    (transposed(), (3, 2, 2), "do not fit 3 channels"), (transposed(after=(9, 9)), (2, 2, 2), "leave nothing"),
    (transposed(stride=(0, 1)), (2, 2, 2), "stride"), (transposed(), (2, 2), "do not fit a tensor"),
])
def test_what_does_not_fit_is_refused(op, shape, message):
    with pytest.raises(LutraError, match=message):
        node(op, shape)


def test_maxpool_never_takes_padding():
    x = -np.arange(1.0, 17).reshape(1, 4, 4)
    op = src.MaxPool((3, 2), (2, 2), (1, 0), (0, 1), (1, 1))
    assert np.array_equal(apply(op, x), [[[-1, -3], [-5, -7]]])
    assert np.array_equal(apply(src.MaxPool((2,), (1,), (0,), (0,), (3,)), [[1, 9, 2, 8, 3]]), [[8, 9]])


def two(op, a, b):
    """One frame of two streams through infer and evaluate."""
    args = [np.asarray(v, np.float64) for v in (a, b)]
    out = Node(op, tuple(Node(Input("x", Tensor(v.shape, REAL))) for v in args), "here").out
    y = op.evaluate(*(v[None] for v in args))[0]
    assert y.shape == out.shape
    return y


@pytest.mark.parametrize("op, function", [
    (src.AddStreams(), np.add), (src.SubStreams(), np.subtract), (src.MulStreams(), np.multiply)])
@pytest.mark.parametrize("a, b", [((3, 2, 4), (3, 2, 4)), ((3, 2, 4), (3, 1, 1)), ((4,), (3, 2, 4)), ((1,), (5,))])
def test_two_streams_broadcast(op, function, a, b, rng):
    a, b = rng.normal(size=a), rng.normal(size=b)
    assert np.array_equal(two(op, a, b), function(a, b))
    batch = [rng.normal(size=(5, *v.shape)) for v in (a, b)]
    assert np.array_equal(op.evaluate(*batch), np.stack([function(*f) for f in zip(*batch, strict=True)]))


def test_streams_that_do_not_fit():
    for op in (src.AddStreams(), src.Concat(0)):
        with pytest.raises(LutraError, match="\\(3, 2\\) and \\(3, 4\\)"):
            two(op, np.ones((3, 2)), np.ones((3, 4)))


def test_concat_and_slice():
    a, b = np.arange(6.0).reshape(1, 2, 3), np.arange(8.0, 12).reshape(1, 2, 2)
    joined = two(src.Concat(2), a, b)
    assert np.array_equal(joined, np.concatenate([a, b], axis=2))
    assert np.array_equal(apply(src.Slice((0, 0, 3), (1, 2, 5)), joined), b)
    assert np.array_equal(apply(src.Take(1, Constant(np.array([1, 0, 1]))), a), a[:, [1, 0, 1]])


def test_upsample_repeats():
    assert np.array_equal(apply(src.Upsample((1, 2, 3)), [[[1, 2], [3, 4]]]),
                          np.kron([[1, 2], [3, 4]], np.ones((2, 3)))[None])


def test_depth_and_space():
    x = np.arange(2 * 9 * 2 * 3.0).reshape(18, 2, 3)
    for mode, channel in (("DCR", lambda c, i, j: (i * 3 + j) * 2 + c), ("CRD", lambda c, i, j: (c * 3 + i) * 3 + j)):
        y = apply(src.DepthToSpace(3, mode), x)
        for c, i, j in np.ndindex(2, 3, 3):
            assert np.array_equal(y[c, i::3, j::3], x[channel(c, i, j)])
    assert np.array_equal(apply(src.SpaceToDepth(3), apply(src.DepthToSpace(3, "DCR"), x)), x)


def test_average_counts_what_it_is_told():
    x = np.arange(1.0, 6).reshape(1, 5)
    plain = src.AveragePool((3,), (2,), (1,), (2,), (1,), (0,), (0,))
    assert np.array_equal(plain.divisor((5,)), [2, 3, 2])
    assert np.array_equal(apply(plain, x), [[1.5, 3, 4.5]])
    counted = src.AveragePool((3,), (2,), (1,), (2,), (1,), (1,), (1,))
    assert np.array_equal(apply(counted, x), [[1, 3, 3]])
    ragged = src.AveragePool((3,), (2,), (0,), (2,), (1,), (0,), (1,))  # the last window hangs over what is padded
    assert np.array_equal(ragged.divisor((5,)), [3, 3, 2])
    with pytest.raises(LutraError, match="lies in the padding altogether"):
        apply(src.AveragePool((1,), (1,), (1,), (0,), (1,), (0,), (0,)), x)


def test_the_divisor_is_how_many_elements_of_each_window_count(rng):
    for _ in range(300):
        n, kernel, stride, dilation = (int(v) for v in rng.integers(1, [12, 5, 4, 4]))
        before, after = (int(v) for v in rng.integers(0, 4, 2))
        counted = int(rng.integers(0, before + 1)), int(rng.integers(0, after + 1))
        reach = (kernel - 1) * dilation + 1
        if n + before + after < reach:
            continue
        op = src.AveragePool((kernel,), (stride,), (before,), (after,), (dilation,), counted[:1], counted[1:])
        counts = np.zeros(before + n + after, int)
        counts[before - counted[0] : before + n + counted[1]] = 1
        starts = range(0, len(counts) - reach + 1, stride)
        assert op.divisor((n,)).tolist() == [counts[i : i + reach : dilation].sum() for i in starts]


def transposed_by_hand(x, w, op):
    """Each element spreads its kernel, as ONNX defines it."""
    c, m = w.shape[:2]
    size = op.infer(Tensor(x.shape, REAL)).shape[1:]
    y = np.zeros((m * op.groups, *size))
    for i, j in np.ndindex(c, m):
        for place in np.ndindex(x.shape[1:]):
            for tap in np.ndindex(op.kernel):
                at = tuple(p * s + k * d - b for p, s, k, d, b in zip(place, op.stride, tap, op.dilation, op.before,
                                                                     strict=True))
                if all(0 <= a < n for a, n in zip(at, size, strict=True)):
                    y[(i // (c // op.groups) * m + j, *at)] += x[(i, *place)] * w[(i, j, *tap)]
    return y


@pytest.mark.parametrize("channels, results, groups, size, kernel, stride, before, after, dilation", [
    (3, 2, 1, (4, 3), (3, 3), (2, 2), (1, 1), (0, 0), (1, 1)),
    (4, 3, 2, (3, 2), (2, 3), (1, 2), (0, 1), (1, 2), (2, 1)),
    (2, 1, 2, (5,), (2,), (3,), (0,), (-2,), (1,)),
    (1, 1, 1, (2, 2), (1, 1), (3, 2), (0, 0), (-1, -1), (1, 1)),
])
def test_conv_transpose(channels, results, groups, size, kernel, stride, before, after, dilation, rng):
    ints = rng.integers(-3, 4, (channels, results, *kernel))
    scale = rng.uniform(0.1, 1, (1, results, *(1,) * len(kernel)))
    x = rng.integers(-3, 4, (channels, *size))
    quant = Constant(ints), real(scale)
    op = src.ConvTranspose(real(ints * scale), stride, before, after, dilation, groups, quant)
    np.testing.assert_allclose(apply(op, x), transposed_by_hand(x, ints * scale, op), atol=1e-12)
    assert np.array_equal(op.conv.quant[0].array * op.conv.quant[1].array, op.conv.weights.array)


def test_permute_and_pad():
    x = np.arange(6.0).reshape(1, 2, 3)
    assert np.array_equal(apply(src.Permute((2, 0, 1)), x), x.transpose(2, 0, 1))
    assert np.array_equal(apply(src.Pad((0, 1), (0, 2), 9.0), [[1, 2], [3, 4]]), [[9, 1, 2, 9, 9], [9, 3, 4, 9, 9]])


def test_ties_go_to_the_lower_index():
    x = [[1.0, 5.0, 5.0, 2.0], [7.0, 0.0, 7.0, 7.0]]
    assert np.array_equal(apply(src.ArgMax(1), x), [[1], [0]])
    assert np.array_equal(apply(src.ArgMax(0), x), [[1, 0, 1, 1]])
    assert np.array_equal(apply(src.TopK(3, 1, True), x), [[1, 2, 3], [0, 2, 3]])
    assert np.array_equal(apply(src.TopK(2, 1, False), x), [[5.0, 5.0], [7.0, 7.0]])
    assert apply(src.TopK(2, 1, True), x).dtype == np.int64


def test_operators_are_found_by_the_text_form():
    names = {op.__name__ for op in src.operators()}
    assert {"Add", "Quant", "Conv", "Reshape", "TopK"} <= names
    assert not names & {"Elementwise", "SourceOp"}


def test_weights_are_compared_by_content():
    a, b = (src.MatMul(real(np.eye(2)), (Constant(np.eye(2, dtype=np.int64)), real(1.0))) for _ in range(2))
    assert a == b and hash(a) == hash(b)
    assert a != src.MatMul(real(np.eye(2)))
