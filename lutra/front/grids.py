"""What is known of a stream's numbers before lowering: of which power of two they are multiples, and their bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lutra.ir import Array, Graph, Node, Op
from lutra.ops import source as src

DIGITS = 53  # of a double's significand
MOVING = (src.Reshape, src.Permute, src.Slice, src.Take, src.MaxPool, src.Concat)


@dataclass(frozen=True)
class Grid:
    """Multiples of 2**-point from lo to hi."""

    point: int
    lo: float
    hi: float

    @property
    def bits(self) -> int:
        """Of the greatest magnitude as an integer."""
        return magnitude(max(-self.lo, self.hi), self.point)


def magnitude(most: float, point: int) -> int:
    """Bits of the magnitude of a multiple of 2**-point."""
    return max(0, int(np.frexp(most)[1]) + point) if most else 0


def point_of(values: Array) -> int:
    """The least number of bits behind the binary point, 0 or more, with which finite values are exact."""
    kept = values[values != 0]
    if not kept.size:
        return 0
    mantissa, exponent = np.frexp(kept)
    whole = np.ldexp(mantissa, DIGITS).astype(np.int64)
    trailing = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    return max(0, int((DIGITS - exponent - trailing).max()))


def grid(node: Node) -> Grid | None:
    """Of the numbers that a node gives; None where no quantiser bounds them."""
    found: dict[Node, Grid | None] = {}
    for each in Graph((), (node,)).nodes:
        found[each] = _given(each.op, [found[a] for a in each.args])
    return found[node]


def _given(op: Op, args: list[Grid | None]) -> Grid | None:
    """Of one operator's result."""
    match op:
        case src.Quant():
            zero, scale = op.zero_point.array, op.scale.array
            ends = [(level - zero) * scale for level in op.levels()]
            return _spanned(max(point_of(scale), point_of(zero * scale)), ends)
        case src.BipolarQuant():
            return _spanned(point_of(op.scale.array), [op.scale.array, -op.scale.array])
        case src.Cast():
            return _spanned(point_of(op.scale), [op.codes.lo * op.scale, op.codes.hi * op.scale])
        case src.QuantizeLinear():
            return Grid(0, op.lo, op.hi)
        case src.Recurrent():
            return Grid(max(0, op.state.fraction), -op.state.most, op.state.most)
    known = [g for g in args if g is not None]
    return _after(op, known) if known and len(known) == len(args) else None


def _after(op: Op, given: list[Grid]) -> Grid | None:
    """What operators that are no quantisers make of numbers."""
    x, ends = given[0], np.array([given[0].lo, given[0].hi])
    match op:
        case src.Mul():
            factor = op.value.array
            return _spanned(x.point + point_of(factor), [factor * x.lo, factor * x.hi])
        case src.Add() | src.Sub():
            term = op.value.array
            return _spanned(max(x.point, point_of(term)), [op.apply(e) for e in ends])
        case src.Relu():
            return _spanned(x.point, [np.maximum(ends, 0.0)])
    if isinstance(op, MOVING):
        return Grid(max(g.point for g in given), min(g.lo for g in given), max(g.hi for g in given))
    return None


def _spanned(point: int, values: Sequence[Array]) -> Grid:
    return Grid(point, min(float(v.min()) for v in values), max(float(v.max()) for v in values))
