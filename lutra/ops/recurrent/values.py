"""Products, tables and ranges of a recurrent cell, on integers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Constant, Range
from lutra.ops.elementwise import float_type
from lutra.ops.requant.format import WIDEST, Format

MOST_INDEX = 12  # bits of a table's address
MOST_SHIFT = 24  # of a product before it is added
WIDEST_OPERAND = 16  # bits of an input, a state or a weight
Product = Callable[[Array], Array]


def product(weights: Constant, largest: int) -> Product:
    """A function of integers (N, directions, I) of any numeric type: their products, int64 (N, directions, gates, H),
    with weights (directions, gates, H, I). No partial sum may leave -largest..largest.
    """
    directions, gates, rows, columns = weights.shape
    matrices = weights.array.astype(float_type(largest)).reshape(directions, gates * rows, columns).transpose(0, 2, 1)

    def run(x: Array) -> Array:
        y = np.matmul(x.astype(matrices.dtype).transpose(1, 0, 2), matrices)  # a matrix of frames for each direction
        ordered: Array = y.transpose(1, 0, 2).reshape(len(x), directions, gates, rows).astype(np.int64)
        return ordered

    return run


def looked_up(table: Constant, index: Format, x: Array) -> Array:
    """The entries of values cast to a table's addresses."""
    entries: Array = table.array.astype(np.int64)[index.cast(x) - index.range.lo]
    return entries


def times(a: Range, b: Range) -> Range:
    """Products."""
    ends = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
    return Range(min(ends), max(ends))


def plus(a: Range, b: Range) -> Range:
    """Sums."""
    return Range(a.lo + b.lo, a.hi + b.hi)


def left(x: Range, shift: int) -> Range:
    """Times 2**shift."""
    return Range(x.lo << shift, x.hi << shift)


def reached(bias: Constant, *parts: tuple[Constant, Range, int]) -> Range:
    """What every sum of a bias and of products lies in. A part: weights whose last axis is summed over, what they meet,
    and a shift. The bias has all axes of the weights but this one, or without the gates.
    """
    low = high = bias.array.astype(np.int64)
    for weights, x, shift in parts:
        w = weights.array.astype(np.int64)
        w = w if low.ndim == w.ndim - 1 else w[:, -1]
        least, most = np.minimum(w, 0).sum(axis=-1), np.maximum(w, 0).sum(axis=-1)
        low, high = low + ((least * x.hi + most * x.lo) << shift), high + ((most * x.hi + least * x.lo) << shift)
    return Range(min(int(low.min()), 0), max(int(high.max()), 0))


def spanned(table: Constant) -> Range:
    """What a table's entries lie in, step 1."""
    return Range(int(table.array.min()), int(table.array.max()))


def check_shape(what: str, constant: Constant, shape: tuple[int, ...]) -> None:
    """LutraError unless it holds integers of this shape."""
    if constant.shape != shape or constant.array.dtype.kind not in "iu":
        raise LutraError(f"{what} of type {constant.array.dtype} and shape {constant.shape}",
                         hint=f"integers of shape {shape}")


def check_operand(what: str, x: Range) -> None:
    """LutraError where a factor is too wide."""
    if x.bits > WIDEST_OPERAND:
        raise LutraError(f"{what} in {x} need {x.bits} bits, at most {WIDEST_OPERAND} are supported",
                         hint="quantise to fewer bits")


def check_shifts(shifts: tuple[int, ...], count: int) -> None:
    """LutraError unless they are so many, each a shift to the left that a sum bears."""
    if len(shifts) != count or not all(0 <= s <= MOST_SHIFT for s in shifts):
        raise LutraError(f"shifts of {shifts}", hint=f"{count} of them, each 0 to {MOST_SHIFT}")


def check_table(what: str, table: Constant, index: Format) -> None:
    """LutraError unless it has an entry for each value of its index."""
    if not 1 <= index.width <= MOST_INDEX:
        raise LutraError(f"a table of {what} over {index.width} bits", hint=f"1 to {MOST_INDEX} bits")
    check_shape(f"a table of {what}", table, (1 << index.width,))
    check_operand(f"entries of a table of {what}", spanned(table))


def check_sum(what: str, x: Range) -> Range:
    """x; LutraError where 64-bit integers do not hold it with room to round."""
    if x.bits > WIDEST:
        raise LutraError(f"{what} in {x} need {x.bits} bits, at most {WIDEST} are supported")
    return x


def signed_bits(x: Range) -> int:
    """Bits of two's complement."""
    return Range(min(x.lo, -1), max(x.hi, 0)).bits
