"""The order of elements on a stream: brought into pixels, made equal to another's, cut, repeated."""

from __future__ import annotations

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Constant, Node
from lutra.ops import source as src
from lutra.ops.base import divisors
from lutra.ops.reorder.op import Reorder
from lutra.ops.slice.op import Slice
from lutra.ops.upsample.op import Upsample
from lutra.ops.window.op import Window
from lutra.rules.integers import Lowering
from lutra.rules.view import View, reshaped

Pair = tuple[int, int]


def image(view: View) -> tuple[tuple[int, int, int], Array] | None:
    """(H, W, C) of a channels-first view of one or two spatial axes, and where each channel lies in a pixel; None where
    the stream's pixels are not the source's.
    """
    c, *size = view.index.shape
    pixels = view.index.reshape(c, -1).T
    order = pixels[0] - pixels[0].min()
    if not (pixels == order + c * np.arange(len(pixels))[:, None]).all():
        return None
    height, width = plane(tuple(size), 1)
    return (height, width, c), order


def in_pixels(low: Lowering, view: View, loc: str) -> tuple[View, tuple[int, int, int], Array]:
    """The view with its stream in the source's pixels, and what `image` says of it."""
    found = image(view)
    if found is None:
        view = low.settle(view, loc)
        c, *size = view.index.shape
        wanted = np.moveaxis(np.arange(view.index.size).reshape(*size, c), -1, 0)
        view = reordered(view, wanted, (*plane(tuple(size), 1), c), loc)
        found = image(view)
        assert found is not None
    return view, *found


def plane(values: tuple[int, ...], missing: int) -> Pair:
    """A pair for rows and columns from one value for each spatial axis: 1-D data is one row."""
    rows, columns = values if len(values) == 2 else (missing, values[0])
    return rows, columns


def last_is_channels(axes: tuple[int, ...], none: int) -> bool:
    """Whether what is done along each axis of an image leaves the last one alone (`none`) and neither of the others:
    then the channels are last.
    """
    return len(axes) == 3 and axes[-1] == none and none not in axes[:2]


def channels_first(view: View, axes: int) -> View:
    """A view of (H, W, C) in the source's axes: (C, H, W), or (C, W) for 1-D data."""
    height, width, c = view.index.shape
    shape = (c, height, width) if axes == 2 else (c, width)
    return view.reindexed(lambda index: index.transpose(2, 0, 1).reshape(shape))


def reordered(view: View, wanted: Array, frame: tuple[int, ...], loc: str) -> View:
    """The view with each source element at the flat position `wanted` (the source's shape) of a stream `frame`."""
    node = arranged(view, wanted.ravel(), frame, loc)
    return replaced(view, node, wanted, loc)


def replaced(view: View, node: Node, index: Array, loc: str) -> View:
    """The same source tensor, and its chain, on another node whose elements lie elsewhere."""
    new = View(node, index)
    for op in view.chain:
        spread = (p if p.size == 1 else p[view.index % view.channels] for p in op.params())
        new = new.extended(op.with_params(*spread), loc)
    return new


def arranged(view: View, wanted: Array, frame: tuple[int, ...], loc: str) -> Node:
    """The view's node with its elements moved to these flat positions (one for each source element, flat)."""
    order = np.empty(view.index.size, np.int64)
    order[wanted] = view.index.ravel()
    if (np.diff(order) == 1).all():
        return reshaped(view.node, frame)
    return Node(Reorder(Constant(order[: _block(order)]), frame), (view.node,), loc)


def _block(order: Array) -> int:
    """The least B such that the same permutation of B elements moves every block of B."""
    for block in divisors(order.size):
        rows = order.reshape(-1, block)
        first = rows[0]
        if np.array_equal(np.sort(first), np.arange(block)) and (
                rows == first + block * np.arange(len(rows))[:, None]).all():
            return block
    raise AssertionError("the whole frame is a block")


def stretched(low: Lowering, a: View, b: View, loc: str) -> tuple[View, View]:
    """Both under the shape to which they broadcast."""
    shape = np.broadcast_shapes(a.index.shape, b.index.shape)
    return _spread(low, a, shape, loc), _spread(low, b, shape, loc)


def _spread(low: Lowering, view: View, shape: tuple[int, ...], loc: str) -> View:
    if view.index.shape == shape:
        return view
    view = view.reindexed(lambda index: index.reshape((1,) * (len(shape) - index.ndim) + index.shape))
    return upsampled(low, view, tuple(n // m for n, m in zip(shape, view.index.shape, strict=True)), loc)


def upsampled(low: Lowering, view: View, factors: tuple[int, ...], loc: str) -> View:
    """Each element repeated along each source axis; of (C, *spatial) along the spatial axes as an image."""
    if max(factors) == 1:
        return view
    if last_is_channels(factors, 1):
        first = view.reindexed(lambda index: np.moveaxis(index, -1, 0))
        return upsampled(low, first, (1, *factors[:-1]), loc).reindexed(lambda index: np.moveaxis(index, 0, -1))
    if view.index.ndim not in (2, 3):
        return _copied(low, view, factors, loc)
    if factors[0] > 1:
        ones = (1,) * (len(factors) - 1)
        return upsampled(low, _copied(low, view, (factors[0], *ones), loc), (1, *factors[1:]), loc)
    view, frame, order = in_pixels(low, low.settle(view, loc), loc)
    node = Node(Upsample(plane(factors[1:], 1)), (reshaped(view.node, frame),), loc)
    index = np.arange(node.out.size).reshape(node.out.shape)[..., order]
    return channels_first(View(node, index, view.chain), len(factors) - 1)


def _copied(low: Lowering, view: View, factors: tuple[int, ...], loc: str) -> View:
    """Each element repeated along any axes: each pixel of the stream comes so often, as channels of one pixel."""
    view = low.settle(view, loc)
    channels, pixels, copies = view.channels, view.node.out.pixels, int(np.prod(factors))
    once = Node(Upsample((1, copies)), (reshaped(view.node, (1, pixels, channels)),), loc)
    node = reshaped(once, (*view.node.out.shape[:-1], copies * channels))
    places = [np.arange(n * f) % f for n, f in zip(view.index.shape, factors, strict=True)]
    copy = np.ravel_multi_index(np.ix_(*places), factors)
    (index,) = src.Upsample(factors).evaluate(view.index[None])
    index = (index // channels * copies + copy) * channels + index % channels
    chain = tuple(op.with_params(*(p if p.size == 1 else np.tile(p, copies) for p in op.params())) for op in view.chain)
    return View(node, index, chain)


def cut(low: Lowering, view: View, index: Array, loc: str) -> View:
    """The source tensor whose elements lie at `index`, some of the view's; the stream then has no others."""
    if np.unique(index).size < index.size:
        raise LutraError("it repeats elements", loc, "take each element at most once")
    if index.size == view.index.size:
        return view.reindexed(lambda _: index)
    view = low.settle(view, loc)
    frame = (1,) * (3 - len(view.node.out.shape)) + view.node.out.shape
    frame = (int(np.prod(frame[:-2])), *frame[-2:])
    box = _box(index, frame)
    if box is None and (step := _grid(index, frame)) is not None:
        return _every(view, index, frame, step, loc)
    if box is None:
        view, index = _gathered(view, index, loc)
        frame = view.node.out.shape
        box = _box(index, frame)
        assert box is not None
    start, stop = box
    node = Node(Slice(start, stop), (reshaped(view.node, frame),), loc)
    inside = [axis - low_end for axis, low_end in zip(np.unravel_index(index, frame), start, strict=True)]
    part = View(view.node, index, view.chain)
    return replaced(part, node, np.ravel_multi_index(tuple(inside), node.out.shape), loc)


def _box(index: Array, frame: tuple[int, ...]) -> tuple[tuple[int, int, int], tuple[int, int, int]] | None:
    axes = np.unravel_index(index, frame)
    (y, x, c), (y2, x2, c2) = (int(a.min()) for a in axes), (int(a.max()) + 1 for a in axes)
    full = (y2 - y) * (x2 - x) * (c2 - c) == index.size
    return ((y, x, c), (y2, x2, c2)) if full else None


def _grid(index: Array, frame: tuple[int, ...]) -> Pair | None:
    """Every how many rows and columns, from the first on, whole pixels are taken; None where it is no such grid."""
    y, x, c = (np.unique(a) for a in np.unravel_index(index, frame))
    steps = [int(v[1] - v[0]) if v.size > 1 else n for v, n in zip((y, x), frame, strict=False)]
    regular = all(np.array_equal(v, np.arange(0, n, s)) for v, n, s in zip((y, x), frame, steps, strict=False))
    whole = c.size == frame[2] and index.size == y.size * x.size * c.size
    return (steps[0], steps[1]) if regular and whole else None


def _every(view: View, index: Array, frame: tuple[int, ...], step: Pair, loc: str) -> View:
    """Windows of one pixel."""
    node = Node(Window((1, 1), step, (1, 1)), (reshaped(view.node, frame),), loc)
    y, x, c = np.unravel_index(index, frame)
    place = np.ravel_multi_index((y // step[0], x // step[1], c), node.out.shape)
    return replaced(View(view.node, index, view.chain), node, place, loc)


def _gathered(view: View, index: Array, loc: str) -> tuple[View, Array]:
    """The stream with the wanted elements first: in each pixel where every pixel gives the same channels, else in the
    whole frame.
    """
    channels, pixels = view.channels, view.node.out.pixels
    per_pixel = index.size // pixels
    wanted = np.unique(index)
    same = wanted.size == per_pixel * pixels and (
        wanted.reshape(pixels, -1) == wanted[:per_pixel] + channels * np.arange(pixels)[:, None]).all()
    block = channels if same else view.index.size
    first = wanted[:per_pixel] if same else wanted
    order = np.concatenate([first, np.setdiff1d(np.arange(block), first)])
    place = np.empty(block, np.int64)
    place[order] = np.arange(block)
    moved = place[view.index % block] + view.index // block * block
    frame = (1, pixels, channels) if same else (1, 1, block)
    return reordered(view, moved, frame, loc), place[index % block] + index // block * block
