"""What the operators that pass their stream on as it is share."""

from __future__ import annotations

from lutra.ir import Array, Tensor
from lutra.ops.base import Fold, Unit, check_fold, divisors


class Passing(Unit):
    """The same elements in and out, in words of `fold.pe` unless the operator says otherwise."""

    by_column = True

    def infer(self, *args: Tensor) -> Tensor:
        """The argument's own type."""
        (x,) = args
        return Tensor(x.shape, x.range)

    def evaluate(self, *args: Array) -> Array:
        """The argument."""
        return args[0]

    def folds(self, x: Tensor) -> tuple[Fold, ...]:
        """Every divisor of the frame, the narrowest words first."""
        return tuple(Fold(pe=d, simd=d) for d in divisors(x.size))

    def lanes(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        """`fold.pe` both in and out. LutraError where it does not divide the frame."""
        check_fold("pe", fold.pe, x.size, "elements of a frame")
        return fold.pe, fold.pe
