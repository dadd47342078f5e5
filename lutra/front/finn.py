"""Import of FINN's hardware layers (domain finn.custom_op.fpgadataflow): what they compute, however they are folded.

They work on integers, channels last. A sliding-window generator and the matrix unit behind it are one convolution, so
the order in which the generator interleaves its stream does not matter.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lutra.errors import LutraError
from lutra.front.arithmetic import add
from lutra.front.quantisers import threshold_rows
from lutra.front.values import Call, Stream, whole
from lutra.ir import Array, Constant
from lutra.ops.source import Add, Conv, Im2Col, MatMul, MultiThreshold, Pad, Permute, Quantised, real


def _duplicated(call: Call) -> tuple[Stream, ...]:
    return (call.stream,) * call.outputs


def _padded(call: Call) -> Stream:
    """`Padding`: rows and columns before, rows and columns after."""
    pads = call.attr("Padding", [0, 0, 0, 0])
    if len(pads) != 4:
        raise LutraError(f"Padding has {len(pads)} numbers instead of 4", hint="export the model again")
    return call.emit(Pad((*pads[:2], 0), (*pads[2:], 0), 0.0))


def _windows(call: Call) -> Stream:
    def pair(name: str, default: list[int]) -> tuple[int, int]:
        found = call.attr(name, default)
        if len(found) != 2:
            raise LutraError(f"{name} has {len(found)} numbers instead of 2", hint="export the model again")
        return found[0], found[1]

    return call.emit(Im2Col(pair("ConvKernelDim", []), pair("Stride", [1, 1]), pair("Dilation", [1, 1])))


def _integers(call: Call) -> Array:
    """The weights, which must be integers; as bits they stand for -1 and +1."""
    values = call.numbers(1, "the weights")
    if not whole(values):
        raise LutraError("the weights are not integers", hint="export the model again")
    if call.attr("binaryXnorMode", 0):
        values = 2 * values - 1
    return values.astype(np.int64)


def _exact(integers: Array) -> tuple[Constant, Quantised]:
    return real(integers), (Constant(integers), real(1.0))


def _matrix_unit(call: Call) -> Stream:
    """Product x W with W of (inputs, outputs), and thresholds. Bits x and w are equal as often as the sum of
    x (2 w - 1) says, plus the zeros of w: so counting them is a product by -1 and +1 and a constant.
    """
    w = _integers(call)
    if w.ndim != 2:
        raise LutraError(f"weights of shape {w.shape} are no matrix", hint="export the model again")
    patches = call.stream.node
    if isinstance(patches.op, Im2Col):
        k = patches.op.kernel
        kernel = w.T.reshape(w.shape[1], *k, -1).transpose(0, 3, 1, 2) if w.shape[0] % (k[0] * k[1]) == 0 else w
        out = _convolution(call, kernel, 1)
    else:
        out = call.emit(MatMul(*_exact(w)))
    if call.attr("binaryXnorMode", 0):
        out = call.emit(Add(real((w < 0).sum(axis=0).astype(np.float64))), out)
    return _activated(call, out)


def _vector_unit(call: Call) -> Stream:
    """A depthwise convolution by weights (channels, 1, *kernel), and thresholds."""
    w = _integers(call)
    op = call.stream.node.op
    if not isinstance(op, Im2Col) or w.ndim != 4 or w.shape[1:] != (1, *op.kernel):
        raise LutraError(f"weights of shape {w.shape} do not fit what is before them",
                         hint="only a depthwise convolution behind its window generator is supported")
    return _activated(call, _convolution(call, w, w.shape[0]))


def _convolution(call: Call, kernel: Array, groups: int) -> Stream:
    """By weights (M, C / groups, *kernel) of what the window generator reads."""
    node = call.stream.node
    assert isinstance(node.op, Im2Col)
    if kernel.ndim != 4:
        raise LutraError(f"weights of shape {kernel.shape} do not fit windows of {node.op.kernel}",
                         hint="export the model again")
    none = (0, 0)
    op = Conv(_exact(kernel)[0], node.op.stride, none, none, node.op.dilation, groups, _exact(kernel)[1])
    first = call.emit(Permute((2, 0, 1)), Stream(node.args[0], call.stream.batch, call.stream.dynamic))
    return call.emit(Permute((1, 2, 0)), call.emit(op, first))


def _activated(call: Call, out: Stream) -> Stream:
    """Thresholds (channels or 1, levels), unless there are none: ActVal + how many are reached; -1 or +1 if BIPOLAR."""
    if call.attr("noActivation", 0) or not call.has(2):
        return out
    rows = threshold_rows(call, 2)
    bipolar = call.attr("outputDataType", "") == "BIPOLAR"
    scale, bias = (2.0, -1.0) if bipolar else (1.0, float(call.attr("ActVal", 0)))
    frame = (1,) * (len(out.node.out.shape) - 1)
    return call.emit(MultiThreshold(real(rows.T.reshape(-1, *frame, len(rows))), scale, bias), out)


LAYERS: dict[str, Callable[[Call], Stream | tuple[Stream, ...]]] = {
    "DuplicateStreams": _duplicated, "FMPadding": _padded, "ConvolutionInputGenerator": _windows,
    "MVAU": _matrix_unit, "MatrixVectorActivation": _matrix_unit, "StreamingFCLayer": _matrix_unit,
    "VVAU": _vector_unit, "VectorVectorActivation": _vector_unit, "Vector_Vector_Activate": _vector_unit,
    "AddStreams": add,
}
DOMAINS = ("finn.custom_op.fpgadataflow", "finn.custom_op.fpgadataflow.hls", "finn.custom_op.fpgadataflow.rtl")
HANDLERS = {f"{name}{end}": layer for name, layer in LAYERS.items() for end in ("", "_Batch", "_hls", "_rtl")}
JOINING = tuple(name for name in HANDLERS if name.startswith("AddStreams"))
