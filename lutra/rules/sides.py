"""PReLU between integers too wide for a table: what is negative and what is not, each by itself, and their sum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Constant, Node
from lutra.ops.add.op import Add
from lutra.ops.rescale.op import Rescale
from lutra.ops.source import Clip, LeakyRelu, Mul, Relu, real
from lutra.rules.view import Chain

ONE, NONE = Constant(np.ones(1, np.int64)), Constant(np.zeros(1, np.int64))


def by_sides(
    node: Node, chain: Chain, level: Callable[[Array], Array], solved: Callable[[Node, Chain], Node]
) -> list[Node]:
    """The chain as the sum of its two sides, each with the other's numbers as 0: none or one node.

    It is exact where each side is, as both are 0 at 0: only factors may come before the PReLU. solved: what makes a
    node of a chain behind another, or raises LutraError.
    """
    place = next((i for i, op in enumerate(chain) if isinstance(op, LeakyRelu)), None)
    given = node.out.range
    if place is None or given.step > 1 or not given.lo < 0 < given.hi:
        return []
    before, prelu, after = chain[:place], chain[place], chain[place + 1 :]
    assert isinstance(prelu, LeakyRelu)
    at_zero = np.zeros((1, 1))
    for op in after:
        at_zero = op.apply(at_zero)
    if not all(isinstance(op, Mul) and (op.value.array > 0).all() for op in before) or level(at_zero).any():
        return []

    def side(inside: Chain, lo: int, hi: int, factor: Chain) -> Node:
        try:
            return solved(node, (*before, *inside, *factor, *after))
        except LutraError:  # not one unit: a clip, and what follows it
            clipped = Node(Rescale(ONE, NONE, 0, False, lo, hi), (node,), node.loc)
            return solved(clipped, (*before, *factor, *after))

    try:
        sides = side((Relu(),), 0, given.hi, ()), side((Clip(real(-np.inf), real(0.0)),), given.lo, 0,
                                                       (Mul(prelu.alpha),))
    except LutraError:
        return []
    return [Node(Add((ONE, ONE)), sides, node.loc)]
