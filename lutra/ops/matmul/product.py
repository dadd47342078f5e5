"""The product in floating point, exact: a matrix product of BLAS, with two rows in one where the mantissa holds both.

A sum of small integers leaves most of a mantissa unused. With a base S above twice the largest sum, the rows
w[i] + S * w[j] give y[i] + S * y[j] in one product, exact while that is an integer that the type holds; rounding z / S
finds y[j] again. The arithmetic is that of two products packed into one DSP block: Fu et al., "Deep Learning with INT8
Optimization on Xilinx Devices" (WP486, 2016).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lutra.ir import Array
from lutra.ops.elementwise import float_type

COLUMNS = 128  # from this many a product costs more than taking its sums apart
FRAMES = 16  # from this many rows of x a call costs its arithmetic, not its overhead
SLACK = 8  # z / S is off by less than 2 / S, so the base is twice the largest sum and a little more


def product(weights: Array, largest: int) -> Callable[[Array], Array]:
    """A function of integers (N, MW) of any numeric type: their products (N, MH) with weights (MH, MW), in floating
    point or int64. No partial sum of a row may leave -largest..largest.
    """
    kind, base = float_type(largest), 2 * largest + SLACK
    one = _dot(weights, kind)
    if weights.shape[1] < COLUMNS or kind is np.int64 or float_type(largest * (1 + base)) is not kind:
        return one
    half, rows = (len(weights) + 1) // 2, len(weights)
    both = weights[:half].astype(np.float64)
    both[: rows - half] += float(base) * weights[half:]
    two, up, down = _dot(both, kind), kind(base), kind(1 / base)

    def run(x: Array) -> Array:
        if len(x) < FRAMES:
            return one(x)
        low = two(x)
        high = np.multiply(low, down)
        np.rint(high, out=high)
        low -= high * up
        return np.concatenate([low, high[:, : rows - half]], axis=1)

    return run


def _dot(weights: Array, kind: type) -> Callable[[Array], Array]:
    matrix: Array = np.ascontiguousarray(weights.T.astype(kind))

    def run(x: Array) -> Array:
        y: Array = np.dot(x if x.dtype == kind else x.astype(kind), matrix)
        return y

    return run
