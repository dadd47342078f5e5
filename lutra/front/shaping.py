"""Import of operators that move elements."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lutra.errors import LutraError
from lutra.front.moves import axes_of, target_shape
from lutra.front.values import Call, Stream, text
from lutra.ops.source import Pad, Permute, Reshape


def reshaped(call: Call, target: tuple[int, ...]) -> Stream:
    """The stream under an ONNX shape; LutraError where the batch axis would not stay first."""
    stream = call.stream
    batch = len(stream.batch)
    if target[:batch] != stream.batch:
        raise LutraError(f"a tensor of shape {stream.shape} is given the shape {target}, which mixes the batch axis "
                         "with others", hint="keep axis 0 as the batch: reshape to (0, ...) or (batch, ...)")
    frame = target[batch:]
    return stream if frame == stream.node.out.shape else call.emit(Reshape(frame))


def _reshape(call: Call) -> Stream:
    return reshaped(call, target_shape(call, call.stream.shape))


def _flatten(call: Call) -> Stream:
    shape = call.stream.shape
    axis = call.attr("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise LutraError(f"axis {axis} does not exist in {len(shape)} axes", hint="flatten from axis 1")
    axis += len(shape) if axis < 0 else 0
    if axis == 0 and call.stream.dynamic:  # a fixed batch of 1 stays what it is, as Keras writes it
        raise LutraError(f"axis {axis} is the batch axis, and flattening from it mixes the frames of a batch",
                         hint="flatten from axis 1")
    head, tail = (int(np.prod(s, dtype=np.int64)) for s in (shape[:axis], shape[axis:]))
    return reshaped(call, (head, tail))


def _squeeze(call: Call) -> Stream:
    stream = call.stream
    axes, batch = axes_of(call), len(stream.batch)
    frame = stream.node.out.shape
    gone = [i for i, n in enumerate(frame) if n == 1] if axes is None else [call.axis(a) for a in axes]
    long = next((a for a in gone if frame[a] != 1), None)
    if long is not None:
        raise LutraError(f"axis {long + batch} has {frame[long]} elements and cannot be dropped",
                         hint="drop axes of length 1")
    return reshaped(call, stream.batch + tuple(n for i, n in enumerate(frame) if i not in gone))


def _unsqueeze(call: Call) -> Stream:
    shape = call.stream.shape
    axes = axes_of(call) or ()
    rank = len(shape) + len(axes)
    places = {a % rank for a in axes if -rank <= a < rank}
    if len(places) != len(axes):
        raise LutraError(f"axes {axes} are not different axes of {rank}", hint="export the model again")
    if call.stream.batch and 0 in places:
        raise LutraError("a new axis would stand before the batch axis", hint="the batch axis must stay first")
    rest = iter(shape)
    return reshaped(call, tuple(1 if i in places else next(rest) for i in range(rank)))


def _transpose(call: Call) -> Stream:
    stream = call.stream
    batch = len(stream.batch)
    perm = tuple(call.attr("perm", list(range(len(stream.shape)))[::-1]))
    if perm[:batch] != tuple(range(batch)):
        raise LutraError(f"perm {perm} moves the batch axis", hint="the batch axis must stay first")
    order = tuple(p - batch for p in perm[batch:])
    return stream if order == tuple(range(len(order))) else call.emit(Permute(order))


def _pad(call: Call) -> Stream:
    """Padding, value and axes are attributes before opset 11, inputs since; `axes` since 18."""
    mode = call.attr("mode", "constant")
    if mode != "constant":
        raise LutraError(f"padding mode {text(mode)} is not supported", hint="only constant padding is")
    rank, batch = len(call.stream.shape), len(call.stream.batch)
    pads = list(call.integers(1, "the padding") if call.has(1) else call.attr("pads", call.attr("paddings", [])))
    value = call.scalar(2, "the padding's value") if call.has(2) else float(call.attr("value", 0.0))
    axes = [call.axis(a) + batch for a in call.integers(3, "axes")] if call.has(3) else list(range(rank))
    if len(pads) != 2 * len(axes):
        raise LutraError(f"{len(pads)} numbers of padding do not fit {len(axes)} axes", hint="two for each axis")
    if not np.isfinite(value):
        raise LutraError(f"the padding's value {value} is not finite", hint="pad with a number")
    before, after = [0] * rank, [0] * rank
    for i, axis in enumerate(axes):
        before[axis], after[axis] = pads[i], pads[len(axes) + i]
    if any(before[:batch]) or any(after[:batch]):
        raise LutraError("the batch axis is padded", hint="pad the other axes only")
    if not any(before) and not any(after):
        return call.stream
    return call.emit(Pad(tuple(before[batch:]), tuple(after[batch:]), value))


HANDLERS: dict[str, Callable[[Call], Stream]] = {
    "Reshape": _reshape, "Flatten": _flatten, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze, "Transpose": _transpose,
    "Pad": _pad,
}
