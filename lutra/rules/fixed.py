"""Fixed-point casts as hardware does them: what is multiplied and added as integers, then a change of binary point.

Nothing is fitted and no range is walked: numbers whose binary point is known are integers, and as long as these stay
under 2**53, double precision, in which the source is evaluated, is exact as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Node, Range
from lutra.ops.requant.format import WIDEST_OUT
from lutra.ops.requant.op import Requant
from lutra.ops.rescale.op import Rescale
from lutra.ops.source import Add, Cast, Elementwise, Mul, Neg, RSub, Sub
from lutra.rules.rescale import short
from lutra.rules.view import Chain

EXACT = 53  # bits of integers that double precision holds


@dataclass(frozen=True)
class _Dyadic:
    """(mul x + add) / 2**places of an integer x; mul, add: Python's integers (1 or C,)."""

    mul: Array
    add: Array
    places: int

    def after(self, op: Elementwise) -> _Dyadic | None:
        """With one more operation; None for one that is not multiplication or addition of dyadic numbers."""
        match op:
            case Mul(value=value) if (found := _whole(value.array)) is not None:
                factor, places = found
                return _Dyadic(self.mul * factor, self.add * factor, self.places + places)
            case Neg():
                return _Dyadic(-self.mul, -self.add, self.places)
            case Add(value=value):
                return self._plus(value.array)
            case Sub(value=value):
                return self._plus(-value.array)
            case RSub(value=value):
                return _Dyadic(-self.mul, -self.add, self.places)._plus(value.array)
        return None

    def _plus(self, value: Array) -> _Dyadic | None:
        found = _whole(value)
        if found is None:
            return None
        term, places = found
        both = max(places, self.places)
        up, own = 1 << (both - places), 1 << (both - self.places)
        return _Dyadic(self.mul * own, self.add * own + term * up, both)

    def largest(self, given: Range) -> int:
        """The largest magnitude of the integers on the way."""
        return max(max(abs(int(m) * x + int(a)), abs(int(m) * x)) for x in (given.lo, given.hi)
                   for m, a in zip(*np.broadcast_arrays(self.mul, self.add), strict=True))


def _whole(value: Array) -> tuple[Array, int] | None:
    """Integers (1 or C,) and the places to shift them right by to have the numbers; None for a number that is not
    finite or needs more bits than are exact.
    """
    flat = np.atleast_1d(value).astype(np.float64)
    if not np.isfinite(flat).all():
        return None
    places = 0
    for v in flat.tolist():
        places = max(places, v.as_integer_ratio()[1].bit_length() - 1)
    scaled = [int(v * 2**places) if places < EXACT else 1 << EXACT for v in flat.tolist()]
    return (np.array(scaled, dtype=object), places) if max(map(abs, scaled)) < 1 << EXACT else None


def by_arithmetic(node: Node, chain: Chain) -> list[Node]:
    """The chain as a Requant, behind a multiply-add where it has one: none or one node, exact for every integer."""
    *before, last = chain
    if not isinstance(last, Cast) or last.fraction.array.size > 1 or node.out.range.step > 1:
        return []
    value: _Dyadic | None = _Dyadic(np.array([1], dtype=object), np.array([0], dtype=object), 0)
    for op in before:
        value = value.after(op) if value else None
        if value is None or value.largest(node.out.range) >= 1 << EXACT:
            return []
    assert value is not None
    try:
        return [_requantised(node, value, last)]
    except LutraError:  # wider than the units are
        return []


def _requantised(node: Node, value: _Dyadic, cast: Cast) -> Node:
    twos = min(_twos(int(m)) for m in value.mul)
    mul, places = value.mul // (1 << twos), value.places - twos
    if (mul == 1).all() and not value.add.any():
        before = node
    else:
        most, mul, places = (1 << (WIDEST_OUT - 1)) - 1, value.mul, value.places
        op = Rescale(short(mul.astype(np.int64)), short(value.add.astype(np.int64)), 0, False, -most, most)
        if value.largest(node.out.range) > most:
            raise LutraError(f"sums of {value.largest(node.out.range)}")
        before = Node(op, (node,), node.loc)
    shift = places - int(cast.fraction.array.reshape(-1)[0])
    unit = Requant(shift, cast.width, cast.signed, cast.rounding, cast.overflow)
    return Node(unit, (before,), node.loc)


def _twos(value: int) -> int:
    """How often 2 divides a number; often, for 0."""
    return (value & -value).bit_length() - 1 if value else EXACT
