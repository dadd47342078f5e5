"""The cast to fixed point as one differentiable operator, `lutra::cast`.

    x^ = 2**-f * ovf(rnd(x * 2**f)),    f = floor(fraction + 1/2)

Gradients, with the straight-through estimator (QFX, arXiv 2401.17544; that of f is TQT's log2-threshold gradient,
arXiv 1903.08066, with its sign reversed): d/dx = 1 where rnd(x * 2**f) is in range, else 0; d/df = ln2 * (x - x^) in
range, -ln2 * x^ outside. Summed over a tensor the latter is ln2 * (sum of masked g * x, less sum of g * x^): two dot
products. On a CPU the work is done in blocks that stay in the cache: memory is passed over once.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from lutra.errors import LutraError
from lutra.quant.modes import check, edges, exponent, fits, power_of_two, word_

BLOCK = 1 << 16  # elements: 256 KiB of single precision, a part of a second-level cache
LN2 = math.log(2)


def cast(x: Tensor, width: int = 8, fraction: int | float | Tensor = 4, rounding: str = "RND", overflow: str = "SAT",
         signed: bool = True) -> Tensor:
    """Numbers as `ap_fixed<width, width - fraction, rounding, overflow>` (or `ap_ufixed`) holds them.

    What it takes:
        x: floating point of any shape; half precision is computed in single.
        width: bits of a word, at most what x's type holds (24 in single precision).
        fraction: bits behind the binary point; may be negative or exceed `width`. A tensor is real, () or of a shape
            that broadcasts to x's, is rounded to the nearest integer (within -100..100) and receives a gradient.
        rounding: TRN, TRN_ZERO, RND, RND_ZERO, RND_MIN_INF, RND_INF or RND_CONV.
        overflow: WRAP, SAT, SAT_ZERO, SAT_SYM or WRAP_SM. WRAP and WRAP_SM have the gradients of SAT.
        signed: whether a word has a sign.

    Returns a tensor of x's shape and type.

    Raises LutraError: an unknown mode, a width that x's type does not hold, WRAP_SM without a sign.
    """
    check(width, signed, rounding, overflow)
    fits(width, x.dtype)
    if not isinstance(fraction, Tensor):
        fraction = torch.tensor(float(fraction), device=x.device)
    return operator(x, fraction, width, signed, rounding, overflow)


@torch.library.custom_op("lutra::cast", mutates_args=())
def _cast(x: Tensor, fraction: Tensor, width: int, signed: bool, rounding: str, overflow: str) -> Tensor:
    """The operator itself, as it stands in an exported graph; its arguments are those of `cast`."""
    fits(width, x.dtype)
    if x.dtype in (torch.float16, torch.bfloat16):
        return operator(x.float(), fraction, width, signed, rounding, overflow).to(x.dtype)
    if not _blocked(x, fraction):
        point = exponent(fraction)
        y = torch.mul(x, power_of_two(point, x.dtype), out=torch.empty_like(x))
        return word_(y, width, signed, rounding, overflow).mul_(power_of_two(-point, x.dtype))
    x = _dense(x)
    out = torch.empty_like(x)
    bits = _scalar(fraction)
    up, down = math.ldexp(1.0, bits), math.ldexp(1.0, -bits)
    for a, b in zip(_blocks(x), _blocks(out), strict=True):
        torch.mul(a, up, out=b)
        word_(b, width, signed, rounding, overflow).mul_(down)
    return out


@_cast.register_fake
def _(x: Tensor, fraction: Tensor, width: int, signed: bool, rounding: str, overflow: str) -> Tensor:
    return torch.empty_like(x)


@torch.library.custom_op("lutra::cast_backward", mutates_args=())
def _cast_backward(g: Tensor, x: Tensor, out: Tensor, fraction: Tensor, width: int, signed: bool, rounding: str,
             overflow: str, learned: bool) -> tuple[Tensor, Tensor]:
    """The gradients of x and of the fraction; the latter is zero if it is not `learned`."""
    if x.dtype in (torch.float16, torch.bfloat16):
        gx, gf = _cast_backward(g.float(), x.float(), out.float(), fraction, width, signed, rounding, overflow, learned)
        return gx.to(x.dtype), gf
    wraps = overflow in ("WRAP", "WRAP_SM")
    if wraps:
        overflow = "SAT"
    if wraps and learned:
        out = operator(x, fraction, width, signed, rounding, overflow)
    low, high = edges(width, signed, rounding, overflow, x.dtype == torch.float64)
    if not _blocked(x, fraction):
        down = power_of_two(-exponent(fraction), x.dtype)
        gx = torch.where((x > low * down) & (x < high * down), g, 0)
        if not learned:
            return gx, torch.zeros_like(fraction)
        gf = (gx * x).sub_(g * out).sum_to_size(fraction.shape)
        return gx, gf.mul_(LN2).to(fraction.dtype)
    unit = math.ldexp(1.0, -_scalar(fraction))
    x = _dense(x)
    g, out = _like(g, x), _like(out, x)
    gx, total = torch.empty_like(x), 0.0
    for a, b, c, d in zip(_blocks(g), _blocks(x), _blocks(out), _blocks(gx), strict=True):
        torch.ops.aten.hardtanh_backward.grad_input(a, b, low * unit, high * unit, grad_input=d)
        if learned:
            total += torch.dot(d, b).item() - torch.dot(a, c).item()
    return gx, torch.full_like(fraction, LN2 * total)


@_cast_backward.register_fake
def _(g: Tensor, x: Tensor, out: Tensor, fraction: Tensor, width: int, signed: bool, rounding: str, overflow: str,
      learned: bool) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x), torch.empty_like(fraction)


def _save(ctx, inputs, output):  # type: ignore[no-untyped-def]
    x, fraction, *ctx.format = inputs
    ctx.save_for_backward(x, output, fraction)


def _differentiate(ctx, g):  # type: ignore[no-untyped-def]
    x, out, fraction = ctx.saved_tensors
    gx, gf = _cast_backward(g, x, out, fraction, *ctx.format, ctx.needs_input_grad[1])
    return gx, gf if ctx.needs_input_grad[1] else None, None, None, None, None


_cast.register_autograd(_differentiate, setup_context=_save)
operator: Callable[..., Tensor] = _cast


def _blocked(x: Tensor, fraction: Tensor) -> bool:
    """Whether there is one binary point that can be read without waiting for an accelerator."""
    return fraction.numel() == 1 and x.device.type == "cpu" and fraction.device.type == "cpu"


def _scalar(fraction: Tensor) -> int:
    value = fraction.item()
    if not math.isfinite(value):
        raise LutraError(f"a binary point is {value}", hint="training has diverged: lower the learning rate")
    return min(max(math.floor(value + 0.5), -100), 100)


def _dense(x: Tensor) -> Tensor:
    """The same numbers without holes or overlaps in memory, channels first or last."""
    dense = x.is_contiguous() or (x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last))
    return x if dense else torch.empty_like(x).copy_(x)


def _like(y: Tensor, x: Tensor) -> Tensor:
    """`y` in the memory order of `x`."""
    return y if y.stride() == x.stride() else torch.empty_like(x).copy_(y)


def _blocks(x: Tensor) -> tuple[Tensor, ...]:
    """The elements in the order of memory, in views of at most BLOCK each."""
    flat = x.as_strided((x.numel(),), (1,))
    return torch.split(flat, BLOCK) if x.numel() else ()
