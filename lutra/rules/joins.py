"""Streams that meet: sums, differences, products, concatenations; and paths that part and meet again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Constant, Node
from lutra.ops import source as src
from lutra.ops.add.op import Add
from lutra.ops.concat.op import Concat
from lutra.ops.mul.op import Mul
from lutra.ops.rescale.op import Rescale
from lutra.ops.reshape.op import Reshape
from lutra.ops.source import real
from lutra.rules.affine import affine_chain
from lutra.rules.integers import Integers, Lowering
from lutra.rules.lattice import lattice
from lutra.rules.order import arranged, stretched
from lutra.rules.pairs import Pair, PairSum, TwoChains
from lutra.rules.rescale import short
from lutra.rules.solve import WALK, slope
from lutra.rules.view import View, apply, reshaped

SMALL, LARGE = 1 << 8, 1 << 16  # multipliers of a sum: preferred to a search over all pairs; the largest at all


@dataclass(frozen=True)
class Meeting(TwoChains):
    """f(left(x), right(x)): two elementwise paths from one stream that meet again in a sum, difference or product.

    Exporters write x * sigmoid(x) and the like so. It is one function of one integer.
    """

    by: src.Pairwise

    @property
    def kind(self) -> str:
        """Both paths, and how they meet."""
        return "+".join([*(op.kind for op in (*self.left, *self.right)), self.by.kind])

    def apply(self, x: Array) -> Array:
        """Both paths, then the source's own operation."""
        return self.by.combine(apply(self.left, x), apply(self.right, x))

    def slope(self) -> Array | int:
        """A sum of two rising paths rises; of a product nothing is known."""
        if not isinstance(self.by, src.AddStreams):
            return 0
        a, b = (np.asarray(slope(side, 1) if not any(p.size > 1 for op in side for p in op.params()) else 0)
                for side in (self.left, self.right))
        return np.where(a == b, a, 0).ravel()[0] if a.size == b.size == 1 else 0


def lower_pairwise(low: Lowering, views: tuple[View, ...], op: src.Pairwise, loc: str) -> View:
    """A sum, difference or product of two views."""
    a, b = stretched(low, views[0], views[1], loc)
    met = _meeting(a, b, op)
    if met is not None:
        return met
    if isinstance(op, src.MulStreams):
        return _product(low, a, b, loc)
    return _sum(low, a, b, -1 if isinstance(op, src.SubStreams) else 1, loc)


def _meeting(a: View, b: View, op: src.Pairwise) -> View | None:
    """One chain where both views are of one stream, in one order."""
    if _root(a.node) is not _root(b.node) or a.index.shape != b.index.shape or not np.array_equal(a.index, b.index):
        return None
    if a.node.out.shape != b.node.out.shape:
        a, b = a.flattened(), b.flattened()
    same = next((i for i, (x, y) in enumerate(zip(a.chain, b.chain, strict=False)) if x != y),
                min(len(a.chain), len(b.chain)))
    return replace(a, chain=(*a.chain[:same], Meeting(a.chain[same:], b.chain[same:], op)))


def _root(node: Node) -> Node:
    while isinstance(node.op, Reshape):
        (node,) = node.args
    return node


def _both(low: Lowering, a: View, b: View, loc: str) -> tuple[Integers, Integers, Array]:
    """Both as integers under one shape and in one order, and the index of their source elements."""
    return _aligned(low.integers(a, loc, zero=False), low.integers(b, loc, zero=False), a, b, loc)


def _aligned(left: Integers, right: Integers, a: View, b: View, loc: str) -> tuple[Integers, Integers, Array]:
    a, b = View(left.node, a.index), View(right.node, b.index)
    if not np.array_equal(a.index.ravel(), b.index.ravel()):
        if left.scale.size > 1 or left.offset.size > 1 or right.scale.size > 1 or right.offset.size > 1:
            raise LutraError("its two inputs come in different orders and have a scale for each channel", loc,
                             "let both have one scale for all channels")
        frame = a.node.out.shape
        right = replace(right, node=arranged(b, a.index.ravel(), frame, loc))
    elif left.node.out.shape != right.node.out.shape:
        if right.scale.size > 1 or right.offset.size > 1:
            left = replace(left, node=reshaped(left.node, right.node.out.shape))
        else:
            right = replace(right, node=reshaped(right.node, left.node.out.shape))
    return left, right, a.index


def _sum(low: Lowering, a: View, b: View, sign: int, loc: str) -> View:
    """The sum left + sign * right: of integers where one number divides both scales, else every pair of integers is
    looked at once the next quantiser is known.
    """
    left, right, index = _both(low, a, b, loc)
    pairs = left.node.out.range.levels * right.node.out.range.levels
    found = _common(left.scale, right.scale)
    if found is not None and (found[2] <= SMALL or pairs > WALK):
        scale, muls, _ = found
        node = Node(Add((muls[0], Constant(sign * muls[1].array))), (left.node, right.node), loc)
        return View(node, index, affine_chain(scale, left.offset + sign * right.offset))
    if pairs > WALK and low.tolerance is not None:
        left, right = low.fixed(a, loc, share=0.5), low.fixed(b, loc, share=0.5)
        left, right, index = _aligned(left, right, a, b, loc)
        ones = Constant(np.ones(1, np.int64)), Constant(np.full(1, sign))
        return View(Node(Add(ones), (left.node, right.node), loc), index, affine_chain(left.scale, np.array(0.0)))
    if pairs > WALK:
        raise LutraError(f"it adds numbers in {left.node.out.range} and in {right.node.out.range} whose scales "
                         "have no common divisor", loc, "quantise both inputs, to 10 bits or fewer, before it")
    node = Node(Pair(), (left.node, right.node), loc)
    head = PairSum(affine_chain(left.scale, left.offset), affine_chain(right.scale, right.offset), sign,
                   (left.node.out.range, right.node.out.range))
    return View(node, index, (head,))


def _common(a: Array, b: Array) -> tuple[Array, tuple[Constant, Constant], int] | None:
    """A scale for each channel of which both are whole multiples, the multiples, and the largest; None without one."""
    pairs = np.stack(np.broadcast_arrays(np.atleast_1d(a), np.atleast_1d(b)), 1)
    found = [lattice(row, LARGE) for row in pairs]
    scales = np.array([f.scale for f in found if f is not None])
    if len(scales) < len(found):
        return None
    whole = np.stack([f.integers for f in found if f is not None])
    scale = scales[0] if (scales == scales[0]).all() else scales
    return scale, (short(whole[:, 0]), short(whole[:, 1])), int(np.abs(whole).max())


def _product(low: Lowering, a: View, b: View, loc: str) -> View:
    """Integers free of their zero points, multiplied."""
    left, right, index = _both(low, a, b, loc)
    first, second = (_centred(i, loc) for i in (left, right))
    node = Node(Mul(), (first, second), loc)
    return View(node, index, (src.Mul(real(left.scale * right.scale)),))


def _centred(ints: Integers, loc: str) -> Node:
    """The integers that are proportional to the real numbers."""
    if not ints.offset.any():
        return ints.node
    zero = ints.offset / ints.scale
    whole = np.rint(zero)
    if (np.abs(zero - whole) > 1e-9 * np.maximum(1.0, np.abs(zero))).any():
        raise LutraError("an input of the product has a zero point that is no integer", loc,
                         "quantise it with a whole zero point")
    add = np.atleast_1d(whole).astype(np.int64)
    given = ints.node.out.range
    ends = given.lo + int(add.min()), given.hi + int(add.max())
    op = Rescale(short(np.ones(1, np.int64)), short(add), 0, False, *ends)
    return Node(op, (ints.node,), loc)


def lower_concat(low: Lowering, views: tuple[View, ...], op: src.Concat, loc: str) -> View:
    """Channels of all streams, pixel by pixel; one after the other whole where pixels differ in number.

    Every channel keeps its own scale, so nothing has to be aligned.
    """
    ints = [low.integers(v, loc, zero=False) for v in views]
    nodes = [i.node for i in ints]
    if any(n.out.shape[:-1] != nodes[0].out.shape[:-1] for n in nodes):
        nodes = [reshaped(n, (1, n.out.size)) for n in nodes]
    lead = nodes[0].out.shape[:-1]
    widths = [n.out.channels for n in nodes]
    starts = np.cumsum([0, *widths])
    total = int(starts[-1])
    index = np.concatenate([v.index // w * total + start + v.index % w
                            for v, w, start in zip(views, widths, starts, strict=False)], axis=op.axis)
    node = reduce(lambda a, b: Node(Concat(), (a, b), loc), nodes)
    assert node.out.shape == (*lead, total), (node.out, lead, total)
    scale, offset = (_together([getattr(i, what) for i in ints], widths) for what in ("scale", "offset"))
    return View(node, index, affine_chain(scale, offset))


def _together(values: list[Array], widths: list[int]) -> Array:
    """One value for each channel of all streams, or () where all are equal."""
    parts = [np.tile(np.atleast_1d(v), w // v.size) for v, w in zip(values, widths, strict=True)]
    every: Array = np.concatenate(parts)
    return every[0] if (every == every[0]).all() else every


__all__ = ["Meeting", "lower_concat", "lower_pairwise"]
