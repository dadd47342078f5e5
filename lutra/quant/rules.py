"""The rules of `Operators`: for each operator the casts at it.

Matrix products cast their inputs; normalisation, sums, products, means and functions of streams cast their results;
ReLU, maxima, views and concatenation are exact and have none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lutra.errors import LutraError
from lutra.quant import exact
from lutra.quant.kinds import Fixed, KHot
from lutra.quant.recurrent.native import native
from lutra.quant.recurrent.rule import layer as recurrent_layer
from lutra.quant.recurrent.sequence import layer
from lutra.quant.sites import Site

if TYPE_CHECKING:
    from lutra.quant.operators import Operators

Function = Callable[..., Any]


def weight_site(mode: Operators, weight: Tensor) -> tuple[Tensor, Site | None]:
    """A weight as it is multiplied, and its cast: the module's own parametrization, or one for a bare tensor."""
    own = getattr(mode.casts.stack[-1][1], "parametrizations", None)
    if own is not None and "weight" in own and isinstance(own["weight"][-1], Site):
        return weight, own["weight"][-1]
    site = mode.site("weight")
    return mode.pass_through(weight, site), site


def matrix_product(mode: Operators, func: Function, x: Tensor, weight: Tensor, bias: Tensor | None = None, *args: Any,
                   **kwargs: Any) -> Tensor:
    """A convolution or linear layer: the exact accumulator."""
    at = mode.site("input")
    x = mode.pass_through(x, at)
    weight, by = weight_site(mode, weight)
    if at is None or by is None or mode.casts.observers is not None:
        out: Tensor = func(x, mode.like(weight, x), mode.like(bias, x), *args, **kwargs)
        return out
    bias = None if bias is None else exact.bias_cast(bias, at, by)
    if not mode.proves:
        return func(x, weight, None if bias is None else bias.to(weight.dtype), *args, **kwargs)  # type: ignore[no-any-return]
    if not ((at.shift and by.shift) or at.point.ndim):
        return exact.scaled_product(func, (x, weight, bias), (at, by), *args, **kwargs)
    x = x.to(weight.dtype)
    dtype = exact.precision(x, weight, bias, (at, by), 1 if func in TRANSPOSED else 0, accumulator_bits(mode))
    result = exact.product(func, dtype, (x, weight, bias), *args, **kwargs)
    mode.accumulator = result if at.shift and by.shift else None
    return result


def stream_product(mode: Operators, func: Function, x: Tensor, other: Tensor, **kwargs: Any) -> Tensor:
    """A matrix product of two streams, or of a stream and a bare weight (inputs, outputs)."""
    at, by = mode.site("input"), mode.site("matrix" if isinstance(other, nn.Parameter) else "other")
    x, other = mode.pass_through(x, at), mode.pass_through(other, by)
    if at is None or by is None or not mode.proves:
        return func(x, other, **kwargs)  # type: ignore[no-any-return]
    bits = 0.0 if other.ndim == 0 else x.shape[-1] * at.limit * by.limit
    single = bits <= exact.SINGLE and at.shift and by.shift and x.device.type == "cpu"
    if bits > 2.0 ** accumulator_bits(mode):
        raise LutraError(f"an accumulator of {bits:.3g} units", at.name, "take fewer bits")
    return exact.product(func, other.dtype if single else torch.float64, (x, other), **kwargs)


def accumulator_bits(mode: Operators) -> int:
    """Bits that leave room in double precision for a factor of the recipe's elementwise width and a sum."""
    form = mode.casts.recipe.multipliers or mode.casts.recipe.elementwise
    return 52 - (form.width if isinstance(form, Fixed | KHot) else 0)


def batch_norm(mode: Operators, func: Function, x: Tensor, mean: Tensor | None, var: Tensor | None,
               weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False, momentum: float = 0.1,
               eps: float = 1e-5) -> Tensor:
    """With batch statistics its result cast; at inference cast(a x + c), a and c in formats of their own, if any."""
    factor, term = mode.site("factor"), mode.site("term")
    frozen = mode.casts.statistics_frozen and mean is not None
    if factor is None or term is None or (training and not frozen):
        if training and not frozen:
            return mode.result("output", func, x, mean, var, weight, bias, training, momentum, eps)
        x = mode.wide(x)
        same = (mode.like(t, x) for t in (mean, var, weight, bias))
        return mode.result("output", func, x, *same, False, momentum, eps)
    assert mean is not None and var is not None
    a, c = folded(mean, var, weight, bias, eps)
    a, c = mode.pass_through(a, factor), mode.pass_through(c, term)
    shape = (-1, *[1] * (x.ndim - 2))
    a, c = a.to(factor.point.dtype).view(shape), c.to(term.point.dtype).view(shape)
    checked = mode.proves and x is mode.accumulator
    return mode.result("output", partial(exact.multiply_add, mode.path) if checked else torch.addcmul, c, x, a)


def folded(mean: Tensor, var: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> tuple[Tensor, Tensor]:
    """Normalisation as a x + c: a = gamma / sqrt(var + eps), c = beta - mean a, each (C,), in double precision."""
    a = torch.rsqrt(var.double() + eps) if weight is None else weight.double() / torch.sqrt(var.double() + eps)
    c = -mean.double() * a
    return a, c if bias is None else c + bias.double()


def elementwise(mode: Operators, func: Function, x: Any, other: Any, *args: Any, **kwargs: Any) -> Any:
    """A sum, difference, product or quotient of streams, parameters and numbers."""
    if not any(isinstance(t, Tensor) and t.is_floating_point() for t in (x, other)):
        return func(x, other, *args, **kwargs)
    name = NAMES[func]
    role = "multiplier" if name in ("mul", "div") else "constant"
    x, other = mode.parameter(x, role), mode.parameter(other, role)
    return mode.result(name, OUT_OF_PLACE.get(func, func), x, other, *args, **kwargs)


def prelu(mode: Operators, func: Function, x: Tensor, slope: Tensor) -> Tensor:
    """PReLU: the slope cast, the result cast."""
    return mode.result("prelu", func, mode.operand(x), mode.pass_through(slope, mode.site("slope")))


def function(mode: Operators, func: Function, x: Tensor, *args: Any, **kwargs: Any) -> Any:
    """A function of one stream or a mean; the division of a mean is that of the exact sum, rounded once by the cast."""
    if not x.is_floating_point():
        return func(x, *args, **kwargs)
    if "inplace" in kwargs:
        kwargs["inplace"] = False
    return mode.result(NAMES[func], func, mode.operand(x), *args, **kwargs)


def rectify(mode: Operators, func: Function, x: Tensor, *args: Any, **kwargs: Any) -> Any:
    """A function that is exact on any format: out of place, no cast."""
    if kwargs.get("inplace"):
        kwargs["inplace"] = False
        mode.stale.append(x)
    return OUT_OF_PLACE.get(func, func)(x, *args, **kwargs)


def _variants(*names: str) -> list[Function]:
    """The functions and methods of these names."""
    spaces = (torch, Tensor, F)
    found = [getattr(s, n) for n in names for s in spaces if hasattr(s, n)]
    return [f for f in found if callable(f)]


def _arithmetic(name: str, *more: str) -> dict[Function, str]:
    return dict.fromkeys(_variants(name, name + "_", f"__{name}__", f"__r{name}__", f"__i{name}__", *more), name)


FUNCTIONS = ("sigmoid", "tanh", "silu", "hardswish", "hardsigmoid", "gelu", "elu", "selu", "celu", "mish", "leaky_relu",
             "softplus", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d",
             "adaptive_avg_pool3d", "mean", "sum")
TRANSPOSED = tuple(_variants("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"))
RULES: dict[str, Function] = {
    "product": matrix_product, "matmul": stream_product, "batch_norm": batch_norm, "prelu": prelu, "rectify": rectify,
    "layer": recurrent_layer, "native": native,
    **dict.fromkeys(("add", "sub", "mul", "div"), elementwise), **dict.fromkeys(FUNCTIONS, function),
}
NAMES: dict[Function, str] = {
    **dict.fromkeys([*_variants("conv1d", "conv2d", "conv3d", "linear"), *TRANSPOSED], "product"),
    **dict.fromkeys(_variants("matmul", "bmm", "__matmul__"), "matmul"),
    layer: "layer", torch.lstm: "native", torch.gru: "native",
    F.batch_norm: "batch_norm", **dict.fromkeys(_variants("prelu"), "prelu"),
    **dict.fromkeys(_variants("relu", "relu_", "relu6", "hardtanh", "clamp_"), "rectify"),
    **_arithmetic("add"), **_arithmetic("sub", "subtract"), **_arithmetic("mul", "multiply"),
    **_arithmetic("div", "divide", "__truediv__", "__rtruediv__", "__itruediv__"),
    **{f: name for name in FUNCTIONS for f in _variants(name)},
}
OUT_OF_PLACE: dict[Function, Function] = {
    **{getattr(Tensor, n): getattr(torch, b) for b in ("add", "sub", "mul", "div", "relu")
       for n in (f"{b}_", f"__i{b}__") if hasattr(Tensor, n)},
    Tensor.__itruediv__: torch.div, Tensor.clamp_: torch.clamp, torch.relu_: torch.relu,
}
IN_PLACE = frozenset(OUT_OF_PLACE)
