"""Nodes for the contract suite."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from lutra.ir import Array, Constant, Input, Node, Tensor
from lutra.ops.reorder.op import Reorder
from lutra.ops.samples import ranges


@st.composite
def samples(draw: st.DrawFn) -> Node:
    """Blocks of 1 to 60 elements (once in a while of 600), one or more in a frame."""
    order = draw(st.one_of(transposed(), scattered()))
    blocks = draw(st.integers(1, 3))
    x = Node(Input("x", Tensor((blocks, len(order)), draw(ranges(5)))))
    shape = draw(st.sampled_from(((blocks * len(order),), (1, blocks, len(order)))))
    return Node(Reorder(Constant(order), shape), (x,))


@st.composite
def transposed(draw: st.DrawFn) -> Array:
    """Axes of a small array in another order, some of them backwards."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    index = np.arange(int(np.prod(shape))).reshape(shape)
    flips = tuple(slice(None, None, -1) if draw(st.integers(0, 4)) == 0 else slice(None) for _ in shape)
    order: Array = index[flips].transpose(draw(st.permutations(range(len(shape))))).reshape(-1)
    return order if len(order) <= 60 else np.arange(60).reshape(3, 20).T.reshape(-1)


@st.composite
def scattered(draw: st.DrawFn) -> Array:
    """Runs in an order at random: what no counters give."""
    runs, length = draw(st.sampled_from((1, 2, 3, 4, 5, 7, 8, 600))), draw(st.sampled_from((1, 2, 3)))
    starts = np.random.default_rng(draw(st.integers(0, 1000))).permutation(runs) * length
    order: Array = (starts[:, None] + np.arange(length)).reshape(-1)
    return order
