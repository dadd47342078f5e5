"""Tables for the contract suite."""

from __future__ import annotations

from hypothesis import strategies as st

from lutra.ir import Constant, Node
from lutra.ops.samples import inputs, integers
from lutra.ops.table.op import Table


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    """Random entries over an input of 1 to 8 bits."""
    x = draw(inputs((1, 2, 3, 4, 6)))
    shape = (draw(st.sampled_from((1, x.out.channels))), x.out.range.levels)
    bits = draw(st.integers(1, 8))
    match draw(st.sampled_from(("bipolar", "signed", "unsigned"))):
        case "bipolar":
            values = 2 * integers(draw, 0, 1, shape) - 1
        case "signed":
            values = integers(draw, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, shape)
        case _:
            values = integers(draw, 0, 2**bits - 1, shape)
    return Node(Table(Constant(values), x.out.range), (x,))
