"""`lutra explain`: every operation of the model has its row, every proof is in one, and errors keep what was known."""

import json
from importlib.resources import files

import numpy as np
import pytest
from onnx_models import Q, model, node

import lutra
from lutra.build import input_formats
from lutra.cli import call
from lutra.errors import LutraError
from lutra.front import load
from lutra.rules.integers import Lowering
from lutra.rules.lower import lower

RNG = np.random.default_rng(0)
SCALES = {f"s{k}": np.float32(s) for k, s in enumerate((0.25, 0.5, 0.31, 0.125))}


def quantise(x, scale, bits, y):
    return node("Quant", f"{x},{scale},zero,{bits}", y, domain=Q, signed=1, name=f"q_{y}")


def residual(end="Sigmoid", middle="Relu"):
    """Two ways from one quantiser that meet in a sum."""
    nodes = [
        quantise("x", "s0", "four", "a"), quantise("w1", "s3", "four", "v1"), quantise("w2", "s3", "four", "v2"),
        node("Conv", "a,v1,b1", "c", name="first", pads=[1, 1, 1, 1]), node(middle, "c", "r", name="middle"),
        quantise("r", "s2", "four", "d"), node("Add", "a,d", "e", name="meet"), quantise("e", "s1", "four", "f"),
        node("MaxPool", "f", "p", name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Transpose", "p", "t", name="order", perm=[0, 2, 3, 1]), node("Flatten", "t", "g", name="flat"),
        node("MatMul", "g,v2", "h", name="last"), node(end, "h", "y", name="end")]
    constants = {"w1": RNG.integers(-7, 8, (3, 3, 3, 3)) / 8, "w2": RNG.integers(-7, 8, (27, 5)) / 8, "b1": np.ones(3),
                 "zero": np.float32(0), "four": np.float32(4), **SCALES}
    constants = {k: np.asarray(v, np.float32) for k, v in constants.items()}
    return model(nodes, constants, (1, 3, 6, 6), 13)


def rows(found):
    """By the name in each row's place, of several the first."""
    return {r.at.split("'")[1]: r for r in reversed(found.rows)}


def test_every_operation_has_its_row():
    found = lutra.explain(residual())
    assert not found.error
    table = rows(found)
    names = ["x", "q_a", "first", "middle", "q_d", "meet", "q_f", "pool", "order", "flat", "last", "end"]
    assert list(table)[::-1] == names
    assert table["x"].became == "integers -8..7, each worth 0.25" and table["q_a"].became == "left to the host"
    assert table["first"].became.startswith("pad [8,8,3] -8..7 + window [6,6,27] -8..7 + matmul [6,6,3]")
    assert "threshold" not in table["first"].became  # it is said where it belongs
    for name in ("middle", "q_d"):
        assert "relu + quant" in table[name].became and table[name].checked > 0
    assert table["meet"].became.startswith("add [6,6,3]") and "quant" in table["q_f"].became
    assert table["pool"].became.count("window") == 1
    assert table["order"].became == table["flat"].became == "nothing: the order of elements"
    assert table["last"].became.startswith("matmul [5]") and table["end"].became == "left to the host"


def test_ways_that_meet_again_and_quantisers_in_a_row():
    nodes = [quantise("x", "s0", "four", "a"), quantise("w", "s3", "four", "v"), node("Conv", "a,v", "c", name="conv"),
             node("Sigmoid", "c", "g", name="gate"), node("Mul", "c,g", "m", name="gated"),
             quantise("m", "s1", "four", "d"), node("Mul", "d,k", "e", name="factor"),
             node("Flatten", "e", "f", name="flat"), quantise("f", "s2", "four", "h"),
             node("MatMul", "h,v2", "y", name="last")]
    constants = {"w": RNG.integers(-7, 8, (3, 3, 1, 1)) / 8, "v2": RNG.integers(-7, 8, (48, 5)), "zero": np.float32(0),
                 "four": np.float32(4), "k": np.float32(0.5), **SCALES}
    constants = {k: np.asarray(v, np.float32) for k, v in constants.items()}
    found = lutra.explain(model(nodes, constants, (1, 3, 4, 4), 13))
    assert not found.error
    table = rows(found)
    for name in ("gate", "gated", "q_d"):
        assert "sigmoid+mul" in table[name].became and table[name].checked
    assert table["flat"].became == "nothing: the order of elements"
    assert "mul + quant" in table["factor"].became and table["factor"].became == table["q_h"].became


@pytest.mark.parametrize("source", ["digits", "residual"])
def test_every_proof_is_in_a_row(source, digits_model):
    """And with the number of values that it was checked for."""
    given = {"input_range": (0, 16), "input_scale": 1 / 16} if source == "digits" else {}
    source = digits_model if source == "digits" else residual()
    low, loaded = Lowering("ecp5"), load(source)
    lower(loaded.graph, input_formats(loaded, given.get("input_range"), given.get("input_scale")), "ecp5", low)
    found = lutra.explain(source, **given)
    assert low.proofs
    for p in low.proofs:
        mine = [r for r in found.rows if f"({' + '.join(p.operations)})" in r.became]
        assert mine and any(f"{p.checked:,} values" in r.why for r in mine), p


@pytest.fixture
def digits_model():
    return (files("lutra") / "data" / "digits.onnx").read_bytes()


def test_the_way_up_to_an_error_is_told():
    found = lutra.explain(residual(middle="Softmax"))
    table = rows(found)
    assert found.error and "'middle'" in found.error
    assert table["middle"].became == "in the way" and table["middle"].why in found.error
    after = found.rows.index(table["middle"])
    assert {r.became for r in found.rows[after + 1 :]} == {"not looked at"}
    assert {r.became for r in found.rows[:after]} & {"in the way", "not looked at"} == set()


def test_a_model_that_cannot_be_read_is_an_error():
    with pytest.raises(LutraError, match=r"absent\.onnx"):
        lutra.explain("absent.onnx")
    with pytest.raises(LutraError, match="ecp6"):
        lutra.explain(residual(), "ecp6")


def test_the_command_prints_the_same(tmp_path, capsys):
    (tmp_path / "m.onnx").write_bytes(residual().SerializeToString())
    assert call(["explain", str(tmp_path / "m.onnx"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(json.dumps(lutra.explain(tmp_path / "m.onnx").data()))
    assert call(["explain", str(tmp_path / "m.onnx")]) == 0
    out = capsys.readouterr().out
    assert "nothing: the order" in out and "q_f" in out
    (tmp_path / "bad.onnx").write_bytes(residual(middle="Softmax").SerializeToString())
    assert call(["explain", str(tmp_path / "bad.onnx")]) == 2
    out, err = capsys.readouterr()
    assert "in the way" in out and err.startswith("error: ") and err.count("\n") == 1
