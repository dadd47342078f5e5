"""A second, independent reading of QONNX files in double precision: plain numpy, straight from the protobuf.

It shares no code with the package, so that agreement says something.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper


def _quant(x, scale, zero, bits, signed, narrow, rounding_mode):
    bits = int(bits)
    assert rounding_mode == b"ROUND"
    hi = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
    lo = (-(2 ** (bits - 1)) + narrow) if signed else 0
    return (np.rint(np.clip(x / scale + zero, lo, hi)) - zero) * scale


def read(path, x):
    """All tensors of the model by name, for a batch x of the model's input shape (N, ...), float64."""
    model = onnx.load(path)
    graph = model.graph
    value = {i.name: numpy_helper.to_array(i).astype(np.float64) for i in graph.initializer}
    (feed,) = [i.name for i in graph.input if i.name not in value]
    value[feed] = x.astype(np.float64)
    for node in graph.node:
        a = {k.name: onnx.helper.get_attribute_value(k) for k in node.attribute}
        v = [value[i] for i in node.input]
        value[node.output[-1]] = _apply(node.op_type, v, a, len(x))
    return value, graph.output[0].name, [n for n in graph.node if n.op_type in QUANTISERS and n.input[0] in value]


QUANTISERS = ("Quant", "BipolarQuant", "MultiThreshold")


def _apply(kind, v, a, batch):
    match kind:
        case "Quant":
            return _quant(*v, a["signed"], a["narrow"], a["rounding_mode"])
        case "BipolarQuant":
            return np.where(v[0] >= 0, 1.0, -1.0) * v[1]
        case "MultiThreshold":
            return a["out_scale"] * (v[0][..., None] >= v[1][None]).sum(-1) + a["out_bias"]
        case "MatMul":
            return v[0] @ v[1]
        case "Gemm":
            assert a.get("transB") == 1
            return v[0] @ v[1].T + v[2]
        case "BatchNormalization":
            scale, bias, mean, var = (p.reshape(-1, *([1] * (v[0].ndim - 2))) for p in v[1:])
            return (v[0] - mean) / np.sqrt(var + a["epsilon"]) * scale + bias
        case "Shape":
            return np.array(v[0].shape)
        case "Gather":
            return v[0][int(v[1])]
        case "Unsqueeze" if np.ndim(v[0]) == 0:
            return np.array([v[0]])
        case "Unsqueeze":
            return np.expand_dims(v[0], tuple(a["axes"]))
        case "Squeeze":
            return np.squeeze(v[0], tuple(a["axes"]))
        case "Concat":
            return np.concatenate(v)
        case "Reshape":
            return v[0].reshape(batch, -1)
        case "Transpose":
            return v[0].transpose(a["perm"])
        case "TopK":
            return np.argsort(-v[0], axis=-1, kind="stable")[:, :1]
        case "Softmax":
            e = np.exp(v[0] - v[0].max(-1, keepdims=True))
            return e / e.sum(-1, keepdims=True)
    simple = {"Mul": np.multiply, "Sub": np.subtract, "Add": np.add, "Div": np.divide, "Pow": np.power,
              "Relu": lambda x: np.maximum(x, 0)}
    return simple[kind](*v)
