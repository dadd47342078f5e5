"""Import of operators on integers, ONNX's and ONNX Runtime's: what is between dequantising and quantising again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from lutra.errors import LutraError
from lutra.front import activations, arithmetic, layers, pooling, qdq, selecting
from lutra.front.values import Call, Const, Stream, Value
from lutra.ops.source import Sigmoid

ONE = Const(np.ones(()), stored=1)


def _part(call: Call, op: str, *inputs: Value | None, **attrs: Any) -> Call:
    """A call of another operator at the same node."""
    return replace(call, op=op, inputs=inputs, attrs=attrs)


def _given(call: Call, index: int) -> Value | None:
    return call.inputs[index] if call.has(index) else None


def _real(call: Call, index: int, axis: int = 1) -> Value:
    """Three inputs from `index` on, integers, scale and zero point, dequantised; an axis may have a scale each."""
    parts = (_given(call, index + i) for i in range(3))
    return qdq.dequantised(_part(call, "DequantizeLinear", *parts, axis=axis))


def _whole(call: Call, out: Value, index: int) -> Value:
    """The result quantised by the scale and zero point at `index`."""
    return qdq.quantised(_part(call, "QuantizeLinear", out, _given(call, index), _given(call, index + 1)))


def _product(call: Call, index: int, what: str) -> Const:
    """int32 bias, worth the product of two scales for each: that of the data at input 2, of the weights at input 5."""
    scale = call.numbers(1, "the scale") * call.numbers(4, "the weights' scale")
    return Const(call.numbers(index, what) * scale.ravel())


def _conv(call: Call) -> Value:
    bias = _product(call, 8, "the bias") if call.has(8) else None
    out = layers.conv(replace(call, inputs=(_real(call, 0), _real(call, 3, axis=0), bias)))
    return _whole(call, out, 6)


def _matmul(call: Call) -> Value:
    return _whole(call, layers.matmul(replace(call, inputs=(_real(call, 0), _real(call, 3)))), 6)


def _gemm(call: Call) -> Value:
    """ONNX Runtime's QGemm: int32 bias with scale alpha times those of both factors; real where no scale is given."""
    alpha = float(call.attr("alpha", 1.0))
    weights = _real(call, 3, axis=0 if call.attr("transB", 0) else 1)
    bias = None
    if call.has(6):
        bias = Const(_product(call, 6, "the bias").array * alpha)
    out = layers.gemm(replace(call, inputs=(_real(call, 0), weights, bias)))
    return _whole(call, out, 7) if call.has(7) else out


def _plain(call: Call, data: int, zero: int, axis: int) -> Value:
    """Integers less their zero point."""
    parts = (_given(call, data), ONE if not call.has(zero) else _ones(call, zero), _given(call, zero))
    return qdq.dequantised(_part(call, "DequantizeLinear", *parts, axis=axis))


def _ones(call: Call, index: int) -> Const:
    return Const(np.ones(call.constant(index, "the zero point").array.shape), stored=1)


def _matmul_integer(call: Call) -> Value:
    return layers.matmul(replace(call, inputs=(_plain(call, 0, 2, 1), _plain(call, 1, 3, 1))))


def _conv_integer(call: Call) -> Value:
    return layers.conv(replace(call, inputs=(_plain(call, 0, 2, 1), _plain(call, 1, 3, 0))))


def _pair(operate: Callable[[Call], Stream]) -> Callable[[Call], Value]:
    return lambda call: _whole(call, operate(replace(call, inputs=(_real(call, 0), _real(call, 3)))), 6)


def _single(operate: Callable[[Call], Stream]) -> Callable[[Call], Value]:
    def convert(call: Call) -> Value:
        if call.attr("channels_last", 0):
            raise LutraError(f"{call.op} with channels_last=1 is not supported", hint="use channels first")
        return _whole(call, operate(replace(call, inputs=(_real(call, 0),))), 3)

    return convert


def _concat(call: Call) -> Value:
    if len(call.inputs) < 5 or len(call.inputs) % 3 != 2:
        raise LutraError(f"QLinearConcat has {len(call.inputs)} inputs", hint="two, and three for each tensor")
    parts = tuple(_real(call, i) for i in range(2, len(call.inputs), 3))
    return _whole(call, selecting.concat(replace(call, inputs=parts)), 0)


STANDARD: dict[str, Callable[[Call], Value]] = {
    "QLinearConv": _conv, "QLinearMatMul": _matmul, "MatMulInteger": _matmul_integer, "ConvInteger": _conv_integer,
}
MICROSOFT: dict[str, Callable[[Call], Value]] = {
    **qdq.HANDLERS, "QLinearAdd": _pair(arithmetic.add), "QLinearMul": _pair(arithmetic.mul), "QGemm": _gemm,
    "QLinearAveragePool": _single(pooling.averaged),
    "QLinearGlobalAveragePool": _single(pooling.HANDLERS["GlobalAveragePool"]),
    "QLinearConcat": _concat, "QLinearLeakyRelu": _single(activations.leaky),
    "QLinearSigmoid": _single(lambda call: call.emit(Sigmoid())), "Gelu": activations.HANDLERS["Gelu"],
}
JOINING = ("QLinearAdd", "QLinearMul", "QLinearConcat")
