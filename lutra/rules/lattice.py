"""Integers behind real numbers: find s and k with value = s * k, exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.ir import Array

LARGEST = 1 << 16  # needing larger integers than this, a number is not quantised but a float
CLOSE = 1e-6  # of a step: far above double rounding at LARGEST steps, far below half a step


@dataclass(frozen=True)
class Lattice:
    """values = scale * integers."""

    scale: float
    integers: Array


def lattice(values: Array, largest: int = LARGEST) -> Lattice | None:
    """The coarsest lattice through 0 that holds all values, or None where there is none with integers <= `largest`.

    Euclid's algorithm on doubles: `fmod` is exact, so for values that are exact multiples of a number of few bits (as
    integer times float32 scale is) the greatest common divisor comes out exactly.
    """
    magnitudes = np.unique(np.abs(values[values != 0]).ravel())
    if magnitudes.size == 0:
        return Lattice(1.0, np.zeros(values.shape, np.int64))
    floor = magnitudes[-1] / largest
    divisor = float(magnitudes[0])
    for m in magnitudes[1:]:
        divisor = _gcd(float(m), divisor, floor)
        if divisor == 0.0:
            return None
    if divisor < floor:
        return None
    integers = np.rint(values / divisor)
    if np.abs(values - integers * divisor).max() > CLOSE * divisor:
        return None
    return Lattice(divisor, integers.astype(np.int64))


def _gcd(a: float, b: float, floor: float) -> float:
    """The greatest common divisor of two positive doubles, 0.0 where it falls below `floor`.

    A true remainder is a multiple of a divisor >= floor, so one below half of it, or short of a whole divisor by less,
    is a rounding error.
    """
    while b > floor / 2:
        a, b = b, float(np.fmod(a, b))
        if a - b < floor / 2:
            b = 0.0
    return a if a >= floor else 0.0
