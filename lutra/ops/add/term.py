"""One input's part of a weighed sum: an odd factor and a shift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.ir import Array, Range
from lutra.ops.mul.size import digits, missing, row_bits


@dataclass(frozen=True, eq=False)
class Term:
    """factors (rows,) * 2**shift. plain: 1 or -1 where all factors are that and nothing is multiplied, else 0."""

    factors: Array
    shift: int
    plain: int

    @classmethod
    def of(cls, factors: Array) -> Term:
        """The largest shift that leaves integers."""
        every = int(np.bitwise_or.reduce(factors))
        shift = (every & -every).bit_length() - 1 if every else 0
        odd = factors >> shift
        return cls(odd, shift, next((v for v in (1, -1) if (odd == v).all()), 0))

    def multiplied(self) -> Term:
        """The same by a product."""
        return Term(self.factors, self.shift, 0)

    @property
    def held(self) -> Range:
        """What the factors in memory cover."""
        return Range(int(self.factors.min()), int(self.factors.max()))

    @property
    def rows(self) -> int:
        """Rows of the product."""
        return 0 if self.plain else digits(self.held.bits, self.held.signed)

    def lacks(self) -> Array | int:
        """What products that are not exact lack, for each row."""
        return 0 if self.plain else missing(self.factors) << self.shift

    def size(self, x: Range) -> tuple[float, float, int]:
        """Functions of the product, of one with these constant factors, and registers. Of one or two bits of x a row
        with a constant digit is a function of both, no adder.
        """
        if self.plain:
            return 0, 0, 0
        functions, registers = row_bits(x.bits, x.signed, self.held.bits, self.held.signed)
        return functions, (x.bits + 1 if x.bits > 2 else 1) * (nonzero(self.factors) - 1), registers


def nonzero(factors: Array) -> float:
    """Radix-4 digits of a factor that are not 0, on average, at least 1."""
    count, rest, below = np.zeros(len(factors)), factors, np.zeros_like(factors)
    for _ in range(32):
        low, high = rest & 1, (rest >> 1) & 1
        count += -2 * high + low + below != 0
        rest, below = rest >> 2, high
    return float(np.maximum(count, 1).mean())
