"""Stride, padding and dilation of ONNX's sliding windows, with `auto_pad` and `ceil_mode` worked out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lutra.errors import LutraError
from lutra.front.values import Call, text


@dataclass(frozen=True)
class Geometry:
    """How a window moves, one number for each spatial axis."""

    stride: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    dilation: tuple[int, ...]

    @staticmethod
    def plain(axes: int) -> Geometry:
        """Step 1, no padding."""
        one, zero = (1,) * axes, (0,) * axes
        return Geometry(one, zero, zero, one)


def geometry(call: Call, size: Sequence[int], kernel: Sequence[int]) -> Geometry:
    """From the attributes of Conv or MaxPool, for spatial axes of `size`."""
    axes = len(size)
    stride = _ints(call, "strides", [1] * axes)
    dilation = _ints(call, "dilations", [1] * axes)
    pads = _ints(call, "pads", [0] * 2 * axes)
    auto = call.attr("auto_pad", "NOTSET")
    match auto:
        case "NOTSET" | "":
            before, after = pads[:axes], pads[axes:]
        case "VALID":
            before = after = (0,) * axes
        case "SAME_UPPER" | "SAME_LOWER":
            total = [_same(*facts) for facts in zip(size, kernel, stride, dilation, strict=True)]
            less, more = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
            before, after = (less, more) if auto == "SAME_UPPER" else (more, less)
        case _:
            raise LutraError(f"auto_pad {text(auto)} is not known", hint="use NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    return Geometry(stride, before, after, dilation)


def _ints(call: Call, name: str, default: list[int]) -> tuple[int, ...]:
    found = tuple(call.attr(name, default))
    if len(found) != len(default):
        raise LutraError(f"{name} has {len(found)} numbers instead of {len(default)}", hint="export the model again")
    return found


def _same(n: int, kernel: int, stride: int, dilation: int) -> int:
    """Padding in all for ceil(n / stride) windows."""
    if stride < 1:
        raise LutraError(f"stride {stride} is not positive", hint="use a stride of at least 1")
    return max(0, ((n + stride - 1) // stride - 1) * stride + (kernel - 1) * dilation + 1 - n)


def ceil_after(g: Geometry, size: Sequence[int], kernel: Sequence[int]) -> tuple[int, ...]:
    """The padding that the windows of `ceil_mode` reach: the last may hang over, but starts inside the frame or the
    padding before it.
    """
    result = []
    for n, k, s, b, a, d in zip(size, kernel, g.stride, g.before, g.after, g.dilation, strict=True):
        reach = (k - 1) * d + 1
        if s < 1:
            raise LutraError(f"stride {s} is not positive", hint="use a stride of at least 1")
        count = -(-(n + b + a - reach) // s) + 1
        if (count - 1) * s >= n + b:
            count -= 1
        result.append(max(0, (count - 1) * s + reach - n - b))
    return tuple(result)
