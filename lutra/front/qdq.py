"""Import of ONNX's linear quantisation: QuantizeLinear and DequantizeLinear, on the network's data and on constants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.front.tensors import integers, name_of
from lutra.front.values import Call, Const, Stream, Value, quotient, whole
from lutra.ir import REAL, Array, Tensor
from lutra.ops.source import Mul, QuantizeLinear, Sub, real
from lutra.ops.source.quant import check_scale

UINT8 = 2  # TensorProto.UINT8, what QuantizeLinear gives where nothing says otherwise
WIDEST = 16  # bits of a quantised type


@dataclass(frozen=True, eq=False)
class Steps:
    """Scale and zero point, both float64 and broadcastable to the ONNX shape; the TensorProto type of the integers."""

    scale: Array
    zero: Array
    type: int

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest integer."""
        found = integers(self.type)
        assert found is not None
        return found


def quantised(call: Call) -> Value:
    """QuantizeLinear of the data or of a constant."""
    value = _first(call)
    steps = _steps(call, _shape(value), UINT8)
    lo, hi = steps.bounds
    if hi - lo >= 1 << WIDEST:
        raise LutraError(f"quantisation to {name_of(steps.type)} is not supported", hint="use a type of 2 to 16 bits")
    if isinstance(value, Stream):
        scale, zero = (real(call.localised(a, "the scale")) for a in (steps.scale, steps.zero))
        return call.emit(QuantizeLinear(scale, zero, lo, hi))
    op = QuantizeLinear(real(steps.scale), real(steps.zero), lo, hi)
    x = call.numbers(0, "the constant to quantise")
    op.infer(Tensor(x.shape, REAL))
    return Const(op.rounded(quotient(x, steps.scale)).astype(np.int64), stored=steps.type)


def dequantised(call: Call) -> Value:
    """DequantizeLinear: of the data, a subtraction and a product; a constant keeps its integers and scales."""
    value = _first(call)
    steps = _steps(call, _shape(value), _type(value))
    if isinstance(value, Stream):
        return _dequantised_stream(call, value, steps)
    x = value.array
    if x.dtype.kind == "b" or not whole(x):
        raise LutraError("the constant to dequantise does not hold integers", hint="export the model again")
    counts = x.astype(np.int64) - steps.zero.astype(np.int64)
    return Const(counts * steps.scale, (counts, np.broadcast_to(steps.scale, x.shape)))


def _dequantised_stream(call: Call, value: Stream, steps: Steps) -> Stream:
    op, out = value.node.op, value
    lo, hi = steps.bounds
    if isinstance(op, QuantizeLinear) and call.has(2) and not lo <= op.lo <= op.hi <= hi:
        raise LutraError(f"integers from {op.lo} to {op.hi} are dequantised as {name_of(steps.type)}",
                         hint="give both zero points the same type")
    if steps.zero.any():
        out = call.emit(Sub(real(call.localised(steps.zero, "the zero point"))), out)
    return call.emit(Mul(real(call.localised(steps.scale, "the scale"))), out)


def _first(call: Call) -> Value:
    value = call.inputs[0] if call.inputs else None
    if value is None:
        raise LutraError(f"{call.op} lacks its first input", hint="export the model again")
    return value


def _shape(value: Value) -> tuple[int, ...]:
    return value.shape if isinstance(value, Stream) else value.array.shape


def _type(value: Value) -> int:
    """The integer type of what is dequantised; 0 where it is not known."""
    if isinstance(value, Const):
        return value.stored if integers(value.stored) else 0
    return 0


def _steps(call: Call, shape: tuple[int, ...], known: int) -> Steps:
    """Inputs 2 and 3 of either operator. known: the type of the integers where no zero point says it, or 0."""
    scale = call.constant(1, "the scale").array.astype(np.float64)
    check_scale(scale)
    if call.attr("block_size", 0) or (scale.ndim > 1 and scale.size > 1):
        raise LutraError(f"blocked quantisation (scales of shape {scale.shape}) is not supported",
                         hint="quantise per tensor or per channel")
    stated = call.attr("output_dtype", 0) if call.op == "QuantizeLinear" else 0  # of reals for the other operator
    if not call.has(2):
        kind = stated or known or UINT8
        return Steps(_placed(call, scale, shape), np.zeros(()), _checked(kind))
    zero = call.constant(2, "the zero point")
    kind = _checked(zero.stored or stated or known or UINT8)
    other = stated or (known if call.op == "DequantizeLinear" else 0)
    if other and kind != other:
        raise LutraError(f"the zero point has type {name_of(kind)}, its data {name_of(other)}",
                         hint="give both the same type")
    if zero.array.size != scale.size or zero.array.ndim > 1 < zero.array.size:
        raise LutraError(f"the zero point has shape {zero.array.shape}, the scale {scale.shape}",
                         hint="give both the same shape")
    values = call.numbers(2, "the zero point")
    lo, hi = integers(kind) or (0, 0)
    outside = values[(values < lo) | (values > hi) | (values != np.rint(values))]
    if outside.size:
        raise LutraError(f"zero point {outside.flat[0]:g} is no integer from {lo} to {hi} ({name_of(kind)})",
                         hint="check the exporter's zero points")
    return Steps(_placed(call, scale, shape), _placed(call, values, shape), kind)


def _checked(kind: int) -> int:
    if integers(kind) is None:
        raise LutraError(f"quantisation to {name_of(kind)} is not supported", hint="use integers of 2 to 16 bits")
    return kind


def _placed(call: Call, values: Array, shape: tuple[int, ...]) -> Array:
    """One value, or one for each place of `axis`, so that it broadcasts to an ONNX shape."""
    if values.size == 1:
        return values.reshape(())
    axis, rank = call.attr("axis", 1), len(shape)
    if not -rank <= axis < rank:
        raise LutraError(f"axis {axis} does not exist in {rank} axes", hint=f"choose one from 0 to {rank - 1}")
    if isinstance(call.inputs[0], Stream):
        call.axis(axis)  # it is not the batch axis
    if values.size != shape[axis]:
        raise LutraError(f"{values.size} scales do not fit axis {axis} of a tensor of shape {shape}",
                         hint="one scale for each channel of the axis")
    return values.reshape([-1 if i == axis % rank else 1 for i in range(rank)])


HANDLERS: dict[str, Callable[[Call], Value]] = {"QuantizeLinear": quantised, "DequantizeLinear": dequantised}
