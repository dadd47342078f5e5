"""Matrices for the contract suite."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from lutra.ir import Array, Constant, Node
from lutra.ops.matmul.op import MatMul
from lutra.ops.samples import inputs, integers

ROWS, COLUMNS = (1, 2, 3, 4, 6, 8, 12), (1, 2, 3, 4, 5, 8, 12, 18, 24)


@st.composite
def _weights(draw: st.DrawFn, shape: tuple[int, int]) -> Array:
    bits = draw(st.sampled_from((1, 2, 3, 4, 5, 6, 7, 8, 8, 12, 16)))
    match draw(st.sampled_from(("bipolar", "bipolar", "signed", "signed", "unsigned", "alike", "few ones"))):
        case "bipolar":
            return 2 * integers(draw, 0, 1, shape) - 1
        case "signed":
            return integers(draw, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, shape)
        case "unsigned":
            return integers(draw, 0, 2**bits - 1, shape)
        case "few ones":
            terms = [integers(draw, -1, 1, shape) << integers(draw, 0, bits - 1, shape) for _ in range(1 + bits % 3)]
            return np.clip(sum(terms[1:], terms[0]), -(2**15), 2**15 - 1)
        case _:
            return np.full(shape, draw(st.sampled_from((-3, -1, 0, 1, 2))), np.int64)


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    """A matrix of 1 to 16 bit weights over an input of 1 to 8 bits."""
    x = draw(inputs(COLUMNS))
    weights = draw(_weights((draw(st.sampled_from(ROWS)), x.out.channels)))
    return Node(MatMul(Constant(weights)), (x,))
