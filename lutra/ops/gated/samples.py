"""Gated matrices for the contract suite."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from lutra.ir import Constant, Input, Node, Tensor
from lutra.ops.gated.op import MASKED, PLAIN, Gated
from lutra.ops.samples import integers

ROWS, COLUMNS = (1, 2, 3, 4, 6, 8, 12), (1, 2, 3, 4, 5, 8, 12, 18, 24)


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    """A matrix over one pixel or several, thresholds inside what sums reach and beyond."""
    rows, columns = draw(st.sampled_from(ROWS)), draw(st.sampled_from(COLUMNS))
    before = draw(st.sampled_from(((), (3,), (2, 3))))
    x = Node(Input("x", Tensor((*before, columns), draw(st.sampled_from((PLAIN, MASKED))))))
    weights = 2 * integers(draw, 0, 1, (rows, columns)) - 1
    far = draw(st.sampled_from((2, columns // 2 + 1, columns + 3)))
    thresholds = integers(draw, -far, far, (rows,)).astype(np.int64)
    return Node(Gated(Constant(weights), Constant(thresholds)), (x,))
