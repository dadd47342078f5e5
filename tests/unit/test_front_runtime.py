"""Import of what the onnx package's reference implementation lacks, against ONNX Runtime: its own integer operators."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnx_models import evaluate, frames, model, node

from lutra.front import load

U8, S8 = np.uint8, np.int8
OURS = "com.microsoft"


def ran(proto, feed):
    proto.ir_version = 9
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(proto.SerializeToString(), options).run(None, feed)[0]


def integers(shape, kind, seed):
    info = np.iinfo(kind)
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(kind)


def quantised(kind, **scales):
    """Scales, powers of two so that single precision is exact, and zero points for each name."""
    points = {f"{n}s": np.float32(s) for n, s in scales.items()}
    return points | {f"{n}z": kind(np.iinfo(kind).min + 120 + 3 * i) for i, n in enumerate(scales)}


AVERAGE = {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}
CASES = [  # operator, inputs, attributes, further constants, shapes of the inputs
    ("QLinearAdd", "x,xs,xz,w,ws,wz,ys,yz", {}, {}, {"x": (3, 4), "w": (3, 4)}),
    ("QLinearAdd", "x,xs,xz,w,ws,wz,ys,yz", {}, {"w": 7}, {"x": (3, 4)}),
    ("QLinearMul", "x,xs,xz,w,ws,wz,ys,yz", {}, {}, {"x": (3, 4, 5), "w": (3, 1, 1)}),
    ("QLinearConcat", "ys,yz,x,xs,xz,w,ws,wz", {"axis": 1}, {}, {"x": (3, 4), "w": (5, 4)}),
    ("QLinearAveragePool", "x,xs,xz,ys,yz", AVERAGE, {}, {"x": (2, 6, 5)}),
    ("QLinearAveragePool", "x,xs,xz,ys,yz", {**AVERAGE, "count_include_pad": 1}, {}, {"x": (2, 6, 5)}),
    ("QLinearGlobalAveragePool", "x,xs,xz,ys,yz", {}, {}, {"x": (2, 6, 5)}),
    ("QLinearLeakyRelu", "x,xs,xz,ys,yz", {"alpha": 0.25}, {}, {"x": (20,)}),
    ("QLinearSigmoid", "x,xs,xz,ps,yz", {}, {"ps": np.float32(1 / 256)}, {"x": (20,)}),
]


@pytest.mark.parametrize("op, inputs, attrs, more, shapes", CASES, ids=lambda v: v if isinstance(v, str) else "")
@pytest.mark.parametrize("kind", [U8, S8])
def test_operators_of_onnx_runtime(op, inputs, attrs, more, shapes, kind):
    more = {k: kind(v) if isinstance(v, int) else v for k, v in more.items()}
    constants = {**quantised(kind, x=0.125, w=0.03125, y=0.25), **more}
    constants = {k: v for k, v in constants.items() if k in inputs.split(",")}
    stored = TensorProto.UINT8 if kind is U8 else TensorProto.INT8
    proto = model([node(op, inputs, domain=OURS, **attrs)], constants, {n: (4, *s) for n, s in shapes.items()}, 17,
                  kinds=dict.fromkeys(shapes, stored))
    proto.graph.output[0].type.tensor_type.elem_type = stored
    feed = {n: integers((4, *s), kind, i) for i, (n, s) in enumerate(shapes.items())}
    expected = ran(proto, feed).astype(np.int64)
    y = evaluate(load(proto), *feed.values())
    assert len(np.unique(y)) > 4
    assert np.array_equal(y, expected)


@pytest.mark.parametrize("real_output", [False, True])
def test_qgemm(real_output):
    names = "x,xs,xz,w,ws,wz,b" + ("" if real_output else ",ys,yz")
    constants = {**quantised(U8, x=0.125, y=16.0), "w": integers((3, 6), S8, 1), "wz": np.zeros(3, S8),
                 "ws": np.array([0.5, 0.25, 2.0], np.float32), "b": np.array([5, -600, 70], np.int32)}
    constants = {k: v for k, v in constants.items() if k in names.split(",")}
    proto = model([node("QGemm", names, domain=OURS, transB=1, alpha=0.5)], constants, (4, 6), 17,
                  kinds={"x": TensorProto.UINT8})
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT if real_output else TensorProto.UINT8
    x = integers((4, 6), U8, 0)
    assert np.array_equal(evaluate(load(proto), x), ran(proto, {"x": x}))


WIDE = np.random.default_rng(2).integers(-2, 3, (4, 3, 3, 2)).astype(np.float32)


@pytest.mark.parametrize("op, inputs, attrs, constants, shape, opset", [
    ("ConvTranspose", "x,w", {"group": 2, "dilations": [2, 1], "strides": [2, 3]}, {"w": WIDE}, (4, 3, 5), 11),
    ("ConvTranspose", "x,w", {"strides": [2], "auto_pad": "SAME_LOWER"}, {"w": WIDE[..., 0]}, (4, 5), 11),
    ("Resize", "x,s", {}, {"s": [1.0, 1.0, 2.0, 3.0]}, (2, 2, 3), 10),
    ("Resize", "x,,s", {"nearest_mode": "round_prefer_ceil"}, {"s": [1.0, 1.0, 2.0, 3.0]}, (2, 2, 3), 13),
    ("AveragePool", "x", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1,
                          "count_include_pad": 1}, {}, (2, 6, 8), 19),
])
def test_operators_of_onnx(op, inputs, attrs, constants, shape, opset):
    proto = model([node(op, inputs, **attrs)], constants, (3, *shape), opset)
    x = frames(shape, 3)
    np.testing.assert_allclose(evaluate(load(proto), x), ran(proto, {"x": x}), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", [np.int16, np.uint16])
def test_wide_quantisers_of_its_own_domain(kind):
    nodes = [node("QuantizeLinear", "x,s,z", "q", domain=OURS), node("DequantizeLinear", "q,s,z", domain=OURS)]
    proto = model(nodes, {"s": 0.25, "z": kind(100)}, (3, 5), 17)
    x = frames((5,), 3) / 2
    assert np.array_equal(evaluate(load(proto), x), ran(proto, {"x": x}))


def test_four_bits_as_stored():
    four = helper.make_tensor("t", TensorProto.INT4, (2, 3), [-8, 7, 1, 0, -1, 5])
    proto = model([node("DequantizeLinear", "i,s", "w", axis=0), node("MatMul", "x,w")],
                  {"i": four, "s": [0.5, 2.0]}, (3, 2), 21)
    x = frames((2,), 3)
    assert np.array_equal(evaluate(load(proto), x), ran(proto, {"x": x}))
