"""Small ONNX models for the tests of import, and what the onnx package's reference implementation makes of them."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

Q, LAST = "qonnx.custom_op.general", "qonnx.custom_op.channels_last"
RNG = np.random.default_rng(0)
W = RNG.integers(-3, 4, (4, 3)).astype(np.float32)


SMALL = ("i1", "u1", "i2", "u2", "i4")  # of which quantisers and casts know the type


def const(name, values, dtype=None):
    if isinstance(values, TensorProto):
        values.name = name
        return values
    values = np.asarray(values)
    if dtype is None and values.dtype.str[1:] in SMALL:
        return numpy_helper.from_array(values, name)
    kind = dtype or (np.int64 if values.dtype.kind in "iu" else np.bool_ if values.dtype.kind == "b" else np.float32)
    return numpy_helper.from_array(values.astype(kind), name)


def model(nodes, constants, shape, opset, outputs=("y",), kinds=None):
    """One input x of `shape`, or several by name. kinds: data types of inputs that are not FLOAT."""
    shapes = shape if isinstance(shape, dict) else {"x": shape}
    inputs = [helper.make_tensor_value_info(n, (kinds or {}).get(n, TensorProto.FLOAT), s) for n, s in shapes.items()]
    outs = [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs]
    graph = helper.make_graph(nodes, "g", inputs, outs, [const(k, v) for k, v in constants.items()])
    ids = [helper.make_opsetid("", opset), helper.make_opsetid(Q, 1), helper.make_opsetid(LAST, 1),
           helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=ids)


def node(op, inputs, outputs="y", **attrs):
    return helper.make_node(op, inputs.split(","), outputs.split(","), **attrs)


def evaluate(loaded, *x):
    return loaded.graph.evaluate(*x)[loaded.graph.outputs[0]]


def frames(shape, count):
    """Quarters, so that single precision is exact for the sums here."""
    return (np.random.default_rng(1).integers(-12, 13, (count, *shape)) / 4).astype(np.float32)


def reference(proto, x, *more):
    """By the onnx package, whose BatchNormalization is right from opset 15 on; what it says here is the same before."""
    newer = type(proto).FromString(proto.SerializeToString())
    if any(n.op_type == "BatchNormalization" for n in newer.graph.node):
        newer.opset_import[0].version = 15
    feed = {i.name: v for i, v in zip(newer.graph.input, (x, *more), strict=True)}
    return ReferenceEvaluator(newer).run(None, feed)[0]
