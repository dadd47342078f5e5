"""Import of QONNX's quantisers and FINN's MultiThreshold, on the network's data and on weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lutra.errors import LutraError
from lutra.front.values import Call, Const, Stream, Value, check_finite, quotient, text
from lutra.ir import REAL, Array, Constant, Graph, Input, Node, Tensor
from lutra.ops.source import BipolarQuant, Elementwise, MultiThreshold, Quant, Trunc, real
from lutra.ops.source.quant import MAX_BITS, check_scale, integer_bounds


def quantised(call: Call) -> Stream | Const:
    """A quantiser on the data, or on a constant, which then remembers its integers and scales."""
    if isinstance(call.inputs[0] if call.inputs else None, Const):
        return _on_constant(call)
    return call.emit(MAKERS[call.op](call))


def _on_constant(call: Call) -> Const:
    x = call.numbers(0, "the constant to quantise")
    op = MAKERS[call.op](_standing_in(call, x))
    op.infer(Tensor(x.shape, REAL))
    integers, scale = _decomposed(op, x)
    if integers is None:
        return Const(op.apply(x))
    if (integers != np.rint(integers)).any():
        return Const(integers * scale)
    return Const(integers * scale, (integers.astype(np.int64), np.broadcast_to(scale, x.shape)))


def on_constant(call: Call, handler: Callable[[Call], Value | tuple[Value, ...]]) -> tuple[Const, ...]:
    """The constants that an operator for the network's data makes of one."""
    x = call.numbers(0, "the constant")
    standing = _standing_in(call, x)
    made = handler(standing)
    results = made if isinstance(made, tuple) else (made,)
    nodes = tuple(r.node for r in results if isinstance(r, Stream))
    assert len(nodes) == len(results)
    values = Graph((standing.stream.node,), nodes).evaluate(x[None])
    return tuple(Const(values[n][0]) for n in nodes)


def _standing_in(call: Call, x: Array) -> Call:
    """The call with its first input as a stream without batch axis, so that parameters fit as they are."""
    stream = Stream(Node(Input("constant", Tensor(x.shape, REAL))), ())
    return replace(call, inputs=(stream, *call.inputs[1:]))


def _decomposed(op: Elementwise, x: Array) -> tuple[Array | None, Array]:
    """What a quantiser makes of a constant as multiples (integers, unless its zero point is none) of its scale; None
    where it has no such form.
    """
    match op:
        case Quant():
            zero = op.zero_point.array
            return op.rounded(quotient(x, op.scale.array) + zero) - zero, op.scale.array
        case BipolarQuant():
            return np.where(x >= 0, 1.0, -1.0), op.scale.array
    return None, np.ones(())


def _bits(call: Call, index: int) -> int:
    bits = call.scalar(index, "the bit width")
    if bits != np.rint(bits) or not 1 <= bits <= MAX_BITS:
        raise LutraError(f"a width of {bits:g} bits is not a whole number from 1 to {MAX_BITS}",
                         hint="set the quantiser's bit width")
    return int(bits)


def _flag(call: Call, name: str, default: int) -> bool:
    return bool(call.attr(name, default))


def _quant(call: Call) -> Quant:
    return Quant(_scale(call, 1), call.param(2, "the zero point"), _bits(call, 3), _flag(call, "signed", 1),
                 _flag(call, "narrow", 0), call.attr("rounding_mode", "ROUND").upper())


def _scale(call: Call, index: int) -> Constant:
    values = call.constant(index, "the scale").array.astype(np.float64)
    check_scale(values)
    return real(call.localised(values, "the scale"))


def _bipolar(call: Call) -> BipolarQuant:
    return BipolarQuant(_scale(call, 1))


def _trunc(call: Call) -> Trunc:
    """Version 1 of QONNX has five inputs, version 2 six: the output's scale before its width."""
    scale, zero, mode = _scale(call, 1), call.param(2, "the zero point"), call.attr("rounding_mode", "FLOOR").upper()
    if len(call.inputs) <= 5:
        divisor = 2.0 ** (_bits(call, 3) - _bits(call, 4))
        return Trunc(scale, zero, real(divisor), scale, zero, None, mode)
    out_scale = _scale(call, 4)
    divisors = 2.0 ** np.rint(np.log2(out_scale.array / scale.array))
    clip = integer_bounds(_bits(call, 5), _flag(call, "signed", 1), _flag(call, "narrow", 0))
    return Trunc(scale, zero, real(divisors), out_scale, real(zero.array / divisors), clip, mode)


def threshold_rows(call: Call, index: int) -> Array:
    """Thresholds (C or 1, L); only how many are reached counts, so each row may be sorted."""
    rows = np.sort(call.numbers(index, "the thresholds"), axis=-1)
    if rows.ndim != 2 or not rows.size:
        raise LutraError(f"thresholds of shape {rows.shape} are not (channels, levels)", hint="export them as a matrix")
    return rows


def _multithreshold(call: Call) -> MultiThreshold:
    rows = threshold_rows(call, 1)
    shape = call.stream.shape
    layout = call.attr("data_layout", "")
    if layout not in ("", "NC", "NCHW", "NCW", "NHWC", "NWC"):
        raise LutraError(f"data layout {text(layout)} is not known", hint="use NCHW, NCW, NC, NHWC or NWC")
    axis = call.axis(-1 if layout in ("NHWC", "NWC") or len(shape) < 2 else 1)
    frame = [1] * (len(shape) - len(call.stream.batch))
    frame[axis] = len(rows)
    scale, bias = call.attr("out_scale", 1.0), call.attr("out_bias", 0.0)
    check_finite(np.array([scale, bias]), "out_scale or out_bias")
    return MultiThreshold(real(rows.T.reshape(-1, *frame)), float(scale), float(bias))


MAKERS: dict[str, Callable[[Call], Elementwise]] = {
    "Quant": _quant, "IntQuant": _quant, "BipolarQuant": _bipolar, "Trunc": _trunc, "MultiThreshold": _multithreshold,
}
