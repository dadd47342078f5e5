"""Quantisers in exported graphs: those of lutra.quant, and those of PyTorch's own quantisation (PT2E)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lutra.errors import LutraError
from lutra.front.module.call import Aten, constant
from lutra.front.values import Call, Const, Stream, quotient
from lutra.ir import Array, Op
from lutra.ops.source import BipolarQuant, Cast, Mul, MultiThreshold, Quant, QuantizeLinear, Sub, real
from lutra.ops.source.quant import integer_bounds

WIDEST = 16  # bits of what a learned scale quantises to
FURTHEST = 100  # binary points from the unit: lutra::cast reads none beyond


def _emit(a: Aten, op: Op, on: Stream | None = None) -> Stream:
    return Call(a.name, a.loc, (on or a.stream,), {}, 0).emit(op)


def _param(a: Aten, name: str) -> Array:
    """A constant argument, float64, without the batch axis."""
    value = constant(a[name])
    if not isinstance(value, Const):
        raise LutraError(f"{name} of {a.name} is computed from the network's data", hint="only constants are supported")
    call = Call(a.name, a.loc, (a.stream, value), {}, 0)
    return call.localised(call.numbers(1, name), name)


def _cast(a: Aten) -> Stream:
    """lutra::cast: the binary point is the nearest whole number to its parameter."""
    points = np.clip(np.floor(_param(a, "fraction") + 0.5), -FURTHEST, FURTHEST)
    return _emit(a, Cast(real(points), int(a["width"]), bool(a["signed"]), str(a["rounding"]), str(a["overflow"])))


def _scaled(a: Aten) -> Stream:
    """lutra::scaled: scale * clip(rint(x / scale), lo, hi)."""
    lo, hi = int(a["lo"]), int(a["hi"])
    forms = ((bits, signed, narrow) for bits in range(1, WIDEST + 1) for signed in (False, True)
             for narrow in (False, True) if (bits, signed) != (1, True))
    found = next((f for f in forms if integer_bounds(*f) == (lo, hi)), None)
    if found is None:
        raise LutraError(f"levels from {lo} to {hi} are not those of a number of bits", hint="use -8 to 7, or 0 to 15")
    bits, signed, narrow = found
    return _emit(a, Quant(real(_param(a, "scale")), real(0.0), bits, signed, narrow, "ROUND"))


def _binary(a: Aten) -> Stream:
    """lutra::binary: scale where x >= 0, else -scale."""
    return _emit(a, BipolarQuant(real(_param(a, "scale"))))


def _ternary(a: Aten) -> Stream:
    """lutra::ternary: -scale, 0 or scale; 0 where |x| <= threshold."""
    scale, limit = _param(a, "scale"), _param(a, "threshold")
    if scale.size != 1:
        raise LutraError("ternary values with a scale for each channel are not supported on the network's data",
                         hint="use one scale")
    beyond = np.nextafter(limit, np.inf)
    counted = _emit(a, MultiThreshold(real(np.stack([-limit, beyond])), 1.0, -1.0))
    return _emit(a, Mul(real(scale.reshape(()))), counted)


def _quantized(a: Aten) -> Stream:
    """clip(rint(x / scale) + zero_point, quant_min, quant_max), the integers themselves."""
    return _emit(a, QuantizeLinear(real(_placed(a, a.args.get("scale", a.args.get("scales")))),
                                   real(_placed(a, a.args.get("zero_point", a.args.get("zero_points")))),
                                   int(a["quant_min"]), int(a["quant_max"])))


def _dequantized(a: Aten) -> Any:
    """(x - zero_point) * scale."""
    zero = _placed(a, a.args.get("zero_point", a.args.get("zero_points")))
    centred = _emit(a, Sub(real(zero))) if zero.any() else a.stream
    return _emit(a, Mul(real(_placed(a, a.args.get("scale", a.args.get("scales"))))), centred)


def _placed(a: Aten, value: Any) -> Array:
    """One value, or one for each place of an axis, for one frame."""
    found = constant(value)
    if not isinstance(found, Const):
        raise LutraError(f"a scale of {a.name} is computed from the network's data", hint="quantise statically")
    values = found.array.astype(np.float64)
    if values.size == 1:
        return values.reshape(())
    rank, axis = len(a.stream.shape), int(a["axis"])
    return values.reshape([-1 if i == axis % rank else 1 for i in range(1, rank)])


# -- weights: the integers and scales that they come from


Parts = tuple[Array, Array]


def _scaled_parts(args: dict[str, Any]) -> Parts:
    x, scale = (np.asarray(args[n], np.float64) for n in ("x", "scale"))
    return np.clip(np.rint(quotient(x, scale)), args["lo"], args["hi"]), scale


def _dequantized_parts(args: dict[str, Any]) -> Parts:
    x = np.asarray(args["input"], np.float64)
    zero, scale = (np.asarray(args[one] if one in args else args[many], np.float64)
                   for one, many in (("zero_point", "zero_points"), ("scale", "scales")))
    if scale.ndim == 1 and scale.size > 1:
        shape = [-1 if i == args["axis"] % x.ndim else 1 for i in range(x.ndim)]
        zero, scale = (v.reshape(shape) if v.size > 1 else v for v in (zero, scale))
    return x - zero, scale


_PT2E = ("quantized_decomposed::quantize_per_tensor", "quantized_decomposed::quantize_per_channel")
_BACK = ("quantized_decomposed::dequantize_per_tensor", "quantized_decomposed::dequantize_per_channel")
TRANSLATORS: dict[str, Callable[[Aten], Any]] = {
    "lutra::cast": _cast, "lutra::scaled": _scaled, "lutra::binary": _binary, "lutra::ternary": _ternary,
    **dict.fromkeys(_PT2E, _quantized), **dict.fromkeys(_BACK, _dequantized),
}
PARTS: dict[str, Callable[[dict[str, Any]], Parts]] = {
    "lutra::scaled": _scaled_parts, **dict.fromkeys(_BACK, _dequantized_parts),
}
