"""Integers for a unit that needs them: a view's pending chain becomes scale * integer + offset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Node
from lutra.ops.source import (
    Add,
    BatchNorm,
    BipolarQuant,
    Div,
    Elementwise,
    Mul,
    MultiThreshold,
    Neg,
    Quant,
    RSub,
    Sign,
    Sub,
    Trunc,
    real,
)
from lutra.rules.lattice import lattice
from lutra.rules.solve import WALK, Solved, solve
from lutra.rules.view import Chain, View, apply, channelwise

AFFINE = (Add, BatchNorm, Div, Mul, Neg, RSub, Sub)
TINY = 1e-12  # of a step: an offset this small is double rounding


@dataclass(frozen=True)
class Proof:
    """What became of one elementwise chain, and how it was shown equal to the source.

    forms: nothing, shift, multiply-shift, thresholds, table. checked: values of integers times channels evaluated;
    walked: whether those are all that the range allows (else both sides of every step of a monotone chain).
    ties: integers at which single precision would decide otherwise than double.
    """

    at: str
    operations: tuple[str, ...]
    form: str
    checked: int
    walked: bool
    ties: int


@dataclass(frozen=True)
class Integers:
    """real = scale * node + offset; both of shape () or (C,)."""

    node: Node
    scale: Array
    offset: Array


@dataclass(frozen=True)
class Lowering:
    """What a lowering step needs to know and leaves behind. `family` decides which form is cheapest."""

    family: str
    proofs: list[Proof]

    def settle(self, view: View, loc: str) -> View:
        """The view with its chain up to the last quantiser made into hardware."""
        last = max((i for i, op in enumerate(view.chain) if op.finite), default=-1)
        if last < 0:
            return view
        head, rest = view.chain[: last + 1], view.chain[last + 1 :]
        scale, offset = grid(head[-1])
        solved = self._solve(view.node, head, scale, offset, loc)
        return View(solved.node, view.index, (*_affine(scale, offset), *rest))

    def integers(self, view: View, loc: str, zero: bool) -> Integers:
        """Integers of the view's values. `zero`: 0 is among the values, too (a unit will pad with it)."""
        view = self.settle(view, loc)
        found = affine(view.chain, view.node)
        if found is not None and not (zero and off_grid(*found)):
            return Integers(view.node, *found)
        return self._on_lattice(view, loc, zero)

    def if_integer(self, view: View, loc: str) -> View:
        """The settled view, its pending chain made into hardware too where that is an exact function to integers."""
        view = self.settle(view, loc)
        if affine(view.chain, view.node) is not None:
            return view
        try:
            found = self._on_lattice(view, loc, zero=False)
        except LutraError:
            return view
        return View(found.node, view.index, _affine(found.scale, found.offset))

    def _on_lattice(self, view: View, loc: str, zero: bool) -> Integers:
        given = view.node.out.range
        if given.levels * channelwise(view.chain, view.channels) > WALK:
            raise _unquantised(view.node, loc)
        values = apply(view.chain, given.values()[:, None])
        found = lattice(np.append(values.ravel(), 0.0) if zero else values.ravel())
        if found is None:
            raise _unquantised(view.node, loc)
        scale, offset = np.array(found.scale), np.array(0.0)
        solved = self._solve(view.node, view.chain, scale, offset, loc)
        return Integers(solved.node, scale, offset)

    def _solve(self, node: Node, chain: Chain, scale: Array, offset: Array, loc: str) -> Solved:
        def level(real: Array) -> Array:
            return np.rint((real - offset) / scale).astype(np.int64)

        solved = solve(node, chain, level, self.family)
        operations = tuple(op.kind for op in chain)
        self.proofs.append(Proof(loc, operations, solved.form, solved.checked, solved.walked, solved.ties))
        return solved


def _unquantised(node: Node, loc: str) -> LutraError:
    where = f"the result of {node.loc}" if node.loc else "the model's input"
    return LutraError(f"{where} reaches this operator without being quantised", loc,
                      "put a Quant before it, or give input_range and input_scale where it is the model's input")


def grid(op: Elementwise) -> tuple[Array, Array]:
    """Scale and offset of a quantiser's values: each is scale * integer + offset. Zero is integer 0 where it can be."""
    match op:
        case Quant(scale=scale, zero_point=zero):
            return scale.array, _unless_whole(zero.array, -zero.array * scale.array)
        case BipolarQuant(scale=scale):
            return scale.array, np.array(0.0)
        case Sign():
            return np.array(1.0), np.array(0.0)
        case Trunc(out_scale=scale, out_zero=zero):
            return scale.array, _unless_whole(zero.array, -zero.array * scale.array)
        case MultiThreshold(out_scale=step, out_bias=bias):
            for unit in (abs(step), abs(step) / 2):
                if (bias / unit).is_integer():
                    return np.array(unit), np.array(0.0)
            return np.array(abs(step)), np.array(bias)
    raise AssertionError(op)


def _unless_whole(zero: Array, offset: Array) -> Array:
    return np.array(0.0) if (zero == np.rint(zero)).all() else offset


def _affine(scale: Array, offset: Array) -> Chain:
    return (Mul(real(scale)), Add(real(offset))) if offset.any() else (Mul(real(scale)),)


def affine(chain: Chain, node: Node) -> tuple[Array, Array] | None:
    """(scale, offset) of a chain of affine operations, each () or (C,); None where one is not affine."""
    if not all(isinstance(op, AFFINE) for op in chain):
        return None
    if all(isinstance(op, Mul) for op in chain):
        return _short(apply(chain, np.ones((1, 1)))[0]), np.array(0.0)
    given = node.out.range
    span = max(given.hi - given.lo, 1)
    low, high = apply(chain, np.array([[given.lo], [given.lo + span]]))
    scale = (high - low) / span
    offset = low - scale * given.lo
    offset[np.abs(offset) < TINY * np.abs(scale)] = 0.0
    return _short(scale), _short(offset)


def _short(values: Array) -> Array:
    return values[0] if (values == values[0]).all() else values


def off_grid(scale: Array, offset: Array) -> bool:
    """Whether 0 is not the same integer for every channel."""
    at = -offset / scale
    return bool((np.abs(at - np.rint(at)) > TINY).any() or np.ptp(at) > TINY)
