"""Regions to test."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from lutra.ir import Array, Constant, Input, Node, Range, Tensor
from lutra.ops.base import Fold, Unit
from lutra.ops.matmul.op import MatMul
from lutra.ops.rescale.op import Rescale
from lutra.plan.region import Region

SPANS = (Range(0, 1), Range(0, 7), Range(-8, 7), Range(-3, 9), Range(1, 6), Range(-7, -2), Range(-128, 127))


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    """Matrices of few weights, zeros, equal rows and powers of two among them; shifts, roundings and clips of all
    kinds.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape, span = (*draw(st.sampled_from(((), (3,)))), int(rng.integers(1, 6))), SPANS[rng.integers(len(SPANS))]
    x = Node(Input("x", Tensor(shape, span)))
    units: list[Unit] = []
    inner: list[Fold] = []
    of = x.out
    for _ in range(draw(st.integers(2, 5))):
        matrix = not units or rng.random() < (0.3 if isinstance(units[-1], MatMul) else 0.8)
        unit = _matmul(rng, of) if matrix and of.range.bits <= 12 else _rescale(rng, of)
        fold = Fold(unit.weights.shape[0], of.channels, mul="adders") if isinstance(unit, MatMul) else Fold(of.channels)
        if unit.infer(of).range.bits > 24:
            break
        units.append(unit)
        inner.append(fold)
        of = unit.infer(of)
    return Node(Region(tuple(units), tuple(inner)), (x,))


def _matmul(rng: np.random.Generator, x: Tensor) -> MatMul:
    top = int(2 ** rng.integers(1, 6))
    weights: Array = rng.integers(-top, top, (int(rng.integers(1, 6)), x.channels))
    weights[rng.random(weights.shape) < 0.3] = 0
    if len(weights) > 2:
        weights[-1] = weights[0] * rng.choice((1, 2, -1, 0))
    return MatMul(Constant(weights))


def _rescale(rng: np.random.Generator, x: Tensor) -> Rescale:
    rows, top = int(rng.choice((1, x.channels))), max(x.range.largest, 1)
    mul = rng.choice((1, 1, 1, 2, -1, -4), rows)
    add = rng.integers(-top, top + 1, rows) * rng.integers(0, 2)
    shift = int(rng.integers(0, x.range.bits + 1))
    lo, size = int(rng.choice((0, 0, -4, -2, 3))), int(rng.choice((1, 3, 7, 12, 63)))
    return Rescale(Constant(mul), Constant(add), shift, bool(rng.integers(0, 2)), lo, lo + size)
