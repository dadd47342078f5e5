"""K-of-N weights, `lutra::khot`: a sign and N bits of magnitude of which at most K are one (QFX, arXiv 2401.17544).

A product with such a weight is K shifts and K - 1 additions. The nearest codeword is taken, ties to the smaller
magnitude; with signed digits a codeword is a sum of at most K terms +-2**e, e < N.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from lutra.errors import LutraError
from lutra.quant.modes import exponent, fits, power_of_two

WIDEST = 16  # bits of magnitude: a table of 65,536 codewords


@lru_cache(maxsize=64)
def codewords(width: int, ones: int, signed_digits: bool = False) -> tuple[int, ...]:
    """The magnitudes, ascending, of `width` bits with at most `ones` ones (or signed digits).

    Raises LutraError: a width outside 1..16, or not 1 <= ones <= width.
    """
    if not 1 <= width <= WIDEST or not 1 <= ones <= width:
        raise LutraError(f"{ones} ones of {width} bits", hint=f"1 <= ones <= width <= {WIDEST}")
    if not signed_digits:
        return tuple(n for n in range(1 << width) if n.bit_count() <= ones)
    middle = 1 << width
    reached = np.zeros(2 * middle + 1, bool)  # sums of so many terms, from -2**width to 2**width
    reached[middle] = True
    for _ in range(ones):
        before = reached.copy()
        for e in range(width):
            reached[1 << e :] |= before[: -(1 << e)]
            reached[: -(1 << e)] |= before[1 << e :]
    return tuple(int(n) for n in np.flatnonzero(reached[middle:-1]))


@torch.library.custom_op("lutra::khot", mutates_args=())
def _khot(x: Tensor, fraction: Tensor, width: int, ones: int, signed_digits: bool) -> Tensor:
    """The nearest 2**-f times a codeword with a sign; f = floor(fraction + 1/2). Shapes and types as `lutra::cast`.

    In range, up to half a unit above the greatest codeword, gradients are those of the cast; so they are beyond it.
    """
    fits(width, x.dtype)
    table = torch.tensor(codewords(width, ones, signed_digits), dtype=x.dtype, device=x.device)
    point = exponent(fraction)
    y = x * power_of_two(point, x.dtype)
    # boundaries are halves of integers, exact; a number on one goes to the codeword below it
    nearest = table[torch.bucketize(y.abs(), (table[1:] + table[:-1]) / 2)]
    return torch.where(y.isnan(), y, torch.copysign(nearest, y)).mul_(power_of_two(-point, x.dtype))


@_khot.register_fake
def _(x: Tensor, fraction: Tensor, width: int, ones: int, signed_digits: bool) -> Tensor:
    return torch.empty_like(x)


def _save(ctx, inputs, output):  # type: ignore[no-untyped-def]
    x, fraction, *ctx.format = inputs
    ctx.save_for_backward(x, output, fraction)


def _differentiate(ctx, g):  # type: ignore[no-untyped-def]
    x, out, fraction = ctx.saved_tensors
    limit = codewords(*ctx.format)[-1] + 0.5
    gx = torch.where(x.abs() <= limit * power_of_two(-exponent(fraction), x.dtype), g, 0)
    gf = None
    if ctx.needs_input_grad[1]:
        gf = (gx * x - g * out).sum_to_size(fraction.shape).mul(math.log(2)).to(fraction.dtype)
    return gx, gf, None, None, None


_khot.register_autograd(_differentiate, setup_context=_save)
khot: Callable[..., Tensor] = _khot
