"""A quantised sum of two streams with integers alone, shown for every pair of them.

`solve_pair` finds multipliers, an addend and a shift with which

    y = clip((m0 * x0 + m1 * x1 + b) >> s, lo, hi)

holds for each of them, or as many thresholds of m0 * x0 + m1 * x1 as y has steps. Integer-only additions of this kind
are usual (Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
CVPR 2018, appendix A.2), with a rounding error that is accepted there; here it is searched until there is none.
"""

from __future__ import annotations

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Constant, Node
from lutra.ops.add.op import Add
from lutra.ops.rescale.op import Rescale
from lutra.ops.threshold.op import Threshold
from lutra.rules.pairs import PairSum
from lutra.rules.rescale import short

FINEST = 27  # bits of the multipliers' fraction that are tried
LARGEST = 1 << 24  # multipliers are smaller: a DSP block of 25 x 18 bits takes one
HARD = 256  # pairs next to each side of the steps that are looked at first
MOST = 255  # thresholds, where no shift fits


def solve_pair(node: Node, head: PairSum, y: Array, slopes: tuple[Array, Array]) -> Node:
    """The nodes that compute y (pairs, C or 1) of each pair of the node's arguments.

    slopes: by how much y grows, before it is rounded, with one of each integer, (C,) or (). LutraError where no sum
    of multiples of FINEST bits tells the pairs apart as y does.
    """
    a, b = head.values(np.arange(len(y)))
    ratios = [np.broadcast_to(np.asarray(s), y.shape[1:]) for s in (slopes[0], head.sign * slopes[1])]
    forms = (_shifted, _shifted_to_even, _stepped)
    found = next((n for n in (form(node, a, b, ratios, y) for form in forms) if n is not None), None)
    if found is None:
        raise LutraError("no fixed-point sum rounds as the model does at every pair of its two inputs", node.loc,
                         "let both inputs have the same scale, or scales that are powers of two")
    wide = tuple(np.broadcast_to(v[:, None], (len(v), node.out.channels)) for v in (a, b))
    assert (found.op.evaluate(found.args[0].op.evaluate(*wide)) == y).all(), f"{found.op.kind} differs at {node.loc}"
    return found


def _shifted(node: Node, a: Array, b: Array, ratios: list[Array], y: Array) -> Node | None:
    """A sum shifted right, with the fewest bits with which one is exact."""
    ends = int(y.min()), int(y.max())
    hard = [_hardest(a, b, ratios[0][c], ratios[1][c], y[:, c], ends) for c in range(y.shape[1])]
    for shift in range(FINEST + 1):
        rows = [_row(a, b, (ratios[0][c], ratios[1][c]), y[:, c], ends, shift, hard[c]) for c in range(y.shape[1])]
        if all(row is not None for row in rows):
            first, second, add = np.array(rows, np.int64).T
            return _rescaled(node, [first, second], add, shift, False, y)
    return None


def _row(a: Array, b: Array, ratios: tuple[float, float], y: Array, ends: tuple[int, int], shift: int, hard: Array,
         ) -> tuple[int, int, int] | None:
    """Multipliers and an addend of one channel: those next to the real ratios that are exact, or None."""
    near = [(int(np.floor(r * (1 << shift))) + more) for r in ratios for more in (0, 1)]
    for m0 in near[:2]:
        for m1 in near[2:]:
            if abs(m0) < LARGEST and abs(m1) < LARGEST and (
                    _addend(m0 * a[hard] + m1 * b[hard], y[hard], ends, shift) is not None):
                add = _addend(m0 * a + m1 * b, y, ends, shift)
                if add is not None:
                    return m0, m1, add
    return None


def _hardest(a: Array, b: Array, first: float, second: float, y: Array, ends: tuple[int, int]) -> Array:
    """The pairs whose sums lie nearest to a step: what fails for any, mostly fails for one of these."""
    rest = first * a + second * b - y
    inside = (y > ends[0]) & (y < ends[1])
    order = np.flatnonzero(inside)[np.argsort(rest[inside], kind="stable")]
    return np.concatenate([order[:HARD], order[-HARD:]])


def _addend(t: Array, y: Array, ends: tuple[int, int], shift: int) -> int | None:
    """An addend with which the shifted sum, clipped to the ends, is y at every pair, or None."""
    unit = 1 << shift
    least = int((y * unit - t)[y > ends[0]].max(initial=-(2**62)))
    most = int(((y + 1) * unit - 1 - t)[y < ends[1]].min(initial=2**62))
    return min(max(unit // 2, least), most) if least <= most else None


def _shifted_to_even(node: Node, a: Array, b: Array, ratios: list[Array], y: Array) -> Node | None:
    """The same with rounding half to even: ties at whole multiples of a scale come out as in the source."""
    lo, hi = int(y.min()), int(y.max())
    for shift in range(1, FINEST + 1):
        muls = [np.rint(r * (1 << shift)).astype(np.int64) for r in ratios]
        if max(np.abs(m).max() for m in muls) >= LARGEST:
            return None
        for whole in _offsets(a, b, ratios, y):
            add = whole << shift
            op = Rescale(short(np.ones(1, np.int64)), short(np.atleast_1d(add)), shift, True, lo, hi)
            t = muls[0] * a[:, None] + muls[1] * b[:, None]
            if (op.evaluate(t) == y).all():
                return _rescaled(node, muls, np.atleast_1d(add), shift, True, y)
    return None


def _offsets(a: Array, b: Array, ratios: list[Array], y: Array) -> list[Array]:
    """Whole numbers that y may lie above the sum, for each channel."""
    rest = y - (ratios[0] * a[:, None] + ratios[1] * b[:, None])
    inside = (y > y.min()) & (y < y.max())
    middle = np.array([np.median(rest[inside[:, c], c]) if inside[:, c].any() else 0.0 for c in range(y.shape[1])])
    return [np.rint(middle).astype(np.int64)]


def _rescaled(node: Node, muls: list[Array], add: Array, shift: int, even: bool, y: Array) -> Node:
    op = Rescale(short(np.ones(1, np.int64)), short(add), shift, even, int(y.min()), int(y.max()))
    return Node(op, (_sum(node, muls),), node.loc)


def _sum(node: Node, muls: list[Array]) -> Node:
    first, second = (short(m) for m in muls)
    return Node(Add((first, second)), node.args, node.loc)


def _stepped(node: Node, a: Array, b: Array, ratios: list[Array], y: Array) -> Node | None:
    """Thresholds of the sum, with the fewest bits of multipliers that order the pairs as y does."""
    base, count = int(y.min()), int(y.max()) - int(y.min())
    if count > MOST:
        return None
    for shift in range(FINEST + 1):
        muls = [np.rint(r * (1 << shift)).astype(np.int64) for r in ratios]
        if max(np.abs(m).max() for m in muls) >= LARGEST:
            return None
        rows = [_boundaries(muls[0][c] * a + muls[1][c] * b, y[:, c], base, count) for c in range(y.shape[1])]
        if all(row is not None for row in rows):
            at = np.array(rows, np.int64)
            at = at[:1] if (at == at[0]).all() else at
            op = Threshold(Constant(at), base, 1, Constant(np.zeros(len(at), bool)))
            return Node(op, (_sum(node, muls),), node.loc)
    return None


def _boundaries(t: Array, y: Array, base: int, count: int) -> list[int] | None:
    """From which t on y is at least each level; None where that does not depend on t alone."""
    order = np.argsort(t, kind="stable")
    t, y = t[order], y[order]
    same = t[1:] == t[:-1]
    if (np.diff(y) < 0).any() or (y[1:] != y[:-1])[same].any():
        return None
    index = np.searchsorted(y, base + 1 + np.arange(count), side="left")
    beyond = np.append(t, t[-1] + 1)
    return [int(v) for v in beyond[index]]

