"""A model of two inputs and two outputs, from its file to the RTL: API, build folder, command line."""

import json

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import lutra
from lutra import LutraError
from lutra.cli import call

Q = "qonnx.custom_op.general"
RNG = np.random.default_rng(0)
FORMATS = {"input_range": {"left": (-8, 7), "right": (0, 15)}, "input_scale": {"left": 0.25, "right": 0.5}}
OPTIONS = ["--input-format", "left", "-8", "7", "0.25", "--input-format", "right", "0", "15", "0.5"]


def two_way():
    """left goes through a convolution and meets right; the sum is an output, and so is what a matrix makes of it."""
    def quantise(x, scale, y, signed=1):
        return helper.make_node("Quant", [x, scale, "zero", "four"], [y], domain=Q, signed=signed, name=f"q_{y}")

    nodes = [
        quantise("w", "eighth", "w4"), quantise("v", "eighth", "v4"),
        helper.make_node("Conv", ["left", "w4"], ["c"], pads=[1, 1, 1, 1], name="conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"), quantise("r", "half", "d", 0),
        helper.make_node("Add", ["d", "right"], ["s"], name="meet"), quantise("s", "one", "sum", 0),
        helper.make_node("Flatten", ["sum"], ["f"], name="flat"),
        helper.make_node("MatMul", ["f", "v4"], ["scores"], name="scores")]
    constants = {"w": RNG.integers(-7, 8, (2, 1, 3, 3)) / 8, "v": RNG.integers(-7, 8, (32, 3)) / 8, "zero": 0.0,
                 "four": 4.0, "eighth": 0.125, "half": 0.5, "one": 1.0}
    stored = [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in constants.items()]
    ins = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ("N", c, 4, 4)) for n, c in (("left", 1), ("right", 2))]
    outs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("sum", "scores")]
    graph = helper.make_graph(nodes, "two", ins, outs, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid(Q, 1)])


@pytest.fixture(scope="module")
def acc(cache):
    return lutra.compile(two_way().SerializeToString(), fps=500_000, **FORMATS, cache=cache)


def frames(count=20):
    rng = np.random.default_rng(1)
    return rng.integers(-8, 8, (count, 1, 4, 4)), rng.integers(0, 16, (count, 2, 4, 4))


def same(found, wanted):
    return len(found) == len(wanted) and all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_integers_are_the_model(acc):
    left, right = frames()
    found = acc.run((left, right))
    assert [y.shape for y in found] == [(20, 2, 4, 4), (20, 3)] and acc.input_names == ("left", "right")
    assert same(found, acc.reference((left, right)))
    assert same(found, acc.run({"right": right / 2, "left": left / 4}))
    raw = acc.run([left, right], raw=True)
    assert [y.dtype for y in raw] == [np.int64] * 2 and not same(raw, acc.run([left, right[::-1]], raw=True))


@pytest.mark.parametrize("stalls", [0.0, 0.4])
def test_the_rtl_is_the_integers(acc, stalls):
    x = frames()
    assert same(acc.simulate(x, stalls=stalls, raw=True), acc.run(x, raw=True))
    assert acc.verify(x, stalls=stalls) == 20 * (32 + 3)


def test_measured_cycles_are_the_plan_s(acc):
    assert acc.measure() == {"interval": acc.interval, "latency": acc.latency}


def test_a_difference_says_which_output(acc, monkeypatch):
    def wrong(self, run):
        found = right(self, run)
        return (found[0], found[1] + 1)

    right = lutra.Accelerator._decoded
    monkeypatch.setattr(lutra.Accelerator, "_decoded", wrong)
    with pytest.raises(LutraError, match="60 of 60 output integers of the RTL differ") as caught:
        acc.verify(frames())
    assert caught.value.at == "output 1, frame 0"


def test_saved_and_read_back(acc, tmp_path, cache):
    x = frames()
    acc.verify(x)
    again = lutra.load(acc.save(tmp_path / "build"), cache=cache)
    assert same(again.run(x), acc.run(x)) and same(again.reference(x), acc.reference(x))
    assert same(again.simulate(x, raw=True), acc.run(x, raw=True))
    assert again.rtl() == acc.rtl() and again.summary().data() == acc.summary().data()


def test_the_command_line(tmp_path, capsys, cache):
    model, folder = tmp_path / "two.onnx", tmp_path / "build"
    model.write_bytes(two_way().SerializeToString())
    tail = ["--cache", str(cache)]
    assert call(["build", str(model), *OPTIONS, "--fps", "500000", "-o", str(folder), *tail]) == 0
    x = frames()
    for name, values in zip(("left", "right"), x, strict=True):
        np.save(tmp_path / f"{name}.npy", values)
    left, right = (str(tmp_path / f"{n}.npy") for n in ("left", "right"))
    capsys.readouterr()
    named = ["--input", f"right={right}", "--input", f"left={left}"]
    assert call(["simulate", str(folder), *named, "--stalls", "0.2", "--json", *tail]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["frames"], result["words"], result["differing"]) == (20, 700, 0)
    out = tmp_path / "y.npz"
    assert call(["run", str(folder), "--input", left, "--input", right, "--output", str(out), "--json", *tail]) == 0
    assert json.loads(capsys.readouterr().out)["shapes"] == [[20, 2, 4, 4], [20, 3]]
    with np.load(out) as z:
        assert same([z["output0"], z["output1"]], lutra.load(folder, cache=cache).run(x))
    for given, said in ((["--input", left], "1 array is given, the model has 2 inputs"),
                        (["--input", right, "--input", left], "input left: "),
                        (["--input", f"left={left}", "--input", right], "without its name"),
                        (["--input", f"left={left}"], "no frames for the input 'right'")):
        assert call(["run", str(folder), *given, *tail]) == 2
        assert said in capsys.readouterr().err
