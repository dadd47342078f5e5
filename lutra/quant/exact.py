"""Arithmetic of evaluation, exact: single precision while a proven bound lets it, double beyond, else an error.

Every operand of a product is an integer times a unit. With |x| <= X units and weights w, no partial sum of a product
exceeds max over rows of sum |w| * X + |bias| units, whatever the order of the additions. Up to 2**24 single precision
holds it, if units are powers of two. Accelerators always take double: their single precision may be less than that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lutra.errors import LutraError
from lutra.quant import modes
from lutra.quant.fixed import operator as cast
from lutra.quant.scaled import scaled
from lutra.quant.sites import Site

SINGLE = 1 << 24
BIAS_BITS = 32


def unit_of(x: Site, w: Site) -> Tensor:
    """The worth of an accumulator's last place, double precision, () or one for each output channel."""
    worth = w.unit()
    return x.unit().min() * (worth.flatten() if worth.ndim else worth)


def bias_cast(bias: Tensor, x: Site, w: Site) -> Tensor:
    """The bias (C,) as a 32-bit integer of the accumulator's units, of its own type.

    Single precision holds it: rounding takes bits from a number of 24. Units that are no powers of two stay in double.
    """
    if not (x.shift and w.shift):
        return scaled(bias.double(), unit_of(x, w), -(1 << BIAS_BITS - 1), (1 << BIAS_BITS - 1) - 1)
    fraction = modes.exponent(x.point.detach()).max() + modes.exponent(w.point.detach()).flatten()
    fraction = fraction if w.point.ndim else fraction[0]
    return cast(bias.double(), fraction, BIAS_BITS, True, "RND", "SAT").to(bias.dtype)


def precision(x: Tensor, w: Tensor, bias: Tensor | None, sites: tuple[Site, Site], rows: int, most: int,
              ) -> torch.dtype:
    """The type in which a matrix product of cast operands is exact.

    The operands x, w and bias are cast already, by the two `sites` of x and w; `rows` is the dimension of w that is not
    summed over; an accumulator may have `most` bits.

    Raises LutraError: an accumulator that double precision does not hold, with the elementwise layer behind it.
    """
    at, by = sites
    if not (at.shift and by.shift):
        return torch.float64
    single = x.dtype if x.device.type == "cpu" else torch.float64
    spread = float(at.unit().max() / at.unit().min()) if at.point.ndim else 1.0
    limit = at.limit * spread
    taps = w.numel() // w.shape[rows]
    worst = taps * limit * by.limit
    if bias is None and worst <= SINGLE:
        return single
    if torch.compiler.is_compiling() and worst <= 2.0 ** (most - 1):  # no numbers to look at
        return torch.float64
    others = [d for d in range(w.ndim) if d != rows]
    bound = (w.detach().double() / by.unit()).abs().sum(others) * limit
    if bias is not None:
        bound = bound.max() + (bias.detach().double() / unit_of(at, by)).abs()
    top = float(bound.max())
    if top > 2.0**most:
        raise LutraError(f"an accumulator of {top:.3g} units, beyond 2**{most}", at.name, "take fewer bits")
    return single if top <= SINGLE else torch.float64


def product(func: Callable[..., Tensor], dtype: torch.dtype, operands: tuple[Tensor | None, ...], *args: Any,
            **kwargs: Any) -> Tensor:
    """A matrix product in this type, by an algorithm that only multiplies and adds."""
    operands = tuple(t if t is None else t.to(dtype) for t in operands)
    if torch.compiler.is_compiling():
        return func(*operands, *args, **kwargs)
    with torch.backends.nnpack.flags(enabled=False):  # its Winograd transform divides
        return func(*operands, *args, **kwargs)


def scaled_product(func: Callable[..., Tensor], operands: tuple[Tensor, Tensor, Tensor | None],
                   sites: tuple[Site, Site], *args: Any, **kwargs: Any) -> Tensor:
    """A matrix product of operands with real scales, x with one for all channels: that of their integers, times what
    one is worth. Double precision.
    """
    (x, w, bias), (at, by) = operands, sites
    unit = unit_of(at, by)
    whole = ((x.double() / at.unit()).round(), (w.double() / by.unit()).round(),
             None if bias is None else (bias.double() / unit).round())
    total = product(func, torch.float64, whole, *args, **kwargs)
    if unit.ndim and func is not torch.nn.functional.linear:
        unit = unit.view(-1, *[1] * (total.ndim - 2))
    return total * unit


def multiply_add(at: str, c: Tensor, x: Tensor, a: Tensor) -> Tensor:
    """The sum c + a x of an accumulator x, in double precision. The product is exact, as an accumulator leaves room
    for the factor's bits. By TwoSum (Knuth, TAOCP 4.2.2) so is s = p + c if s - p is c and s - c is p.

    Raises LutraError: double precision does not hold the sum, or it is not finite.
    """
    product = x * a
    total = product + c
    if not torch.compiler.is_compiling() and not bool(((total - product == c) & (total - c == product)).all()):
        raise LutraError("a sum is not exact in double precision, or not finite", at,
                         "the binary points of its terms lie too far apart: calibrate again")
    return total
