"""ONNX QuantizeLinear. What DequantizeLinear does, (x - zero_point) * scale, is a Sub and a Mul."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Constant, Tensor
from lutra.ops.source.base import Rising
from lutra.ops.source.quant import check_finite, check_scale


@dataclass(frozen=True)
class QuantizeLinear(Rising):
    """clip(round(x / scale) + zero_point, lo, hi), ties to even: the integers themselves, as real numbers.

    lo, hi: the bounds of the integer type, or a narrower range that the model clips to at once. Division and rounding
    are in double precision, by the scale as stored. ONNX Runtime divides in single precision, the scale's own type: a
    quotient within 2**-24 (relative) of a tie can round the other way there.
    """

    scale: Constant
    zero_point: Constant
    lo: int
    hi: int

    @property
    def finite(self) -> bool:
        """The integers from lo to hi."""
        return True

    def infer(self, *args: Tensor) -> Tensor:
        """The argument's shape; LutraError for a scale or zero point that makes no sense."""
        check_scale(self.scale.array)
        check_finite(self.zero_point.array, "zero point")
        if self.lo >= self.hi:
            raise LutraError(f"integers from {self.lo} to {self.hi} are one level or none", hint="use a wider range")
        return super().infer(*args)

    def apply(self, x: Array) -> Array:
        """The formula, in its order."""
        return self.rounded(x / self.scale.array)

    def rounded(self, y: Array) -> Array:
        """The integers of y = x / scale."""
        return np.asarray(np.clip(np.rint(y) + self.zero_point.array, self.lo, self.hi))
