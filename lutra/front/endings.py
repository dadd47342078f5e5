"""Import of what stands at the end of classifiers: softmax, and which class is the largest."""

from __future__ import annotations

from collections.abc import Callable

from lutra.errors import LutraError
from lutra.front.values import Call, Stream
from lutra.ops.source import ArgMax, LogSoftmax, Neg, Reshape, Softmax, TopK


def _axes(call: Call) -> tuple[int, ...]:
    """Before opset 13 softmax runs over all axes from `axis` (default 1) on, since then over `axis` (default -1)."""
    if call.opset >= 13:
        return (call.axis(call.attr("axis", -1)),)
    first = call.axis(call.attr("axis", 1)) if len(call.stream.shape) > 1 else 0
    return tuple(range(first, len(call.stream.node.out.shape)))


def _softmax(call: Call) -> Stream:
    return call.emit(Softmax(_axes(call)))


def _logsoftmax(call: Call) -> Stream:
    return call.emit(LogSoftmax(_axes(call)))


def _argmax(call: Call) -> Stream:
    if call.attr("select_last_index", 0):
        raise LutraError("select_last_index=1 is not supported", hint="ties go to the lowest index")
    axis = call.axis(call.attr("axis", 0))
    source = call.emit(Neg()) if call.op == "ArgMin" else call.stream
    out = call.emit(ArgMax(axis), source)
    shape = out.node.out.shape
    return out if call.attr("keepdims", 1) else call.emit(Reshape((*shape[:axis], *shape[axis + 1 :])), out)


def _topk(call: Call) -> tuple[Stream, Stream]:
    if not call.attr("largest", 1):
        raise LutraError("TopK with largest=0 is not supported", hint="negate the data before it")
    k = call.integers(1, "k") if call.has(1) else (call.attr("k", 0),)
    if len(k) != 1:
        raise LutraError(f"k has {len(k)} elements", hint="export the model again")
    axis = call.axis(call.attr("axis", -1))
    return call.emit(TopK(k[0], axis, False)), call.emit(TopK(k[0], axis, True))


HANDLERS: dict[str, Callable[[Call], Stream | tuple[Stream, ...]]] = {
    "Softmax": _softmax, "LogSoftmax": _logsoftmax, "ArgMax": _argmax, "ArgMin": _argmax, "TopK": _topk,
}
