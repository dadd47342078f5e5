"""What an operator of a source graph answers."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.ir import REAL, Array, Constant, Op, Tensor

if TYPE_CHECKING:
    from typing_extensions import Self


class SourceOp(Op):
    """An operator of the user's model, in double precision, in the model's own axes without the batch axis."""


class Elementwise(SourceOp):
    """One stream; each element of the result depends on the same element of the argument alone.

    Parameters are `Constant` fields, float64, which broadcast against the tensor's shape (no batch axis): () for one
    value, (C, 1, 1) for a value for each channel of (C, H, W).
    """

    @property
    def finite(self) -> bool:
        """Whether the result takes finitely many values whatever the argument is: a quantiser."""
        return False

    def params(self) -> tuple[Array, ...]:
        """The parameters, each broadcastable to the tensor's shape."""
        values = (getattr(self, f.name) for f in fields(self))  # type: ignore[arg-type]
        return tuple(v.array for v in values if isinstance(v, Constant))

    def with_params(self, *arrays: Array) -> Self:
        """The same operation with other parameters, in the order of `params`."""
        names = [f.name for f in fields(self) if isinstance(getattr(self, f.name), Constant)]  # type: ignore[arg-type]
        new = {n: real(a) for n, a in zip(names, arrays, strict=True)}
        return replace(self, **new)  # type: ignore[type-var]

    @abstractmethod
    def apply(self, x: Array) -> Array:
        """The function, elementwise in float64; parameters broadcast against the trailing axes of x."""

    @abstractmethod
    def slope(self) -> Array | int:
        """For each parameter element: +1 where the result never falls as x grows, -1 where it never rises, else 0."""

    def infer(self, *args: Tensor) -> Tensor:
        """The argument's own shape; LutraError where a parameter does not fit it."""
        (x,) = args
        for p in self.params():
            check_broadcast(p.shape, x.shape)
        return Tensor(x.shape, REAL)

    def evaluate(self, *args: Array) -> Array:
        """`apply` in double precision."""
        (x,) = args
        return self.apply(np.asarray(x, dtype=np.float64))


class Rising(Elementwise):
    """A function that never falls."""

    def slope(self) -> Array | int:
        """Rising."""
        return 1


class Turning(Elementwise):
    """A function that both rises and falls, or whose direction is not known."""

    def slope(self) -> Array | int:
        """Not monotone."""
        return 0


def real(value: Array | float) -> Constant:
    """A float64 constant."""
    return Constant(np.asarray(value, dtype=np.float64))


def check_broadcast(param: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """LutraError unless `param` broadcasts to just `shape`."""
    fits = len(param) <= len(shape) and all(p in (1, s) for p, s in zip(param[::-1], shape[::-1], strict=False))
    if not fits:
        raise LutraError(f"a parameter of shape {param} does not fit a tensor of shape {shape} (without batch axis)",
                         hint="give it one value, or one for each channel")


def sign_of(value: Array) -> Array:
    """-1 where negative, else +1: the slope of a multiplication."""
    return np.where(value < 0, -1, 1)
