"""What a slot of a MatMul multiplies, and how large that is by planes and by pairs (`lutra.ops.matmul.forms`)."""

from __future__ import annotations

from dataclasses import dataclass

from lutra.ir import Range
from lutra.ops.matmul.digits import Digits
from lutra.ops.matmul.size import popcount_bits, sum_bits, weigh_bits


@dataclass(frozen=True)
class Lanes:
    """What a slot multiplies: `pe` rows of `simd` weights with codes in `w`, by codes of x. digits: the weights as sums
    of powers of two, where they may be that.
    """

    pe: int
    simd: int
    x: Range
    w: Range
    digits: Digits | None = None

    @property
    def product(self) -> int:
        """Bits of one product."""
        return self.x.bits + self.w.bits

    @property
    def planes(self) -> int:
        """Pairs of a bit of x and a bit of w."""
        return self.x.bits * self.w.bits

    def stored(self, form: str) -> int:
        """Bits of a weight in memory."""
        if form != "shifts":
            return self.w.bits
        assert self.digits is not None
        return self.digits.bits


def plane_luts(lanes: Lanes) -> int:
    """6-input functions of a row's dot product by planes."""
    functions, adders, _ = by_planes(lanes)
    return functions + adders


def pair_luts(lanes: Lanes) -> int:
    """6-input functions of a row's dot product by pairs."""
    first, rows, _ = by_pairs(lanes)
    return first + rows + tree(lanes)[0]


def by_planes(lanes: Lanes) -> tuple[int, int, int]:
    """Functions, adder bits and register bits of `lutra_dot`."""
    x, w = lanes.x.bits, lanes.w.bits
    one = popcount_bits(lanes.simd, lanes.w.bipolar)
    row = x + (lanes.simd.bit_length() if lanes.simd > 1 else 0)
    over_x = weigh_bits(x, lanes.simd.bit_length()) if lanes.simd > 1 else (0, 0)
    over_w = weigh_bits(w, row)
    return x * w * one[0], x * w * one[1] + w * over_x[0] + over_w[0], x * w * one[2] + w * over_x[1] + over_w[1]


def by_pairs(lanes: Lanes) -> tuple[int, int, int]:
    """Functions of first rows, adder bits of the other rows, and register bits, of a row of the matrix by pairs."""
    x, w = lanes.x.bits, lanes.w.bits
    pairs, alone, digits = lanes.simd // 2, lanes.simd % 2, (w + 1) // 2
    wide = x + 1 + lanes.x.signed  # bits of an adder
    first = pairs * (x + 1) + alone * (x + 2)
    later = pairs * (w - 1) * wide + alone * (digits - 1) * (x + 1 + lanes.x.signed)
    return first, later, pairs * _held(w, 1, x + 2, 2 * w) + alone * _held(digits, 2, x + 2, w)


def _held(rows: int, shift: int, width: int, bits: int) -> int:
    """Registers of `lutra_rows`: of totals after each two rows, and of the weights' bits until their turn."""
    totals = sum(width + shift * min(2 * t + 1, rows - 1) for t in range((rows + 1) // 2))
    each = bits // rows
    return totals + sum(each * (r // 2) for r in range(rows))


def stages(lanes: Lanes) -> int:
    """Registers of `lutra_rows`: one for two rows."""
    rows = lanes.w.bits if lanes.simd > 1 else (lanes.w.bits + 1) // 2
    return (rows + 1) // 2


def tree(lanes: Lanes) -> tuple[int, int]:
    """Adder bits and register bits of the tree behind the rows."""
    return sum_bits((lanes.simd + 1) // 2, lanes.product + 1)


def shifted(lanes: Lanes) -> tuple[int, int, int]:
    """What `lutra_shifts` adds: terms of a row, their bits after the first part of a shift, and after both."""
    assert lanes.digits is not None
    wide, reach = lanes.x.bits + (not lanes.x.signed), lanes.digits.reach
    return lanes.simd * lanes.digits.terms, wide + min(reach - 1, 3), wide + reach - 1
