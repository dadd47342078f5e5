"""Import of ONNX's linear quantisation and integer operators: exact integers, against the onnx package and by hand."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx_models import evaluate, frames, model, node

from lutra.front import load
from lutra.ir import Range
from lutra.ops import source as src
from lutra.ops.source import real

U8, S8 = np.uint8, np.int8
X = np.arange(-40, 41, dtype=np.float32)[None] / 8  # ties among them at every scale below


def small(kind, values):
    """A tensor of a type that NumPy lacks."""
    values = np.asarray(values)
    return helper.make_tensor("t", kind, values.shape, values.ravel())


@pytest.mark.parametrize("zero, lo, hi", [
    (U8(3), 0, 255), (S8(-2), -128, 127), (np.uint16(300), 0, 65535), (np.int16(-5), -32768, 32767),
    (small(TensorProto.INT4, 1), -8, 7), (small(TensorProto.UINT4, 7), 0, 15), (small(TensorProto.INT2, 0), -2, 1),
    (small(TensorProto.UINT2, 2), 0, 3),
])
@pytest.mark.parametrize("scale", [0.25, 0.5, 0.03125])
def test_quantise_and_dequantise_equal_the_reference(zero, lo, hi, scale):
    nodes = [node("QuantizeLinear", "x,s,z", "q"), node("DequantizeLinear", "q,s,z")]
    loaded = load(model(nodes, {"s": scale, "z": zero}, (1, 81), 25))
    offset = float(numpy_helper.to_array(zero) if isinstance(zero, TensorProto) else zero)
    quantiser = next(n for n in loaded.graph if isinstance(n.op, src.QuantizeLinear))
    assert quantiser.op == src.QuantizeLinear(real(scale), real(offset), lo, hi) and quantiser.op.finite
    q = loaded.graph.evaluate(X)[quantiser]
    assert np.array_equal(q, np.clip(np.rint(X.astype(np.float64) / scale) + offset, lo, hi))
    assert np.array_equal(evaluate(loaded, X), (q - offset) * scale)
    if not isinstance(zero, TensorProto):
        proto = model(nodes[:1], {"s": scale, "z": zero}, (1, 81), 21, ("q",))
        assert np.array_equal(q, ReferenceEvaluator(proto).run(None, {"x": X})[0])


@pytest.mark.parametrize("attrs, opset, hi", [
    ({}, 10, 255), ({}, 13, 255), ({"output_dtype": TensorProto.INT16}, 21, 32767),
    ({"output_dtype": TensorProto.INT2}, 25, 1),
])
def test_without_a_zero_point_the_type_is_stated_or_uint8(attrs, opset, hi):
    loaded = load(model([node("QuantizeLinear", "x,s", **attrs)], {"s": 0.5}, (1, 4), opset))
    assert loaded.graph.outputs[0].op.hi == hi


def test_the_type_of_dequantised_numbers_says_nothing_of_the_integers():
    nodes = [node("QuantizeLinear", "x,s,z", "q", output_dtype=TensorProto.INT8),
             node("DequantizeLinear", "q,s,z", output_dtype=TensorProto.FLOAT)]
    loaded = load(model(nodes, {"s": 0.5, "z": S8(1)}, (1, 81), 25))
    assert np.array_equal(evaluate(loaded, X), (np.clip(np.rint(X / 0.5) + 1, -128, 127) - 1) * 0.5)


def test_a_zero_point_of_nothing_may_be_left_out_of_one_of_the_two():
    nodes = [node("QuantizeLinear", "x,s,z", "q"), node("DequantizeLinear", "q,s")]
    loaded = load(model(nodes, {"s": 0.5, "z": S8(0)}, (1, 81), 13))
    assert np.array_equal(evaluate(loaded, X), np.clip(np.rint(X / 0.5), -128, 127) * 0.5)


def test_an_image_of_bytes_scaled_in_the_model():
    nodes = [node("Cast", "x", "f", to=1), node("Mul", "f,s")]
    loaded = load(model(nodes, {"s": 1 / 256}, ("N", 3, 2, 2), 13, kinds={"x": TensorProto.UINT8}))
    assert loaded.annotation == Range(0, 255)
    x = integers_of((2, 3, 2, 2), U8)
    assert np.array_equal(evaluate(loaded, x), x / 256)


def test_channels_have_scales_of_their_own():
    constants = {"s": [0.5, 0.25], "z": np.array([1, -1], S8)}
    nodes = [node("QuantizeLinear", "x,s,z", "q", axis=1), node("DequantizeLinear", "q,s,z", axis=-2)]
    x = frames((2, 5), 3)
    scale, zero = np.array([[0.5], [0.25]]), np.array([[1], [-1]])
    y = evaluate(load(model(nodes, constants, ("N", 2, 5), 13)), x)
    assert np.array_equal(y, (np.clip(np.rint(x / scale) + zero, -128, 127) - zero) * scale)


def test_a_clip_after_quantisation_narrows_it():
    nodes = [node("QuantizeLinear", "x,s,z", "q"), node("Clip", "q,lo,hi", "c"), node("DequantizeLinear", "c,s,z")]
    constants = {"s": 0.5, "z": S8(0), "lo": S8(-7), "hi": S8(7)}
    loaded = load(model(nodes, constants, (1, 81), 13))
    assert [n.op.kind for n in loaded.graph] == ["input", "quantizelinear", "mul"]
    assert loaded.graph.nodes[1].op == src.QuantizeLinear(real(0.5), real(0.0), -7, 7)
    assert np.array_equal(evaluate(loaded, X), np.clip(np.rint(X / 0.5), -7, 7) * 0.5)


WEIGHTS = np.random.default_rng(3).integers(-128, 128, (4, 3, 2, 2)).astype(S8)
SCALES = np.array([0.1, 0.7, 0.03, 1.3], np.float32)


def product(nodes, constants, shape=(1, 3, 4, 4)):
    graph = load(model([*nodes, node("Conv", "x,w")], constants, shape, 21)).graph
    return next(n.op for n in graph if isinstance(n.op, src.Conv))


def test_weights_keep_their_integers_and_scales():
    dequantise = [node("DequantizeLinear", "i,s,z", "w", axis=0)]
    zero = np.array([0, 3, -5, 1], S8)
    op = product(dequantise, {"i": WEIGHTS, "s": SCALES, "z": zero})
    integers, scale = (c.array for c in op.quant)
    assert integers.dtype == np.int64 and scale.shape == (4, 1, 1, 1)
    assert np.array_equal(integers, WEIGHTS.astype(int) - zero.reshape(4, 1, 1, 1))
    assert np.array_equal(scale.ravel(), SCALES.astype(float)) and np.array_equal(integers * scale, op.weights.array)


def test_weights_of_four_bits_per_tensor():
    four = np.arange(-8, 8).repeat(3).reshape(4, 3, 2, 2)
    op = product([node("DequantizeLinear", "i,s", "w")], {"i": small(TensorProto.INT4, four), "s": 0.5})
    assert np.array_equal(op.quant[0].array, four) and op.quant[1].array.size == 1


def test_float_weights_through_quantise_clip_dequantise_are_folded():
    float_weights = (WEIGHTS / 64).astype(np.float32)
    nodes = [node("QuantizeLinear", "f,s,z", "q", axis=0), node("Clip", "q,lo,hi", "c"),
             node("DequantizeLinear", "c,s,z", "w", axis=0)]
    constants = {"f": float_weights, "s": SCALES, "z": np.zeros(4, S8), "lo": S8(-7), "hi": S8(7)}
    op = product(nodes, constants)
    expected = np.clip(np.rint(float_weights / SCALES.astype(float).reshape(4, 1, 1, 1)), -7, 7)
    assert np.array_equal(op.quant[0].array, expected)


def test_the_largest_weight_on_a_tie_is_quantised_as_single_precision_does():
    """max / 127.5 as scale: x / scale is a tie in single precision, and on either side of one in double."""
    largest = np.random.default_rng(5).uniform(0.5, 2, 200).astype(np.float32)
    scales = (largest / np.float32(127.5)).astype(np.float32)
    wanted = np.clip(np.rint(largest / scales), -128, 127)
    assert (np.rint(largest.astype(float) / scales) != np.rint(largest / scales)).any()
    for sign in (1, -1):
        constants = {"f": sign * largest.reshape(-1, 1), "s": scales, "z": np.zeros(200, S8)}
        nodes = [node("QuantizeLinear", "f,s,z", "q", axis=0), node("DequantizeLinear", "q,s,z", "w", axis=0),
                 node("Transpose", "w", "t"), node("MatMul", "x,t")]
        op = load(model(nodes, constants, (1, 1), 13)).graph.outputs[0].op
        expected = ReferenceEvaluator(model(nodes[:1], constants, (1, 1), 13, ("q",))).run(None, {"x": [[0]]})[0]
        assert np.array_equal(op.quant[0].array.T, expected)
        assert sign < 0 or np.array_equal(expected.ravel(), wanted)


def test_bias_of_int32_is_exact():
    nodes = [node("DequantizeLinear", "i,s", "w", axis=0), node("DequantizeLinear", "j,t", "b"), node("Conv", "x,w,b")]
    bias = np.array([2**20 + 1, -3, 7, 0], np.int32)
    loaded = load(model(nodes, {"i": WEIGHTS, "s": SCALES, "j": bias, "t": [0.03]}, (1, 3, 4, 4), 13))
    assert np.array_equal(loaded.graph.outputs[0].op.value.array.ravel(), bias * float(np.float32(0.03)))


def integers_of(shape, kind, seed=0):
    info = np.iinfo(kind)
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(kind)


def fed(op, inputs, constants, shape, kind, outputs="y", **attrs):
    """An operator on integer inputs: what the package makes of it, and ours."""
    proto = model([node(op, inputs, outputs, **attrs)], constants, {"x": (2, *shape)}, 13,
                  kinds={"x": helper.np_dtype_to_tensor_dtype(np.dtype(kind))})
    loaded = load(proto)
    x = integers_of((2, *shape), kind, 7)
    assert loaded.annotation == Range(np.iinfo(kind).min, np.iinfo(kind).max)
    return evaluate(loaded, x), np.asarray(ReferenceEvaluator(proto).run(None, {"x": x})[0]).astype(np.int64), loaded


@pytest.mark.parametrize("kind, zero", [(U8, 113), (S8, -7)])
@pytest.mark.parametrize("per_channel", [False, True])
def test_integer_convolution_and_product(kind, zero, per_channel):
    constants = {"w": integers_of((4, 3, 2, 2), S8), "a": kind(zero), "b": S8(0)}
    y, expected, loaded = fed("ConvInteger", "x,w,a,b", constants, (3, 5, 5), kind, pads=[1, 1, 1, 1], strides=[2, 2])
    assert np.array_equal(y, expected)
    assert np.array_equal(loaded.graph.outputs[0].op.quant[0].array, constants["w"])
    columns = np.array([1, -3, 0], S8) if per_channel else S8(5)
    constants = {"w": integers_of((6, 3), S8), "a": kind(zero), "b": columns}
    y, expected, _ = fed("MatMulInteger", "x,w,a,b", constants, (6,), kind)
    x = integers_of((2, 6), kind, 7).astype(int)
    assert np.array_equal(y, (x - zero) @ (constants["w"].astype(int) - columns))
    assert per_channel or np.array_equal(y, expected)


@pytest.mark.parametrize("kind, zero", [(U8, 113), (S8, -7)])
def test_quantised_convolution_and_product(kind, zero):
    scales = {"xs": np.float32(0.25), "xz": kind(zero), "ys": np.float32(2.0), "yz": kind(zero + 3)}
    constants = {**scales, "w": integers_of((4, 3, 2, 2), S8), "ws": np.array([0.5, 0.25, 0.125, 2.0], np.float32),
                 "wz": np.zeros(4, S8), "b": np.array([100, -4000, 7, 0], np.int32)}
    y, _, loaded = fed("QLinearConv", "x,xs,xz,w,ws,wz,ys,yz,b", constants, (3, 5, 5), kind, pads=[1, 1, 0, 0])
    x = integers_of((2, 3, 5, 5), kind, 7).astype(int) - zero
    padded = np.pad(x, [(0, 0), (0, 0), (1, 0), (1, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2, 2), axis=(2, 3))
    total = np.einsum("nchwij,mcij->nmhw", windows, constants["w"].astype(int)) + constants["b"].reshape(-1, 1, 1)
    real_sum = total * 0.25 * constants["ws"].reshape(-1, 1, 1) / 2.0
    info = np.iinfo(kind)
    assert np.array_equal(y, np.clip(np.rint(real_sum) + zero + 3, info.min, info.max))
    assert [n.op.kind for n in loaded.graph] == ["input", "sub", "mul", "conv", "add", "quantizelinear"]

    constants = {**scales, "w": integers_of((6, 3), S8), "ws": np.float32(0.125), "wz": S8(0)}
    y, expected, _ = fed("QLinearMatMul", "x,xs,xz,w,ws,wz,ys,yz", constants, (6,), kind)
    assert np.array_equal(y, expected)
