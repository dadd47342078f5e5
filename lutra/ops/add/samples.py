"""Weighed sums for the contract suite."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from lutra.ir import Array, Constant, Node
from lutra.ops.add.op import Add
from lutra.ops.samples import integers, pairs


@st.composite
def _factors(draw: st.DrawFn, rows: int) -> Array:
    match draw(st.sampled_from(("one", "one", "minus", "shift", "bipolar", "positive", "signed", "wide"))):
        case "one":
            return np.ones(rows, np.int64)
        case "minus":
            return np.full(rows, -1, np.int64)
        case "shift":
            return np.full(rows, draw(st.sampled_from((2, 16, -4))), np.int64)
        case "bipolar":
            return 2 * integers(draw, 0, 1, (rows,)) - 1
        case "positive":
            return integers(draw, 0, draw(st.sampled_from((3, 15, 200))), (rows,))
        case "signed":
            return integers(draw, -40, 40, (rows,))
        case _:
            return integers(draw, -(2**20), 2**20, (rows,))


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    """Factors a channel or for all, over two inputs of 1 to 8 bits."""
    xs = draw(pairs((1, 2, 3, 4, 6)))
    rows = st.sampled_from((1, xs[0].out.channels))
    first, second = (Constant(draw(_factors(draw(rows)))) for _ in xs)
    return Node(Add((first, second)), xs)
