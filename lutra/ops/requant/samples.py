"""Requants for the contract suite."""

from __future__ import annotations

from hypothesis import strategies as st

from lutra.ir import Node
from lutra.ops.requant.modes import OVERFLOWS, ROUNDINGS
from lutra.ops.requant.op import Requant
from lutra.ops.samples import inputs


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    """Over an input of 1 to 9 bits."""
    x = draw(inputs((1, 2, 3, 4, 6), bits=9).filter(lambda n: n.out.range.step == 1))
    overflow = draw(st.sampled_from(OVERFLOWS))
    signed = overflow == "WRAP_SM" or draw(st.booleans())
    shift = draw(st.sampled_from((-2, 0, 1, 1, 2, 2, 3, 4)))
    width = draw(st.integers(1, max(1, x.out.range.bits - shift)))  # most types are left by some values
    return Node(Requant(shift, width, signed, draw(st.sampled_from(ROUNDINGS)), overflow), (x,))
