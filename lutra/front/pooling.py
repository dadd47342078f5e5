"""Import of pooling, and of sums, means and maxima over axes, which are pooling by one window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from lutra.errors import LutraError
from lutra.front.geometry import Geometry, ceil_after, geometry
from lutra.front.moves import axes_of
from lutra.front.values import Call, Stream, check_size
from lutra.ir import Constant, Op
from lutra.ops.source import AveragePool, MatMul, MaxPool, Permute, Reshape, real
from lutra.ops.source.window import out_size


def _window(call: Call) -> tuple[tuple[int, ...], Geometry, tuple[int, ...]]:
    """The kernel, how it moves with `ceil_mode` worked out, and the padding after each axis that the model states."""
    size = call.stream.node.out.shape[1:]
    kernel = tuple(call.attr("kernel_shape", []))
    if len(size) not in (1, 2) or len(kernel) != len(size):
        raise LutraError(f"a kernel {kernel} does not fit a tensor of shape {call.stream.shape}",
                         hint="pool over one or two spatial axes")
    g = geometry(call, size, kernel)
    reach = ceil_after(g, size, kernel) if call.attr("ceil_mode", 0) else g.after
    return kernel, replace(g, after=reach), g.after


def _maxpool(call: Call) -> Stream:
    kernel, g, _ = _window(call)
    return call.emit(MaxPool(kernel, g.stride, g.before, g.after, g.dilation))


def averaged(call: Call) -> Stream:
    """AveragePool: padding counts where `count_include_pad` says so, what `ceil_mode` adds never does."""
    kernel, g, stated = _window(call)
    counted = g.before, tuple(map(min, stated, g.after))
    if not call.attr("count_include_pad", 0):
        counted = ((0,) * len(kernel),) * 2
    check_size(out_size(call.stream.node.out.shape[1:], kernel, g.stride, g.before, g.after, g.dilation))
    return call.emit(AveragePool(kernel, g.stride, g.before, g.after, g.dilation, *counted))


def _whole_max(size: tuple[int, ...]) -> Op:
    g = Geometry.plain(len(size))
    return MaxPool(size, g.stride, g.before, g.after, g.dilation)


def _whole_mean(size: tuple[int, ...]) -> Op:
    g = Geometry.plain(len(size))
    return AveragePool(size, g.stride, g.before, g.after, g.dilation, g.before, g.after)


def over(call: Call, axes: Sequence[int], whole: Callable[[tuple[int, ...]], Op], keep: bool) -> Stream:
    """The stream after one window over `axes` of a frame, which stay with length 1 if `keep`."""
    frame = call.stream.node.out.shape
    rest = [i for i in range(len(frame)) if i not in axes]
    stream = call.stream
    if not (rest == [0] and len(frame) in (2, 3)):  # not (C, *spatial): all that stays becomes channels
        perm = (*rest, *sorted(axes))
        stream = call.emit(Permute(perm), stream) if perm != tuple(range(len(frame))) else stream
        channels = int(np.prod([frame[i] for i in rest], dtype=np.int64))
        stream = call.emit(Reshape((channels, int(np.prod(frame, dtype=np.int64)) // channels)), stream)
    out = call.emit(whole(stream.node.out.shape[1:]), stream)
    shape = _left(frame, axes, keep)
    return out if shape == out.node.out.shape else call.emit(Reshape(shape), out)


def _left(frame: tuple[int, ...], axes: Sequence[int], keep: bool) -> tuple[int, ...]:
    """A frame's shape after a reduction."""
    return tuple(1 if i in axes else n for i, n in enumerate(frame) if keep or i not in axes)


def _axes(call: Call) -> tuple[int, ...]:
    """Axes of a frame that a reduction runs over; none where it changes nothing."""
    given = axes_of(call)
    if not given and call.attr("noop_with_empty_axes", 0):
        return ()
    return tuple(sorted({call.axis(a) for a in given or range(len(call.stream.shape))}))


def _global(whole: Callable[[tuple[int, ...]], Op]) -> Callable[[Call], Stream]:
    return lambda call: over(call, range(1, len(call.stream.node.out.shape)), whole, keep=True)


def _reduce(whole: Callable[[tuple[int, ...]], Op]) -> Callable[[Call], Stream]:
    def convert(call: Call) -> Stream:
        axes = _axes(call)
        return over(call, axes, whole, bool(call.attr("keepdims", 1))) if axes else call.stream

    return convert


def _sum(call: Call) -> Stream:
    """A product with ones, whose sum is exact where a mean times the number of elements is rounded twice."""
    chosen = _axes(call)
    if not chosen:
        return call.stream
    frame = call.stream.node.out.shape
    rest = [i for i in range(len(frame)) if i not in chosen]
    count = int(np.prod([frame[i] for i in chosen], dtype=np.int64))
    stream = call.emit(Permute((*rest, *chosen)))
    stream = call.emit(Reshape((*(frame[i] for i in rest), count)), stream)
    ones = np.ones((count, 1))
    out = call.emit(MatMul(real(ones), (Constant(ones.astype(np.int64)), real(1.0))), stream)
    return call.emit(Reshape(_left(frame, chosen, bool(call.attr("keepdims", 1)))), out)


HANDLERS: dict[str, Callable[[Call], Stream]] = {
    "MaxPool": _maxpool, "AveragePool": averaged, "GlobalMaxPool": _global(_whole_max),
    "GlobalAveragePool": _global(_whole_mean), "ReduceMean": _reduce(_whole_mean), "ReduceMax": _reduce(_whole_max),
    "ReduceSum": _sum,
}
