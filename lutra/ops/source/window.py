"""Padding and sliding windows of channels-first arrays, shared by convolution and pooling."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array

CHUNK = 1 << 20  # elements of a window matrix at a time: 8 MiB in double precision, which stays in the cache


def out_size(size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], before: Sequence[int],
             after: Sequence[int], dilation: Sequence[int]) -> tuple[int, ...]:
    """How many windows fit on each spatial axis; LutraError where none does."""
    result = []
    for n, k, s, b, a, d in zip(size, kernel, stride, before, after, dilation, strict=True):
        if min(k, s, d) < 1 or min(b, a) < 0:
            raise LutraError(f"kernel {k}, stride {s}, dilation {d}, padding {b} and {a} make no window",
                             hint="kernel, stride and dilation are at least 1, padding is not negative")
        spare = n + b + a - ((k - 1) * d + 1)
        if spare < 0:
            raise LutraError(f"a kernel of {k} with dilation {d} is larger than {n} elements with padding {b} and {a}",
                             hint="use a smaller kernel or a larger input")
        result.append(spare // s + 1)
    return tuple(result)


def pad(x: Array, before: Sequence[int], after: Sequence[int], value: float) -> Array:
    """The batch `x` with `value` around each frame."""
    if not any(before) and not any(after):
        return x
    return np.pad(x, [(0, 0), *zip(before, after, strict=True)], constant_values=value)


def windows(x: Array, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Array:
    """(N, C, *spatial) -> a view (N, C, *out, *kernel) without copying."""
    reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    axes = tuple(range(2, x.ndim))
    view = np.lib.stride_tricks.sliding_window_view(x, reach, axis=axes)
    steps = (slice(None, None, s) for s in (*stride, *dilation))
    return np.asarray(view[(slice(None), slice(None), *steps)])


def by_chunks(function: Callable[[Array], Array], x: Array, elements: int) -> Array:
    """The function of all frames x (N, ...), so many at a time that they make up to CHUNK `elements`, so many each."""
    step = max(1, CHUNK // max(1, elements))
    parts = [function(x[i : i + step]) for i in range(0, len(x), step)]
    return np.concatenate(parts) if parts else function(x)
