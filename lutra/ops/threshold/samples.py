"""Thresholds for the contract suite."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from lutra.ir import Constant, Node
from lutra.ops.samples import inputs, integers
from lutra.ops.threshold.op import Threshold


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    """Thresholds in and a little beyond the range of an input of 1 to 10 bits."""
    x = draw(inputs((1, 2, 3, 4, 6, 8), bits=10))
    given, channels = x.out.range, x.out.channels
    rows = draw(st.sampled_from((1, channels)))
    count = draw(st.sampled_from((1, 1, 2, 3, 4, 6, 7, 15, 20)))
    thresholds = np.sort(integers(draw, given.lo - 2, given.hi + 3, (rows, count)), axis=1)
    falling = integers(draw, 0, draw(st.integers(0, 1)), (draw(st.sampled_from((1, channels))),)) == 1
    offset, step = draw(st.sampled_from(((0, 1), (0, 1), (-1, 2), (-4, 1), (-1, 1), (3, 5))))
    return Node(Threshold(Constant(thresholds), offset, step, Constant(falling)), (x,))
