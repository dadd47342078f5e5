"""Filters for the contract suite."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from lutra.ir import Array, Constant, Node
from lutra.ops.depthwise.op import Depthwise
from lutra.ops.samples import inputs, integers

CHANNELS, TAPS = (1, 2, 3, 4, 6, 8), (1, 1, 2, 3, 4, 9, 25)


@st.composite
def _weights(draw: st.DrawFn, shape: tuple[int, int]) -> Array:
    bits = draw(st.integers(1, 8))
    match draw(st.sampled_from(("ones", "bipolar", "signed", "signed", "signed", "unsigned", "alike"))):
        case "ones":
            return np.ones(shape, np.int64)
        case "bipolar":
            return 2 * integers(draw, 0, 1, shape) - 1
        case "signed":
            return integers(draw, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, shape)
        case "unsigned":
            return integers(draw, 0, 2**bits - 1, shape)
        case _:
            return np.full(shape, draw(st.sampled_from((-3, -1, 0, 2))), np.int64)


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    """Filters of 1 to 25 taps with weights of 1 to 8 bits, over an input of 1 to 8 bits; sums, over one of up to 24."""
    channels, taps = draw(st.sampled_from(CHANNELS)), draw(st.sampled_from(TAPS))
    if draw(st.sampled_from((False, False, False, True))):
        x = draw(inputs((channels * taps,), bits=24))
        return Node(Depthwise(Constant(np.ones((channels, taps), np.int64))), (x,))
    x = draw(inputs((channels * taps,)))
    return Node(Depthwise(Constant(draw(_weights((channels, taps))))), (x,))
