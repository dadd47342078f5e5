"""Rescale in a circuit: a constant added, half a step among it, then a clip; no more bits than the channel's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lutra.hw.circuit import Circuit, Clip, Lane, Operand, times
from lutra.ir import Range

if TYPE_CHECKING:
    from lutra.ops.rescale.op import Rescale


def rescale(op: Rescale, circuit: Circuit, lanes: list[Lane]) -> list[Lane]:
    """The lanes of y for those of x. Every factor is a power of two, of either sign."""
    muls, adds = (np.broadcast_to(c.array.astype(np.int64), len(lanes)).tolist() for c in (op.mul, op.add))
    return [_lane(op, circuit, lane, m, a) for lane, m, a in zip(lanes, muls, adds, strict=True)]


def _lane(op: Rescale, circuit: Circuit, lane: Lane, mul: int, add: int) -> Lane:
    constant = mul * lane.offset + add
    if lane.operand is None:
        return _constant(op, constant)
    lo, hi = sorted((mul * lane.range.lo + add, mul * lane.range.hi + add))
    factor = Operand(lane.operand.index, lane.operand.shift + abs(mul).bit_length() - 1)
    even = op.even and op.shift > 0 and bool(factor.shift < op.shift or constant % (1 << op.shift))
    half = 1 << op.shift - 1 if even else 0
    t = circuit.plus(factor, constant + half, Range(lo + half, hi + half), minus=mul < 0)
    clip = Clip(t.index, op.shift - t.shift, even, op.lo, op.hi)
    least, most = (clip(times(v, -t.shift)) for v in (lo + half, hi + half))
    if least == most:
        return Lane(None, least, Range(least, least))
    reached = Range(least, most)
    index = circuit.add(clip, reached, circuit.levels[t.index] + 1)
    return Lane(Operand(index), 0, reached)


def _constant(op: Rescale, value: int) -> Lane:
    half = 1 << op.shift - 1 if op.even and op.shift else 0
    value = Clip(0, op.shift, bool(half), op.lo, op.hi)(value + half)
    return Lane(None, value, Range(value, value))
