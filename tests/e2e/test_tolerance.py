"""An allowed error, from the model file to the RTL and the report."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import lutra

FED = {"input_range": (-128, 127), "input_scale": 1 / 64}
ALLOWED = 0.01


def model() -> bytes:
    """Two 8-bit convolutions with a sigmoid between them that nothing quantises."""
    rng = np.random.default_rng(0)
    tensors, nodes, x = [], [], "x"
    for k, (m, c) in enumerate(((4, 3), (2, 4))):
        arrays = {"w": rng.integers(-127, 128, (m, c, 3, 3)).astype(np.int8),
                  "s": np.array(0.004 * (k + 1), np.float32)}
        tensors += [numpy_helper.from_array(a, f"{name}{k}") for name, a in arrays.items()]
        nodes += [helper.make_node("DequantizeLinear", [f"w{k}", f"s{k}"], [f"d{k}"]),
                  helper.make_node("Conv", [x, f"d{k}"], [f"y{k}"], f"conv{k}", pads=[1, 1, 1, 1])]
        x = f"y{k}"
        if not k:
            nodes.append(helper.make_node("Sigmoid", [x], ["soft"], "soft"))
            x = "soft"
    ends = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["N", c, 6, 6]) for n, c in (("x", 3), ("y1", 2))]
    graph = helper.make_graph(nodes, "soft", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()


def test_it_is_refused_unless_an_error_is_allowed():
    with pytest.raises(lutra.LutraError, match=r"conv1.*tolerance="):
        lutra.compile(model(), **FED)
    with pytest.raises(lutra.LutraError, match="not a positive number"):
        lutra.compile(model(), tolerance=0.0, **FED)


def test_the_error_is_kept_and_said(tmp_path, cache):
    acc = lutra.compile(model(), tolerance=ALLOWED, cache=cache, **FED)
    x = np.random.default_rng(1).integers(-128, 128, (6, 3, 6, 6))
    weights = numpy_helper.to_array(onnx.load_from_string(model()).graph.initializer[2]) * 0.008
    off = np.abs(acc.run(x) - acc.reference(x)).max()
    assert 0 < off <= ALLOWED * np.abs(weights).sum(axis=(1, 2, 3)).max()
    assert acc.verify(x) == 6 * 2 * 6 * 6
    acc.report(tmp_path / "report.html")
    assert "by at most 0.01, as allowed" in (tmp_path / "report.html").read_text()
    rows = lutra.explain(model(), tolerance=ALLOWED, **FED).rows
    assert any("rounded by at most 0.01" in row.why for row in rows)
    acc.save(tmp_path / "build")
    assert max(p.error for p in lutra.load(tmp_path / "build", cache=cache).lowered.proofs) == ALLOWED
