"""Integers for a unit that needs them: a view's pending chain becomes scale * integer + offset."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import takewhile

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Node
from lutra.ops.source import Quant, QuantizeLinear, real
from lutra.rules.affine import AFFINE, affine, affine_chain, grid, off_grid
from lutra.rules.clip import clip
from lutra.rules.lattice import lattice
from lutra.rules.pairs import Pair, PairSum
from lutra.rules.solve import WALK, Level, Solved, form, price, slope, solve, ties
from lutra.rules.sums import solve_pair
from lutra.rules.view import Chain, View, apply, channelwise

FINEST = 16  # bits of a rounding that the model does not have
MEMORIES = 1000.0  # LUTs that a table's block memories count as, from where on other forms are looked for


@dataclass(frozen=True)
class Proof:
    """What became of one elementwise chain, and how it was shown equal to the source.

    form: nothing, clip, shift, multiply-shift, fixed point, thresholds, table. checked: values of integers times
    channels evaluated; walked: whether those are all that the range allows (else both sides of every step of a monotone
    chain). ties: integers at which single precision would decide otherwise than double. error: by how much the result
    may lie beside the source's own; 0 but where the user allows a rounding that the model does not have.
    """

    at: str
    operations: tuple[str, ...]
    form: str
    checked: int
    walked: bool
    ties: int
    error: float = 0.0

    @property
    def source_operations(self) -> tuple[str, ...]:
        """Those that are the model's own: not the rounding that an error was allowed for."""
        return self.operations[:-1] if self.error else self.operations


@dataclass(frozen=True)
class FixedPoint(Quant):
    """A rounding that the model does not have: to whole multiples of `scale`, so by at most half of it."""

    @property
    def kind(self) -> str:
        """What it is called in proofs."""
        return "fixed point"

    @property
    def error(self) -> float:
        """The most that it moves a value."""
        return float(self.scale.array.max()) / 2


@dataclass(frozen=True)
class Integers:
    """real = scale * node + offset; both of shape () or (C,)."""

    node: Node
    scale: Array
    offset: Array


@dataclass(frozen=True)
class Lowering:
    """What a lowering step needs to know and leaves behind. `family` decides which form is cheapest.

    tolerance: the error that a result may have where no exact form exists; None: none, a LutraError says where.
    solved: chains that are hardware already: a value that several operators read is made once.
    """

    family: str
    tolerance: float | None = None
    proofs: list[Proof] = field(default_factory=list)
    solved: dict[tuple[Node, Chain], Node] = field(default_factory=dict)

    def settle(self, view: View, loc: str) -> View:
        """The view with its chain up to the last quantiser made into hardware: as one function, or, where that is none
        that hardware has, quantiser by quantiser.
        """
        places = [i for i, op in enumerate(view.chain) if op.finite]
        for last in reversed(places):
            head, rest = view.chain[: last + 1], view.chain[last + 1 :]
            scale, offset = grid(head[-1])
            try:
                node = self._solve(view.node, head, scale, offset, loc)
            except LutraError:
                if last == places[0]:
                    raise
                continue  # what the quantiser before it gives is fewer numbers to know the function of
            after = View(node, view.index, (*affine_chain(scale, offset), *rest))
            return after if last == places[-1] else self.settle(after, loc)
        return view

    def integers(self, view: View, loc: str, zero: bool) -> Integers:
        """Integers of the view's values. `zero`: 0 is among the values, too (a unit will pad with it)."""
        settled = self.settle(view, loc)
        found = affine(settled.chain, settled.node)
        if found is not None and not (zero and off_grid(*found)):
            return Integers(settled.node, *found)
        try:
            return self._on_lattice(settled, loc, zero)
        except LutraError:
            within = self._clipped(settled, loc)
            if within is None and self.tolerance is None:
                raise
        return self.fixed(settled, loc) if within is None else self.integers(within, loc, zero)

    def fixed(self, view: View, loc: str, share: float = 1.0) -> Integers:
        """Integers of one scale whose values lie beside the view's by at most `share` of the tolerance."""
        assert self.tolerance is not None
        view = self.settle(view, loc)
        step = 2 * self.tolerance * share
        reach = _largest(view, loc)
        bits = int(np.ceil(np.log2(reach / step + 1))) + 1
        if bits > FINEST:
            raise LutraError(f"numbers up to {reach:.3g} with an error of at most {step / 2:.3g} need {bits} bits", loc,
                             f"allow a tolerance of {self.tolerance * 2.0 ** (bits - FINEST):.2g} or more")
        op = FixedPoint(real(step), real(0.0), max(bits, 2), True, False, "ROUND")
        settled = self.settle(View(view.node, view.index, (*view.chain, op)), loc)
        found = affine(settled.chain, settled.node)
        assert found is not None
        return Integers(settled.node, *found)

    def if_integer(self, view: View, loc: str) -> View:
        """The settled view, its pending chain made into hardware too where that is an exact function to integers."""
        view = self.settle(view, loc)
        if affine(view.chain, view.node) is not None:
            return view
        try:
            found = self._on_lattice(view, loc, zero=False)
        except LutraError:
            within = self._clipped(view, loc)
            return view if within is None else self.if_integer(within, loc)
        return View(found.node, view.index, affine_chain(found.scale, found.offset))

    def _clipped(self, view: View, loc: str) -> View | None:
        """The view with a clip of its integers in place of the first operation that is not affine; None where that is
        none (see `lutra.rules.clip`).
        """
        place = next((i for i, op in enumerate(view.chain) if not isinstance(op, AFFINE)), None)
        if place is None:
            return None
        before, op, rest = view.chain[:place], view.chain[place], view.chain[place + 1 :]
        found = clip(view.node, before, op)
        if found is None:
            return None
        key, (node, after) = (view.node, view.chain[: place + 1]), found
        if key not in self.solved:
            self.proofs.append(Proof(loc, (op.kind,), "clip", 2, False, 0))
            self.solved[key] = node
        return View(self.solved[key], view.index, (*after, *rest))

    def _on_lattice(self, view: View, loc: str, zero: bool) -> Integers:
        given = view.node.out.range
        if given.levels * channelwise(view.chain, view.channels) > WALK:
            raise _unquantised(view.node, loc)
        values = apply(view.chain, given.values()[:, None])
        found = lattice(np.append(values.ravel(), 0.0) if zero else values.ravel())
        if found is None:
            raise _unquantised(view.node, loc)
        scale, offset = np.array(found.scale), np.array(0.0)
        return Integers(self._solve(view.node, view.chain, scale, offset, loc), scale, offset)

    def _solve(self, node: Node, chain: Chain, scale: Array, offset: Array, loc: str) -> Node:
        key = (node, chain)
        if key not in self.solved:
            for part, found in self._parts(node, chain, scale, offset):
                operations = tuple(op.kind for op in part)
                error = max((op.error for op in part if isinstance(op, FixedPoint)), default=0.0)
                self.proofs.append(Proof(loc, operations, found.form, found.checked, found.walked, found.ties, error))
                self.solved[key] = found.node
        return self.solved[key]

    def _parts(self, node: Node, chain: Chain, scale: Array, offset: Array) -> list[tuple[Chain, Solved]]:
        """One function; quantiser by quantiser where it would be a table of block memories and that is cheaper."""
        def level(real: Array) -> Array:
            return np.rint((real - offset) / scale).astype(np.int64)

        if isinstance(node.op, Pair):
            return [(chain, self._pair(node, chain, level, scale))]
        whole = solve(node, chain, level, self.family)
        at = max((i for i, op in enumerate(chain[:-1]) if op.finite), default=None)
        if at is None or whole.form != "table" or price(whole.node, node, self.family) < MEMORIES:
            return [(chain, whole)]
        worth = grid(chain[at])
        try:
            first = self._parts(node, chain[: at + 1], *worth)
            rest = (*affine_chain(*worth), *chain[at + 1 :])
            parts = [*first, *self._parts(first[-1][1].node, rest, scale, offset)]
        except LutraError:
            return [(chain, whole)]
        cheaper = price(parts[-1][1].node, node, self.family) < price(whole.node, node, self.family)
        return parts if cheaper else [(chain, whole)]

    def _pair(self, node: Node, chain: Chain, level: Level, step: Array) -> Solved:
        """A sum of two streams and what follows it, up to a quantiser: checked for every pair."""
        (head,) = (op for op in chain[:1] if isinstance(op, PairSum))
        x = node.out.range.values()[:, None]
        y = np.broadcast_to(level(apply(chain, x)), (len(x), channelwise(chain, node.out.channels)))
        sides = [affine(side, arg) for side, arg in zip((head.left, head.right), node.args, strict=True)]
        behind = affine(tuple(takewhile(lambda op: isinstance(op, AFFINE), chain[1:])), node)
        assert sides[0] and sides[1] and behind, "both sides are integers when a pair is made"
        rise = behind[0] / (chain[-1].scale.array if isinstance(chain[-1], QuantizeLinear) else step)
        found = solve_pair(node, head, y, (sides[0][0] * rise, sides[1][0] * rise))
        return Solved(found, form(found), y.size, True, ties(chain, level, x, y))


def _largest(view: View, loc: str) -> float:
    """The largest magnitude of the view's real numbers: of all, or at both ends of a range over which they only rise or
    fall.
    """
    given, functions = view.node.out.range, channelwise(view.chain, view.channels)
    if given.levels * functions <= WALK:
        return float(np.abs(apply(view.chain, given.values()[:, None])).max())
    if (slope(view.chain, functions) == 0).any():
        raise _unquantised(view.node, loc)
    return float(np.abs(apply(view.chain, np.array([[given.lo], [given.hi]]))).max())


def _unquantised(node: Node, loc: str) -> LutraError:
    where = f"the result of {node.loc}" if node.loc else "the model's input"
    return LutraError(f"{where} reaches this operator without being quantised", loc,
                      "put a Quant before it, give input_range and input_scale where it is the model's input, or allow "
                      "an error with tolerance=")
