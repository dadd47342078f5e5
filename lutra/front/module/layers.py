"""PyTorch's matrix products, normalisation and pooling as ONNX's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lutra.errors import LutraError
from lutra.front.module.call import Aten, Translator
from lutra.front.values import Const, Stream

# -- matrix products


def _conv(a: Aten) -> Any:
    weight = a["weight"]
    axes = _spatial(a, weight)
    dilation = a.ints("dilation", axes)
    pads = _padding(a, weight, axes, dilation)
    return a.call("Conv", a.stream, weight, a["bias"], strides=a.ints("stride", axes), pads=pads, dilations=dilation,
                  group=int(a["groups"]))


def _transposed(a: Aten) -> Any:
    axes = _spatial(a, a["weight"])
    return a.call("ConvTranspose", a.stream, a["weight"], a["bias"], strides=a.ints("stride", axes),
                  pads=a.ints("padding", axes) * 2, dilations=a.ints("dilation", axes), group=int(a["groups"]),
                  output_padding=a.ints("output_padding", axes))


def _spatial(a: Aten, weight: Any) -> int:
    """How many spatial axes there are; LutraError for weights that are not constant, or frames without batch axis."""
    if not isinstance(weight, Const):
        raise LutraError(f"the weights of {a.name} are computed from the network's data", hint="use constant weights")
    if len(a.stream.shape) != weight.array.ndim:
        raise LutraError(f"{a.name} reads a tensor of shape {a.stream.shape}", hint="give it (batch, channels, ...)")
    return weight.array.ndim - 2


def _padding(a: Aten, weight: Const, axes: int, dilation: list[int]) -> list[int]:
    """As ONNX has it: all beginnings, then all ends. "same" puts the odd one at the end."""
    if a["padding"] == "valid":
        return [0] * 2 * axes
    if a["padding"] == "same":
        total = [d * (k - 1) for d, k in zip(dilation, weight.array.shape[2:], strict=True)]
        return [t // 2 for t in total] + [t - t // 2 for t in total]
    return a.ints("padding", axes) * 2


def _linear(a: Aten) -> Any:
    product = a.call("MatMul", a.stream, _turned(a, a["weight"]))
    return product if a["bias"] is None else a.call("Add", product, a["bias"])


def _turned(a: Aten, weight: Any) -> Const:
    if not isinstance(weight, Const):
        raise LutraError(f"the weights of {a.name} are computed from the network's data", hint="use constant weights")
    quant = None if weight.quant is None else (weight.quant[0].T, weight.quant[1].T)
    return Const(weight.array.T, quant)


def _matmul(a: Aten) -> Any:
    left, right = tuple(a.args.values())[:2]
    if isinstance(left, Stream) and isinstance(right, Stream):
        raise LutraError(f"{a.name} multiplies two branches of the network", hint="only constant weights are supported")
    return a.call("MatMul", left, right)


def _addmm(a: Aten) -> Any:
    if a["alpha"] != 1 or a["beta"] != 1:
        raise LutraError(f"addmm with alpha={a['alpha']}, beta={a['beta']} is not supported", hint="use both as 1")
    return a.call("Add", a.call("MatMul", a["mat1"], a["mat2"]), a["self"])


def _batchnorm(a: Aten) -> Any:
    if a.args.get("training"):
        raise LutraError("a normalisation by the batch's own statistics is not supported",
                         hint="keep running statistics: track_running_stats=True")
    mean, var = a.args.get("running_mean"), a.args.get("running_var")
    if mean is None or var is None:
        raise LutraError("it has no running statistics", hint="keep them: track_running_stats=True")
    weight = a["weight"] or Const(np.ones_like(mean.array))
    bias = a["bias"] or Const(np.zeros_like(mean.array))
    return a.call("BatchNormalization", a.stream, weight, bias, mean, var, epsilon=float(a["eps"]))


# -- pooling


def _max_pool(a: Aten) -> Any:
    axes = len(a.stream.shape) - 2
    kernel = a.ints("kernel_size", axes)
    return a.call("MaxPool", a.stream, kernel_shape=kernel, strides=a.ints("stride", axes) or kernel,
                  pads=a.ints("padding", axes) * 2, dilations=a.ints("dilation", axes), ceil_mode=int(a["ceil_mode"]))


def _average_pool(a: Aten) -> Any:
    axes = len(a.stream.shape) - 2
    kernel = a.ints("kernel_size", axes)
    if a.args.get("divisor_override"):
        raise LutraError(f"divisor_override={a['divisor_override']} is not supported", hint="multiply behind it")
    return a.call("AveragePool", a.stream, kernel_shape=kernel, strides=a.ints("stride", axes) or kernel,
                  pads=a.ints("padding", axes) * 2, ceil_mode=int(a["ceil_mode"]),
                  count_include_pad=int(a["count_include_pad"]))


def _adaptive(op: str) -> Translator:
    """Windows of one size where the output's size divides the input's."""

    def convert(a: Aten) -> Any:
        size = a.stream.shape[2:]
        wanted = [n if w is None else int(w) for n, w in zip(size, a.ints("output_size", len(size)), strict=True)]
        if any(n % w for n, w in zip(size, wanted, strict=True)):
            raise LutraError(f"adaptive pooling of {size} to {tuple(wanted)} has windows of unlike size",
                             hint="choose an output size that divides the input's")
        kernel = [n // w for n, w in zip(size, wanted, strict=True)]
        return a.call(op, a.stream, kernel_shape=kernel, strides=kernel)

    return convert


def _adaptive_max(a: Aten) -> Any:
    return _adaptive("MaxPool")(a), None


TRANSLATORS: Mapping[str, Translator] = {
    **dict.fromkeys(("aten::conv1d", "aten::conv2d"), _conv),
    **dict.fromkeys(("aten::conv_transpose1d", "aten::conv_transpose2d"), _transposed),
    "aten::linear": _linear, "aten::matmul": _matmul, "aten::mm": _matmul, "aten::addmm": _addmm,
    "aten::batch_norm": _batchnorm, "aten::_native_batch_norm_legit": _batchnorm,
    "aten::_native_batch_norm_legit_no_training": lambda a: (_batchnorm(a), None, None),
    **dict.fromkeys(("aten::max_pool1d", "aten::max_pool2d"), _max_pool),
    "aten::max_pool2d_with_indices": lambda a: (_max_pool(a), None),
    **dict.fromkeys(("aten::avg_pool1d", "aten::avg_pool2d"), _average_pool),
    **dict.fromkeys(("aten::adaptive_avg_pool1d", "aten::adaptive_avg_pool2d"), _adaptive("AveragePool")),
    **dict.fromkeys(("aten::adaptive_max_pool1d", "aten::adaptive_max_pool2d"), _adaptive_max),
}
