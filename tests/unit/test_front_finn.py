"""FINN's hardware layers: what they compute, by hand and against the same network in another form."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lutra.errors import LutraError
from lutra.front import load
from lutra.ir import Range
from lutra.ops import source as src

FINN = "finn.custom_op.fpgadataflow"


def layers(nodes, constants, shape):
    made = [helper.make_node(op, i.split(","), o.split(","), domain=FINN, **attrs) for op, i, o, attrs in nodes]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", shape), ("y", None))]
    stored = [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in constants.items()]
    return helper.make_model(helper.make_graph(made, "g", ends[:1], ends[1:], stored))


def evaluate(model, x):
    return model.graph.evaluate(x)[model.graph.outputs[0]]


def reached(total, rows):
    """How many thresholds of its channel (last axis) each value reaches."""
    return (total[..., None] >= rows).sum(-1)


def test_residual_testcase_by_hand(data, rng):
    path = data / "models/finn/residual_testcase.onnx"
    stored = {t.name: numpy_helper.to_array(t).astype(int) for t in onnx.load(path).graph.initializer}
    x = rng.integers(-8, 8, (3, 32, 32, 16))
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    taps = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    depthwise = np.einsum("nhwcij,cij->nhwc", taps, stored["Conv_3_param0"][:, 0])
    middle = reached(depthwise, stored["MultiThreshold_3_param0"])
    y = reached(middle @ stored["Conv_4_param0"], stored["MultiThreshold_4_param0"]) - 8 + x
    model = load(path)
    assert model.annotation == Range(-8, 7)
    assert np.array_equal(evaluate(model, x), y)
    assert len(np.unique(middle)) == 16


def test_cybersecurity_network_by_hand(data, rng):
    path = data / "models/finn/cybsec_PE_SIMD.onnx"
    stored = {t.name: numpy_helper.to_array(t).astype(int) for t in onnx.load(path).graph.initializer}
    x = y = rng.choice([-1, 1], (2000, 600))
    for i in range(4):
        y = reached(y @ stored[f"MatMul_{i}_param0"], stored[f"MultiThreshold_{i}_param0"])
    model = load(path)
    assert model.annotation == Range(-1, 1, 2)
    assert np.array_equal(evaluate(model, x), 2 * y - 1) and len(np.unique(y)) == 2


def test_windows_and_a_matrix_are_a_convolution(rng):
    x, w = rng.integers(-3, 4, (2, 6, 5, 3)), rng.integers(-3, 4, (2 * 2 * 3, 4))
    attrs = {"ConvKernelDim": [2, 2], "Stride": [2, 1]}
    alone = load(layers([("ConvolutionInputGenerator_rtl", "x", "y", attrs)], {}, (1, 6, 5, 3)))
    nodes = [("ConvolutionInputGenerator_rtl", "x", "p", attrs), ("MVAU_hls", "p,w", "y", {"noActivation": 1})]
    model = load(layers(nodes, {"w": w}, (1, 6, 5, 3)))
    assert [n.op.kind for n in model.graph] == ["input", "permute", "conv", "permute"]
    assert np.array_equal(evaluate(model, x), evaluate(alone, x) @ w)
    assert np.array_equal(evaluate(alone, x)[1, 2, 3], x[1, 4:6, 3:5].ravel())


def test_counting_equal_bits(rng):
    x, w = rng.integers(0, 2, (8, 12)), rng.integers(0, 2, (12, 5))
    rows = np.sort(rng.integers(2, 11, (5, 1)), axis=1)
    nodes = [("MatrixVectorActivation", "x,w,t", "y", {"binaryXnorMode": 1, "outputDataType": "BIPOLAR"})]
    model = load(layers(nodes, {"w": w, "t": rows}, (1, 12)))
    equal = (x[:, :, None] == w[None]).sum(1)
    assert np.array_equal(evaluate(model, x), 2 * reached(equal, rows) - 1)
    product = next(n.op for n in model.graph if isinstance(n.op, src.MatMul))
    assert set(np.unique(product.quant[0].array)) == {-1, 1}


@pytest.mark.parametrize("nodes, constants, message", [
    ([("MVAU", "x,w", "y", {})], {"w": np.full((3, 2), 0.5)}, "the weights are not integers"),
    ([("MVAU", "x,w", "y", {})], {"w": np.ones(3)}, "are no matrix"),
    ([("VVAU", "x,w", "y", {})], {"w": np.ones((3, 1, 2, 2))}, "do not fit what is before them"),
    ([("FMPadding", "x", "y", {"Padding": [1, 1]})], {}, "Padding has 2 numbers instead of 4"),
    ([("ConvolutionInputGenerator", "x", "y", {"ConvKernelDim": [3]})], {}, "ConvKernelDim has 1 numbers"),
    ([("ConvolutionInputGenerator", "x", "p", {"ConvKernelDim": [2, 2]}), ("MVAU", "p,w", "y", {})],
     {"w": np.ones((13, 2))}, "do not fit windows of"),
    ([("MVAU", "x,w,t", "y", {})], {"w": np.ones((3, 2)), "t": np.ones(3)}, "are not \\(channels, levels\\)"),
    ([("StreamingMaxPool", "x", "y", {})], {}, "StreamingMaxPool is not supported"),
])
def test_what_does_not_fit_is_refused(nodes, constants, message):
    with pytest.raises(LutraError, match=message) as e:
        load(layers(nodes, constants, (1, 4, 4, 3)))
    assert e.value.at and e.value.hint
