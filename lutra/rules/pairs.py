"""Two streams that meet, as a function of the pair: what the source's own two chains give, added in double precision.

Where both scales are whole multiples of one number the sum is an integer itself (rules/joins.py). Where they are not,
the sum of two scaled integers lies on no lattice; but the next quantiser makes it an integer again, and that is a
function of finitely many pairs (rules/sums.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lutra.ir import Array, Op, Range, Tensor
from lutra.ops.source import Elementwise
from lutra.rules.view import Chain, apply

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class Pair(Op):
    """Which pair: (i0, i1) -> i0 * levels1 + i1, where x0 is the i0-th value of its range and x1 the i1-th of its own.

    It stands in a lowering until a quantiser says what hardware it becomes; no integer graph holds one.
    """

    def infer(self, *args: Tensor) -> Tensor:
        """As many values as there are pairs."""
        a, b = args
        assert a.shape == b.shape, (a, b)
        return Tensor(a.shape, Range(0, a.range.levels * b.range.levels - 1))

    def evaluate(self, *args: Array) -> Array:
        """Never called: see the class."""
        raise AssertionError("a pair is resolved before it runs")


@dataclass(frozen=True)
class TwoChains(Elementwise):
    """A function of two chains of the source."""

    left: Chain
    right: Chain

    def params(self) -> tuple[Array, ...]:
        """Those of both chains."""
        return tuple(p for op in (*self.left, *self.right) for p in op.params())

    def with_params(self, *arrays: Array) -> Self:
        """The same function with other parameters, in the order of `params`."""
        left, rest = _with_params(self.left, arrays)
        right, rest = _with_params(self.right, rest)
        assert not rest
        return replace(self, left=left, right=right)


def _with_params(chain: Chain, arrays: tuple[Array, ...]) -> tuple[Chain, tuple[Array, ...]]:
    """The chain with the first of these parameters, and those that are left."""
    done = []
    for op in chain:
        count = len(op.params())
        done.append(op.with_params(*arrays[:count]))
        arrays = arrays[count:]
    return tuple(done), arrays


@dataclass(frozen=True)
class PairSum(TwoChains):
    """The real number that a pair stands for: left(x0) + sign * right(x1), as the source's operations give it."""

    sign: int
    of: tuple[Range, Range]

    @property
    def kind(self) -> str:
        """As the source calls it."""
        return "add" if self.sign > 0 else "sub"

    def values(self, pairs: Array) -> tuple[Array, Array]:
        """The two integers of each pair."""
        a, b = self.of
        code = pairs.astype(np.int64)
        return a.lo + a.step * (code // b.levels), b.lo + b.step * (code % b.levels)

    def apply(self, x: Array) -> Array:
        """Both chains, and their sum."""
        a, b = self.values(x)
        return np.asarray(apply(self.left, a) + self.sign * apply(self.right, b))

    def slope(self) -> int:
        """A pair's number has no order."""
        return 0
