"""Two products of bit planes, the second gated by the first, as one unit (FracBNN; see `lutra.ops.gated`).

2 W m + [W m >= t] * W l of two planes m and l of -1 and +1 is what a Gated unit makes of 2 m + l. Where m and l are
functions of one integer, as those of a quantiser of two bits are, 2 m + l is its three thresholds.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lutra.ir import Array, Constant, Node, Range
from lutra.ops.add.op import Add
from lutra.ops.gated.op import MASKED, PLAIN, Gated
from lutra.ops.matmul.op import MatMul
from lutra.ops.mul.op import Mul
from lutra.ops.pad.op import Pad
from lutra.ops.reshape.op import Reshape
from lutra.ops.threshold.op import Threshold
from lutra.ops.window.op import Window

BIPOLAR = Range(-1, 1, 2)
WALK = 1 << 22  # values of an integer, in all channels, that two planes are looked at for


def gated_product(node: Node) -> Node | None:
    """The sum of a product and a gated one, over one path from two planes."""
    match node:
        case Node(op=Add(muls=(twice, once)), args=(Node(op=MatMul()) as first, Node(op=Mul(), args=(a, b)))) if (
                (twice.array == 2).all() and (once.array == 1).all()):
            return _gated(node, first, a, b) or _gated(node, first, b, a)
    return None


def _gated(node: Node, first: Node, gate: Node, second: Node) -> Node | None:
    match first.op, second.op, gate:
        case MatMul() as ours, MatMul() as theirs, Node(
            op=Threshold(count=1, offset=0, step=1) as opens, args=(of,)) if (
                ours == theirs and _same(of, first) and ours.coding == BIPOLAR and not opens.falling.array.any()):
            x = _both(first.args[0], second.args[0])
            if x is not None and x.out.elem in (PLAIN, MASKED):
                rows = np.broadcast_to(opens.thresholds.array[:, 0], (node.out.channels,))
                return Node(Gated(ours.weights, Constant(rows.copy())), (x,), node.loc)
    return None


def _same(a: Node, b: Node) -> bool:
    """Whether two nodes are the same operations on the same inputs."""
    return a is b or (a.op == b.op and len(a.args) == len(b.args) > 0 and all(map(_same, a.args, b.args)))


def _both(m: Node, low: Node) -> Node | None:
    """2 m + l, with what only moves both planes behind it."""
    match m, low:
        case (Node(op=Pad() | Window() | Reshape()), Node()):
            if not isinstance(low.op, type(m.op)) or m.op != low.op:
                return None
            inner = _both(m.args[0], low.args[0])
            op = replace(m.op, value=3 * m.op.value) if isinstance(m.op, Pad) else m.op
            return None if inner is None else Node(op, (inner,), m.loc)
    if m.out.elem != BIPOLAR or low.out.elem != BIPOLAR or m.out.shape != low.out.shape:
        return None
    return _thresholds(m, low) or Node(Add((_one(2), _one(1))), (m, low), low.loc)


def _one(factor: int) -> Constant:
    return Constant(np.array([factor]))


def _thresholds(m: Node, low: Node) -> Node | None:
    """2 m + l as thresholds of the integer that both are functions of; None where it is no rising function of one."""
    if not isinstance(m.op, Threshold):
        return None
    (x,) = m.args
    if x.out.range.levels * x.out.channels > WALK:
        return None
    values = np.broadcast_to(x.out.range.values()[:, None], (x.out.range.levels, x.out.channels))
    second = _applied(low, x, values)
    if second is None:
        return None
    y = 2 * m.op.evaluate(values) + second
    if (np.diff(y, axis=0) < 0).any():
        return None
    beyond = np.append(values[:, 0], x.out.range.hi + x.out.range.step)
    at = np.stack([beyond[(y < level).sum(axis=0)] for level in (-1, 1, 3)], axis=1)
    at = at[:1] if (at == at[0]).all() else at
    return Node(Threshold(Constant(at), -3, 2, Constant(np.zeros(len(at), bool))), (x,), low.loc)


def _applied(node: Node, x: Node, values: Array) -> Array | None:
    """What sums and thresholds alone make of values of x; None where there is something else between."""
    if node is x:
        return values
    if not isinstance(node.op, (Threshold, Add)):
        return None
    args = [_applied(a, x, values) for a in node.args]
    return None if any(a is None for a in args) else node.op.evaluate(*(a for a in args if a is not None))
