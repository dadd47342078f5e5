"""PyTorch's arithmetic, functions of one number and reductions as ONNX's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lutra.errors import LutraError
from lutra.front.module.call import Aten, Translator
from lutra.front.values import Const, Stream

SELU = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946  # Klambauer 2017, as PyTorch has them


def _plain(op: str) -> Translator:
    return lambda a: a.call(op, a.stream)


def _attribute(op: str, **names: str) -> Translator:
    """An operator whose ONNX attributes are arguments under other names."""
    def convert(a: Aten) -> Any:
        attrs: dict[str, Any] = {ours: float(a[theirs]) for ours, theirs in names.items()}
        return a.call(op, a.stream, **attrs)

    return convert


# -- arithmetic


def _sum(op: str) -> Translator:
    """The sum self + alpha * other, or the difference."""

    def convert(a: Aten) -> Any:
        other, alpha = a["other"], a.args.get("alpha", 1)
        return a.call(op, a["self"], other if alpha == 1 else a.call("Mul", other, alpha) if isinstance(
            other, Stream) else Const(_array(other) * alpha))

    return convert


def _array(value: Any) -> Any:
    return value.array if isinstance(value, Const) else np.asarray(value)


def _rsub(a: Aten) -> Any:
    if a.args.get("alpha", 1) != 1:
        raise LutraError(f"rsub with alpha={a['alpha']} is not supported", hint="multiply before it")
    return a.call("Sub", a["other"], a["self"])


def _addcmul(a: Aten) -> Any:
    """The sum self + value * tensor1 * tensor2."""
    product = a.call("Mul", a["tensor1"], a["tensor2"])
    return a.call("Add", product if a["value"] == 1 else a.call("Mul", product, float(a["value"])), a["self"])


def _div(a: Aten) -> Any:
    if a.args.get("rounding_mode"):
        raise LutraError(f"a division with rounding_mode={a['rounding_mode']!r} is not supported",
                         hint="divide, then torch.floor")
    return a.call("Div", a["self"], a["other"])


def _both(op: str) -> Translator:
    return lambda a: a.call(op, a["self"], a["other"])


# -- functions of one number, reductions


def _clip(low: str, high: str) -> Translator:
    def convert(a: Aten) -> Any:
        lo, hi = (a.args.get(n) if n else None for n in (low, high))
        return a.call("Clip", a.stream, -np.inf if lo is None else lo, np.inf if hi is None else hi)

    return convert


def _prelu(a: Aten) -> Any:
    slope = _array(a["weight"])
    axes = len(a.stream.shape) - 2
    return a.call("PRelu", a.stream, slope.reshape(-1, *(1,) * max(axes, 0)) if slope.size > 1 else slope.reshape(()))


def _hard_sigmoid(a: Aten) -> Any:
    """relu6(x + 3) / 6, in that order."""
    return a.call("Div", a.call("Clip", a.call("Add", a.stream, 3.0), 0.0, 6.0), 6.0)


def _elu(a: Aten) -> Any:
    if a["input_scale"] != 1:
        raise LutraError(f"elu with input_scale={a['input_scale']} is not supported", hint="use 1")
    out = a.call("Elu", a.stream, alpha=float(a["alpha"]))
    return out if a["scale"] == 1 else a.call("Mul", out, float(a["scale"]))


def _softplus(a: Aten) -> Any:
    if a["beta"] != 1:
        raise LutraError(f"softplus with beta={a['beta']} is not supported", hint="use 1")
    return a.call("Softplus", a.stream)


def _round(a: Aten) -> Any:
    if a.args.get("decimals"):
        raise LutraError(f"round to {a['decimals']} decimals is not supported", hint="multiply, round, divide")
    return a.call("Round", a.stream)


def _same(a: Aten) -> Any:
    """A copy: exact between single and double precision."""
    kind = str(a.args.get("dtype") or "torch.float32").removeprefix("torch.")
    if kind not in ("float32", "float64"):
        raise LutraError(f"the network's data are cast to {kind}", hint="use float32 or float64, or a fixed-point cast")
    return a.stream


def _mean(op: str, dims: str = "dim") -> Translator:
    def convert(a: Aten) -> Any:
        given = a.args.get(dims)
        axes = [] if given is None else [given] if isinstance(given, int) else list(given)
        return a.call(op, a.stream, *([axes] if axes else []), keepdims=int(bool(a.args.get("keepdim"))))

    return convert


def _max_of(a: Aten) -> Any:
    """The larger of two, or values and indices along one axis."""
    if "other" in a.args:
        return a.call("Max", a["self"], a["other"])
    if "dim" not in a.args:
        raise LutraError("the maximum of all axes mixes the frames of a batch", hint="say the axes: torch.amax(x, dim)")
    keep = int(bool(a["keepdim"]))
    return (a.call("ReduceMax", a.stream, [a["dim"]], keepdims=keep),
            a.call("ArgMax", a.stream, axis=int(a["dim"]), keepdims=keep))


def _argmax(a: Aten) -> Any:
    if a["dim"] is None:
        raise LutraError("argmax of all axes mixes the frames of a batch", hint="say the axis: argmax(x, dim=1)")
    return a.call("ArgMax", a.stream, axis=int(a["dim"]), keepdims=int(bool(a["keepdim"])))


def _softmax(op: str) -> Translator:
    return lambda a: a.call(op, a.stream, axis=int(a["dim"]))


def _topk(a: Aten) -> Any:
    if not a["largest"] or not a["sorted"]:
        raise LutraError("topk with largest=False or sorted=False is not supported", hint="use the defaults")
    return a.call("TopK", a.stream, [a["k"]], axis=int(a["dim"]))


TRANSLATORS: Mapping[str, Translator] = {
    "aten::add": _sum("Add"), "aten::sub": _sum("Sub"), "aten::rsub": _rsub, "aten::mul": _both("Mul"),
    "aten::div": _div, "aten::addcmul": _addcmul,
    **dict.fromkeys(("aten::gt", "aten::greater"), _both("Greater")),
    **dict.fromkeys(("aten::ge", "aten::greater_equal"), _both("GreaterOrEqual")),
    **dict.fromkeys(("aten::lt", "aten::less"), _both("Less")),
    **dict.fromkeys(("aten::le", "aten::less_equal"), _both("LessOrEqual")),
    "aten::maximum": _both("Max"), "aten::minimum": _both("Min"), "aten::neg": _plain("Neg"),
    "aten::relu": _plain("Relu"), "aten::hardtanh": _clip("min_val", "max_val"), "aten::clamp": _clip("min", "max"),
    "aten::clamp_min": _clip("min", ""), "aten::clamp_max": _clip("", "max"),
    "aten::relu6": lambda a: a.call("Clip", a.stream, 0.0, 6.0), "aten::prelu": _prelu,
    "aten::leaky_relu": _attribute("LeakyRelu", alpha="negative_slope"),
    "aten::sigmoid": _plain("Sigmoid"), "aten::tanh": _plain("Tanh"), "aten::hardsigmoid": _hard_sigmoid,
    "aten::hardswish": _plain("HardSwish"), "aten::silu": lambda a: a.call("Swish", a.stream, alpha=1.0),
    "aten::mish": _plain("Mish"), "aten::gelu": lambda a: a.call("Gelu", a.stream, approximate=a["approximate"]),
    "aten::selu": lambda a: a.call("Selu", a.stream, alpha=SELU[0], gamma=SELU[1]), "aten::elu": _elu,
    "aten::celu": _attribute("Celu", alpha="alpha"), "aten::softplus": _softplus,
    "aten::sign": _plain("Sign"), "aten::abs": _plain("Abs"), "aten::floor": _plain("Floor"),
    "aten::ceil": _plain("Ceil"), "aten::round": _round, "aten::sqrt": _plain("Sqrt"), "aten::exp": _plain("Exp"),
    "aten::log": _plain("Log"), "aten::erf": _plain("Erf"), "aten::reciprocal": _plain("Reciprocal"),
    "aten::pow": lambda a: a.call("Pow", a["self"], a["exponent"]),
    "aten::mean": _mean("ReduceMean"), "aten::sum": _mean("ReduceSum"), "aten::amax": _mean("ReduceMax"),
    "aten::max": _max_of, "aten::argmax": _argmax, "aten::topk": _topk,
    "aten::softmax": _softmax("Softmax"), "aten::log_softmax": _softmax("LogSoftmax"),
    **dict.fromkeys([f"aten::{n}" for n in ("alias", "clone", "contiguous", "detach", "dropout", "to", "_to_copy")],
                    _same),
}
