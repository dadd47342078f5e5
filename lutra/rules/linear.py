"""Matrix products and convolutions on integers, and pooling: from a view to units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Constant, Node
from lutra.ops.matmul.op import MatMul
from lutra.ops.maxreduce.op import MaxReduce
from lutra.ops.pad.op import Pad
from lutra.ops.source import Add, Conv, Elementwise, MaxPool, Mul, real
from lutra.ops.source import MatMul as SourceMatMul
from lutra.ops.window.op import Window
from lutra.rules.integers import Integers, Lowering
from lutra.rules.lattice import Lattice, lattice
from lutra.rules.solve import slope
from lutra.rules.view import View, channelwise, reshaped

Pair = tuple[int, int]


@dataclass(frozen=True)
class Weights:
    """real weights (M, K) = scale (M,) or () * integers (M, K)."""

    integers: Array
    scale: Array


def lower_matmul(low: Lowering, view: View, op: SourceMatMul, loc: str) -> View:
    """Y = x W: one unit; the stream's order of the K elements goes into the weights."""
    k, m = op.weights.shape
    quant = None if op.quant is None else (op.quant[0].array.T, _transposed(op.quant[1].array, (k, m)))
    check_weights(op.weights.array.T, quant, loc)
    ints = low.integers(view, loc, zero=False)
    rows = view.index.reshape(-1, k)
    order = rows[0] - rows[0].min()
    if not (rows == order + k * np.arange(len(rows))[:, None]).all():
        raise LutraError("its input would have to be reordered in the middle of the stream", loc,
                         "let the last axis be the channels that the layer before it made")
    lead = view.index.shape[:-1]
    node = reshaped(ints.node, (*lead, k))
    return _product(node, ints, op.weights.array.T, quant, order, lead, loc)


def lower_conv(low: Lowering, view: View, op: Conv, loc: str) -> View:
    """Pad, Window, MatMul; a 1x1 kernel with stride 1 is the product alone."""
    if op.groups != 1:
        raise LutraError(f"a convolution in {op.groups} groups is not supported yet", loc, "use groups=1")
    c = op.weights.shape[1]
    quant = None if op.quant is None else (op.quant[0].array, np.broadcast_to(op.quant[1].array, op.weights.shape))
    check_weights(op.weights.array, quant, loc)
    padded = any(op.before) or any(op.after)
    ints = low.integers(view, loc, zero=padded)
    frame, order = image(view, loc)
    node = reshaped(ints.node, frame)
    if padded:
        zero = int(np.rint(-ints.offset / ints.scale).flat[0])
        node = Node(Pad(plane(op.before, 0), plane(op.after, 0), zero), (node,), loc)
    node = windowed(node, op.kernel, op.stride, op.dilation, loc)
    flat = _kernel_last(op.weights.array)
    flat_quant = None if quant is None else (_kernel_last(quant[0]), _kernel_last(quant[1]))
    taps = flat.shape[1] // c
    order = (np.arange(taps)[:, None] * c + order).ravel()
    lead = node.out.shape[:2]
    result = _product(node, ints, flat, flat_quant, order, lead, loc)
    return _channels_first(result, len(op.kernel))


def lower_maxpool(low: Lowering, view: View, op: MaxPool, loc: str) -> View:
    """Pad with the least value, Window, MaxReduce. A chain that only rises commutes with the maximum and stays."""
    view = low.settle(view, loc)
    slopes = slope(view.chain, channelwise(view.chain, view.channels))
    if (slopes < 1).any():
        view = _negated(view, np.broadcast_to(slopes, view.channels), loc)
    frame, order = image(view, loc)
    node = reshaped(view.node, frame)
    if any(op.before) or any(op.after):
        node = Node(Pad(plane(op.before, 0), plane(op.after, 0), node.out.range.lo), (node,), loc)
    taps = int(np.prod(op.kernel))
    node = windowed(node, op.kernel, op.stride, op.dilation, loc)
    if taps > 1:
        node = Node(MaxReduce(taps), (node,), loc)
    index = np.arange(node.out.size).reshape(node.out.shape)[..., order]
    return _channels_first(View(node, index, view.chain), len(op.kernel))


def image(view: View, loc: str) -> tuple[tuple[int, int, int], Array]:
    """(H, W, C) of a channels-first view of one or two spatial axes, and where each channel lies in a pixel."""
    c, *size = view.index.shape
    pixels = view.index.reshape(c, -1).T
    order = pixels[0] - pixels[0].min()
    if not (pixels == order + c * np.arange(len(pixels))[:, None]).all():
        raise LutraError("its input would have to be reordered in the middle of the stream", loc,
                         "keep channels and pixels as the layer before it made them")
    height, width = plane(tuple(size), 1)
    return (height, width, c), order


def plane(values: tuple[int, ...], missing: int) -> Pair:
    """A pair for rows and columns from one value for each spatial axis: 1-D data is one row."""
    rows, columns = values if len(values) == 2 else (missing, values[0])
    return rows, columns


def windowed(node: Node, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...],
             loc: str) -> Node:
    """The node's windows; the node itself where they are its pixels."""
    k, s, d = plane(kernel, 1), plane(stride, 1), plane(dilation, 1)
    return node if (k, s) == ((1, 1), (1, 1)) else Node(Window(k, s, d), (node,), loc)


def _channels_first(view: View, axes: int) -> View:
    """A view of (H, W, C) in the source's axes: (C, H, W), or (C, W) for 1-D data."""
    height, width, c = view.index.shape
    shape = (c, height, width) if axes == 2 else (c, width)
    return view.reindexed(lambda index: index.transpose(2, 0, 1).reshape(shape))


def _kernel_last(weights: Array) -> Array:
    """(M, C, *kernel) to (M, taps * C), channel fastest: the order of a window."""
    m, c = weights.shape[:2]
    return weights.reshape(m, c, -1).transpose(0, 2, 1).reshape(m, -1)


def _transposed(scale: Array, shape: tuple[int, int]) -> Array:
    return np.broadcast_to(scale, shape).T


def _product(node: Node, ints: Integers, weights: Array, quant: tuple[Array, Array] | None, order: Array,
             lead: tuple[int, ...], loc: str) -> View:
    """The product node and its chain: real = scale * accumulator (+ what the input's offset contributes)."""
    k = weights.shape[1]
    placed = np.empty_like(order)
    placed[order] = np.arange(k)  # stream position -> source element
    per_element = np.broadcast_to(ints.scale, k) if ints.scale.size == 1 else np.tile(ints.scale, k // ints.scale.size)
    found = decompose(weights[:, placed], None if quant is None else (quant[0][:, placed], quant[1][:, placed]),
                      per_element, loc)
    node = Node(MatMul(Constant(_narrow(found.integers))), (node,), loc)
    chain: tuple[Elementwise, ...] = (Mul(real(found.scale)),)
    if ints.offset.any():
        offsets = np.broadcast_to(ints.offset, k) if ints.offset.size == 1 else np.tile(
            ints.offset, k // ints.offset.size)
        chain = (*chain, Add(real(weights[:, placed] @ offsets)))
    index = np.arange(node.out.size).reshape(*lead, weights.shape[0])
    return View(node, index, chain)


def check_weights(weights: Array, quant: tuple[Array, Array] | None, loc: str) -> None:
    """LutraError for weights that nothing quantises."""
    decompose(weights.reshape(len(weights), -1), None if quant is None else (
        quant[0].reshape(len(weights), -1), quant[1].reshape(len(weights), -1)), np.ones(1), loc)


def decompose(weights: Array, quant: tuple[Array, Array] | None, inputs: Array, loc: str) -> Weights:
    """Integers and scales of weights (M, K) whose inputs are worth `inputs` (K,) each."""
    if quant is not None and (inputs == inputs[0]).all() and (quant[1] == quant[1][:, :1]).all():
        scales = quant[1][:, 0] * inputs[0]
        return Weights(quant[0], scales[0] if (scales == scales[0]).all() else scales)
    whole = lattice(weights * inputs)
    if whole is not None:
        return Weights(whole.integers, np.array(whole.scale))
    rows = [lattice(row * inputs) for row in weights]
    if any(row is None for row in rows):
        raise LutraError(f"its weights of shape {weights.shape} are not quantised", loc,
                         "export the model with a Quant or BipolarQuant on every weight")
    found = [row for row in rows if isinstance(row, Lattice)]
    return Weights(np.stack([row.integers for row in found]), np.array([row.scale for row in found]))


def _narrow(integers: Array) -> Array:
    """The smallest integer type: weights are stored and hashed."""
    for kind in (np.int8, np.int16, np.int32):
        if np.abs(integers).max(initial=0) <= np.iinfo(kind).max:
            return integers.astype(kind)
    return integers.astype(np.int64)


def _negated(view: View, slopes: Array, loc: str) -> View:
    """The view with the rows of falling channels negated in the product before it, so that its chain rises."""
    match view.node.op:
        case MatMul(weights=weights) if (slopes != 0).all():
            rows = Constant(_narrow(weights.array.astype(np.int64) * slopes[:, None]))
            node = Node(MatMul(rows), view.node.args, view.node.loc)
            return View(node, view.index, (Mul(real(slopes.astype(np.float64))), *view.chain))
    raise LutraError("a maximum of values that fall as their integers grow has no exact integer form here", loc,
                     "put the pooling after the quantiser")


__all__ = ["lower_conv", "lower_matmul", "lower_maxpool"]
