"""An elementwise chain that ends in a quantiser becomes one integer operation, the cheapest of those that are exact.

The chain is the source's own function, evaluated in double precision at integers. Candidates: nothing, a rescale (shift
or multiply-shift), thresholds, a table, and for fixed-point casts their own arithmetic (`lutra.rules.fixed`). Where the
range is small enough all of it is walked; where it is not, the chain is monotone by its operators' slopes, so that both
sides of every step decide. Ties (round half to even, `>=`) need no rule of their own: they are whatever the function
says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Constant, Node, Range
from lutra.ops.add.op import Add
from lutra.ops.base import Fold, Join, Unit
from lutra.ops.requant.op import Requant
from lutra.ops.rescale.op import Rescale
from lutra.ops.source import Cast
from lutra.ops.table.op import Table
from lutra.ops.threshold.op import STAGES, Threshold
from lutra.rules.fixed import by_arithmetic
from lutra.rules.rescale import fit_rescale, short
from lutra.rules.sides import by_sides
from lutra.rules.steps import Step, bisected, steps_of
from lutra.rules.view import Chain, apply, channelwise

WALK = 1 << 22  # evaluations: a range times channels up to this is walked whole
CHUNK = 4096  # rows checked at a time
Level = Callable[[Array], Array]  # real values to integers


@dataclass(frozen=True)
class Solved:
    """The integer node, how it was shown equal, and at how many inputs single precision would differ (a tie)."""

    node: Node
    form: str
    checked: int
    walked: bool
    ties: int


def solve(node: Node, chain: Chain, level: Level, family: str) -> Solved:
    """The node after the chain; `level` says which integer stands for each real value that the chain can end in."""
    given, functions = node.out.range, channelwise(chain, node.out.channels)
    if given.levels * functions <= WALK:
        return _walked(node, chain, level, functions, family)
    return _searched(node, chain, level, functions, family)


def _walked(node: Node, chain: Chain, level: Level, functions: int, family: str) -> Solved:
    given = node.out.range
    x = given.values()[:, None]
    y = np.broadcast_to(level(apply(chain, x)), (given.levels, functions))
    close = ties(chain, level, x, y)
    checked = y.size
    if (y == x).all():
        return Solved(node, "nothing", checked, True, close)
    found = _linear(node, y) + _by_form(node, chain, level, family)
    steps = steps_of(given, y)
    if steps is not None:
        assert (steps(np.broadcast_to(x, y.shape)) == y).all()
        found += _stepped(node, steps)
    if given.bits <= Table.MAX_BITS:
        found.append(Node(Table(Constant(np.ascontiguousarray(y.T)), given), (node,), node.loc))
    if not found and steps is not None:
        raise _too_fine(node, steps.at.shape[1] + 1)
    if not found:
        raise LutraError(f"the function between {given} and its quantiser neither rises nor falls and has more than "
                         f"{1 << Table.MAX_BITS} inputs", node.loc, "quantise to fewer bits before it")
    best = min(found, key=lambda n: price(n, node, family))
    _verify(best, node, x, y)
    return Solved(best, form(best), checked, True, close)


def _by_form(node: Node, chain: Chain, level: Level, family: str) -> list[Node]:
    """What is exact by the chain's form, for every integer."""
    return by_arithmetic(node, chain) + by_sides(node, chain, level, lambda n, c: solve(n, c, level, family).node)


def _too_fine(node: Node, levels: int) -> LutraError:
    return LutraError(f"a quantiser with {levels} levels is no multiply-shift here, and has too many for thresholds",
                      node.loc, f"quantise to {STAGES} bits or fewer")


def _searched(node: Node, chain: Chain, level: Level, functions: int, family: str) -> Solved:
    given = node.out.range
    chain = _without_overflow(chain, given, functions)

    def quantise(x: Array) -> Array:
        return level(apply(chain, x))

    found = _by_form(node, chain, level, family)
    slopes = slope(chain, functions)
    if (slopes == 0).any():
        if found:
            return _sampled(found[0], node, chain, level, functions)
        raise LutraError(f"the function of {given.levels} values before the quantiser is not monotone", node.loc,
                         "quantise to fewer bits before it")
    steps = bisected(given, quantise, slopes)
    found += _stepped(node, steps)
    if not found:
        raise _too_fine(node, steps.at.shape[1] + 1)
    best = min(found, key=lambda n: price(n, node, family))
    checked = close = 0
    for shift in (-given.step, 0):  # both sides of every step
        x = np.clip(steps.at + shift, given.lo, given.hi).T
        y = quantise(x)
        _verify(best, node, x, y)
        checked += x.size
        close += ties(chain, level, x, y)
    return Solved(best, form(best), checked, False, close)


def _sampled(best: Node, node: Node, chain: Chain, level: Level, functions: int) -> Solved:
    """What is exact by arithmetic, and looked at over the whole range as densely as time allows all the same."""
    given = node.out.range
    every = -(-given.levels * functions // WALK)
    x = np.unique(np.append(given.values(every), given.hi))[:, None]
    y = np.broadcast_to(level(apply(chain, x)), (len(x), functions))
    _verify(best, node, x, y)
    return Solved(best, form(best), y.size, False, ties(chain, level, x, y))


def _without_overflow(chain: Chain, given: Range, functions: int) -> Chain:
    """The chain with casts that saturate in place of those of another mode wherever nothing overflows: what is before
    one is monotone, so that it is enough to look at both ends of the range.
    """
    ends = np.array([[given.lo], [given.hi]])
    for i, op in enumerate(chain):
        if isinstance(op, Cast) and (slope(chain[:i], functions) != 0).all():
            q = op.rounded(apply(chain[:i], ends))
            if ((q >= op.codes.lo) & (q <= op.codes.hi)).all():
                chain = (*chain[:i], op.saturating(), *chain[i + 1 :])
    return chain


def _verify(last: Node, node: Node, x: Array, y: Array) -> None:
    """The integer operations behind a node, up to the last, equal the source's function at x (n, C or 1): a proof where
    x is all of the range.
    """
    channels = node.out.channels
    wide = np.broadcast_to(x, (len(x), channels))
    for at in range(0, len(x), CHUNK):
        rows = wide[at : at + CHUNK]
        values = {node: rows.reshape(len(rows), *([1] * (len(node.out.shape) - 1)), channels)}
        for unit in _between(node, last):
            values[unit] = unit.op.evaluate(*(values[arg] for arg in unit.args))
        got = values[last]
        assert (got.reshape(len(rows), channels) == y[at : at + CHUNK]).all(), f"{form(last)} differs at {last.loc}"


def _between(node: Node, last: Node) -> list[Node]:
    """The nodes behind one, up to the last, in order."""
    found: list[Node] = []
    if last is not node:
        for arg in last.args:
            found += [n for n in _between(node, arg) if n not in found]
        found.append(last)
    return found


def _linear(node: Node, y: Array) -> list[Node]:
    """M x + b, where the tabulated function is just that."""
    given = node.out.range
    if given.levels < 2:
        return []
    rise = y[1] - y[0]
    if (rise % given.step).any() or (np.diff(y, axis=0) != rise).any() or not rise.any():
        return []
    mul = rise // given.step
    op = Rescale(short(mul), short(y[0] - mul * given.lo), 0, False, int(y.min()), int(y.max()))
    return [Node(op, (node,), node.loc)]


def _stepped(node: Node, steps: Step) -> list[Node]:
    """Nodes that compute the steps: thresholds, and a rescale where one fits exactly."""
    found = []
    if steps.at.shape[1].bit_length() <= STAGES:
        op = Threshold(Constant(steps.at), steps.base, steps.gap, Constant(steps.falling))
        found.append(Node(op, (node,), node.loc))
    rescale = fit_rescale(node.out.range, steps.base, steps.gap, steps.at, steps.falling)
    if rescale is not None:
        found.append(Node(rescale, (node,), node.loc))
    return found


def ties(chain: Chain, level: Level, x: Array, y: Array) -> int:
    """At how many of these integers rounding each operation to single precision, as most frameworks do, would change
    the level.
    """
    value = x.astype(np.float64)
    for op in chain:
        value = op.apply(value).astype(np.float32).astype(np.float64)
    return int((level(value) != y).sum())


def slope(chain: Chain, functions: int) -> Array:
    """+1, -1 or 0 for each function: whether it never falls, never rises, or neither is known."""
    total = np.ones(functions, np.int64)
    for op in chain:
        total = total * op.slope()
    return total


def form(node: Node) -> str:
    """What an elementwise chain became, in one word."""
    match node.op:
        case Rescale(mul=mul) if (mul.array == 1).all():
            return "shift"
        case Rescale():
            return "multiply-shift"
        case Requant():
            return "fixed point"
        case Add():
            return "two slopes"
        case _:
            return "thresholds" if isinstance(node.op, Threshold) else "table"


def price(last: Node, node: Node, family: str) -> float:
    """Cost of one lane of a chain's units behind a node in LUTs; block memory counts as LUTs it could replace."""
    total = 0.0
    for unit in _between(node, last):
        xs = tuple(arg.out for arg in unit.args)
        assert isinstance(unit.op, Unit | Join)
        cost = unit.op.cost(Fold(), xs[0], family) if isinstance(unit.op, Unit) else unit.op.cost(Fold(), xs, family)
        total += cost.lut + 300 * cost.bram + 100 * cost.dsp
    return total
