"""ArgMax: the place of the largest of integers that order as the reals do."""

from __future__ import annotations

import numpy as np

from lutra.ir import Array, Constant, Node
from lutra.ops import source as src
from lutra.ops.argmax.op import ArgMax
from lutra.ops.rescale.op import Rescale
from lutra.ops.source import real
from lutra.rules.affine import affine
from lutra.rules.integers import Lowering
from lutra.rules.view import View


def lower_argmax(low: Lowering, view: View, op: src.ArgMax, loc: str) -> View | None:
    """In hardware where the integers order as the reals do: one rising affine function for all channels, or offsets of
    whole steps; None (the host's) otherwise.
    """
    view = low.if_integer(view, loc)
    found = affine(view.chain, view.node)
    c = view.channels
    flat = view.index.reshape(-1, c) if view.index.shape[-1:] == (c,) else None
    in_order = flat is not None and op.axis == view.index.ndim - 1 and (
        flat == np.arange(view.index.size).reshape(-1, c)).all()
    if found is None or not in_order or found[0].size > 1 or found[0] <= 0:
        return None
    node, steps = view.node, found[1] / found[0]
    if steps.size > 1:
        whole = np.rint(steps - steps.min())
        if (np.abs(steps - steps.min() - whole) > 1e-9).any():
            return None
        node = _shifted(node, whole.astype(np.int64), loc)
    node = Node(ArgMax(), (node,), loc)
    return View(node, np.arange(node.out.size).reshape(*view.index.shape[:-1], 1), (src.Mul(real(1.0)),))


def _shifted(node: Node, add: Array, loc: str) -> Node:
    lo, hi = node.out.range.lo, node.out.range.hi + int(add.max())
    return Node(Rescale(Constant(np.ones(1, np.int64)), Constant(add), 0, False, lo, hi), (node,), loc)
