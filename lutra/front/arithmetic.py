"""Import of elementwise operators with constants, and of what changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lutra.errors import LutraError
from lutra.front.values import Call, Const, Stream
from lutra.ir import Constant, Op
from lutra.ops.source import (
    Abs,
    Add,
    ArgMax,
    Clip,
    Div,
    LeakyRelu,
    Mul,
    Neg,
    Relu,
    RSub,
    Sigmoid,
    Sign,
    Sub,
    Tanh,
    TopK,
    real,
)

INF = float("inf")
FLOATS = (1, 11)  # TensorProto.FLOAT, DOUBLE: nothing is lost


def _with_constant(
    make: Callable[[Constant], Op], flipped: Callable[[Constant], Op] | None
) -> Callable[[Call], Stream]:
    """Import of x o c, and of c o x where `flipped` says what that is."""

    def convert(call: Call) -> Stream:
        if isinstance(call.inputs[0], Const):
            if flipped is None:
                raise LutraError(f"{call.op} of a constant by the network's data is not supported",
                                 hint=f"only {call.op} of the data by a constant is")
            turned = replace(call, inputs=call.inputs[::-1])
            return turned.emit(flipped(turned.param(1, "the constant")))
        return call.emit(make(call.param(1, "the constant")))

    return convert


def _div(call: Call) -> Stream:
    if isinstance(call.inputs[0], Stream) and not call.constant(1, "the constant").array.all():
        raise LutraError("the network's data are divided by zero", hint="check the exporter's constants")
    return _with_constant(Div, None)(call)


def _plain(op: Op) -> Callable[[Call], Stream]:
    return lambda call: call.emit(op)


def _leaky(call: Call) -> Stream:
    return call.emit(LeakyRelu(real(call.attr("alpha", 0.01))))


def _prelu(call: Call) -> Stream:
    return call.emit(LeakyRelu(call.param(1, "the slope")))


def _clip(call: Call) -> Stream:
    """Bounds are attributes before opset 11, inputs since."""
    lo = call.scalar(1, "the lower bound") if call.has(1) else call.attr("min", -INF)
    hi = call.scalar(2, "the upper bound") if call.has(2) else call.attr("max", INF)
    if np.isnan([lo, hi]).any() or lo > hi:
        raise LutraError(f"bounds {lo:g} and {hi:g} are not an interval", hint="check the exporter's bounds")
    return call.emit(Clip(real(lo), real(hi)))


def _hard_sigmoid(call: Call) -> Stream:
    scaled = call.emit(Mul(real(call.attr("alpha", 0.2))))
    moved = call.emit(Add(real(call.attr("beta", 0.5))), scaled)
    return call.emit(Clip(real(0.0), real(1.0)), moved)


def _same(call: Call) -> Stream:
    return call.stream


def _cast(call: Call) -> Stream:
    whole = isinstance(call.stream.node.op, (ArgMax, TopK))
    if call.attr("to", 1) not in FLOATS and not whole:
        raise LutraError(f"a cast of the network's data to data type {call.attr('to', 1)} is not supported",
                         hint="cast to FLOAT or DOUBLE, or use a Quant node")
    return call.stream


HANDLERS: dict[str, Callable[[Call], Stream]] = {
    "Add": _with_constant(Add, Add), "Sub": _with_constant(Sub, RSub), "Mul": _with_constant(Mul, Mul), "Div": _div,
    "Max": _with_constant(lambda c: Clip(c, real(INF)), lambda c: Clip(c, real(INF))),
    "Min": _with_constant(lambda c: Clip(real(-INF), c), lambda c: Clip(real(-INF), c)),
    "Relu": _plain(Relu()), "Sigmoid": _plain(Sigmoid()), "Tanh": _plain(Tanh()), "Sign": _plain(Sign()),
    "Abs": _plain(Abs()), "Neg": _plain(Neg()), "LeakyRelu": _leaky, "PRelu": _prelu, "Clip": _clip,
    "HardSigmoid": _hard_sigmoid, "Identity": _same, "Dropout": _same, "Cast": _cast,
}
