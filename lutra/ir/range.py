"""Integer intervals: what an edge of the integer graph can carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lutra.errors import LutraError

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """The integers lo, lo + step, ..., hi.

    `step` is 1 for ordinary integers. Bipolar values are Range(-1, 1, 2), and a sum of n products of bipolar values is
    Range(-n, n, 2): its code is the popcount. On a wire a value travels as its *code*: two's complement (or plain
    binary where lo >= 0) for step 1, and (value - lo) / step, unsigned, for larger steps.
    """

    lo: int
    hi: int
    step: int = 1

    def __post_init__(self) -> None:
        if self.step < 1 or self.hi < self.lo or (self.hi - self.lo) % self.step:
            raise LutraError(f"{self.lo}..{self.hi} step {self.step} is not a range", hint="lo <= hi, step divides")

    @property
    def levels(self) -> int:
        """How many values there are."""
        return (self.hi - self.lo) // self.step + 1

    @property
    def signed(self) -> bool:
        """Whether the code on the wire is two's complement."""
        return self.step == 1 and self.lo < 0

    @property
    def bits(self) -> int:
        """Width of the code in bits, at least 1."""
        if self.step > 1:
            return max(1, (self.levels - 1).bit_length())
        if self.lo >= 0:
            return max(1, self.hi.bit_length())
        return max((-self.lo - 1).bit_length(), max(self.hi, 0).bit_length()) + 1

    @property
    def bipolar(self) -> bool:
        """Whether the values are just -1 and +1."""
        return (self.lo, self.hi, self.step) == (-1, 1, 2)

    @property
    def largest(self) -> int:
        """The largest magnitude."""
        return max(abs(self.lo), abs(self.hi))

    def values(self, every: int = 1) -> Array:
        """All values in order, or one in `every`, the first among them, int64."""
        return np.arange(self.lo, self.hi + 1, self.step * every, dtype=np.int64)

    def encode(self, values: Array) -> Array:
        """Codes on the wire (int64, not negative) of integer values."""
        if self.step > 1:
            return (values.astype(np.int64) - self.lo) // self.step
        return values.astype(np.int64) & ((1 << self.bits) - 1)

    def decode(self, codes: Array) -> Array:
        """Values (int64) of codes on the wire; the inverse of `encode`."""
        codes = codes.astype(np.int64)
        if self.step > 1:
            return codes * self.step + self.lo
        if not self.signed:
            return codes
        half = 1 << (self.bits - 1)
        return (codes ^ half) - half

    def holds(self, values: Array) -> bool:
        """Whether every value lies in the range, on its step."""
        if values.size == 0:
            return True
        inside = self._spans(values.dtype) or bool(values.min() >= self.lo and values.max() <= self.hi)
        return inside and (self.step == 1 or not ((values.astype(np.int64) - self.lo) % self.step).any())

    def _spans(self, kind: np.dtype[Any]) -> bool:
        """Whether the range holds all that an integer type can be."""
        return kind.kind in "iu" and self.lo <= np.iinfo(kind).min and int(np.iinfo(kind).max) <= self.hi

    def within(self, other: Range) -> bool:
        """Whether every value of this range is one of `other`."""
        steps = self.step % other.step == 0 or self.levels == 1
        return other.lo <= self.lo and self.hi <= other.hi and steps and (self.lo - other.lo) % other.step == 0

    def __str__(self) -> str:
        return f"{self.lo}..{self.hi}" + (f"/{self.step}" if self.step > 1 else "")


def covering(values: Array) -> Range:
    """The narrowest range that holds all of an integer array: bipolar where it is just -1 and +1, else step 1."""
    lo, hi = int(values.min()), int(values.max())
    if (lo, hi) == (-1, 1) and bool(np.all(values != 0)):
        return Range(-1, 1, 2)
    return Range(lo, hi)
