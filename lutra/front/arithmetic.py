"""Import of sums, products, maxima: of the data with constants, and of two branches; and of what changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lutra.errors import LutraError
from lutra.front.resizing import spread
from lutra.front.tensors import integers, name_of
from lutra.front.values import Call, Const, Stream
from lutra.ir import Constant, Op
from lutra.ops.source import (
    Add,
    AddStreams,
    ArgMax,
    Clip,
    Div,
    Mul,
    MulStreams,
    QuantizeLinear,
    RSub,
    Sub,
    SubStreams,
    TopK,
    real,
)

INF = float("inf")
FLOATS = (1, 11)  # TensorProto.FLOAT, DOUBLE: nothing is lost


def _with_constant(
    make: Callable[[Constant], Op], flipped: Callable[[Constant], Op] | None, both: Op | None = None
) -> Callable[[Call], Stream]:
    """Import of x o c, of c o x where `flipped` says what that is, and of two branches where `both` does."""

    def convert(call: Call) -> Stream:
        a, b = (*call.inputs, None, None)[:2]
        if isinstance(a, Stream) and isinstance(b, Stream):
            return _met(call, both)
        if isinstance(a, Const):
            if flipped is None:
                raise LutraError(f"{call.op} of a constant by the network's data is not supported",
                                 hint=f"only {call.op} of the data by a constant is")
            turned = replace(call, inputs=(b, a))
            return _repeated(turned, flipped)
        return _repeated(call, make)

    return convert


def _repeated(call: Call, make: Callable[[Constant], Op]) -> Stream:
    """An operator by a constant, to whose shape the data broadcast first."""
    value = call.param(1, "the constant")
    return call.emit(make(value), spread(call, value.array.shape))


def _met(call: Call, op: Op | None) -> Stream:
    a, b = call.streams()
    if op is None:
        raise LutraError(f"{call.op} of two branches of the network is not supported",
                         hint="only sums, differences, products and concatenations of branches are")
    if len(a.shape) != len(b.shape):
        raise LutraError(f"branches of shape {a.shape} and {b.shape} meet", hint="give both as many axes")
    return call.join(op, (a, b))


def _div(call: Call) -> Stream:
    if isinstance(call.inputs[0], Stream) and not call.constant(1, "the constant").array.all():
        raise LutraError("the network's data are divided by zero", hint="check the exporter's constants")
    return _with_constant(Div, None)(call)


def _folded(pair: Callable[[Call], Stream]) -> Callable[[Call], Stream]:
    """Import of an operator of any number of inputs by the one of two, in order."""

    def convert(call: Call) -> Stream:
        if not call.inputs or None in call.inputs:
            raise LutraError(f"{call.op} lacks inputs", hint="export the model again")
        ordered = sorted(call.inputs, key=lambda v: isinstance(v, Const))  # the data first: it commutes
        result = ordered[0]
        for value in ordered[1:]:
            result = pair(replace(call, inputs=(result, value)))
        assert isinstance(result, Stream)
        return result

    return convert


def _mean(call: Call) -> Stream:
    return call.emit(Div(real(float(len(call.inputs)))), HANDLERS["Sum"](call))


def _same(call: Call) -> Stream:
    return call.stream


def _cast(call: Call) -> Stream:
    """To FLOAT or DOUBLE, or to an integer type of what are integers of it already."""
    to, op = call.attr("to", 1), call.stream.node.op
    bounds = integers(to)
    fits = isinstance(op, QuantizeLinear) and bounds is not None and bounds[0] <= op.lo and op.hi <= bounds[1]
    if to not in FLOATS and not fits and not isinstance(op, (ArgMax, TopK)):
        raise LutraError(f"a cast of the network's data to {name_of(to)} is not supported",
                         hint="cast to FLOAT or DOUBLE, or use a Quant node")
    return call.stream


add = _with_constant(Add, Add, AddStreams())
mul = _with_constant(Mul, Mul, MulStreams())
_max = _with_constant(lambda c: Clip(c, real(INF)), lambda c: Clip(c, real(INF)))
_min = _with_constant(lambda c: Clip(real(-INF), c), lambda c: Clip(real(-INF), c))

HANDLERS: dict[str, Callable[[Call], Stream]] = {
    "Add": add, "Sub": _with_constant(Sub, RSub, SubStreams()), "Mul": mul, "Div": _div, "Max": _folded(_max),
    "Min": _folded(_min), "Sum": _folded(add), "Mean": _mean, "Identity": _same, "Dropout": _same, "Cast": _cast,
}
JOINING = ("Add", "Sub", "Mul", "Sum", "Mean")
