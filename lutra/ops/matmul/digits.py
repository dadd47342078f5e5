"""Weights as sums of a few powers of two, for products by shifts and additions alone.

A weight is written in the canonical signed digits of G. W. Reitwiesner ("Binary arithmetic", Advances in Computers 1,
1960), of which no writing has fewer; a weight of K ones (K-hot) has at most K.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.ir import Array
from lutra.ops.matmul.size import log2_up


@dataclass(frozen=True)
class Digits:
    """How `lutra_shifts` has its weights: `terms` signed powers of two each, exponents below `reach`."""

    terms: int
    reach: int

    @property
    def place(self) -> int:
        """Bits of an exponent."""
        return max(log2_up(self.reach), 1)

    @property
    def bits(self) -> int:
        """Bits of a weight in memory: of each term the exponent, whether it is subtracted, whether it is there."""
        return self.terms * (self.place + 2)


def digits(weights: Array) -> Digits:
    """The fewest terms and the least reach that hold all weights."""
    planes = signed_digits(weights) != 0
    return Digits(max(int(planes.sum(axis=-1).max()), 1), planes.shape[-1])


def signed_digits(weights: Array) -> Array:
    """Digits -1, 0 and 1 (..., P) of integers, of 2**0 first, no two next to each other other than 0."""
    left = weights.astype(np.int64)
    planes = []
    while left.any():
        odd = left & 1
        digit = odd * (2 - (left & 3))
        planes.append(digit)
        left = (left - digit) >> 1
    return np.stack(planes, axis=-1) if planes else np.zeros((*weights.shape, 1), np.int64)


def codes(weights: Array, of: Digits) -> Array:
    """Weights as they lie in memory: `of.bits` bits, the term of the least exponent lowest."""
    found = signed_digits(weights)
    order = np.argsort(found == 0, axis=-1, kind="stable")[..., : of.terms]
    digit = np.take_along_axis(found, order, axis=-1)
    term = np.where(digit != 0, order | (digit < 0) << of.place | 2 << of.place, 0)
    shifts = (of.place + 2) * np.arange(term.shape[-1])
    code: Array = (term << shifts).sum(axis=-1)
    return code


def subtracted(weights: Array) -> Array:
    """How many digits of each row (MH,) are -1."""
    count: Array = (signed_digits(weights) < 0).sum(axis=(-1, -2))
    return count
