"""Model files that cannot be read: one sentence each, with the place and what to do."""

import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lutra.errors import LutraError
from lutra.front import load

FLOAT = TensorProto.FLOAT
Q = "qonnx.custom_op.general"


def info(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def const(name, values, dtype=np.float32):
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def model(nodes, constants=(), inputs=None, outputs=None, opset=13):
    graph = helper.make_graph(nodes, "g", inputs or [info("x", ("N", 4))], outputs or [info("y", None)],
                              list(constants))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid(Q, 1)])


def node(op, inputs, outputs=("y",), domain="", **attrs):
    return helper.make_node(op, list(inputs), list(outputs), name=attrs.pop("name", f"my_{op.lower()}"), domain=domain,
                            **attrs)


def quant(scale=1.0, zero=0.0, bits=4.0, **attrs):
    constants = [const("s", scale), const("z", zero), const("b", bits)]
    return model([node("Quant", ("x", "s", "z", "b"), domain=Q, **attrs)], constants)


def refused(source):
    with pytest.raises(LutraError) as e:
        load(source)
    text = str(e.value)
    assert "\n" not in text and e.value.hint, text
    return text


# -- files


@pytest.mark.parametrize("content, message", [
    (b"", "the file is empty"),
    (b"# a python file\nimport torch\n", "not an ONNX file: it begins with '# a python f'"),
    (b"PK\x03\x04 a zip", "not an ONNX file"),
    (b"\x89PNG\r\n\x1a\n\0\0\0\0", "not an ONNX"),
    (b"\x08\x07", "holds no ONNX graph"),
])
def test_files_that_are_no_models(content, message, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert message in refused(path)
    assert str(path) in refused(path)
    assert message in refused(content)


def test_truncated_at_every_length():
    data = quant().SerializeToString()
    load(data)
    for end in range(1, len(data), 7):
        assert "truncated" in refused(data[:end]), end


def test_paths_that_cannot_be_read(tmp_path):
    assert "there is no such file" in refused(tmp_path / "none.onnx")
    assert "this is a folder" in refused(tmp_path)
    assert "int is not a model" in refused(3)


def quantised_layers():
    constants = [const("w", np.ones((4, 3))), const("s", 0.5), const("z", 0.0), const("b", 4.0),
                 const("zero", [0], np.int64), const("k", [1], np.int64), const("rest", [-1], np.int64)]
    nodes = [node("BipolarQuant", ("w", "s"), ("q",), domain=Q), node("MatMul", ("x", "q"), ("m",)),
             node("Quant", ("m", "s", "z", "b"), ("r",), domain=Q, narrow=1), node("Shape", ("r",), ("d",)),
             node("Slice", ("d", "zero", "k"), ("e",)), node("Concat", ("e", "rest"), ("f",), axis=0),
             node("Reshape", ("r", "f"), ("g",)), node("TopK", ("g", "k"), ("v", "y"))]
    return model(nodes, constants)


def dequantised_branches():
    constants = [const("i", np.ones((4, 4, 1, 1)), np.int8), const("s", 0.5), const("t", [0.5, 1.0, 2.0, 0.25]),
                 const("z", 3, np.int8), const("f", [1.0, 1.0, 2.0, 2.0])]
    nodes = [node("QuantizeLinear", ("x", "s", "z"), ("q",)), node("DequantizeLinear", ("q", "s", "z"), ("d",)),
             node("DequantizeLinear", ("i", "t"), ("w",), axis=0), node("Conv", ("d", "w"), ("c",)),
             node("Split", ("c",), ("a", "b"), axis=1), node("Mul", ("a", "b"), ("m",)),
             node("Concat", ("m", "a"), ("n",), axis=1), node("Resize", ("n", "", "f"), ("u",)),
             node("AveragePool", ("u",), ("p",), kernel_shape=[2, 2], strides=[2, 2]), node("Add", ("p", "d"))]
    return model(nodes, constants, inputs=[info("x", (1, 4, 2, 2))])


@pytest.mark.parametrize("whole", [quantised_layers, dequantised_branches], ids=lambda f: f.__name__)
def test_any_damaged_byte_is_an_error_of_ours_or_none(whole):
    rng = np.random.default_rng(0)
    data = whole().SerializeToString()
    load(data)
    errors = 0
    for _ in range(3000):
        damaged = bytearray(data)
        for at in rng.integers(len(damaged), size=rng.integers(1, 4)):
            damaged[at] = rng.integers(256)
        try:
            load(bytes(damaged))
        except LutraError as e:
            errors += 1
            assert "\n" not in str(e)
    assert 1000 < errors < 3000


# -- external data


def external(location, folder, size=16, offset=None):
    m = model([node("Add", ("x", "w"))], [const("w", np.ones(4))])
    (w,) = m.graph.initializer
    w.ClearField("raw_data")
    w.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", size)):
        if value is not None:
            w.external_data.add(key=key, value=str(value))
    path = folder / "model.onnx"
    path.write_bytes(m.SerializeToString())
    return path


def test_external_data_beside_the_model_is_read(tmp_path):
    (tmp_path / "w.bin").write_bytes(b"1234" + np.arange(4, dtype=np.float32).tobytes())
    graph = load(external("w.bin", tmp_path, offset=4)).graph
    assert np.array_equal(graph.evaluate(np.zeros((1, 4)))[graph.outputs[0]], [[0, 1, 2, 3]])


@pytest.mark.parametrize("location", ["/etc/passwd", "../w.bin", "a/../../w.bin", "C:\\w.bin", "..\\w.bin", "",
                                      "link.bin", "folder/w.bin"])
def test_external_data_stay_inside_the_folder(location, tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    for folder in (tmp_path, outside):
        (folder / "w.bin").write_bytes(bytes(16))
    (inside / "link.bin").symlink_to(outside / "w.bin")
    (inside / "folder").symlink_to(outside)
    text = refused(external(location, inside))
    assert "lies outside the model's folder" in text and "initialiser 'w'" in text


def test_external_data_missing_short_or_without_a_folder(tmp_path):
    path = external("w.bin", tmp_path)
    assert "external data file 'w.bin' is missing" in refused(path)
    (tmp_path / "w.bin").write_bytes(bytes(15))
    assert "has 15 bytes, 16 are needed" in refused(path)
    assert "8 bytes where 16 are needed" in refused(external("w.bin", tmp_path, size=8))
    assert "position 'many'" in refused(external("w.bin", tmp_path, offset="many"))
    assert "give the path" in refused(path.read_bytes())


# -- structure


def test_cycle():
    nodes = [node("Add", ("x", "b"), ("a",), name="one"), node("Relu", ("a",), ("b",), name="two"),
             node("Relu", ("b",), name="three")]
    assert re.match(r"\w+ '(one|two)' \(node [12] of 3\): it needs its own result: the graph has a cycle",
                    refused(model(nodes)))


def test_a_tensor_that_nothing_makes():
    text = refused(model([node("Add", ("x", "w"))]))
    assert text.startswith("Add 'my_add' (node 1 of 1): it reads tensor 'w', which nothing makes")
    assert "initialiser is missing" in text
    assert "nothing makes the output 'y'" in refused(model([node("Relu", ("x",), ("a",))]))


def test_a_tensor_made_twice():
    assert "tensor 'y' is made twice" in refused(model([node("Relu", ("x",)), node("Neg", ("x",))]))


def test_inputs_and_outputs():
    twice = [info("x", (1, 4)), info("x", (1, 4))]
    assert refused(model([node("Relu", ("x",))], inputs=twice)).startswith("input 'x': it is declared twice")
    none = helper.make_model(helper.make_graph([node("Relu", ("w",))], "g", [], [info("y", None)], [const("w", [1])]))
    assert "the model has no input" in refused(none)
    free = model([node("Relu", ("w",))], [const("w", [1.0])])
    assert "output 'y': it does not depend on any input" in refused(free)
    assert "not a tensor of numbers" in refused(model([node("Relu", ("x",))], inputs=[info("x", (1, 4), 8)]))
    assert "its shape is not declared" in refused(model([node("Relu", ("x",))], inputs=[info("x", None)]))
    assert "it has no axes" in refused(model([node("Relu", ("x",))], inputs=[info("x", ())]))


@pytest.mark.parametrize("shape, message", [
    (("N", 3, "height", 8), "axis 2 ('height') has no fixed size, its shape is (N, 3, height, 8)"),
    (("N", 3, None, 8), "axis 2 has no fixed size, its shape is (N, 3, ?, 8)"), (("N",), "axis 0 ('N')"),
])
def test_dynamic_sizes(shape, message):
    text = refused(model([node("Relu", ("x",))], inputs=[info("x", shape)]))
    assert text.startswith("input 'x': ") and message in text and "only the batch axis may be dynamic" in text


@pytest.mark.parametrize("shape", [(1, 10**12), (1, 2**40, 2**40), (1, 2**29)])
def test_huge_inputs(shape):
    assert "too large" in refused(model([node("Relu", ("x",))], inputs=[info("x", shape)]))


def test_huge_results():
    pads = const("p", [0, 0, 0, 10**10], np.int64)
    assert "(10000000004,) is too large" in refused(model([node("Pad", ("x", "p"))], [pads]))
    huge = const("shape", [10**6, 10**6], np.int64)
    nodes = [node("ConstantOfShape", ("shape",), ("c",)), node("Add", ("x", "c"))]
    assert "is too large" in refused(model(nodes, [huge]))
    a, b = const("a", np.ones((10**5, 1))), const("b", np.ones((1, 10**5)))
    assert "is too large" in refused(model([node("Mul", ("a", "b"), ("c",)), node("Add", ("x", "c"))], [a, b]))
    lying = model([node("Add", ("x", "w"))], [const("w", [1.0])])
    lying.graph.initializer[0].dims[:] = [10**10]
    assert "(10000000000,) is too large" in refused(lying)
    lying.graph.initializer[0].dims[:] = [7]
    assert "of shape (7,) has 1 values instead of 7" in refused(lying)


# -- operators


def test_unsupported_operators_are_all_named_at_the_first():
    nodes = [node("Relu", ("x",), ("a",)), node("RNN", ("a", "w", "w"), ("b",)),
             node("FloatQuant", ("b",), ("c",), domain=Q),
             node("RNN", ("c", "w", "w"), ("d",)), node("Mystery", ("d",), domain="my.domain")]
    text = refused(model(nodes, [const("w", [1.0])]))
    assert text.startswith("RNN 'my_rnn' (node 2 of 5): "
                           "RNN, FloatQuant and Mystery of domain 'my.domain' are not supported")
    assert "instead of FloatQuant use Quant with an integer format" in text
    alone = refused(model([node("Mystery", ("x",))]))
    assert "Mystery is not supported (supported are QONNX's and ONNX's quantisers" in alone


@pytest.mark.parametrize("op", ["Div", "Max", "Min", "MatMul", "Pow"])
def test_branches_that_cannot_meet(op):
    nodes = [node("Relu", ("x",), ("a",)), node(op, ("x", "a"))]
    text = refused(model(nodes))
    assert f"{op} of two branches of the network is not supported (only sums, differences, products" in text


def test_branches_that_do_not_fit():
    two = [info("x", (1, 4)), info("z", (1, 3)), info("t", (2, 4)), info("u", (1, 4, 1))]
    add = [node("Add", ("x", "z"))]
    assert "shape (4,) and (3,) (without batch axis) do not fit each other" in refused(model(add, inputs=two))
    assert "batches of (1,) and (2,) frames meet" in refused(model([node("Mul", ("x", "t"))], inputs=two))
    assert "shape (1, 4) and (1, 4, 1) meet" in refused(model([node("Mul", ("x", "u"))], inputs=two))
    assert "cannot be joined along axis 0" in refused(model([node("Concat", ("x", "u"), axis=1)], inputs=two))
    constant = model([node("Concat", ("x", "c"), axis=1)], [const("c", [[1.0]])])
    assert "input 2 of Concat is a constant" in refused(constant)
    assert "axis 0 is the batch axis" in refused(model([node("Concat", ("x", "x"), axis=0)]))


@pytest.mark.parametrize("op, inputs", [("Where", ("x", "w", "w")), ("Expand", ("x", "w"))])
def test_operators_for_constants_only(op, inputs):
    bad = model([node(op, inputs)], [const("w", [1], np.int64)])
    assert f"{op} of the network's data is not supported" in refused(bad)


def test_control_flow():
    body = helper.make_graph([node("Relu", ("x",), ("z",))], "b", [], [info("z", None)])
    text = refused(model([node("If", ("c",), then_branch=body, else_branch=body)], [const("c", True, np.bool_)]))
    assert "If runs a part of the model under a condition or in a loop" in text


def test_old_opset():
    assert "opset 6, older than 7 (convert it" in refused(model([node("Relu", ("x",))], opset=6))


# -- values


@pytest.mark.parametrize("kwargs, message", [
    ({"scale": np.nan}, "scale nan is not a positive finite number"),
    ({"scale": np.inf}, "scale inf is not"), ({"scale": 0.0}, "scale 0 is not"), ({"scale": -0.5}, "scale -0.5 is not"),
    ({"scale": [1.0, 1.0, np.nan, 1.0]}, "scale nan is not"),
    ({"scale": [1.0, 1.0]}, "does not fit a tensor of shape (4,)"),
    ({"scale": np.ones((2, 2, 4))}, "does not fit the network's data"),
    ({"zero": np.nan}, "1 value of the zero point is not finite (nan)"),
    ({"bits": 2.5}, "a width of 2.5 bits is not a whole number from 1 to 32"), ({"bits": 0.0}, "a width of 0 bits"),
    ({"bits": np.nan}, "a width of nan bits"), ({"bits": 1e9}, "bits is not a whole number from 1 to 32"),
    ({"bits": [4.0, 4.0]}, "the bit width has shape (2,)"),
    ({"rounding_mode": "STOCHASTIC"}, "rounding mode 'STOCHASTIC' is not known"),
    ({"signed": 0.5}, "attribute signed has the wrong type"),
])
def test_quantisers(kwargs, message):
    text = refused(quant(**kwargs))
    assert text.startswith("Quant 'my_quant' (node 1 of 1): ") and message in text


def test_quantised_weights_with_bad_scales():
    nodes = [node("BipolarQuant", ("w", "s"), ("q",), domain=Q), node("MatMul", ("x", "q"))]
    text = refused(model(nodes, [const("w", np.ones((4, 2))), const("s", 0.0)]))
    assert text.startswith("BipolarQuant 'my_bipolarquant' (node 1 of 2): scale 0")


def matmul(weights):
    return model([node("MatMul", ("x", "w"))], [const("w", weights)])


def test_weights():
    holes = np.ones((4, 3))
    holes[1, 2] = np.nan
    at = "MatMul 'my_matmul' (node 1 of 1)"
    assert refused(matmul(holes)).startswith(f"{at}: 1 value of the weights is not finite (nan)")
    assert "weights of shape (5, 3) do not fit a tensor of shape (4,)" in refused(matmul(np.ones((5, 3))))
    assert "have 1 axes instead of 2" in refused(matmul(np.ones(4)))
    left = model([node("MatMul", ("w", "x"))], [const("w", np.ones((4, 4)))])
    assert "the weights stand to the left" in refused(left)
    text = helper.make_tensor("w", TensorProto.STRING, [1], [b"a"])
    assert "initialiser 'w': a tensor of strings" in refused(model([node("Add", ("x", "w"))], [text]))


def batchnorm(values, **attrs):
    constants = [const(n, v) for n, v in zip("sbmv", values, strict=True)]
    return model([node("BatchNormalization", ("x", *"sbmv"), **attrs)], constants)


def test_batch_normalisation():
    one = np.ones(4)
    load(batchnorm([one] * 4))
    assert "the mean has shape (3,), not (4,)" in refused(batchnorm([one, one, one[:3], one]))
    assert "the scale has shape (1, 4)" in refused(batchnorm([one[None], one, one, one]))
    assert "variance -1 plus epsilon" in refused(batchnorm([one, one, one, -one]))
    assert "4 values of the bias are not finite (inf)" in refused(batchnorm([one, one * np.inf, one, one]))
    assert "training mode" in refused(batchnorm([one] * 4, training_mode=1))


@pytest.mark.parametrize("op, constant, message", [
    ("Div", [0.0], "divided by zero"), ("Add", [np.inf], "is not finite (inf)"),
    ("Add", np.ones((2, 4)), "does not fit"),
    ("Mul", np.ones((1, 1, 1, 4)), "does not fit"), ("Reshape", [3, -1], "cannot take the shape"),
])
def test_constants(op, constant, message):
    dtype = np.int64 if op == "Reshape" else np.float32
    assert message in refused(model([node(op, ("x", "c"))], [const("c", constant, dtype)]))


@pytest.mark.parametrize("op, attrs, message", [
    ("Transpose", {"perm": [1, 0]}, "moves the batch axis"), ("Flatten", {"axis": 0}, "mixes the frames of a batch"),
    ("Softmax", {"axis": 0}, "axis 0 is the batch axis"), ("ArgMax", {"axis": 5}, "axis 5 does not exist in 2 axes"),
    ("MaxPool", {"kernel_shape": [2]}, "does not fit a tensor"), ("Cast", {"to": 7}, "a cast of the network's data"),
    ("Conv", {}, "over 0 axes"),
])
def test_attributes(op, attrs, message):
    inputs = ("x", "w") if op == "Conv" else ("x",)
    assert message in refused(model([node(op, inputs, **attrs)], [const("w", np.ones((1, 1)))]))


def test_inconsistent_shape_arithmetic():
    nodes = [node("Concat", ("a", "b"), ("c",), axis=0), node("Reshape", ("x", "c"))]
    text = refused(model(nodes, [const("a", [1], np.int64), const("b", 4, np.int64)]))
    assert "Concat cannot be computed from constants of shape (1,) and ()" in text


# -- linear quantisation, and operators of branches


def integer(name, values, kind):
    """A tensor of any type, those among them that NumPy lacks."""
    values = np.asarray(values)
    return helper.make_tensor(name, kind, values.shape, values.ravel())


def qdq(scale=0.5, zero=0, kind=TensorProto.INT8, op="QuantizeLinear", inputs=("x", "s", "z"), **attrs):
    return model([node(op, inputs, **attrs)], [const("s", scale), integer("z", zero, kind)], opset=23)


@pytest.mark.parametrize("kwargs, message", [
    ({"scale": np.nan}, "scale nan is not a positive finite number"), ({"scale": 0.0}, "scale 0 is not"),
    ({"scale": -1.0}, "scale -1 is not"), ({"scale": np.inf}, "scale inf is not"),
    ({"scale": [1.0] * 4, "zero": [0] * 4, "axis": 2}, "axis 2 does not exist in 2 axes"),
    ({"scale": [1.0] * 4, "zero": [0] * 4, "axis": 0}, "axis 0 is the batch axis"),
    ({"scale": [1.0] * 3, "zero": [0] * 3, "axis": 1}, "3 scales do not fit axis 1 of a tensor of shape (1, 4)"),
    ({"scale": [1.0] * 4, "zero": [0] * 3}, "the zero point has shape (3,), the scale (4,)"),
    ({"scale": [1.0] * 4, "zero": 0}, "the zero point has shape (), the scale (4,)"),
    ({"scale": [[1.0, 1.0]], "zero": [[0, 0]], "block_size": 2}, "blocked quantisation (scales of shape (1, 2))"),
    ({"block_size": 4}, "blocked quantisation"),
    ({"zero": 0.5, "kind": TensorProto.FLOAT}, "quantisation to FLOAT is not supported"),
    ({"zero": True, "kind": TensorProto.BOOL}, "quantisation to BOOL is not supported"),
    ({"kind": TensorProto.INT32}, "quantisation to INT32 is not supported"),
    ({"kind": TensorProto.UINT64}, "quantisation to UINT64 is not supported"),
    ({"inputs": ("x", "s"), "output_dtype": TensorProto.FLOAT8E4M3FN}, "quantisation to data type 17"),
    ({"output_dtype": TensorProto.UINT8}, "the zero point has type INT8, its data UINT8"),
    ({"inputs": ("x",)}, "the scale (input 2) is missing"),
    ({"inputs": ("x", "x", "z")}, "QuantizeLinear of two branches"),
    ({"inputs": ("s", "x", "z")}, "the scale (input 2) is computed from the network's data"),
    ({"inputs": ("", "s", "z")}, "QuantizeLinear lacks its first input"),
    ({"axis": 1.5, "scale": [1.0] * 4, "zero": [0] * 4}, "attribute axis has the wrong type"),
])
def test_linear_quantisers(kwargs, message):
    text = refused(qdq(**kwargs))
    assert text.startswith("QuantizeLinear 'my_quantizelinear' (node 1 of 1): ") and message in text


def test_a_zero_point_outside_its_type():
    made = [node("Add", ("u", "v"), ("z",)), node("Cast", ("z",), ("i",), to=TensorProto.INT8),
            node("QuantizeLinear", ("x", "s", "i"))]
    far = [const("u", 100, np.int64), const("v", 100, np.int64), const("s", 0.5)]
    assert "zero point 200 is no integer from -128 to 127 (INT8)" in refused(model(made, far))


def test_integers_of_one_type_dequantised_as_another():
    two = [node("QuantizeLinear", ("x", "s", "z"), ("q",)), node("DequantizeLinear", ("q", "s", "u"))]
    constants = [const("s", 0.5), integer("z", 0, TensorProto.INT8), integer("u", 0, TensorProto.UINT8)]
    assert "integers from -128 to 127 are dequantised as UINT8" in refused(model(two, constants))
    weights = [node("DequantizeLinear", ("w", "s", "z"), ("v",)), node("MatMul", ("x", "v"))]
    stored = [const("s", 0.5), integer("z", 0, TensorProto.INT8)]
    wrong = model(weights, [*stored, integer("w", np.ones((4, 2), int), TensorProto.UINT8)])
    assert "the zero point has type INT8, its data UINT8" in refused(wrong)
    broken = model(weights, [*stored, const("w", np.full((4, 2), 0.5))])
    assert "the constant to dequantise does not hold integers" in refused(broken)


def test_unknown_number_formats():
    text = refused(qdq(kind=TensorProto.FLOAT8E4M3FN))
    assert "initialiser 'z': data type 17 of a tensor is not supported" in text


CHANNELS = info("x", (1, 4, 6, 6))


@pytest.mark.parametrize("op, inputs, attrs, message", [
    ("Split", ("x", "c"), {"axis": 1}, "parts of 1, 2 elements do not add up to the 4 of the axis"),
    ("Split", ("x",), {"axis": 0}, "axis 0 is the batch axis"),
    ("Split", ("x",), {"axis": 1, "num_outputs": 0}, "4 elements do not split into 0 equal parts"),
    ("Resize", ("x", "", "h"), {}, "axis 2 of 6 elements is resized to 4.5"),
    ("Resize", ("x", "", "", "d"), {}, "is resized to (1, 4, 9, 6) (only integer factors"),
    ("Resize", ("x", "", "", "e"), {"mode": "linear"}, "Resize in mode 'linear' is not supported"),
    ("Resize", ("x", "", "", "b"), {}, "the batch axis is resized"),
    ("Resize", ("x", "", "c"), {}, "do not fit 4 axes"),
    ("Resize", ("x", "", "", "e"), {"coordinate_transformation_mode": "tf_crop_and_resize"}, "is not supported"),
    ("DepthToSpace", ("x",), {"blocksize": 3}, "4 channels make no blocks of 3"),
    ("DepthToSpace", ("x",), {}, "make no blocks of 0"), ("DepthToSpace", ("x",), {"blocksize": 2, "mode": "R"}, "'R'"),
    ("SpaceToDepth", ("x",), {"blocksize": 4}, "6 rows and 6 columns make no blocks of 4"),
    ("Gather", ("x", "d"), {"axis": 1}, "index 4 does not exist in 4 elements"),
    ("Gather", ("x", "h"), {"axis": 1}, "the indices are not integers"),
    ("Gather", ("x", "d"), {"axis": 0}, "axis 0 is the batch axis"),
    ("Slice", ("x", "c", "c"), {}, "axis 0 is the batch axis"),
    ("Slice", ("x",), {"starts": [3], "ends": [3], "axes": [1]}, "a selection of axis 1 is empty"),
    ("Slice", ("x",), {"starts": [3], "ends": [3, 4], "axes": [1]}, "1 starts, 2 ends, 1 axes and 1 steps"),
    ("Concat", ("x", "x"), {}, "Concat has no axis"), ("Concat", ("x", "x"), {"axis": 4}, "axis 4 does not exist"),
    ("AveragePool", ("x",), {}, "a kernel () does not fit"),
    ("AveragePool", ("x",), {"kernel_shape": [1, 1], "pads": [1, 1, 1, 1]}, "lies in the padding altogether"),
    ("AveragePool", ("x",), {"kernel_shape": [9, 9]}, "a kernel of 9 .* larger than 6"),
    ("ReduceMean", ("x",), {}, "axis 0 is the batch axis"), ("ReduceMean", ("x",), {"axes": [7]}, "axis 7 does not"),
    ("ConvTranspose", ("x", "w"), {}, "do not fit 4 channels"),
    ("ConvTranspose", ("x", "w"), {"strides": [0, 1]}, "strides (0, 1) do not fit"),
    ("ConvTranspose", ("x", "w"), {"pads": [1, 1]}, "padding (1, 1) and output padding (0, 0) do not fit 2 axes"),
    ("Celu", ("x",), {"alpha": 0.0}, "divides by zero"), ("Elu", ("x",), {"alpha": np.nan}, "alpha is not finite"),
    ("Gelu", ("x",), {"approximate": "maybe"}, "approximate='maybe' is not known"),
    ("Clip", ("x", "two"), {}, "the lower bound has shape (2,)"), ("PRelu", ("x", "c"), {}, "does not fit"),
])
def test_operators_on_channels(op, inputs, attrs, message):
    constants = [const("c", [1, 2], np.int64), const("h", [1.0, 1.0, 0.75, 2.0]), const("d", [1, 4, 9, 6], np.int64),
                 const("e", [1, 4, 12, 12], np.int64), const("b", [2, 4, 6, 6], np.int64), const("two", [1.0, 2.0]),
                 const("w", np.ones((3, 2, 3, 3)))]
    text = refused(model([node(op, inputs, **attrs)], constants, inputs=[CHANNELS]))
    assert text.startswith(f"{op} 'my_{op.lower()}' (node 1 of 1): ") and re.search(message if ".*" in message else
                                                                                    re.escape(message), text)


def integer_product(op="QLinearMatMul", names=("x", "s", "z", "w", "s", "z", "s", "z"), domain="", **changed):
    stored = {"s": const("s", 0.5), "z": integer("z", 0, TensorProto.INT8),
              "w": integer("w", np.ones((4, 3), int), TensorProto.INT8), **changed}
    return model([node(op, names, domain=domain)], list(stored.values()),
                 inputs=[info("x", (1, 4), TensorProto.INT8)])


def test_integer_operators():
    load(integer_product())
    assert "scale 0 is not" in refused(integer_product(s=const("s", 0.0)))
    assert "the zero point has type UINT8, its data INT8" in refused(
        integer_product(z=integer("z", 0, TensorProto.UINT8)))
    assert "the scale (input 2) is missing" in refused(integer_product(names=("x", "", "z", "w", "s", "z", "s", "z")))
    assert "do not fit a tensor of shape (4,)" in refused(
        integer_product(w=integer("w", np.ones((5, 3), int), TensorProto.INT8)))
    assert "have 1 axes instead of 2" in refused(integer_product(w=integer("w", [1, 2], TensorProto.INT8)))
    ours = "com.microsoft"
    assert "QLinearConcat has 3 inputs" in refused(integer_product("QLinearConcat", ("s", "z", "x"), ours))
    text = refused(integer_product("QLinearSoftmax", ("x", "s", "z"), ours))
    assert "QLinearSoftmax is not supported (supported are" in text
    dynamic = [node("DynamicQuantizeLinear", ("x",), ("q", "s", "z")), node("DequantizeLinear", ("q", "s", "z"))]
    assert "quantise statically: onnxruntime.quantization.quantize_static" in refused(model(dynamic))


# -- names are data


NAMES = ["../../x", "a;rm -rf b", "<script>alert(1)</script>", "module", "x" * 300, "größe-名前", "a\nb\0c", "'\"\\",
         "%s{0}"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_taken_and_shown_escaped(name):
    good = model([node("Relu", (name,), (name + "!",), name=name), node("Neg", (name + "!",), name=name.upper())],
                 inputs=[info(name, (1, 4))])
    graph = load(good).graph
    assert np.array_equal(graph.evaluate(-np.eye(4))[graph.outputs[0]], -np.zeros((4, 4)))
    assert all(n.loc.isprintable() and len(n.loc) < 320 for n in graph)
    text = refused(model([node("Mystery", (name,), name=name)], inputs=[info(name, (1, 4))]))
    assert text.isprintable() and len(text) < 600


def test_names_that_differ_only_in_case():
    nodes = [node("Relu", ("x",), ("a",), name="n"), node("Neg", ("a",), ("A",), name="N"), node("Neg", ("A",))]
    graph = load(model(nodes)).graph
    assert [n.op.kind for n in graph] == ["input", "relu", "neg", "neg"]


def test_a_sentence_is_said_of_a_modelproto_as_of_its_bytes():
    bad = quant(scale=0.0)
    assert refused(bad) == refused(bad.SerializeToString())
    assert isinstance(bad, onnx.ModelProto)
