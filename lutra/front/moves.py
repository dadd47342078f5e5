"""Operators that move elements: what their parameters say, and what they do to constants, where what holds for the
values holds for the integers and scales they come from.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lutra.errors import LutraError
from lutra.front.values import Call
from lutra.ir import Array

Move = Callable[[Array], Array]


def _reshape(call: Call, x: Array) -> Move:
    return lambda a: a.reshape(target_shape(call, x.shape))


def _flatten(call: Call, x: Array) -> Move:
    axis = call.attr("axis", 1)
    axis += x.ndim if axis < 0 else 0
    return lambda a: a.reshape(int(np.prod(a.shape[:axis], dtype=np.int64)), -1)


def _transpose(call: Call, x: Array) -> Move:
    perm = call.attr("perm", list(range(x.ndim))[::-1])
    return lambda a: a.transpose(perm)


def _squeeze(call: Call, x: Array) -> Move:
    axes = axes_of(call)
    return lambda a: a.squeeze(None if axes is None else axes)


def _unsqueeze(call: Call, x: Array) -> Move:
    axes = axes_of(call)
    return lambda a: np.expand_dims(a, axes or ())


def _same(call: Call, x: Array) -> Move:
    return lambda a: a


MOVES: dict[str, Callable[[Call, Array], Move]] = {
    "Reshape": _reshape, "Flatten": _flatten, "Transpose": _transpose, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze,
    "Identity": _same, "Dropout": _same,
}


def axes_of(call: Call) -> tuple[int, ...] | None:
    """`axes` of Squeeze, Unsqueeze, reductions: an attribute before opset 13, an input since; None where left out."""
    if call.has(1):
        return call.integers(1, "axes")
    found = call.attr("axes", None)
    return None if found is None else tuple(found)


def slice_bounds(call: Call) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Starts, ends, axes and steps of Slice: attributes before opset 10, inputs since. They need not be as many."""
    if call.has(1):
        starts, ends = call.integers(1, "starts"), call.integers(2, "ends")
    else:
        starts, ends = tuple(call.attr("starts", [])), tuple(call.attr("ends", []))
    axes = call.integers(3, "axes") if call.has(3) else tuple(call.attr("axes", list(range(len(starts)))))
    steps = call.integers(4, "steps") if call.has(4) else (1,) * len(starts)
    return starts, ends, axes, steps


def target_shape(call: Call, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The new ONNX shape of a Reshape of `shape`, with 0 and -1 worked out; LutraError where elements do not fit."""
    target = list(call.integers(1, "the new shape") if call.has(1) else call.attr("shape", []))
    if not call.attr("allowzero", 0):
        target = [shape[i] if d == 0 and i < len(shape) else d for i, d in enumerate(target)]
    size, known = 1, 1
    for d in shape:
        size *= d
    for d in target:
        known *= 1 if d == -1 else d
    if target.count(-1) == 1 and known > 0 and size % known == 0:
        target[target.index(-1)] = size // known
        known = size
    if known != size or min(target, default=1) < 0:
        raise LutraError(f"a tensor of shape {shape} cannot take the shape {tuple(target)}",
                         hint="export the model with the input size that it is used with")
    return tuple(target)
