"""What quantisers' values are worth, and chains that only multiply and add: real = scale * integer + offset."""

from __future__ import annotations

import numpy as np

from lutra.ir import Array, Node, Range
from lutra.ops.source import (
    Add,
    BatchNorm,
    BipolarQuant,
    Cast,
    Div,
    Elementwise,
    Mul,
    MultiThreshold,
    Neg,
    Quant,
    QuantizeLinear,
    RSub,
    Sign,
    Sub,
    Trunc,
    real,
)
from lutra.rules.view import Chain, apply

AFFINE = (Add, BatchNorm, Div, Mul, Neg, RSub, Sub)
TINY = 1e-12  # of a step: an offset this small is double rounding


def grid(op: Elementwise) -> tuple[Array, Array]:
    """Scale and offset of a quantiser's values: each is scale * integer + offset. Zero is integer 0 where it can be."""
    match op:
        case Quant(scale=scale, zero_point=zero):
            return scale.array, _unless_whole(zero.array, -zero.array * scale.array)
        case BipolarQuant(scale=scale):
            return scale.array, np.array(0.0)
        case Cast(scale=worth):
            return worth, np.array(0.0)
        case Sign():
            return np.array(1.0), np.array(0.0)
        case Trunc(out_scale=scale, out_zero=zero):
            return scale.array, _unless_whole(zero.array, -zero.array * scale.array)
        case QuantizeLinear(zero_point=zero, lo=lo, hi=hi):
            return np.array(1.0), _centre(zero.array, lo, hi)
        case MultiThreshold(out_scale=step, out_bias=bias):
            for unit in (abs(step), abs(step) / 2):
                if (bias / unit).is_integer():
                    return np.array(unit), np.array(0.0)
            return np.array(abs(step)), np.array(bias)
    raise AssertionError(op)


def _centre(zero: Array, lo: int, hi: int) -> Array:
    """The zero point, where integers counted from it need no more bits than as they are; then 0 is integer 0."""
    at = np.unique(zero)
    if at.size > 1 or at[0] != np.rint(at[0]):
        return np.array(0.0)
    whole = int(at[0])
    return np.array(float(whole) if Range(lo - whole, hi - whole).bits <= Range(lo, hi).bits else 0.0)


def _unless_whole(zero: Array, offset: Array) -> Array:
    return np.array(0.0) if (zero == np.rint(zero)).all() else offset


def affine_chain(scale: Array, offset: Array) -> Chain:
    """The operations that make real numbers of integers: scale * integer + offset."""
    return (Mul(real(scale)), Add(real(offset))) if offset.any() else (Mul(real(scale)),)


def affine(chain: Chain, node: Node) -> tuple[Array, Array] | None:
    """(scale, offset) of a chain of affine operations, each () or (C,); None where one is not affine."""
    if not all(isinstance(op, AFFINE) for op in chain):
        return None
    if all(isinstance(op, Mul) for op in chain):
        return one_where_equal(apply(chain, np.ones((1, 1)))[0]), np.array(0.0)
    given = node.out.range
    span = max(given.hi - given.lo, 1)
    low, high = apply(chain, np.array([[given.lo], [given.lo + span]]))
    scale = (high - low) / span
    offset = low - scale * given.lo
    offset[np.abs(offset) < TINY * np.abs(scale)] = 0.0
    return one_where_equal(scale), one_where_equal(offset)


def one_where_equal(values: Array) -> Array:
    """The one value, of shape (), where all are equal; else the values (C,) themselves."""
    flat = np.atleast_1d(values)
    first: Array = flat[0]
    return first if (flat == first).all() else values


def off_grid(scale: Array, offset: Array) -> bool:
    """Whether 0 is not the same integer for every channel."""
    at = -offset / scale
    return bool((np.abs(at - np.rint(at)) > TINY).any() or np.ptp(at) > TINY)
