"""Matrix products and convolutions on integers: from a view to units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lutra.ir import Array, Constant, Node
from lutra.ops.depthwise.op import Depthwise
from lutra.ops.matmul.op import MatMul
from lutra.ops.source import Add, Conv, ConvTranspose, Mul, real
from lutra.ops.source import MatMul as SourceMatMul
from lutra.rules.affine import one_where_equal
from lutra.rules.integers import Integers, Lowering
from lutra.rules.lattice import lattice
from lutra.rules.order import channels_first, cut, in_pixels, reordered
from lutra.rules.spatial import narrow, padded, windowed, zero_of
from lutra.rules.view import Chain, View, reshaped
from lutra.rules.weights import WHOLE, check_weights, decompose, shifted


def lower_matmul(low: Lowering, view: View, op: SourceMatMul, loc: str) -> View:
    """Y = x W: one unit; the stream's order of the K elements goes into the weights."""
    k, m = op.weights.shape
    quant = None if op.quant is None else (op.quant[0].array.T, _transposed(op.quant[1].array, (k, m)))
    check_weights(op.weights.array.T, quant, loc)
    view = in_rows(low.settle(view, loc), k, loc)
    ints = _one_lattice(low, low.integers(view, loc, zero=False), view, loc)
    rows = view.index.reshape(-1, k)
    order = rows[0] - rows[0].min()
    lead = view.index.shape[:-1]
    node = reshaped(ints.node, (*lead, k))
    return _product(node, ints, op.weights.array.T, quant, order, lead, loc)


def _one_lattice(low: Lowering, ints: Integers, view: View, loc: str) -> Integers:
    """The integers; rounded to one scale where those of channels have no common divisor and an error is allowed."""
    if low.tolerance is None or ints.scale.size == 1 or lattice(np.unique(ints.scale)) is not None:
        return ints
    return low.fixed(view, loc)


def in_rows(view: View, k: int, loc: str) -> View:
    """The view with the k elements of each product together on its stream."""
    rows = view.index.reshape(-1, k)
    if (rows - rows[:1] == k * np.arange(len(rows))[:, None]).all() and np.ptp(rows[0]) == k - 1:
        return view
    wanted = np.arange(view.index.size).reshape(view.index.shape)
    return reordered(view, wanted, view.index.shape, loc)


def lower_conv(low: Lowering, view: View, op: Conv, loc: str) -> View:
    """Pad, Window, MatMul; a 1x1 kernel with stride 1 is the product alone, a channel for each group is Depthwise."""
    return _convolved(low, view, op, (0,) * len(op.kernel), loc)


def lower_transposed(low: Lowering, view: View, op: ConvTranspose, loc: str) -> View:
    """An ordinary convolution of the frame with zeros put between its elements; what is cut off beyond that padding
    is cut from the result.
    """
    conv = op.conv
    before = tuple(r - b for r, b in zip(conv.before, op.before, strict=True))
    after = tuple(r - a for r, a in zip(conv.after, op.after, strict=True))
    whole = replace(conv, before=tuple(max(0, b) for b in before), after=tuple(max(0, a) for a in after))
    result = _convolved(low, view, whole, tuple(s - 1 for s in op.stride), loc)
    over = [(max(0, -b), n - max(0, -a)) for b, a, n in zip(before, after, result.index.shape[1:], strict=True)]
    return cut(low, result, result.index[(slice(None), *(slice(*o) for o in over))], loc)


def _convolved(low: Lowering, view: View, op: Conv, inside: tuple[int, ...], loc: str) -> View:
    """A convolution of the frame with `inside` zeros between its elements along each spatial axis."""
    quant = None if op.quant is None else (op.quant[0].array, np.broadcast_to(op.quant[1].array, op.weights.shape))
    check_weights(op.weights.array, quant, loc)
    holes = any(op.before) or any(op.after) or any(inside)
    view, frame, order = in_pixels(low, low.settle(view, loc), loc)
    ints = low.integers(view, loc, zero=holes)
    if not (op.groups > 1 and op.groups == frame[2]):
        ints = _one_lattice(low, ints, view, loc)
    node = reshaped(ints.node, frame)
    if holes:
        node = padded(node, op.before, op.after, zero_of(ints), loc, inside)
    node = windowed(node, op.kernel, op.stride, op.dilation, loc)
    if op.groups > 1 and op.groups == frame[2] == len(op.weights.array):
        result = _depthwise(node, ints, op.weights.array, quant, order, loc)
    else:
        dense = _ungrouped(op.weights.array, op.groups)
        flat_quant = None if quant is None else (
            kernel_last(_ungrouped(quant[0], op.groups)), kernel_last(_spread(quant[1], op.groups)))
        taps = int(np.prod(op.kernel))
        order = (np.arange(taps)[:, None] * frame[2] + order).ravel()
        result = _product(node, ints, kernel_last(dense), flat_quant, order, node.out.shape[:2], loc)
    return channels_first(result, len(op.kernel))


def _depthwise(node: Node, ints: Integers, weights: Array, quant: tuple[Array, Array] | None, order: Array,
               loc: str) -> View:
    """Each channel by its own kernel; weights (C, 1, *kernel). Every channel keeps its own scale."""
    channels = len(weights)
    source = np.empty_like(order)
    source[order] = np.arange(channels)  # place in a pixel -> channel of the source
    rows = weights.reshape(channels, -1)[source]
    parts = None if quant is None else (quant[0].reshape(channels, -1)[source], quant[1].reshape(channels, -1)[source])
    found = decompose(rows, parts, np.ones(rows.shape[1]), loc)
    node = Node(Depthwise(Constant(narrow(found.integers))), (node,), loc)
    index = np.arange(node.out.size).reshape(node.out.shape)[..., order]
    scales, offsets = (np.broadcast_to(v, channels) for v in (ints.scale, ints.offset))
    chain: Chain = (Mul(real(one_where_equal(scales))), *found.chain)
    if offsets.any():
        zeros = np.rint(offsets / scales)
        exact = (np.abs(offsets / scales - zeros) <= WHOLE * np.maximum(1.0, np.abs(zeros))).all()
        chain = ((Add(real(one_where_equal(found.integers.sum(axis=1) * zeros))), *chain) if exact
                 else (*chain, Add(real(one_where_equal(rows.sum(axis=1) * offsets)))))
    return View(node, index, chain)


def _ungrouped(weights: Array, groups: int) -> Array:
    """(M, C / groups, *kernel) to (M, C, *kernel), with zeros for what a group does not read."""
    m, c = weights.shape[:2]
    dense = np.zeros((m, c * groups, *weights.shape[2:]), weights.dtype)
    for g in range(groups):
        rows = slice(g * (m // groups), (g + 1) * (m // groups))
        dense[rows, g * c : (g + 1) * c] = weights[rows]
    return dense


def _spread(scale: Array, groups: int) -> Array:
    """A scale for each weight of the ungrouped kernel: those of the group's own, again and again."""
    return np.tile(scale, (1, groups, *(1,) * (scale.ndim - 2)))


def kernel_last(weights: Array) -> Array:
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
    scales, offsets = (np.tile(v, k // np.size(v)) for v in (ints.scale, ints.offset))
    found = decompose(weights[:, placed], None if quant is None else (quant[0][:, placed], quant[1][:, placed]),
                      scales, loc)
    node = Node(MatMul(Constant(narrow(found.integers))), (node,), loc)
    index = np.arange(node.out.size).reshape(*lead, weights.shape[0])
    return View(node, index, shifted(found, offsets / scales, weights[:, placed] @ offsets))
