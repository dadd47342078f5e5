"""Points and scales from the numbers that are to be cast: by the greatest magnitude, a percentile, or least squares."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lutra.errors import LutraError
from lutra.quant import modes
from lutra.quant.fixed import operator as cast
from lutra.quant.khot import khot
from lutra.quant.kinds import Binary, Fixed, Format, KHot, Scaled, Ternary
from lutra.quant.scaled import scaled

METHODS = ("max", "mse", "percentile")
PERCENTILE = 0.999  # of magnitudes
SHARES = 40  # scales that the least-squares search tries, from 1/40 of the greatest magnitude to all of it


class Found(NamedTuple):
    """One number for each group."""

    point: Tensor
    threshold: Tensor


def fit(form: Format, groups: Tensor, signed: bool, method: str) -> Found:
    """The point, or scale and threshold, of each row of `groups` (groups, samples).

    Fixed points start at f0 = w - signed - ceil(log2 m), m the greatest magnitude (or the 99.9th percentile); "mse"
    takes the one of f0 - 2 .. f0 + 2 with the least squared error. A row of zeros counts as one of magnitude 1.

    Raises LutraError: no such method.
    """
    if method not in METHODS:
        raise LutraError(f"no method is called {method!r}", hint=f"one of {', '.join(METHODS)}")
    x = groups.detach().double()
    sizes = x.abs()
    if isinstance(form, Binary):
        scale = _positive(sizes.mean(1))
        return Found(-torch.log2(scale) if form.power else scale, torch.zeros(len(x)))
    if isinstance(form, Ternary):
        threshold = 0.7 * sizes.mean(1)
        kept = sizes > threshold[:, None]
        return Found(_positive((sizes * kept).sum(1) / kept.sum(1).clamp(min=1)), threshold)
    rank = max(round(PERCENTILE * x.shape[1]), 1) if method == "percentile" else x.shape[1]
    top = _positive(sizes.kthvalue(rank, 1).values)
    if isinstance(form, Scaled):
        return Found(_scale(form, x, top, signed, method == "mse"), torch.zeros(len(x)))
    if isinstance(form, Fixed) and form.fraction is not None:
        return Found(torch.full_like(top, form.fraction), torch.zeros(len(x)))
    bits = form.width - (signed if isinstance(form, Fixed) else 0)
    first = bits - torch.log2(top).ceil()
    tried = torch.stack([first + d for d in ((-2, -1, 0, 1, 2) if method == "mse" else (0,))])
    errors = torch.stack([_error(form, x, p[:, None], signed) for p in tried])
    return Found(tried.gather(0, errors.argmin(0)[None])[0], torch.zeros(len(x)))


def _positive(x: Tensor) -> Tensor:
    return x.where(x > 0, 1)


def _error(form: Fixed | KHot, x: Tensor, point: Tensor, signed: bool) -> Tensor:
    if isinstance(form, KHot):
        y = khot(x, point, form.width, form.ones, form.signed_digits)
    else:
        overflow = "SAT" if form.overflow.startswith("WRAP") else form.overflow
        y = cast(x, point, form.width, signed, form.rounding, overflow)
    return (x - y).square().sum(1)


def _scale(form: Scaled, x: Tensor, top: Tensor, signed: bool, search: bool) -> Tensor:
    lo, hi = modes.integers(form.bits, signed)
    whole = top / max(hi, 1)
    if not search:
        return whole
    tried = torch.stack([whole * k / SHARES for k in range(1, SHARES + 1)])
    errors = torch.stack([(x - scaled(x, s[:, None], lo, hi)).square().sum(1) for s in tried])
    return tried.gather(0, errors.argmin(0)[None])[0]
