"""Import of operators that leave elements out or repeat them, and of joints of branches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lutra.errors import LutraError
from lutra.front.moves import slice_bounds
from lutra.front.sequences import last, lengths_of
from lutra.front.values import Call, Stream, text
from lutra.ir import Array, Constant
from lutra.ops.source import Concat, DepthToSpace, Reshape, Slice, SpaceToDepth, Take


def concat(call: Call) -> Stream:
    """Concat of branches."""
    streams = call.streams()
    if "axis" not in call.attrs:
        raise LutraError("Concat has no axis", hint="export the model again")
    return streams[0] if len(streams) == 1 else call.join(Concat(call.axis(call.attr("axis", 1))), streams)


def _slice(call: Call) -> Stream:
    starts, ends, axes, steps = slice_bounds(call)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise LutraError(f"{len(starts)} starts, {len(ends)} ends, {len(axes)} axes and {len(steps)} steps",
                         hint="one of each for an axis")
    out = call.stream
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        out = _sliced(call, out, axis, start, end, step)
    return out


def _sliced(call: Call, on: Stream, axis: int, start: int, end: int, step: int) -> Stream:
    rank = len(on.shape)
    if step == 0 or not -rank <= axis < rank:
        raise LutraError(f"a slice of axis {axis} with step {step}", hint=f"axes are 0 to {rank - 1}, steps not 0")
    length = on.shape[axis]
    last = None if step < 0 and end < -length else end  # ONNX's mark for "through the first element"
    chosen = np.arange(length)[start:last:step]
    if len(chosen) == length and step == 1:
        return on  # everything, which the batch axis allows, too
    return taken(call, on, call.axis(axis), chosen)


def taken(call: Call, on: Stream, axis: int, chosen: Array) -> Stream:
    """Chosen elements of an axis of a frame: a Slice where they are a run; of sequences the last column, which is the
    one before a sequence's end.
    """
    shape = on.node.out.shape
    if not chosen.size:
        raise LutraError(f"a selection of axis {axis + len(on.batch)} is empty", hint="keep at least one element")
    if axis == 0 and chosen.tolist() == [shape[0] - 1] and (lengths := lengths_of(on.node)) is not None:
        return last(call, on, lengths)
    if (np.diff(chosen) != 1).any():
        return call.emit(Take(axis, Constant(chosen.astype(np.int64))), on)
    first, count = int(chosen[0]), len(chosen)
    if count == shape[axis]:
        return on
    start = tuple(first if i == axis else 0 for i in range(len(shape)))
    stop = tuple(first + count if i == axis else n for i, n in enumerate(shape))
    return call.emit(Slice(start, stop), on)


def _split(call: Call) -> tuple[Stream, ...]:
    """Sizes are an attribute before opset 13, an input since; equal parts where there are none."""
    axis = call.axis(call.attr("axis", 0))
    length = call.stream.node.out.shape[axis]
    sizes = call.integers(1, "the sizes") if call.has(1) else tuple(call.attr("split", []))
    if not sizes:
        parts = call.attr("num_outputs", call.outputs)
        if parts < 1 or (length % parts and "num_outputs" not in call.attrs):
            raise LutraError(f"{length} elements do not split into {parts} equal parts", hint="state the sizes")
        each = -(-length // parts)
        sizes = tuple(min(each, length - i * each) for i in range(parts))
    if sum(sizes) != length or min(sizes) < 1:
        raise LutraError(f"parts of {', '.join(map(str, sizes))} elements do not add up to the {length} of the axis",
                         hint="export the model again")
    ends = np.cumsum(sizes)
    return tuple(taken(call, call.stream, axis, np.arange(e - n, e)) for e, n in zip(ends, sizes, strict=True))


def gather(call: Call) -> Stream:
    """Gather by constant indices."""
    axis = call.axis(call.attr("axis", 0))
    value = call.constant(1, "the indices").array
    length = call.stream.node.out.shape[axis]
    if value.dtype.kind not in "iu":
        raise LutraError("the indices are not integers", hint="export the model again")
    outside = value[(value < -length) | (value >= length)]
    if outside.size:
        raise LutraError(f"index {outside.flat[0]} does not exist in {length} elements", hint="export the model again")
    out = taken(call, call.stream, axis, value.ravel() % length)
    shape = call.stream.node.out.shape
    wanted = (*shape[:axis], *value.shape, *shape[axis + 1 :])
    return out if wanted == out.node.out.shape else call.emit(Reshape(wanted), out)


def _depth_to_space(call: Call) -> Stream:
    mode = call.attr("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        raise LutraError(f"mode {text(mode)} is not known", hint="use DCR or CRD")
    return call.emit(DepthToSpace(call.attr("blocksize", 0), mode))


def _space_to_depth(call: Call) -> Stream:
    return call.emit(SpaceToDepth(call.attr("blocksize", 0)))


HANDLERS: dict[str, Callable[[Call], Stream | tuple[Stream, ...]]] = {
    "Concat": concat, "Slice": _slice, "Split": _split, "Gather": gather, "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
}
