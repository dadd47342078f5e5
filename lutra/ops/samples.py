"""Hypothesis strategies that the operators' samples share."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from lutra.ir import Array, Input, Node, Range, Tensor


@st.composite
def ranges(draw: st.DrawFn, bits: int = 8) -> Range:
    """Unsigned, signed, bipolar, odd intervals and larger steps, of 1 to `bits` bits."""
    width = draw(st.integers(1, bits))
    match draw(st.sampled_from(("unsigned", "signed", "bipolar", "interval", "stepped"))):
        case "unsigned":
            return Range(0, 2**width - 1)
        case "signed":
            return Range(-(2 ** (width - 1)), 2 ** (width - 1) - 1)
        case "bipolar":
            return Range(-1, 1, 2)
        case "interval":
            lo = draw(st.integers(-(2 ** (width - 1)), 2 ** (width - 1) - 1))
            return Range(lo, draw(st.integers(lo, 2 ** (width - 1) - 1)))
        case _:
            step, lo = draw(st.integers(2, 5)), draw(st.integers(-20, 20))
            return Range(lo, lo + step * draw(st.integers(1, 2**width - 1)), step)


@st.composite
def inputs(draw: st.DrawFn, channels: tuple[int, ...], bits: int = 8) -> Node:
    """An input of one to three axes; channels is what their number is drawn from."""
    before = draw(st.sampled_from(((), (), (3,), (2, 3))))
    return Node(Input("x", Tensor((*before, draw(st.sampled_from(channels))), draw(ranges(bits)))))


@st.composite
def sequences(draw: st.DrawFn, channels: tuple[int, ...], between: tuple[int, ...] = (), most: int = 6, bits: int = 8,
              ) -> tuple[Node, Node]:
    """A sequence of up to `most` columns (T, *between, channels), and its length."""
    return _sequences(draw, (1, *between), 1, channels, most, bits)


@st.composite
def groups(draw: st.DrawFn, channels: tuple[int, ...], count: int, turned: int = 0, most: int = 6, bits: int = 8,
           ) -> tuple[Node, Node]:
    """A group of `count` sequences of up to `most` columns, and their lengths: one after the other (count * T,
    channels), or column by column of `turned` contexts (T, turned, channels).
    """
    return _sequences(draw, (1, turned) if turned else (count,), count, channels, most, bits)


def _sequences(draw: st.DrawFn, axes: tuple[int, ...], count: int, channels: tuple[int, ...], most: int, bits: int,
               ) -> tuple[Node, Node]:
    """Streams (axes[0] * T, *axes[1:], channels), and `count` lengths."""
    columns = draw(st.sampled_from([n for n in (1, 2, 3, 5, 6, 17) if n <= most]))
    shape = axes[0] * columns, *axes[1:], draw(st.sampled_from(channels))
    x = Node(Input("x", Tensor(shape, draw(ranges(bits)))))
    return x, Node(Input("lengths", Tensor((count,), Range(1, columns))))


def integers(draw: st.DrawFn, lo: int, hi: int, shape: tuple[int, ...]) -> Array:
    """An array of integers in [lo, hi]: both ends occur in most."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    values = rng.integers(lo, hi + 1, shape, dtype=np.int64)
    ends = rng.random(shape)
    return np.where(ends < 0.1, lo, np.where(ends > 0.9, hi, values))


@st.composite
def planes(draw: st.DrawFn, bits: int = 5) -> Node:
    """An input of rows, columns and channels; one row (1-D data) and one column are frequent."""
    height, width = draw(st.sampled_from((1, 1, 2, 3, 5, 8))), draw(st.sampled_from((1, 3, 4, 6, 9)))
    return Node(Input("x", Tensor((height, width, draw(st.sampled_from((1, 2, 4, 6)))), draw(ranges(bits)))))


@st.composite
def pairs(draw: st.DrawFn, first: tuple[int, ...], second: tuple[int, ...] = (), bits: int = 8) -> tuple[Node, Node]:
    """Two inputs that differ in their ranges and, where `second` says so, in their channels."""
    x0 = draw(inputs(first, bits))
    channels = draw(st.sampled_from(second)) if second else x0.out.channels
    x1 = Node(Input("x1", Tensor((*x0.out.shape[:-1], channels), draw(st.one_of(st.just(x0.out.range), ranges(bits))))))
    return Node(Input("x0", x0.out)), x1
