"""Import of branches, of operators that choose, repeat and average, and of activations, against the onnx package."""

import numpy as np
import pytest
from onnx_models import RNG, W, evaluate, frames, model, node, reference

from lutra.errors import LutraError
from lutra.front import load
from lutra.ops import source as src
from lutra.ops.reshape.op import Reshape

K = RNG.integers(-2, 3, (4, 3, 3, 2)).astype(np.float32)
WIDE = {"pads": [1, 1, 1, 1], "strides": [2, 2], "kernel_shape": [3, 3]}
CASES = [  # operator, inputs, attributes, constants, frame shape, opsets
    ("AveragePool", "x", {"kernel_shape": [2, 3], "strides": [2, 1]}, {}, (2, 5, 6), (7, 19)),
    ("AveragePool", "x", WIDE, {}, (2, 6, 7), (11, 22)),
    ("AveragePool", "x", {**WIDE, "count_include_pad": 1}, {}, (2, 6, 7), (11, 22)),
    ("AveragePool", "x", {**WIDE, "ceil_mode": 1}, {}, (2, 6, 8), (11, 19)),
    ("AveragePool", "x", {**WIDE, "ceil_mode": 1, "count_include_pad": 1}, {}, (2, 6, 8), (19,)),
    ("AveragePool", "x", {"kernel_shape": [3], "auto_pad": "SAME_UPPER"}, {}, (2, 6), (11,)),
    ("AveragePool", "x", {"kernel_shape": [2], "dilations": [3]}, {}, (2, 9), (19,)),
    ("GlobalAveragePool", "x", {}, {}, (3, 4, 5), (13,)), ("GlobalAveragePool", "x", {}, {}, (3, 5), (13,)),
    ("GlobalAveragePool", "x", {}, {}, (3, 2, 2, 3), (13,)),
    ("ReduceMean", "x", {"axes": [2, 3]}, {}, (3, 4, 5), (13,)),
    ("ReduceMean", "x", {"axes": [-1, 2], "keepdims": 0}, {}, (3, 4, 5), (11,)),
    ("ReduceMean", "x,a", {"keepdims": 0}, {"a": [1, 2]}, (3, 4, 5), (18,)),
    ("ReduceMean", "x,a", {}, {"a": [1]}, (5,), (18,)), ("ReduceMax", "x", {"axes": [1]}, {}, (3, 4, 5), (13,)),
    ("ReduceMean", "x", {"noop_with_empty_axes": 1}, {}, (3, 4), (18,)),
    ("ReduceSum", "x,a", {"keepdims": 0}, {"a": [2]}, (3, 4, 5), (13,)),
    ("ReduceSum", "x,a", {}, {"a": [1]}, (5,), (13,)),
    ("ConvTranspose", "x,w", {"strides": [2, 3], "pads": [1, 0, 0, 1]}, {"w": K}, (4, 3, 5), (11, 22)),
    ("ConvTranspose", "x,w,c", {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
     {"w": K, "c": [1.0, 2.0, -1.0]}, (4, 3, 5), (11,)),
    ("ConvTranspose", "x,w", {"dilations": [2, 1]}, {"w": K}, (4, 3, 5), (11,)),
    ("ConvTranspose", "x,w", {"strides": [3, 3], "output_shape": [10, 15]}, {"w": K}, (4, 3, 5), (11,)),
    ("ConvTranspose", "x,w", {"strides": [2], "auto_pad": "SAME_UPPER"}, {"w": K[..., 0]}, (4, 5), (11,)),
    ("ConvTranspose", "x,w", {"strides": [3], "output_padding": [2]}, {"w": K[..., :1, 0]}, (4, 5), (11,)),
    ("Slice", "x", {"starts": [1, -2], "ends": [9, 2**31], "axes": [1, 3]}, {}, (3, 4, 5), (9,)),
    ("Slice", "x,s,e,a", {}, {"s": [0, 1], "e": [2**40, -1], "a": [0, 2]}, (3, 4, 5), (13,)),
    ("Slice", "x,s,e,a,t", {}, {"s": [1, -1], "e": [4, -99], "a": [1, 2], "t": [2, -1]}, (4, 5), (13,)),
    ("Slice", "x,s,e", {}, {"s": [0, 1], "e": [99, 3]}, (4, 5), (13,)),
    ("Gather", "x,i", {"axis": 1}, {"i": [2, 0, 0, -1]}, (3, 4), (13,)),
    ("Gather", "x,i", {"axis": -1}, {"i": [1, 2]}, (3, 4), (13,)),
    ("Gather", "x,i", {"axis": 1}, {"i": 2}, (3, 4), (13,)),
    ("Gather", "x,i", {"axis": 2}, {"i": [[0, 1], [3, 2]]}, (3, 4), (13,)),
    ("Greater", "x,c", {}, {"c": [[[0.5]], [[-1.0]]]}, (2, 3, 4), (13,)),
    ("GreaterOrEqual", "x,c", {}, {"c": [0.25, 0.0, -0.5, 1.0, 2.0]}, (3, 1), (16,)),
    ("Less", "x,c", {}, {"c": 0.125}, (3, 4), (13,)), ("LessOrEqual", "c,x", {}, {"c": [1.0, -1.0]}, (3, 2), (16,)),
    ("DepthToSpace", "x", {"blocksize": 2}, {}, (8, 2, 3), (11,)),
    ("DepthToSpace", "x", {"blocksize": 2, "mode": "CRD"}, {}, (8, 2, 3), (11,)),
    ("SpaceToDepth", "x", {"blocksize": 2}, {}, (2, 4, 6), (13,)),
    ("Resize", "x,,s", {}, {"s": [1.0, 1.0, 2.0, 3.0]}, (2, 2, 3), (13,)),
    ("Resize", "x,,,z", {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
     {"z": [3, 2, 4, 12]}, (2, 2, 3), (11, 19)),
    ("Resize", "x,,s", {"coordinate_transformation_mode": "pytorch_half_pixel", "axes": [3, 2]}, {"s": [2.0, 5.0]},
     (2, 2, 3), (18,)),
    ("Resize", "x,,s", {"coordinate_transformation_mode": "half_pixel_symmetric"}, {"s": [1.0, 1.0, 3.0]}, (2, 3),
     (19,)),
    ("Elu", "x", {"alpha": 0.5}, {}, (5,), (13,)), ("Selu", "x", {}, {}, (5,), (13,)),
    ("Celu", "x", {"alpha": 2.0}, {}, (5,), (13,)), ("Gelu", "x", {}, {}, (5,), (20,)),
    ("Gelu", "x", {"approximate": "tanh"}, {}, (5,), (20,)), ("HardSwish", "x", {}, {}, (5,), (14,)),
    ("Mish", "x", {}, {}, (5,), (18,)), ("Softplus", "x", {}, {}, (5,), (13,)), ("Softsign", "x", {}, {}, (5,), (13,)),
    ("Swish", "x", {"alpha": 1.5}, {}, (5,), (24,)), ("ThresholdedRelu", "x", {"alpha": 0.5}, {}, (5,), (13,)),
    ("Erf", "x", {}, {}, (5,), (13,)), ("Exp", "x", {}, {}, (5,), (13,)), ("Pow", "x,c", {}, {"c": 2.0}, (5,), (13,)),
    ("Floor", "x", {}, {}, (5,), (13,)), ("Ceil", "x", {}, {}, (5,), (13,)), ("Round", "x", {}, {}, (5,), (13,)),
    ("Max", "a,x,b", {}, {"a": -0.5, "b": [[0.5, 1.0, 0.25]]}, (3,), (13,)),
    ("Sum", "a,x", {}, {"a": -0.5}, (3,), (13,)),
]


@pytest.mark.parametrize("op, inputs, attrs, constants, shape, opset",
                         [(*c[:5], o) for c in CASES for o in c[5]], ids=lambda v: v if isinstance(v, str) else "")
def test_operator_equals_the_reference(op, inputs, attrs, constants, shape, opset):
    proto = model([node(op, inputs, **attrs)], constants, (3, *shape), opset)
    x = frames(shape, 3)
    y = evaluate(load(proto), x)
    np.testing.assert_allclose(y, reference(proto, x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("op", ["Sqrt", "Log", "Reciprocal"])
def test_functions_of_positive_numbers(op):
    proto = model([node(op, "x")], {}, (3, 4), 13)
    x = np.abs(frames((4,), 3)) + 0.25
    np.testing.assert_allclose(evaluate(load(proto), x), reference(proto, x), rtol=1e-6)


BRANCHES = [  # nodes, constants, shapes of the inputs
    ([node("Relu", "x", "r"), node("Add", "x,r")], {}, {"x": (2, 3, 4)}),
    ([node("Relu", "x", "r"), node("Sub", "r,x")], {}, {"x": (2, 3, 4)}),
    ([node("Sigmoid", "x", "s"), node("Mul", "x,s")], {}, {"x": (2, 3)}),
    ([node("GlobalAveragePool", "x", "g"), node("Mul", "g,x")], {}, {"x": (2, 3, 4, 5)}),
    ([node("Add", "a,b")], {}, {"a": (2, 3), "b": (2, 3)}),
    ([node("MatMul", "a,w", "p"), node("MatMul", "b,w", "q"), node("Sum", "p,q,c", "s"), node("Relu", "s")],
     {"w": W, "c": 2.0}, {"a": (2, 4), "b": (2, 4)}),
    ([node("Mean", "a,b")], {}, {"a": (2, 3), "b": (2, 3)}),
    ([node("Relu", "x", "r"), node("Concat", "x,r,x", axis=1)], {}, {"x": (2, 3, 4, 5)}),
    ([node("Concat", "x,z", axis=-1)], {}, {"x": (2, 3, 4), "z": (2, 3, 1)}),
    ([node("Split", "x", "a,b", axis=1), node("Sub", "a,b")], {}, {"x": (2, 6, 4)}),
    ([node("Split", "x,s", "a,b,d", axis=2), node("Concat", "d,a,b", axis=2)], {"s": [1, 2, 1]}, {"x": (2, 6, 4)}),
    ([node("Reshape", "x,a", "g"), node("Transpose", "g", "t", perm=[0, 2, 1, 3, 4]), node("Reshape", "t,b")],
     {"a": [0, 2, 3, 4, 5], "b": [0, 6, 4, 5]}, {"x": (2, 6, 4, 5)}),
]


@pytest.mark.parametrize("nodes, constants, shapes", BRANCHES,
                         ids=lambda v: v[-1].op_type if isinstance(v, list) else "")
def test_branches_equal_the_reference(nodes, constants, shapes):
    proto = model(nodes, constants, shapes, 13)
    x = [frames(s[1:], 2) + i / 8 for i, s in enumerate(shapes.values())]
    loaded = load(proto)
    np.testing.assert_allclose(evaluate(loaded, *x), reference(proto, *x), rtol=1e-6, atol=1e-6)
    assert [p.name for p in loaded.inputs] == list(shapes)


def test_dead_branches_are_dropped():
    nodes = [node("Neg", "x", "dead"), node("Unknown", "dead", "deader"), node("Relu", "x")]
    assert [n.op.kind for n in load(model(nodes, {}, (1, 3), 13)).graph] == ["input", "relu"]


def test_split_in_unequal_parts_and_of_a_constant():
    loaded = load(model([node("Split", "x", "a,b", axis=1, num_outputs=2)], {}, (1, 5), 18, ("a", "b")))
    x = np.arange(5.0)[None]
    a, b = (loaded.graph.evaluate(x)[o] for o in loaded.graph.outputs)
    assert np.array_equal(a, [[0, 1, 2]]) and np.array_equal(b, [[3, 4]])
    halves = [node("Split", "c", "p,q", axis=0), node("Mul", "x,q")]
    assert np.array_equal(evaluate(load(model(halves, {"c": [1.0, 2.0, 3.0, 4.0]}, (1, 2), 13)), x[:, 1:3]), [[3, 8]])


def test_inputs_that_nothing_needs_are_dropped_and_outputs_may_be_anything():
    shapes = {"u": (1, 7), "x": ("N", 4), "v": (1,)}
    proto = model([node("Relu", "x", "r"), node("Identity", "r", "i")], {}, shapes, 13, ("r", "x", "i"))
    loaded = load(proto)
    assert [p.name for p in loaded.inputs] == ["x"] and [p.name for p in loaded.outputs] == ["r", "x", "i"]
    assert loaded.graph.outputs[0] is loaded.graph.outputs[2] and loaded.graph.outputs[1] is loaded.graph.inputs[0]
    assert all(p.shape == (None, 4) for p in loaded.outputs)
    twice = load(model([node("Relu", "x", "r")], {}, (1, 4), 13, ("r", "r"))).graph
    assert twice.outputs == (twice.nodes[1], twice.nodes[1])


def test_runs_are_slices_and_everything_is_nothing():
    def ops(nodes, constants, shape):
        return [type(n.op) for n in load(model(nodes, constants, shape, 13)).graph if n.args]

    assert ops([node("Gather", "x,i", axis=1)], {"i": [1, 2]}, (1, 4, 5)) == [src.Slice]
    assert ops([node("Gather", "x,i", axis=1)], {"i": [1]}, (1, 4, 5)) == [src.Slice]
    assert ops([node("Gather", "x,i", axis=1)], {"i": 1}, (1, 4, 5)) == [src.Slice, Reshape]
    assert ops([node("Gather", "x,i", axis=1)], {"i": [2, 1]}, (1, 4, 5)) == [src.Take]
    assert ops([node("Gather", "x,i", "g", axis=1), node("Relu", "g")], {"i": [0, 1]}, (1, 2)) == [src.Relu]


@pytest.mark.parametrize("mode, nearest, fits", [
    ("asymmetric", "floor", True), ("asymmetric", "round_prefer_floor", False), ("asymmetric", "ceil", False),
    ("half_pixel", "round_prefer_ceil", True), ("half_pixel", "floor", False), ("align_corners", "floor", False),
])
def test_resize_repeats_or_is_refused(mode, nearest, fits):
    proto = model([node("Resize", "x,,s", coordinate_transformation_mode=mode, nearest_mode=nearest)],
                  {"s": [1.0, 1.0, 3.0, 1.0]}, (1, 2, 3, 2), 13)
    x = frames((2, 3, 2), 1)
    if fits:
        assert np.array_equal(evaluate(load(proto), x), reference(proto, x))
    else:
        assert not np.array_equal(reference(proto, x), np.repeat(x, 3, axis=2))
        with pytest.raises(LutraError, match="does not repeat each element as often"):
            load(proto)


def test_upsample_of_old_opsets():
    nodes = [node("Upsample", "x,s", mode="nearest")]
    x = frames((2, 3, 2), 1)
    y = evaluate(load(model(nodes, {"s": [1.0, 1.0, 2.0, 3.0]}, (1, 2, 3, 2), 9)), x)
    assert np.array_equal(y, x.repeat(2, axis=2).repeat(3, axis=3))
    old = [node("Upsample", "x", mode="nearest", scales=[1.0, 1.0, 2.0, 3.0])]
    assert np.array_equal(evaluate(load(model(old, {}, (1, 2, 3, 2), 7)), x), y)
