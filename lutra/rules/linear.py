"""Matrix products and convolutions on integers: from a view to units."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Constant, Node
from lutra.ops.depthwise.op import Depthwise
from lutra.ops.matmul.op import MatMul
from lutra.ops.source import Add, Conv, ConvTranspose, Mul, real
from lutra.ops.source import MatMul as SourceMatMul
from lutra.rules.integers import Integers, Lowering
from lutra.rules.lattice import Lattice, lattice
from lutra.rules.order import channels_first, cut, in_pixels, reordered
from lutra.rules.spatial import narrow, padded, windowed, zero_of
from lutra.rules.view import Chain, View, reshaped

WHOLE = 1e-9  # how far a zero point in double precision may be from its integer, as a part of it


@dataclass(frozen=True)
class Weights:
    """real weights (M, K) times what one of each input is worth = scale (M,) or () * first * integers (M, K).

    Where a quantiser made the weights, `first` is the inputs' scale and `scale` its own, in the order in which the
    source multiplies, so that not even a rounding of the last bit differs.
    """

    integers: Array
    scale: Array
    first: float = 1.0

    @property
    def chain(self) -> Chain:
        """From the product of integers to real numbers."""
        first = (Mul(real(self.first)),) if self.first != 1.0 else ()
        return (*first, Mul(real(short(self.scale))))


def lower_matmul(low: Lowering, view: View, op: SourceMatMul, loc: str) -> View:
    """Y = x W: one unit; the stream's order of the K elements goes into the weights."""
    k, m = op.weights.shape
    quant = None if op.quant is None else (op.quant[0].array.T, _transposed(op.quant[1].array, (k, m)))
    check_weights(op.weights.array.T, quant, loc)
    view = _in_rows(low.settle(view, loc), k, loc)
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


def _in_rows(view: View, k: int, loc: str) -> View:
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
    chain: Chain = (Mul(real(short(scales))), *found.chain)
    if offsets.any():
        zeros = np.rint(offsets / scales)
        exact = (np.abs(offsets / scales - zeros) <= WHOLE * np.maximum(1.0, np.abs(zeros))).all()
        chain = ((Add(real(short(found.integers.sum(axis=1) * zeros))), *chain) if exact
                 else (*chain, Add(real(short(rows.sum(axis=1) * offsets)))))
    return View(node, index, chain)


def short(values: Array) -> Array:
    """() where all are equal."""
    flat = np.atleast_1d(values)
    first: Array = flat[0]
    return first if (flat == first).all() else values


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


def shifted(weights: Weights, zeros: Array, rest: Array) -> Chain:
    """The chain behind a product whose inputs lie `zeros` (K,) integers away from what is proportional to the real
    numbers: the sum of those by the weights is an integer again. `rest` (M,): what it is worth, where they are none.
    """
    if not zeros.any():
        return weights.chain
    whole = np.rint(zeros)
    if (np.abs(zeros - whole) > WHOLE * np.maximum(1.0, np.abs(whole))).any():
        return (*weights.chain, Add(real(short(rest))))
    return (Add(real(short(weights.integers @ whole))), *weights.chain)


def check_weights(weights: Array, quant: tuple[Array, Array] | None, loc: str) -> None:
    """LutraError for weights that nothing quantises."""
    decompose(weights.reshape(len(weights), -1), None if quant is None else (
        quant[0].reshape(len(weights), -1), quant[1].reshape(len(weights), -1)), np.ones(1), loc)


def decompose(weights: Array, quant: tuple[Array, Array] | None, inputs: Array, loc: str) -> Weights:
    """Integers and scales of weights (M, K) whose inputs are worth `inputs` (K,) each."""
    if quant is not None and (inputs == inputs[0]).all() and (quant[1] == quant[1][:, :1]).all():
        return Weights(quant[0], quant[1][:, 0], float(inputs[0]))
    whole = lattice(weights * inputs)
    if whole is not None:
        return Weights(whole.integers, np.array(whole.scale))
    rows = [lattice(row * inputs) for row in weights]
    if any(row is None for row in rows):
        if quant is not None and (inputs != inputs[0]).any():
            raise LutraError("the channels of its input have scales without a common divisor", loc,
                             "quantise them with one scale, for instance behind the concatenation that brings them")
        raise LutraError(f"its weights of shape {weights.shape} are not quantised", loc,
                         "export the model with a Quant or BipolarQuant on every weight")
    found = [row for row in rows if isinstance(row, Lattice)]
    return Weights(np.stack([row.integers for row in found]), np.array([row.scale for row in found]))


__all__ = ["check_weights", "lower_conv", "lower_matmul", "lower_transposed"]
