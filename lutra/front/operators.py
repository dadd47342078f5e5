"""Which operators there are, by domain, and what is said of those that there are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lutra.front import (
    activations,
    arithmetic,
    channels_last,
    comparing,
    endings,
    finn,
    fold,
    integer,
    layers,
    moves,
    pooling,
    qdq,
    quantisers,
    recurrent,
    resizing,
    selecting,
    shaping,
    transposed,
)
from lutra.front.place import shown
from lutra.front.values import Call, Value

Handler = Callable[[Call], Value | tuple[Value, ...]]

STANDARD = ("", "ai.onnx")
_ONNX: Mapping[str, Handler] = {
    **arithmetic.HANDLERS, **activations.HANDLERS, **shaping.HANDLERS, **selecting.HANDLERS, **resizing.HANDLERS,
    **layers.HANDLERS, **transposed.HANDLERS, **pooling.HANDLERS, **endings.HANDLERS, **qdq.HANDLERS,
    **integer.STANDARD, **comparing.HANDLERS, **recurrent.HANDLERS,
}
_QONNX: Mapping[str, Handler] = dict.fromkeys(quantisers.MAKERS, quantisers.quantised)
_LAST: Mapping[str, Handler] = dict.fromkeys(channels_last.HANDLERS, channels_last.channels_last)
TABLES: Mapping[str, Mapping[str, Handler]] = {
    **dict.fromkeys(STANDARD, _ONNX), "com.microsoft": integer.MICROSOFT,
    "qonnx.custom_op.general": _QONNX, "onnx.brevitas": _QONNX, "finn.custom_op.general": _QONNX,
    "qonnx.custom_op.channels_last": _LAST, **dict.fromkeys(finn.DOMAINS, finn.HANDLERS),
}
# What takes several branches of the network.
JOINING = (*arithmetic.JOINING, *integer.JOINING, *finn.JOINING, "Concat", *recurrent.HANDLERS)
CONSTANT = (*quantisers.MAKERS, *qdq.HANDLERS)  # take constants as they take the network's data


def unsupported(domain: str, op: str, name: str, live: int) -> str:
    """What is not supported of a node that reads `live` tensors of the network's data; empty if nothing."""
    table = TABLES.get(domain)
    if table is None:
        return f"{name} of domain {shown(domain)}"
    if live > 1 and op not in JOINING and (op in table or op in fold.FUNCTIONS):
        return f"{name} of two branches of the network"
    if op in table:
        return ""
    if domain not in STANDARD:
        return name
    if op in moves.MOVES or (op in fold.FUNCTIONS and (not live or op in ("Shape", "Size"))):
        return ""
    return f"{name} of the network's data" if op in fold.FUNCTIONS else name


ADVICE = {
    "FloatQuant": "use Quant with an integer format", "LayerNormalization": "use BatchNormalization",
    "InstanceNormalization": "use BatchNormalization", "GroupNormalization": "use BatchNormalization",
    "DynamicQuantizeLinear": "quantise statically: onnxruntime.quantization.quantize_static",
    "DynamicQuantizeMatMul": "quantise statically: onnxruntime.quantization.quantize_static",
    "DynamicQuantizeLSTM": "quantise statically: onnxruntime.quantization.quantize_static",
    "ReduceL2": "use a convolution", "Einsum": "use MatMul", "Attention": "use convolutions or linear layers",
    "MultiHeadAttention": "use convolutions or linear layers",
}
SUPPORTED = ("supported are QONNX's and ONNX's quantisers, MatMul, Gemm, Conv, ConvTranspose, LSTM, GRU, "
             "BatchNormalization, pooling, activations, sums, products and Concat of branches, Slice, Split, Resize, "
             "DepthToSpace, Reshape and its kin, Transpose, Pad, ArgMax, TopK, Softmax")


def advice(reasons: Sequence[str]) -> str:
    """What to try instead of what `unsupported` named."""
    known = [f"instead of {r.split(' ')[0]} {ADVICE[r.split(' ')[0]]}" for r in reasons if r.split(" ")[0] in ADVICE]
    if not known and any(r.endswith("of two branches of the network") for r in reasons):
        return "only sums, differences, products and concatenations of branches are supported"
    return "; ".join(known) or SUPPORTED
