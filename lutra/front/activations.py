"""Import of activations and other functions of one number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lutra.errors import LutraError
from lutra.front.values import Call, Stream, check_finite, text
from lutra.ir import Op
from lutra.ops.source import (
    Abs,
    Add,
    Clip,
    Elu,
    Erf,
    Exp,
    Gelu,
    HardSwish,
    LeakyRelu,
    Log,
    Mish,
    Mul,
    Neg,
    Pow,
    QuantizeLinear,
    Reciprocal,
    Relu,
    Round,
    Sigmoid,
    Sign,
    Softplus,
    Softsign,
    Sqrt,
    Swish,
    Tanh,
    ThresholdedRelu,
    real,
)

INF = float("inf")


def _plain(op: Op) -> Callable[[Call], Stream]:
    return lambda call: call.emit(op)


def _number(call: Call, name: str, default: float) -> float:
    value = float(call.attr(name, default))
    check_finite(np.array([value]), name)
    return value


def leaky(call: Call) -> Stream:
    """LeakyRelu."""
    return call.emit(LeakyRelu(real(_number(call, "alpha", 0.01))))


def _prelu(call: Call) -> Stream:
    return call.emit(LeakyRelu(call.param(1, "the slope")))


def _pow(call: Call) -> Stream:
    return call.emit(Pow(call.param(1, "the exponent")))


def _clip(call: Call) -> Stream:
    """Bounds are attributes before opset 11, inputs since. One that follows QuantizeLinear narrows its range."""
    lo = call.scalar(1, "the lower bound") if call.has(1) else call.attr("min", -INF)
    hi = call.scalar(2, "the upper bound") if call.has(2) else call.attr("max", INF)
    if np.isnan([lo, hi]).any() or lo > hi:
        raise LutraError(f"bounds {lo:g} and {hi:g} are not an interval", hint="check the exporter's bounds")
    node = call.stream.node
    if isinstance(node.op, QuantizeLinear):
        least, most = max(node.op.lo, lo), min(node.op.hi, hi)
        if least < most and least == np.rint(least) and most == np.rint(most):
            source = Stream(node.args[0], call.stream.batch, call.stream.dynamic)
            return call.emit(QuantizeLinear(node.op.scale, node.op.zero_point, int(least), int(most)), source)
    return call.emit(Clip(real(lo), real(hi)))


def _hard_sigmoid(call: Call) -> Stream:
    scaled = call.emit(Mul(real(_number(call, "alpha", 0.2))))
    moved = call.emit(Add(real(_number(call, "beta", 0.5))), scaled)
    return call.emit(Clip(real(0.0), real(1.0)), moved)


def _gelu(call: Call) -> Stream:
    kind = call.attr("approximate", "none")
    if kind not in ("none", "tanh"):
        raise LutraError(f"Gelu with approximate={text(kind)} is not known", hint="use none or tanh")
    return call.emit(Gelu(kind == "tanh"))


def _swish(call: Call) -> Stream:
    return call.emit(Swish(_number(call, "alpha", 1.0)))


def _elu(call: Call) -> Stream:
    return call.emit(Elu(_number(call, "alpha", 1.0), 1.0, 1.0))


def _selu(call: Call) -> Stream:
    """The defaults are ONNX's: single-precision roundings of the paper's constants (Klambauer 2017)."""
    alpha, gamma = _number(call, "alpha", 1.67326319217681884765625), _number(call, "gamma", 1.05070102214813232421875)
    return call.emit(Elu(alpha, gamma, 1.0))


def _celu(call: Call) -> Stream:
    alpha = _number(call, "alpha", 1.0)
    if alpha == 0:
        raise LutraError("Celu with alpha=0 divides by zero", hint="use Relu")
    return call.emit(Elu(alpha, 1.0, alpha))


def _thresholded(call: Call) -> Stream:
    return call.emit(ThresholdedRelu(_number(call, "alpha", 1.0)))


HANDLERS: dict[str, Callable[[Call], Stream]] = {
    "Relu": _plain(Relu()), "Sigmoid": _plain(Sigmoid()), "Tanh": _plain(Tanh()), "Sign": _plain(Sign()),
    "Abs": _plain(Abs()), "Neg": _plain(Neg()), "LeakyRelu": leaky, "PRelu": _prelu, "Clip": _clip,
    "HardSigmoid": _hard_sigmoid, "HardSwish": _plain(HardSwish()), "Gelu": _gelu, "Swish": _swish,
    "Mish": _plain(Mish()), "Elu": _elu, "Selu": _selu, "Celu": _celu, "ThresholdedRelu": _thresholded,
    "Softplus": _plain(Softplus()), "Softsign": _plain(Softsign()), "Erf": _plain(Erf()), "Exp": _plain(Exp()),
    "Log": _plain(Log()), "Sqrt": _plain(Sqrt()), "Reciprocal": _plain(Reciprocal()), "Pow": _pow,
    "Floor": _plain(Round("FLOOR")), "Ceil": _plain(Round("CEIL")), "Round": _plain(Round("HALF_EVEN")),
}
