"""Sums of codes instead of sums of values."""

from __future__ import annotations

import numpy as np

from lutra.ir import Array, Range


def left_out(weights: Array, bipolar: bool, x: Range) -> Array:
    """What the sum of each row (..., columns) of weights over codes of x, times x's step, lacks to be that over values.

    A code c of x is worth base + step * c, so base * sum(w) is left out. A bipolar weight w with code k meets bit
    b of x as XNOR(k, b) = w * b + [w = -1], so the sum over x's bits, whose weights add up to `ones`, is too
    large by `ones` times step for each -1.
    """
    w = weights.astype(np.int64)
    missing: Array = w.sum(axis=-1) * (x.lo if x.step > 1 else 0)
    if bipolar:
        ones = -1 if x.signed else (1 << x.bits) - 1  # the code of all ones
        missing = missing - (w < 0).sum(axis=-1) * ones * x.step
    return missing
