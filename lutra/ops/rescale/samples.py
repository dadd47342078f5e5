"""Rescales for the contract suite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from lutra.ir import Array, Constant, Node
from lutra.ops.rescale.op import Rescale
from lutra.ops.samples import inputs, integers


@st.composite
def _factors(draw: st.DrawFn, rows: int) -> Array:
    match draw(st.sampled_from(("one", "one", "bipolar", "positive", "signed"))):
        case "one":
            return np.ones(rows, np.int64)
        case "bipolar":
            return 2 * integers(draw, 0, 1, (rows,)) - 1
        case "positive":
            return integers(draw, 1, draw(st.sampled_from((3, 15, 200))), (rows,))
        case _:
            return integers(draw, -40, 40, (rows,))


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    """Constants a channel or for all, over an input of 1 to 10 bits."""
    x = draw(inputs((1, 2, 3, 4, 6), bits=10))
    rows = st.sampled_from((1, x.out.channels))
    mul, shift = draw(_factors(draw(rows))), draw(st.sampled_from((0, 1, 2, 3, 5, 9)))
    add = integers(draw, -(4 << shift), 4 << shift, (draw(rows),))
    lo, hi = draw(st.sampled_from(((0, 15), (-8, 7), (-(2**24), 2**24), (-1, 1), (0, 0), (100, 101))))
    op = Rescale(Constant(mul), Constant(add), shift, draw(st.booleans()), lo, hi)
    if lo == 0 and op.infer(x.out).range.hi > 0:
        op = replace(op, gap=draw(st.sampled_from((1, 2, 3))))
    return Node(op, (x,))
