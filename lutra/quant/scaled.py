"""Learned real scales, for layers whose scale ends in thresholds: `lutra::scaled` (LSQ, arXiv 1902.08153),
`lutra::binary` (XNOR-Net, arXiv 1603.05279) and `lutra::ternary` (TWN, arXiv 1605.04711).

Scales are () or of a shape that broadcasts to x's. Gradients with the straight-through estimator.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


@torch.library.custom_op("lutra::scaled", mutates_args=())
def _scaled(x: Tensor, scale: Tensor, lo: int, hi: int) -> Tensor:
    """The scale times clip(round_half_even(x / scale), lo, hi); d/dx = 1 for lo <= x / scale <= hi, else 0;
    d/dscale = (x^ - x) / scale in range, x^ / scale outside.
    """
    scale = scale.to(x.dtype)
    return (x / scale).round_().clamp_(lo, hi).mul_(scale)


@torch.library.custom_op("lutra::binary", mutates_args=())
def _binary(x: Tensor, scale: Tensor) -> Tensor:
    """The scale where x >= 0, else -scale; d/dx = 1 for |x| <= 1, else 0; d/dscale = the sign."""
    scale = scale.to(x.dtype)
    return torch.where(x >= 0, scale, -scale).expand(x.shape).contiguous()


@torch.library.custom_op("lutra::ternary", mutates_args=())
def _ternary(x: Tensor, scale: Tensor, threshold: Tensor) -> Tensor:
    """The scale times the sign of x where |x| > threshold, else 0; d/dx = 1; d/dscale = the sign or 0; none of the
    threshold.
    """
    return torch.where(x.abs() > threshold.to(x.dtype), x.sign() * scale.to(x.dtype), 0)


@_scaled.register_fake
def _(x: Tensor, scale: Tensor, lo: int, hi: int) -> Tensor:
    return torch.empty_like(x)


@_binary.register_fake
def _(x: Tensor, scale: Tensor) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


@_ternary.register_fake
def _(x: Tensor, scale: Tensor, threshold: Tensor) -> Tensor:
    return torch.empty_like(x)


def _save(ctx, inputs, output):  # type: ignore[no-untyped-def]
    x, scale, *ctx.limits = inputs
    ctx.save_for_backward(x, output, scale)


def _save_ternary(ctx, inputs, output):  # type: ignore[no-untyped-def]
    x, scale, _ = inputs
    ctx.save_for_backward(x, output, scale)


def _scaled_gradient(ctx, g):  # type: ignore[no-untyped-def]
    x, out, scale = ctx.saved_tensors
    lo, hi = ctx.limits
    inside = (x >= lo * scale) & (x <= hi * scale)
    gx = torch.where(inside, g, 0).to(x.dtype)
    gs = ((g * out - gx * x) / scale).sum_to_size(scale.shape).to(scale.dtype)
    return gx, gs, None, None


def _binary_gradient(ctx, g):  # type: ignore[no-untyped-def]
    x, out, scale = ctx.saved_tensors
    return torch.where(x.abs() <= 1, g, 0), (g * out / scale).sum_to_size(scale.shape).to(scale.dtype)


def _ternary_gradient(ctx, g):  # type: ignore[no-untyped-def]
    _, out, scale = ctx.saved_tensors
    return g, (g * out / scale).sum_to_size(scale.shape).to(scale.dtype), None


_scaled.register_autograd(_scaled_gradient, setup_context=_save)
_binary.register_autograd(_binary_gradient, setup_context=_save)
_ternary.register_autograd(_ternary_gradient, setup_context=_save_ternary)
scaled: Callable[..., Tensor] = _scaled
binary: Callable[..., Tensor] = _binary
ternary: Callable[..., Tensor] = _ternary
