"""Constant folding: shape arithmetic of exporters, weights computed from weights. Double precision and int64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lutra.errors import LutraError
from lutra.front.moves import MOVES, axes_of, slice_bounds
from lutra.front.values import Call, Const, Stream, check_size
from lutra.ir import Array


def fold(call: Call) -> Const | None:
    """The constant that a node of constants makes; None where this file does not know the operator."""
    if call.op in ("Shape", "Size") and call.inputs and isinstance(call.inputs[0], Stream):
        return Const(_shape(call, call.inputs[0].shape))
    if not all(v is None or isinstance(v, Const) for v in call.inputs):
        return None
    if call.op in MOVES:
        return _moved(call)
    function = FUNCTIONS.get(call.op)
    if function is None:
        return None
    with np.errstate(all="ignore"):  # what is not finite is refused where it is used
        return Const(_normal(_guarded(lambda: function(call), call)), stored=_stored(call))


def _stored(call: Call) -> int:
    """The data type of a result, where quantisers may have to know it."""
    if call.op == "Constant":
        return int(call.attrs.get("stored", 0))
    if call.op == "Cast":
        return int(call.attr("to", 1))
    first = call.inputs[0] if call.inputs else None
    return first.stored if isinstance(first, Const) and call.op in KEEPING else 0


def _guarded(compute: Callable[[], Any], call: Call) -> Any:
    try:
        return compute()
    except (ValueError, IndexError, TypeError, OverflowError, KeyError) as e:
        shapes = " and ".join(str(v.array.shape) for v in call.inputs if isinstance(v, Const))
        raise LutraError(f"{call.op} cannot be computed from constants of shape {shapes}",
                         hint="the file is inconsistent; export it again") from e


def _normal(value: Any) -> Array:
    array = np.asarray(value)
    kind = {"f": np.float64, "b": np.bool_}.get(array.dtype.kind, np.int64)
    return array.astype(kind, copy=False)


def _arg(call: Call, index: int) -> Array:
    return call.constant(index, "an operand").array


def _shape(call: Call, shape: tuple[int, ...]) -> Array:
    if call.op == "Size":
        return np.asarray(int(np.prod(shape, dtype=np.int64)))
    return np.array(shape[call.attr("start", 0) : call.attr("end", len(shape))], dtype=np.int64)


def _moved(call: Call) -> Const:
    x = call.constant(0, "the tensor")
    move = _guarded(lambda: MOVES[call.op](call, x.array), call)
    quant = None if x.quant is None else (move(x.quant[0]), move(x.quant[1]))
    return Const(_guarded(lambda: move(x.array), call), quant, x.stored)


# -- arithmetic


def _binary(function: Callable[[Array, Array], Any]) -> Callable[[Call], Any]:
    def compute(call: Call) -> Any:
        a, b = _arg(call, 0), _arg(call, 1)
        check_small(np.broadcast_shapes(a.shape, b.shape))
        return function(a, b)

    return compute


def _unary(function: Callable[[Array], Any]) -> Callable[[Call], Any]:
    return lambda call: function(_arg(call, 0))


def _many(function: Callable[[Array, Array], Array]) -> Callable[[Call], Any]:
    def compute(call: Call) -> Any:
        result = _arg(call, 0)
        for i in range(1, len(call.inputs)):
            check_small(np.broadcast_shapes(result.shape, _arg(call, i).shape))
            result = function(result, _arg(call, i))
        return result

    return compute


def check_small(shape: tuple[int, ...]) -> None:
    """LutraError for a constant too large; an empty one is allowed."""
    if 0 not in shape:
        check_size(shape)


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind == "f" or b.dtype.kind == "f":
        return np.asarray(a / b)
    if (b == 0).any():
        raise LutraError("an integer is divided by zero", hint="the file is inconsistent; export it again")
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)))  # ONNX: towards zero


def _power(a: Array, b: Array) -> Array:
    result = np.power(a.astype(np.float64), b)
    return result if a.dtype.kind == "f" else np.asarray(np.rint(result).astype(np.int64))


def _matmul(call: Call) -> Any:
    a, b = _arg(call, 0), _arg(call, 1)
    check_small((*a.shape[:-1], *b.shape[-1:]))
    return a @ b


def _reduce(function: Callable[..., Any]) -> Callable[[Call], Any]:
    def compute(call: Call) -> Any:
        axes = axes_of(call)
        if not axes and call.attr("noop_with_empty_axes", 0):
            return _arg(call, 0)
        return function(_arg(call, 0), axis=axes or None, keepdims=bool(call.attr("keepdims", 1)))

    return compute


# -- building and taking apart


def _constant_of_shape(call: Call) -> Any:
    shape = call.integers(0, "the shape")
    check_small(shape)
    return np.full(shape, np.asarray(call.attr("value", np.zeros(1))).reshape(()))


def _range(call: Call) -> Any:
    start, limit, delta = (_arg(call, i).item() for i in range(3))
    check_small((max(0, int((limit - start) / delta) + 1),))
    return np.arange(start, limit, delta)


def _expand(call: Call) -> Any:
    shape = np.broadcast_shapes(_arg(call, 0).shape, call.integers(1, "the shape"))
    check_small(shape)
    return np.broadcast_to(_arg(call, 0), shape)


def _tile(call: Call) -> Any:
    repeats = call.integers(1, "repeats")
    check_small(tuple(n * r for n, r in zip(_arg(call, 0).shape, repeats, strict=True)))
    return np.tile(_arg(call, 0), repeats)


def _slice(call: Call) -> Any:
    x = _arg(call, 0)
    starts, ends, axes, steps = slice_bounds(call)
    index = [slice(None)] * x.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # ONNX marks "through the first element" of a negative step by an end far below -length
        index[axis] = slice(start, None if step < 0 and end < -x.shape[axis] else end, step)
    return x[tuple(index)]


def _concat(call: Call) -> Any:
    return np.concatenate([_arg(call, i) for i in range(len(call.inputs))], axis=call.attr("axis", 0))


def _cast(call: Call) -> Any:
    x, to = _arg(call, 0), call.attr("to", 1)
    if to == 9:
        return x != 0
    if to in (1, 10, 11, 16):
        return x.astype(np.float64)
    return np.trunc(x).astype(np.int64) if x.dtype.kind == "f" else x.astype(np.int64)


KEEPING = ("Expand", "Tile", "Slice", "Concat", "Gather")  # the data type
FUNCTIONS: dict[str, Callable[[Call], Any]] = {
    "Add": _binary(np.add), "Sub": _binary(np.subtract), "Mul": _binary(np.multiply), "Div": _binary(_divide),
    "Pow": _binary(_power), "Mod": _binary(np.mod), "MatMul": _matmul, "Min": _many(np.minimum),
    "Max": _many(np.maximum), "Sum": _many(np.add),
    "Equal": _binary(np.equal), "Greater": _binary(np.greater), "Less": _binary(np.less),
    "And": _binary(np.logical_and), "Or": _binary(np.logical_or), "Not": _unary(np.logical_not),
    "Sqrt": _unary(np.sqrt), "Exp": _unary(np.exp), "Log": _unary(np.log), "Reciprocal": _unary(lambda x: 1.0 / x),
    "Floor": _unary(np.floor), "Ceil": _unary(np.ceil), "Round": _unary(np.rint), "Neg": _unary(np.negative),
    "Abs": _unary(np.abs), "Sign": _unary(np.sign),
    "ReduceProd": _reduce(np.prod), "ReduceSum": _reduce(np.sum), "ReduceMean": _reduce(np.mean),
    "ReduceMax": _reduce(np.max), "ReduceMin": _reduce(np.min),
    "Constant": lambda call: call.attrs["value"], "ConstantOfShape": _constant_of_shape, "Range": _range,
    "Expand": _expand, "Tile": _tile, "Slice": _slice, "Concat": _concat, "Cast": _cast,
    "Shape": lambda call: _shape(call, _arg(call, 0).shape), "Size": lambda call: _shape(call, _arg(call, 0).shape),
    "Gather": lambda call: np.take(_arg(call, 0), _arg(call, 1), axis=call.attr("axis", 0)),
    "Where": lambda call: np.where(_arg(call, 0), _arg(call, 1), _arg(call, 2)),
}
