"""ONNX's LSTM and GRU with quantised weights: what they become, how far that is from ONNX Runtime, what is refused."""

import io
import warnings

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnx_models import Q, const, model, node

import lutra
from lutra.errors import LutraError
from lutra.front import load
from lutra.front.cells import MEMORY, SIGMOID, SIGMOID_INDEX, SUMS, TANH, TANH_INDEX, entries, sigmoid
from lutra.front.grids import grid, point_of
from lutra.ir import Constant
from lutra.ops.source import Gru, Lstm, Recurrent

COLUMNS, INPUTS, SIZE = 9, 3, 5


def network(op, directions=1, scale=1 / 64, inputs=("", ""), peepholes=False, bare=False, **attrs):
    """QDQ input and weights, the layer, what torch.onnx puts around it. inputs: sequence_lens, initial_h."""
    rng, gates = np.random.default_rng(0), 4 if op == "LSTM" else 3
    constants = {"w8": rng.integers(-90, 91, (directions, gates * SIZE, INPUTS)).astype(np.int8),
                 "r8": rng.integers(-60, 61, (directions, gates * SIZE, SIZE)).astype(np.int8),
                 "b": rng.normal(0, 0.5, (directions, 2 * gates * SIZE)).astype(np.float32),
                 "p": (rng.integers(-30, 31, (directions, 3 * SIZE)) / 64).astype(np.float32),
                 "s": np.float32(scale), "sx": np.float32(1 / 32), "zero": np.int8(0), "seen": np.array([0, 0, -1]),
                 "h0": np.zeros((directions, 1, SIZE), np.float32)}
    attrs = {"hidden_size": SIZE, **({"direction": "bidirectional"} if directions == 2 else {}), **attrs}
    last = ",,p" if peepholes else ""
    nodes = [node("QuantizeLinear", "x,sx,zero", "q"), node("DequantizeLinear", "q,sx,zero", "d"),
             node("DequantizeLinear", "w8,s", "w"), node("DequantizeLinear", "r8,s", "r"),
             node("Transpose", "d", "t", perm=[1, 0, 2]),
             node(op, f"{'x' if bare else 't'},w,r,b,{inputs[0]},{inputs[1]}{last}", "h", name="cell", **attrs),
             node("Transpose", "h", "u", perm=[0, 2, 1, 3]), node("Reshape", "u,seen", "v"),
             node("Transpose", "v", "y", perm=[1, 0, 2])]
    kinds = {"n": TensorProto.INT32} if inputs[0] == "n" else None
    shape = {"x": ("batch", COLUMNS, INPUTS)} | ({"n": ("batch",)} if kinds else {})
    proto = model(nodes, constants, shape, 17, kinds=kinds)
    proto.ir_version = 8  # what ONNX Runtime reads
    return proto


def layer(loaded):
    (found,) = (n for n in loaded.graph.nodes if isinstance(n.op, Recurrent))
    return found


def runtime(proto, **feed):
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feed)[0]


def drawn(count, seed=0):
    """What the import measures with, for an input of 8 bits, 5 behind the point."""
    return np.random.default_rng(seed).integers(-128, 127, (count, COLUMNS, INPUTS), endpoint=True) / 32


CELLS = {"lstm": ("LSTM", {}), "peepholes": ("LSTM", {"directions": 2, "peepholes": True}),
         "gru": ("GRU", {"directions": 2, "linear_before_reset": 1}),
         "reverse": ("LSTM", {"peepholes": True, "direction": "reverse"}),
         "reverse gru": ("GRU", {"linear_before_reset": 1, "direction": "reverse"})}


@pytest.mark.parametrize("name", CELLS)
def test_integers_equal_the_operator_and_the_runtime_within_the_error_said(name):
    op, options = CELLS[name]
    proto = network(op, **options)
    loaded, acc = load(proto), lutra.compile(proto, "xc7z020", fps=1000)
    assert [p.shape for p in loaded.inputs] == [(None, COLUMNS, INPUTS), (None, 1)]
    error = layer(loaded).op.error
    for seed, whole in ((0, True), (1, False)):
        x = drawn(4, seed=seed)
        lengths = np.full((4, 1), COLUMNS) if whole else np.array([[COLUMNS], [1], [4], [7]])
        inside = np.arange(COLUMNS) < lengths
        said = loaded.graph.evaluate(x, lengths)[loaded.graph.outputs[0]]
        np.testing.assert_array_equal(acc.run((x.astype(np.float32), lengths))[inside], said[inside])
        if whole:
            off = np.abs(runtime(proto, x=x.astype(np.float32)) - said).max()
            assert abs(off - error) < 1e-4 and 0 < error < 0.04


@pytest.mark.parametrize("name", CELLS)
def test_lengths_of_the_model_are_the_network_s(name):
    op, options = CELLS[name]
    proto = network(op, inputs=("n", ""), **options)
    loaded = load(proto)
    assert [(p.name, p.shape) for p in loaded.inputs] == [("x", (None, COLUMNS, INPUTS)), ("n", (None, 1))]
    x, lengths = drawn(3, seed=2), np.array([[3], [COLUMNS], [1]])
    said = loaded.graph.evaluate(x, lengths)[loaded.graph.outputs[0]]
    wanted = runtime(proto, x=x.astype(np.float32), n=lengths[:, 0].astype(np.int32))
    assert np.abs(said - wanted).max() < 0.04 and not said[0, 3:].any() and not wanted[0, 3:].any()


def test_layout_1_is_the_same_without_transposes():
    moved = load(network("LSTM", 2))
    proto = network("LSTM", 2, layout=1)
    kept = [n for n in proto.graph.node if n.op_type not in ("Transpose", "Reshape")]
    kept[-1].input[0] = "d"
    kept.append(node("Reshape", "h,seen", "y"))
    del proto.graph.node[:]
    proto.graph.node.extend(kept)
    plain = load(proto)
    x, lengths = drawn(3), np.array([[3], [COLUMNS], [1]])
    outs = [m.graph.evaluate(x, lengths)[m.graph.outputs[0]] for m in (moved, plain)]
    np.testing.assert_array_equal(*outs)
    assert layer(plain).op == layer(moved).op


@pytest.mark.parametrize("batch", [1, 3, "n"])
@pytest.mark.parametrize("kept", [False, True])
def test_columns_may_be_first(batch, kept):
    """(T, 1, I) as many exporters have it: frames are given one by one, each (T, I), and come as such."""
    proto = network("LSTM", 2)
    short = [n for n in proto.graph.node if n.op_type not in ("Transpose", "Reshape")]
    short[-1].input[0] = "d"
    if kept:
        short[-1].output[0] = "y"
    else:
        short.append(node("Transpose", "h", "y", perm=[0, 2, 1, 3]))
    del proto.graph.node[:]
    proto.graph.node.extend(short)
    proto.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, (COLUMNS, batch, INPUTS)))
    loaded, before = load(proto), load(network("LSTM", 2))
    assert loaded.inputs[0].shape == ((None if batch == "n" else batch), COLUMNS, INPUTS)
    assert layer(loaded).op == layer(before).op
    x, lengths = drawn(3), np.full((3, 1), COLUMNS)
    said, wanted = (m.graph.evaluate(x, lengths)[m.graph.outputs[0]].reshape(3, COLUMNS, -1) for m in (loaded, before))
    np.testing.assert_array_equal(said, wanted)
    acc = lutra.compile(proto, "xc7z020", fps=1000)
    np.testing.assert_array_equal(acc.run((x.astype(np.float32), lengths)).reshape(wanted.shape), wanted)
    each = 1 if batch == 1 else 3
    fed = x.astype(np.float32).transpose(1, 0, 2)
    theirs = np.concatenate([runtime(proto, x=fed[:, k : k + each]) for k in range(0, 3, each)], 2 if kept else 1)
    theirs = (theirs.transpose(2, 0, 1, 3) if kept else theirs.transpose(1, 0, 2, 3)).reshape(wanted.shape)
    assert np.abs(theirs - wanted).max() < 0.04


def final(op, how, **options):
    """The same with the states behind the last step: of the layer's second result, or of the last column."""
    proto = network(op, **options)
    cell = next(n for n in proto.graph.node if n.name == "cell")
    cell.output.append("hn")
    less = {"one": [node("Gather", "hn,end", "y", axis=0)], "both": [node("Transpose", "hn", "y", perm=[1, 0, 2])],
            "last": [node("Gather", "z,end", "y", axis=1)], "column": [node("Gather", "h,end", "g", axis=0),
                                                                      node("Transpose", "g", "y", perm=[1, 0, 2])]}
    proto.graph.node[-1].output[0] = "z"
    proto.graph.node.extend(less[how])
    proto.graph.initializer.append(const("end", np.array(-1)))
    return proto


@pytest.mark.parametrize("op, how, options", [
    ("LSTM", "one", {}), ("LSTM", "both", {"directions": 2, "peepholes": True}), ("LSTM", "last", {"directions": 2}),
    ("GRU", "one", {"direction": "reverse", "linear_before_reset": 1}), ("LSTM", "column", {"directions": 2}),
])
def test_last_states_are_those_of_the_runtime(op, how, options):
    proto = final(op, how, inputs=("n", ""), **options)
    loaded, acc = load(proto), lutra.compile(proto, "xc7z020", fps=1000)
    x, lengths = drawn(4, seed=3), np.array([[COLUMNS], [1], [4], [7]])
    said = loaded.graph.evaluate(x, lengths)[loaded.graph.outputs[0]]
    np.testing.assert_array_equal(acc.run((x.astype(np.float32), lengths)), said)
    wanted = runtime(proto, x=x.astype(np.float32), n=lengths[:, 0].astype(np.int32))
    known = slice(None) if how in ("one", "both") else slice(1)  # else the last of all columns, not of the sequence
    assert said.shape == wanted.shape and np.abs(said - wanted)[known].max() < 0.04


def test_the_memory_s_last_state_is_refused():
    proto = final("LSTM", "one")
    cell = next(n for n in proto.graph.node if n.name == "cell")
    cell.output[1] = ""
    cell.output.append("hn")
    with pytest.raises(LutraError, match="the further result 'hn' of its operator is not supported"):
        load(proto)


def test_reversed_layers_in_hardware(cache):
    acc = lutra.compile(network("LSTM", direction="reverse"), "xc7z020", fps=1000, cache=cache)
    x, lengths = drawn(5).astype(np.float32), np.array([[COLUMNS], [1], [4], [7], [2]])
    assert acc.verify((x, lengths)) == acc.verify((x, lengths), stalls=0.3) == 5 * COLUMNS * SIZE
    assert acc.verify((x, lengths), backend="hls") == 5 * COLUMNS * SIZE


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("dynamic, layers", [(False, 1), (True, 1), (True, 2)])
def test_what_torch_exports_is_read(kind, both, dynamic, layers):
    import torch

    class Reader(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = getattr(torch.nn, kind)(INPUTS, SIZE, layers, batch_first=True, bidirectional=both)

        def forward(self, x):
            return self.cell(torch.fake_quantize_per_tensor_affine(x, 1 / 32, 0, -128, 127))[0]

    torch.manual_seed(0)
    net = Reader().eval()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_((p * 64).round() / 64)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (torch.zeros(1, COLUMNS, INPUTS),), file, dynamo=False, input_names=["x"],
                          dynamic_axes={"x": {0: "n"}} if dynamic else None)
    loaded = load(file.getvalue())
    found = [n.op for n in loaded.graph.nodes if isinstance(n.op, Recurrent)]
    assert [type(op) for op in found] == [Lstm if kind == "LSTM" else Gru] * layers
    x = drawn(1)
    with torch.no_grad():
        wanted = net(torch.from_numpy(x).float()).numpy()
    said = loaded.graph.evaluate(x, np.array([[COLUMNS]]))[loaded.graph.outputs[0]]
    assert said.shape == wanted.shape and np.abs(said - wanted).max() <= sum(2 * op.error for op in found)


def test_a_quantiser_between_the_transposes_is_taken():
    proto = network("LSTM")
    nodes = list(proto.graph.node)
    for n in nodes:
        if n.op_type == "Reshape":
            n.output[0] = "v0"
    late = [node("QuantizeLinear", "v0,s,zero", "v1"), node("DequantizeLinear", "v1,s,zero", "v")]
    del proto.graph.node[:]
    proto.graph.node.extend([*nodes[:-1], *late, nodes[-1]])
    loaded, before = load(proto), load(network("LSTM"))
    x, lengths = drawn(2), np.full((2, 1), COLUMNS)
    said, raw = (m.graph.evaluate(x, lengths)[m.graph.outputs[0]] for m in (loaded, before))
    np.testing.assert_array_equal(said, np.rint(raw * 64) / 64)
    assert grid(loaded.graph.outputs[0]) is not None and grid(loaded.graph.outputs[0]).point == 6


def test_explain_says_which_formats_and_how_far_they_are_off():
    found = lutra.explain(network("LSTM", 2, peepholes=True))
    assert not found.error
    (row,) = (r for r in found.rows if "'cell'" in r.at)
    error = layer(load(network("LSTM", 2, peepholes=True))).op.error
    assert "lstm" in row.became and f"{error:.2g}" in row.why and "the import chose" in row.why
    assert "sums of 16 bits, 11 behind the point" in row.why


@pytest.mark.parametrize("name, given, index, entry", [
    ("sigmoid", SUMS, SIGMOID_INDEX, SIGMOID), ("tanh", MEMORY, TANH_INDEX, TANH),
    ("sigmoid", SUMS._replace(fraction=4, width=6), SIGMOID_INDEX._replace(fraction=2, width=5, rounding="TRN"),
     SIGMOID),
])
def test_tables_are_those_of_training(name, given, index, entry):
    from lutra.quant.recurrent import formats, tables

    wanted = tables.entries(name, *(formats.Word(*w) for w in (given, index, entry)))
    assert entries({"sigmoid": sigmoid, "tanh": np.tanh}[name], given, index, entry) == Constant(wanted)


def quantised_by(*makers):
    """Numbers that reach the layer through these operators, of which the last gives t."""
    proto = network("LSTM")
    kept = [n for n in proto.graph.node if n.output[0] not in ("q", "d")]
    del proto.graph.node[:]
    proto.graph.node.extend([*makers, *kept])
    extra = {"bits": np.float32(4), "none": np.float32(0), "two": np.float32(2), "three": np.float32(-0.375)}
    proto.graph.initializer.extend(const(k, v) for k, v in extra.items())
    return proto


@pytest.mark.parametrize("makers, wanted", [
    ([node("Quant", "x,sx,none,bits", "d", domain=Q, signed=1, narrow=0)], (5, -0.25, 0.21875)),
    ([node("Quant", "x,sx,two,bits", "d", domain=Q, signed=0, narrow=0)], (5, -0.0625, 0.40625)),
    ([node("BipolarQuant", "x,two", "d", domain=Q)], (0, -2.0, 2.0)),
    ([node("Quant", "x,sx,none,bits", "c", domain=Q, signed=1, narrow=0), node("Relu", "c", "b0"),
      node("Mul", "b0,three", "m"), node("Add", "m,two", "d")], (8, 2.0 - 0.375 * 0.21875, 2.0)),
    ([node("BipolarQuant", "x,two", "c", domain=Q), node("Concat", "c,c", "e", axis=2),
      node("Slice", "e,one,four,axis", "d")], (0, -2.0, 2.0)),
])
def test_what_quantisers_give_is_what_the_layer_reads(makers, wanted):
    proto = quantised_by(*makers)
    proto.graph.initializer.extend([const("one", [1]), const("four", [4]), const("axis", [2])])
    loaded = load(proto)
    found = grid(layer(loaded).args[0])
    assert (found.point, found.lo, found.hi) == wanted and layer(loaded).op.points[0] == found.point
    x, lengths = drawn(3).astype(np.float32), np.array([[COLUMNS], [2], [5]])
    values = loaded.graph.evaluate(x, lengths)
    seen = values[layer(loaded).args[0]]
    assert seen.min() == found.lo and seen.max() == found.hi and (seen * 2**found.point % 1 == 0).all()
    inside = np.arange(COLUMNS) < lengths
    acc = lutra.compile(proto, "xc7z020", fps=1000)
    np.testing.assert_array_equal(acc.run((x, lengths))[inside], values[loaded.graph.outputs[0]][inside])


@pytest.mark.parametrize("values, point", [([0.0], 0), ([3.0, -8.0], 0), ([0.5, 3.0], 1), ([-0.75, 2.0**-9], 9)])
def test_points_of_numbers(values, point):
    assert point_of(np.array(values)) == point


@pytest.mark.parametrize("op, options, said", [
    ("LSTM", {"clip": 1.0}, "clip and input_forget are not supported"),
    ("LSTM", {"input_forget": 1}, "clip and input_forget are not supported"),
    ("LSTM", {"direction": "up"}, "direction 'up' is not known"),
    ("LSTM", {"activations": ["Sigmoid", "Relu", "Tanh"]}, "activations 'sigmoid, relu, tanh' are not supported"),
    ("GRU", {}, "linear_before_reset=0 is not supported"),
    ("LSTM", {"scale": 0.013}, "the weights W, up to 1.17, are no multiples of a power of two in 16 bits"),
    ("LSTM", {"layout": 1}, "with layout 1, whose batch is axis 1"),
    ("LSTM", {"bare": True}, "with layout 0, whose batch is axis 0"),
    ("LSTM", {"scale": 2.0**-70}, "sums of 78 bits"),
    ("LSTM", {"hidden_size": 4}, "have shape (1, 20, 3), not (1, 16, 3)"),
    ("LSTM", {"inputs": ("", "b")}, "it starts from a state that is not zero"),
    ("LSTM", {"inputs": ("", "d")}, "the initial state (input 6) is computed from the network's data"),
    ("LSTM", {"inputs": ("seen", "")}, "sequence_lens are constants"),
    ("LSTM", {"inputs": ("", "h0"), "directions": 2}, None),
])
def test_what_is_refused(op, options, said):
    proto = network(op, **options)
    if said is None:
        assert layer(load(proto)).op.sizes[0] == 2
        return
    with pytest.raises(LutraError) as e:
        load(proto)
    assert said in str(e.value) and "'cell'" in str(e.value)


def test_what_is_not_quantised_is_refused():
    proto = network("LSTM")
    for n in proto.graph.node:
        if n.op_type == "Transpose" and n.input[0] == "d":
            n.input[0] = "x"
    with pytest.raises(LutraError, match="what it reads is not quantised"):
        load(proto)


def test_what_needs_the_batch_first_is_refused():
    proto = network("LSTM")
    proto.graph.node[-1].CopyFrom(node("Softmax", "v", "y"))
    with pytest.raises(LutraError, match="Softmax reads data of which a Transpose moves the batch axis"):
        load(proto)
    proto = network("LSTM")
    del proto.graph.node[-1]
    proto.graph.node[-1].output[0] = "y"
    with pytest.raises(LutraError, match="a Transpose moves the batch axis"):
        load(proto)
