"""Import of transposed convolution."""

from __future__ import annotations

from collections.abc import Callable

from lutra.errors import LutraError
from lutra.front.layers import biased, weights
from lutra.front.values import Call, Stream, text
from lutra.ops.source import ConvTranspose


def _conv_transpose(call: Call) -> Stream:
    size = call.stream.node.out.shape[1:]
    if len(size) not in (1, 2):
        raise LutraError(f"a transposed convolution over {len(size)} axes is not supported", hint="use one or two")
    kernel, quant = weights(call, 1, len(size) + 2)
    one = [1] * len(size)
    stride, dilation = tuple(call.attr("strides", one)), tuple(call.attr("dilations", one))
    for name, found in (("strides", stride), ("dilations", dilation)):
        if len(found) != len(size) or min(found) < 1:
            raise LutraError(f"{name} {found} do not fit {len(size)} axes", hint="one of at least 1 for each axis")
    full = tuple((n - 1) * s + (k - 1) * d + 1
                 for n, s, k, d in zip(size, stride, kernel.shape[2:], dilation, strict=True))
    before, after = _cut(call, size, stride, full)
    out = call.emit(ConvTranspose(kernel, stride, before, after, dilation, call.attr("group", 1), quant))
    return biased(call, out)


def _cut(
    call: Call, size: tuple[int, ...], stride: tuple[int, ...], full: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What is cut from both ends of each axis of the full result, by padding or by the shape that is asked for."""
    axes = len(size)
    extra = tuple(call.attr("output_padding", [0] * axes))
    pads = tuple(call.attr("pads", [0] * 2 * axes))
    wanted = tuple(call.attr("output_shape", []))[-axes:]
    auto = call.attr("auto_pad", "NOTSET")
    if auto not in ("NOTSET", "", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise LutraError(f"auto_pad {text(auto)} is not known", hint="use NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    if len(extra) != axes or len(pads) != 2 * axes or len(wanted) not in (0, axes) or min(pads + extra) < 0:
        raise LutraError(f"padding {pads} and output padding {extra} do not fit {axes} axes", hint="export it again")
    same = auto in ("SAME_UPPER", "SAME_LOWER")
    if not wanted and not same:
        pads = (0,) * 2 * axes if auto == "VALID" else pads
        return pads[:axes], tuple(p - e for p, e in zip(pads[axes:], extra, strict=True))
    sizes = wanted or tuple(n * s for n, s in zip(size, stride, strict=True))
    total = tuple(max(0, f + e - w) for f, e, w in zip(full, extra, sizes, strict=True))
    first = tuple(t // 2 if auto == "SAME_UPPER" else t - t // 2 for t in total)
    return first, tuple(f - b - w for f, b, w in zip(full, first, sizes, strict=True))


HANDLERS: dict[str, Callable[[Call], Stream]] = {"ConvTranspose": _conv_transpose}
