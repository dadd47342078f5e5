"""Import of every operator and form of it, against the reference implementation of the onnx package."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx_models import LAST, RNG, Q, W, const, evaluate, frames, model, node, reference
from scipy.special import log_softmax, softmax

from lutra.front import load
from lutra.ir import Range
from lutra.ops import source as src

CASES = [  # operator, inputs, attributes, constants, frame shape, opsets
    ("Add", "x,c", {}, {"c": W[:, 0]}, (3, 4), (7, 14)),
    ("Add", "c,x", {}, {"c": W.reshape(1, 4, 3)[:, :, :1]}, (4, 5), (13,)),
    ("Sub", "x,c", {}, {"c": 1.5}, (4,), (13,)), ("Sub", "c,x", {}, {"c": [1.5]}, (4,), (13,)),
    ("Mul", "x,c", {}, {"c": [-2.0]}, (4,), (13,)), ("Div", "x,c", {}, {"c": [[4.0, 2.0, 1.0, -1.0]]}, (4,), (13,)),
    ("Max", "x,c", {}, {"c": 0.5}, (4,), (13,)), ("Min", "c,x", {}, {"c": 0.5}, (4,), (13,)),
    ("Relu", "x", {}, {}, (4,), (7, 14)), ("Neg", "x", {}, {}, (4,), (13,)), ("Abs", "x", {}, {}, (4,), (13,)),
    ("Sign", "x", {}, {}, (4,), (13,)), ("LeakyRelu", "x", {"alpha": 0.25}, {}, (4,), (13,)),
    ("PRelu", "x,c", {}, {"c": [[[0.5]], [[2.0]]]}, (2, 3, 3), (13,)),
    ("HardSigmoid", "x", {"alpha": 0.25, "beta": 0.5}, {}, (4,), (13,)),
    ("Tanh", "x", {}, {}, (4,), (13,)), ("Sigmoid", "x", {}, {}, (4,), (13,)),
    ("Clip", "x", {"min": -1.0, "max": 1.0}, {}, (4,), (7,)), ("Clip", "x", {"max": 1.0}, {}, (4,), (7,)),
    ("Clip", "x,lo,hi", {}, {"lo": -1.0, "hi": 1.0}, (4,), (11, 13)), ("Clip", "x,,hi", {}, {"hi": 1.0}, (4,), (13,)),
    ("Identity", "x", {}, {}, (4,), (13,)), ("Dropout", "x", {}, {}, (4,), (13,)),
    ("Cast", "x", {"to": 11}, {}, (4,), (13,)),
    ("MatMul", "x,w", {}, {"w": W}, (4,), (13,)), ("MatMul", "x,w", {}, {"w": W}, (5, 4), (13,)),
    ("Gemm", "x,w", {}, {"w": W}, (4,), (11, 13)),
    ("Gemm", "x,w,c", {"transB": 1, "alpha": 0.5, "beta": -2.0}, {"w": W.T, "c": [1.0, 2.0, 3.0]}, (4,), (13,)),
    ("Conv", "x,w", {}, {"w": np.ones((2, 3, 2, 3))}, (3, 5, 6), (11,)),
    ("Conv", "x,w,c", {"pads": [1, 0, 2, 1], "strides": [2, 1], "dilations": [1, 2]},
     {"w": RNG.integers(-2, 3, (2, 3, 2, 3)), "c": [1.0, -1.0]}, (3, 5, 6), (11,)),
    ("Conv", "x,w", {"auto_pad": "SAME_UPPER", "strides": [2, 3]}, {"w": np.ones((2, 1, 3, 4))}, (1, 5, 9), (11,)),
    ("Conv", "x,w", {"auto_pad": "SAME_LOWER", "strides": [2, 2]}, {"w": np.ones((2, 1, 3, 2))}, (1, 6, 6), (11,)),
    ("Conv", "x,w", {"auto_pad": "VALID"}, {"w": np.ones((2, 1, 3, 2))}, (1, 6, 6), (11,)),
    ("Conv", "x,w", {"group": 4}, {"w": RNG.integers(-2, 3, (4, 1, 3, 3))}, (4, 6, 6), (11,)),
    ("Conv", "x,w", {"pads": [2, 1], "strides": [2]}, {"w": RNG.integers(-2, 3, (3, 2, 3))}, (2, 9), (11,)),
    ("BatchNormalization", "x,s,b,m,v", {"epsilon": 0.25},
     {"s": [1.0, -2.0, 0.5], "b": [0.5, 0.0, 1.0], "m": [0.0, 1.0, -1.0], "v": [0.75, 3.75, 2.0]}, (3, 2, 2), (9, 15)),
    ("MaxPool", "x", {"kernel_shape": [2, 3], "strides": [2, 1], "pads": [1, 1, 0, 1]}, {}, (2, 5, 6), (12,)),
    ("MaxPool", "x", {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1}, {}, (2, 6, 7), (12,)),
    ("MaxPool", "x", {"kernel_shape": [2], "dilations": [3]}, {}, (2, 9), (12,)),
    ("GlobalMaxPool", "x", {}, {}, (2, 4, 5), (13,)),
    ("Reshape", "x,t", {}, {"t": [0, -1]}, (2, 3, 4), (7, 14)),
    ("Reshape", "x,t", {}, {"t": [-1, 6, 4]}, (2, 3, 4), (13,)),
    ("Flatten", "x", {}, {}, (2, 3, 4), (9, 13)), ("Flatten", "x", {"axis": -3}, {}, (2, 3, 4), (13,)),
    ("Squeeze", "x", {"axes": [2]}, {}, (3, 1), (11,)), ("Squeeze", "x,a", {}, {"a": [-1, 1]}, (1, 3, 1), (13,)),
    ("Unsqueeze", "x", {"axes": [1, 3]}, {}, (3,), (11,)), ("Unsqueeze", "x,a", {}, {"a": [-1]}, (3,), (13,)),
    ("Transpose", "x", {"perm": [0, 3, 1, 2]}, {}, (2, 3, 4), (13,)),
    ("Pad", "x", {"pads": [0, 0, 1, 2, 0, 0, 0, 3], "value": 7.0}, {}, (2, 3, 4), (10,)),
    ("Pad", "x,p,v", {}, {"p": [0, 0, 1, 2, 0, 0, 0, 3], "v": 7.0}, (2, 3, 4), (13,)),
    ("Pad", "x,p,,a", {}, {"p": [1, 2, 0, 3], "a": [-1, 2]}, (2, 3, 4), (18,)),
    ("Softmax", "x", {}, {}, (2, 3), (13,)), ("Softmax", "x", {"axis": 2}, {}, (2, 3), (11, 13)),
    ("LogSoftmax", "x", {"axis": 1}, {}, (5,), (11, 13)),
    ("ArgMax", "x", {"axis": -1}, {}, (9,), (13,)), ("ArgMax", "x", {"axis": 1, "keepdims": 0}, {}, (3, 9), (13,)),
    ("ArgMin", "x", {"axis": 1}, {}, (9,), (13,)),
]


@pytest.mark.parametrize("op, inputs, attrs, constants, shape, opset",
                         [(*c[:5], o) for c in CASES for o in c[5]], ids=lambda v: v if isinstance(v, str) else "")
@pytest.mark.parametrize("batch", [1, "N", 3])
def test_operator_equals_the_reference(op, inputs, attrs, constants, shape, opset, batch):
    proto = model([node(op, inputs, **attrs)], constants, (batch, *shape), opset)
    x = frames(shape, 3 if batch != 1 else 1)
    loaded = load(proto)
    expected = reference(proto, x)
    y = evaluate(loaded, x)
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)
    assert loaded.output.shape == ((None if batch == "N" else batch), *expected.shape[1:])
    assert all(n.loc == f"{op} (node 1 of 1)" for n in loaded.graph if n.args)


@pytest.mark.parametrize("op, function", [("Softmax", softmax), ("LogSoftmax", log_softmax)])
def test_softmax_of_old_opsets_runs_over_all_further_axes(op, function):
    x = frames((2, 3), 4)
    y = evaluate(load(model([node(op, "x")], {}, ("N", 2, 3), 11)), x)
    np.testing.assert_allclose(y, function(x.astype(np.float64).reshape(4, 6), axis=1).reshape(4, 2, 3), rtol=1e-12)


@pytest.mark.parametrize("opset", [9, 11])
@pytest.mark.parametrize("which", [0, 1])
def test_topk(opset, which):
    names = ["values", "indices"]
    nodes = ([node("TopK", "x", "values,indices", k=3, axis=1)] if opset < 10 else
             [node("TopK", "x,k", "values,indices", axis=-1)])
    proto = model(nodes, {} if opset < 10 else {"k": [3]}, (1, 9), opset, (names[which],))
    x = np.array([[1, 5, 3, 5, -2, 7, 7, 0, 7]], np.float32)
    assert np.array_equal(evaluate(load(proto), x), [[[7, 7, 7]], [[5, 6, 8]]][which])


FOLDED = [  # nodes that make the constant c; constants; opset
    ([node("Shape", "x", "s"), node("Gather", "s,zero", "g"), node("Unsqueeze", "g", "u", axes=[0]),
      node("Concat", "u,a", "c", axis=0)], {"a": [-1], "zero": 0}, 11),
    ([node("Shape", "x", "c", start=1)], {}, 15), ([node("Size", "x", "c")], {}, 13),
    ([node("Slice", "a,b,e", "c")], {"a": [7, 8, 1, -1], "b": [1], "e": [-1]}, 13),
    ([node("Slice", "a,b,e,ax,st", "c")], {"a": [[7, 8, 1]], "b": [-1], "e": [-9], "ax": [1], "st": [-2]}, 13),
    ([node("Slice", "a", "c", starts=[2], ends=[9])], {"a": [7, 8, 1, -1]}, 9),
    ([node("ConstantOfShape", "a", "c", value=const("", [4]))], {"a": [2, 3]}, 13),
    ([node("ConstantOfShape", "a", "c")], {"a": [2]}, 13),
    ([node("Cast", "a", "c", to=7)], {"a": [1.7, -12.2]}, 13), ([node("Cast", "a", "c", to=9)], {"a": [1.7, 0.0]}, 13),
    ([node("Div", "a,b", "c")], {"a": [-13, 24, 7], "b": [10, 2, -2]}, 14),
    ([node("Div", "a,b", "c")], {"a": [-13.0, 24.0], "b": [8.0, 2.0]}, 14),
    ([node("Mul", "a,b", "c")], {"a": [[2], [3]], "b": [2, 1]}, 14),
    ([node("Sub", "a,b", "c")], {"a": 2.0, "b": 3.0}, 14),
    ([node("Pow", "a,b", "c")], {"a": [2.0, 0.25], "b": [2.0, 0.5]}, 13), ([node("Sqrt", "a", "c")], {"a": [2.25]}, 13),
    ([node("Exp", "a", "e"), node("Log", "e", "c")], {"a": [2.25, -1.0]}, 13),
    ([node("Reciprocal", "a", "c")], {"a": [4.0]}, 13), ([node("Floor", "a", "c")], {"a": [1.5, -1.5]}, 13),
    ([node("Ceil", "a", "c")], {"a": [1.5, -1.5]}, 13), ([node("Round", "a", "c")], {"a": [1.5, 2.5, -0.5]}, 13),
    ([node("Relu", "a", "c")], {"a": [[1.5, -2.5]]}, 13),
    ([node("Clip", "a,l,h", "c")], {"a": [5.0, -9.0], "l": -1.0, "h": 2.0}, 13),
    ([node("HardSigmoid", "a", "c")], {"a": [0.5, -9.0]}, 13),
    ([node("Expand", "a,b", "c")], {"a": [[1], [2]], "b": [2, 3]}, 13),
    ([node("Equal", "a,b", "e"), node("Where", "e,a,b", "c")], {"a": [1, 9, 12], "b": [1, 7, 12]}, 13),
    ([node("Greater", "a,b", "g"), node("Not", "g", "c")], {"a": [1, 9], "b": [2, 2]}, 13),
    ([node("ReduceProd", "a", "c", axes=[1], keepdims=0)], {"a": [[2, 2, 3], [1, 5, 2]]}, 11),
    ([node("ReduceSum", "a,b", "c")], {"a": [[2, 2, 3], [1, 5, 2]], "b": [0]}, 13),
    ([node("ReduceMean", "a", "c")], {"a": [[2.0, 4.0]]}, 13),
    ([node("Range", "a,b,d", "c")], {"a": 5, "b": -4, "d": -3}, 13),
    ([node("Tile", "a,b", "c")], {"a": [[1, 2]], "b": [2, 3]}, 13),
    ([node("Min", "a,b,d", "c")], {"a": [-1, 3], "b": [4, -1], "d": 2}, 13),
    ([node("Max", "a,b", "c")], {"a": [-1], "b": [4]}, 13),
    ([node("Gather", "a,b", "c", axis=1)], {"a": [[1, 2, 3], [4, 5, 6]], "b": [2, -3]}, 13),
    ([node("Transpose", "a", "t"), node("Flatten", "t", "c", axis=1)], {"a": [[1, 2, 3], [4, 5, 6]]}, 13),
    ([node("Squeeze", "a,b", "c")], {"a": [[[1]], [[2]]], "b": [1]}, 13),
    ([node("Squeeze", "a", "c")], {"a": [[1, 2]]}, 11),
    ([node("MatMul", "a,b", "c")], {"a": [[1.0, 2.0]], "b": [[3.0], [0.5]]}, 13),
    ([node("Constant", "", "c", value_ints=[4, 3])], {}, 13), ([node("Constant", "", "c", value_float=0.5)], {}, 13),
    ([node("Constant", "", "c", value=const("", [[0.5]]))], {}, 13),
    ([node("Identity", "a", "i"), node("Dropout", "i", "c")], {"a": [1.0, 2.0]}, 13),
]


@pytest.mark.parametrize("nodes, constants, opset", FOLDED, ids=lambda v: v[-1].op_type if isinstance(v, list) else "")
def test_constants_are_folded(nodes, constants, opset):
    """The constant c as the weights of a product with x = 1."""
    for n in nodes:
        if list(n.input) == [""]:
            n.ClearField("input")
    x = np.ones((1, 1), np.float32)
    expected = np.asarray(ReferenceEvaluator(model(nodes, constants, (1, 1), opset, ("c",))).run(None, {"x": x})[0])
    row = [node("Cast", "c", "f", to=1), node("Reshape", "f,row", "w"), node("MatMul", "x,w")]
    loaded = load(model([*nodes, *row], {**constants, "row": [1, -1]}, (1, 1), opset))
    assert [n.op.kind for n in loaded.graph] == ["input", "matmul"]
    np.testing.assert_allclose(evaluate(loaded, x), expected.reshape(1, -1).astype(np.float64), rtol=1e-6)


def quantised(op, constants, steps=()):
    """Weights through a quantiser and further nodes, multiplied with x of as many elements as the result has rows."""
    names = {"BipolarQuant": "w,s"}.get(op, "w,s,z,b")
    nodes = [helper.make_node(op, names.split(","), ["q0"], domain=Q, **({} if op == "BipolarQuant" else
             {"signed": 1, "narrow": 1, "rounding_mode": "ROUND"}))]
    for i, (kind, attrs) in enumerate(steps):
        nodes.append(node(kind, f"q{i}" + (",t" if kind == "Reshape" else ""), f"q{i + 1}", **attrs))
    nodes.append(node("MatMul", f"x,q{len(steps)}"))
    return nodes, constants


@pytest.mark.parametrize("op", ["Quant", "IntQuant", "BipolarQuant"])
def test_weights_keep_integers_and_scales_through_shape_operators(op):
    w = RNG.normal(size=(3, 4))
    scale = np.array([[0.5], [0.3], [0.7]])
    constants = {"w": w, "s": scale, "z": 0.0, "b": 3.0, "t": [4, 3]}
    steps = [("Transpose", {"perm": [1, 0]}), ("Reshape", {}), ("Flatten", {"axis": 1}), ("Identity", {})]
    loaded = load(model(*quantised(op, constants, steps), (1, 4), 13))
    product = loaded.graph.outputs[0].op
    integers, scales = (c.array for c in product.quant)
    exact = scale.astype(np.float32).astype(np.float64)
    if op == "BipolarQuant":
        q = np.where(w >= 0, 1, -1)
    else:
        q = np.rint(np.clip(w.astype(np.float32).astype(np.float64) / exact, -3, 3)).astype(np.int64)
    assert np.array_equal(integers, q.T) and scales.shape == (1, 3)
    assert np.array_equal(integers * scales, product.weights.array)
    assert np.array_equal(product.weights.array, (q * exact).T)


def test_a_zero_point_that_is_no_integer_leaves_no_integers():
    constants = {"w": W, "s": 0.5, "z": 0.25, "b": 3.0}
    assert load(model(*quantised("Quant", constants), (1, 4), 13)).graph.outputs[0].op.quant is None


def qonnx(op, inputs, constants, shape, **attrs):
    made = helper.make_node(op, inputs.split(","), ["y"], domain=Q, **attrs)
    return load(model([made], constants, (1, *shape), 13)).graph.outputs[0].op


def test_quantisers_with_defaults_and_case():
    facts = {"s": np.full((1, 3, 1), 0.5), "z": 0, "b": 4}
    op = qonnx("IntQuant", "x,s,z,b", facts, (3, 2))
    assert op == src.Quant(src.real(np.full((3, 1), 0.5)), src.real(0.0), 4, True, False, "ROUND")
    assert qonnx("Quant", "x,s,z,b", facts, (3, 2), rounding_mode="half_up", signed=0).mode == "HALF_UP"


def test_trunc_of_both_versions():
    one = qonnx("Trunc", "x,s,z,i,o", {"s": 0.5, "z": 1.0, "i": 8, "o": 6}, (3,))
    r = src.real
    assert one == src.Trunc(r(0.5), r(1.0), r(4.0), r(0.5), r(1.0), None, "FLOOR")
    two = qonnx("Trunc", "x,s,z,i,os,o", {"s": 0.5, "z": 1.0, "i": 8, "os": 2.0, "o": 3}, (3,), signed=0,
                rounding_mode="round")
    assert two == src.Trunc(r(0.5), r(1.0), r(4.0), r(2.0), r(0.25), (0, 7), "ROUND")


@pytest.mark.parametrize("layout, shape, expected", [
    ("", (2, 3, 3), (3, 2, 1, 1)), ("NCHW", (2, 3, 3), (3, 2, 1, 1)), ("NHWC", (3, 3, 2), (3, 1, 1, 2)),
    ("NC", (2,), (3, 2)),
])
def test_multithreshold_sorts_its_rows(layout, shape, expected):
    rows = [[3.0, 1.0, 2.0], [0.0, -1.0, 5.0]]
    op = qonnx("MultiThreshold", "x,t", {"t": rows}, shape, out_dtype="INT2", out_scale=2.0, out_bias=-1.0,
               data_layout=layout)
    assert op.thresholds.shape == expected and (op.out_scale, op.out_bias) == (2.0, -1.0)
    assert np.array_equal(op.thresholds.array.reshape(3, 2).T, np.sort(rows))


@pytest.mark.parametrize("op, attrs, constants, moved", [
    ("Conv", {"pads": [1, 0, 0, 1]}, {"w": RNG.integers(-2, 3, (2, 3, 3, 2))}, "w"),
    ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}, {}, ""),
    ("BatchNormalization", {"epsilon": 0.25}, {k: [1.0, 2.0] for k in "sbmv"}, ""),
])
def test_channels_last(op, attrs, constants, moved):
    """The channels-last domain against the standard operator between transpositions."""
    inputs = ",".join(["x", *constants])
    made = helper.make_node(op, inputs.split(","), ["y"], domain=LAST, **attrs)
    x = frames((5, 6, 2), 2)
    y = evaluate(load(model([made], constants, ("N", 5, 6, 2), 13)), x)
    first = {k: np.moveaxis(np.asarray(v), -1, 1) if k == moved else v for k, v in constants.items()}
    plain = model([node("Transpose", "x", "t", perm=[0, 3, 1, 2]), node(op, inputs.replace("x", "t", 1), "u", **attrs),
                   node("Transpose", "u", perm=[0, 2, 3, 1])], first, ("N", 5, 6, 2), 13)
    np.testing.assert_allclose(y, reference(plain, x), rtol=1e-6)


@pytest.mark.parametrize("kind, expected", [
    ("BIPOLAR", Range(-1, 1, 2)), ("BINARY", Range(0, 1)), ("TERNARY", Range(-1, 1)), ("INT4", Range(-8, 7)),
    ("UINT8", Range(0, 255)), ("FLOAT32", None), ("INTx", None), ("INT0", None), ("INT999", None),
])
def test_annotation(kind, expected):
    proto = model([node("Relu", "x")], {}, (1, 4), 13)
    note = proto.graph.quantization_annotation.add(tensor_name="x")
    note.quant_parameter_tensor_names.add(key="finn_datatype", value=kind)
    assert load(proto).annotation == expected


@pytest.mark.parametrize("kind, values", [
    (TensorProto.FLOAT16, [0.5, -3.25]), (TensorProto.BFLOAT16, [0.5, -3.25]), (TensorProto.DOUBLE, [0.1, -1 / 3]),
    (TensorProto.FLOAT, [0.5, -3.25]), (TensorProto.INT8, [-128, 127]), (TensorProto.UINT8, [0, 255]),
    (TensorProto.INT64, [-(2**40), 2**40]), (TensorProto.UINT64, [1, 2**40]), (TensorProto.UINT32, [1, 2**32 - 1]),
    (TensorProto.INT16, [-300, 300]), (TensorProto.BOOL, [1, 0]),
    (TensorProto.INT4, [-8, 7]), (TensorProto.UINT4, [15, 1]), (TensorProto.INT2, [-2, 1]), (TensorProto.UINT2, [3, 2]),
])
@pytest.mark.parametrize("raw", [False, True])
def test_stored_types(kind, values, raw):
    proto = model([node("Add", "x,c")], {}, (1, 2), 13)
    tensor = helper.make_tensor("c", kind, [2], values)
    if raw:
        tensor = numpy_helper.from_array(numpy_helper.to_array(tensor), "c")
    proto.graph.initializer.append(tensor)
    assert np.array_equal(load(proto).graph.outputs[0].op.value.array, np.array(values, np.float64))


def test_initialisers_may_be_listed_as_inputs():
    proto = model([node("Add", "x,c")], {"c": [1.0]}, (1, 4), 13)
    proto.graph.input.append(helper.make_tensor_value_info("c", TensorProto.FLOAT, [1]))
    assert load(proto).input.name == "x"


def test_nodes_that_no_output_needs_are_left_out():
    proto = model([node("LSTM", "x", "unused"), node("Relu", "x")], {}, (1, 4), 13)
    assert [n.op.kind for n in load(proto).graph] == ["input", "relu"]


def test_nodes_in_any_order_and_several_outputs():
    proto = model([node("Neg", "a", "y"), node("Relu", "x", "a")], {}, (1, 4), 13, ("y", "a"))
    loaded = load(proto)
    assert [n.op.kind for n in loaded.graph] == ["input", "relu", "neg"]
    assert [o.name for o in loaded.outputs] == ["y", "a"] and len(loaded.graph.outputs) == 2


def test_a_vector_has_no_batch_axis():
    loaded = load(model([node("MatMul", "x,w")], {"w": W}, (4,), 13))
    assert loaded.graph.inputs[0].out.shape == (4,) and loaded.output.shape == (3,)


def test_a_thousand_nodes_in_a_row():
    nodes = [node("Neg", f"t{i}", f"t{i + 1}") for i in range(1, 3000)]
    proto = model([node("Neg", "x", "t1"), *nodes, node("Neg", "t3000")], {}, (1, 4), 13)
    x = frames((4,), 1)
    assert np.array_equal(evaluate(load(proto), x), -x)
