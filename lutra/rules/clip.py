"""ReLU and clips of integers, of any width: where the bounds are integers too, they are clipped to as they are."""

from __future__ import annotations

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Constant, Node
from lutra.ops.rescale.op import Rescale
from lutra.ops.source import Clip, Elementwise, Relu
from lutra.rules.affine import affine, affine_chain
from lutra.rules.pairs import Pair
from lutra.rules.rescale import short
from lutra.rules.view import Chain, apply

ONE = Constant(np.ones(1, np.int64))


def clip(node: Node, before: Chain, op: Elementwise) -> tuple[Node, Chain] | None:
    """Integers and a chain that give what `before`, affine and rising, and then `op` make of the node: exactly so, as
    what is added and the bounds are whole multiples of what an integer is worth. None where they are not, op is neither
    ReLU nor Clip, or the unit is too narrow.
    """
    if not isinstance(op, Relu | Clip) or isinstance(node.op, Pair):
        return None
    known = affine(before, node)
    if known is None or not (known[0] > 0).all():
        return None
    scale, given = known[0], node.out.range
    add = np.atleast_1d(np.rint(known[1] / scale)).astype(np.int64)
    ends = np.array([[given.lo], [given.hi]])
    if not (scale * (ends + add) == apply(before, ends)).all():
        return None
    lo, hi = (op.lo.array, op.hi.array) if isinstance(op, Clip) else (np.array(0.0), np.array(np.inf))
    low, high = _whole(lo, scale, int(given.lo + add.min())), _whole(hi, scale, int(given.hi + add.max()))
    if low is None or high is None or low > high:
        return None
    try:
        after = Node(Rescale(ONE, short(add), 0, False, low, high), (node,), node.loc)
    except LutraError:  # of more bits than the unit has
        return None
    return after, affine_chain(scale, np.array(0.0))


def _whole(bound: Array, scale: Array, end: int) -> int | None:
    """The integer that is worth just the bound: the end of the range for none; None where it is not one for all."""
    if np.isinf(bound).all():
        return end
    at = np.unique(np.rint(bound / scale))
    return int(at[0]) if at.size == 1 and (at[0] * scale == bound).all() else None
