"""Windows that need no weights of their own: maximum and average pooling, padding."""

from __future__ import annotations

from math import gcd

import numpy as np

from lutra.errors import LutraError
from lutra.ir import REAL, Array, Constant, Node, Tensor
from lutra.ops import source as src
from lutra.ops.depthwise.op import Depthwise
from lutra.ops.matmul.op import MatMul
from lutra.ops.maxreduce.op import MaxReduce
from lutra.ops.pad.op import Pad
from lutra.ops.source import real
from lutra.ops.window.op import Window
from lutra.rules.affine import affine_chain
from lutra.rules.integers import Integers, Lowering
from lutra.rules.order import channels_first, in_pixels, last_is_channels, plane
from lutra.rules.solve import slope
from lutra.rules.view import View, channelwise, reshaped


def lower_maxpool(low: Lowering, view: View, op: src.MaxPool, loc: str) -> View:
    """Pad with the least value, Window, MaxReduce. A chain that only rises commutes with the maximum and stays."""
    view, frame, order = in_pixels(low, low.settle(view, loc), loc)
    slopes = slope(view.chain, channelwise(view.chain, view.channels))
    if (slopes < 1).any():
        view = _negated(view, np.broadcast_to(slopes, view.channels), loc)
    node = padded(reshaped(view.node, frame), op.before, op.after, view.node.out.range.lo, loc)
    taps = int(np.prod(op.kernel))
    node = windowed(node, op.kernel, op.stride, op.dilation, loc)
    if taps > 1:
        node = Node(MaxReduce(taps), (node,), loc)
    index = np.arange(node.out.size).reshape(node.out.shape)[..., order]
    return channels_first(View(node, index, view.chain), len(op.kernel))


def _negated(view: View, slopes: Array, loc: str) -> View:
    """The view with the rows of falling channels negated in the product before it, so that its chain rises."""
    match view.node.op:
        case MatMul(weights=weights) if (slopes != 0).all():
            rows = weights.array.astype(np.int64) * slopes[:, None]
            node = Node(MatMul(Constant(narrow(rows))), view.node.args, view.node.loc)
            return View(node, view.index, (src.Mul(real(slopes.astype(np.float64))), *view.chain))
    raise LutraError("a maximum of values that fall as their integers grow has no exact integer form here", loc,
                     "put the pooling after the quantiser")


def lower_average(low: Lowering, view: View, op: src.AveragePool, loc: str) -> View:
    """A sum of each window's integers; the division joins the chain."""
    is_padded = any(op.before) or any(op.after)
    view, frame, order = in_pixels(low, low.settle(view, loc), loc)
    ints = low.integers(view, loc, zero=is_padded)
    node = reshaped(ints.node, frame)
    if is_padded:
        node = padded(node, op.before, op.after, zero_of(ints), loc)
    taps = int(np.prod(op.kernel))
    node = windowed(node, op.kernel, op.stride, op.dilation, loc)
    node = Node(Depthwise(Constant(np.ones((frame[2], taps), np.int8))), (node,), loc)
    index = np.arange(node.out.size).reshape(node.out.shape)[..., order]
    summed = channels_first(View(node, index, affine_chain(ints.scale, ints.offset * taps)), len(op.kernel))
    counts = op.divisor(tuple(view.index.shape[1:])).astype(np.float64)
    every = counts.flat[0] if (counts == counts.flat[0]).all() else counts[None]
    return summed.extended(src.Div(real(every)), loc)


def lower_pad(low: Lowering, view: View, op: src.Pad, loc: str) -> View:
    """Zeros around the pixels of a channels-first tensor, and before and after its channels."""
    if op.value != 0 or len(op.before) not in (2, 3):
        raise LutraError(f"padding {op.before}, {op.after} with {op.value:g} is not supported", loc,
                         "pad (C, H, W) with 0")
    if last_is_channels(tuple(map(sum, zip(op.before, op.after, strict=True))), 0):
        turned = src.Pad((0, *op.before[:-1]), (0, *op.after[:-1]), op.value)
        first = view.reindexed(lambda index: np.moveaxis(index, -1, 0))
        return lower_pad(low, first, turned, loc).reindexed(lambda index: np.moveaxis(index, 0, -1))
    view, frame, order = in_pixels(low, low.settle(view, loc), loc)
    ints = low.integers(view, loc, zero=True)
    zero = zero_of(ints)
    node = padded(reshaped(ints.node, frame), op.before[1:], op.after[1:], zero, loc)
    scale, offset = ints.scale, ints.offset
    if op.before[0] or op.after[0]:
        node, order = _more_channels(node, op.before[0], op.after[0], zero, order, loc)
        scale, offset = (v if v.size == 1 else np.pad(v, (op.before[0], op.after[0]), mode="edge")
                         for v in (scale, offset))
    index = np.arange(node.out.size).reshape(node.out.shape)[..., order].transpose(2, 0, 1)
    index = index.reshape(op.infer(Tensor(view.index.shape, REAL)).shape)
    return View(node, index, affine_chain(scale, offset))


def _more_channels(node: Node, before: int, after: int, value: int, order: Array, loc: str) -> tuple[Node, Array]:
    """Channels of a constant: groups of channels are columns of an image whose rows are the pixels."""
    height, width, channels = node.out.shape
    group = gcd(channels, before, after)
    columns = reshaped(node, (height * width, channels // group, group))
    wide = padded(columns, (0, before // group), (0, after // group), value, loc)
    total = before + channels + after
    places = np.concatenate([np.arange(before), before + order, np.arange(before + channels, total)])
    return reshaped(wide, (height, width, total)), places


def padded(node: Node, before: tuple[int, ...], after: tuple[int, ...], value: int, loc: str,
           inside: tuple[int, ...] = (0, 0)) -> Node:
    """The node (H, W, C) with `value` around its pixels, and `inside` of them between any two."""
    around = plane(before, 0), plane(after, 0), plane(inside, 0)
    if not any(sum(p) for p in around):
        return node
    return Node(Pad(around[0], around[1], value, around[2]), (node,), loc)


def zero_of(ints: Integers) -> int:
    """The integer that stands for 0, the same in every channel."""
    return int(np.rint(-ints.offset / ints.scale).flat[0])


def windowed(node: Node, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...],
             loc: str) -> Node:
    """The node's windows; the node itself where they are its pixels, and all of it as one pixel where there is one."""
    k, s, d = plane(kernel, 1), plane(stride, 1), plane(dilation, 1)
    if (k, s) == ((1, 1), (1, 1)):
        return node
    if k == node.out.shape[:2] and all(n == 1 or step == 1 for n, step in zip(k, d, strict=True)):
        return reshaped(node, (1, 1, node.out.size))
    return Node(Window(k, s, d), (node,), loc)


def narrow(integers: Array) -> Array:
    """The smallest integer type: weights are stored and hashed."""
    for kind in (np.int8, np.int16, np.int32):
        if np.abs(integers).max(initial=0) <= np.iinfo(kind).max:
            return integers.astype(kind)
    return integers.astype(np.int64)
