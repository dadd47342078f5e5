"""How large a MatMul is: its pipeline's depth and the structural terms of its cost, from shape and widths alone."""

from __future__ import annotations

from lutra.ir import Range
from lutra.ops.base import Fold
from lutra.ops.rom import blocks, in_block, lut_bits


def log2_up(n: int) -> int:
    """The least k with 2**k >= n."""
    return (n - 1).bit_length()


def depth_of_popcount(lanes: int) -> int:
    """Registers of `lutra_popcount`."""
    groups = -(-lanes // 3)
    if groups <= 4:
        return 1 + log2_up(groups)
    return 3 + log2_up(-(-groups // 6))


def depth_of_dot(simd: int, xbits: int, wbits: int) -> int:
    """Registers of `lutra_dot`: a popcount, the weighed sum over bits of x, the one over bits of w."""
    return depth_of_popcount(simd) + (log2_up(xbits) if simd > 1 else 0) + log2_up(wbits)


def sum_bits(count: int, width: int) -> tuple[int, int]:
    """Adder bits and register bits of `lutra_sum`."""
    adders = registers = 0
    while count > 1:
        adders += count // 2 * (width + 1)
        count, width = (count + 1) // 2, width + 1
        registers += count * width
    return adders, registers


def popcount_bits(lanes: int) -> tuple[int, int, int]:
    """6-input functions, adder bits and register bits of `lutra_popcount`."""
    groups = -(-lanes // 3)
    first = groups if lanes == 1 else 2 * groups
    if groups <= 4:
        adders, registers = sum_bits(groups, 2) if groups > 1 else (0, 0)
        return first, adders, registers + first
    counters = -(-groups // 6)
    adders, registers = sum_bits(counters, 3)
    total = (lanes).bit_length()
    return first + 6 * counters, 2 * adders + total - 1, 2 * registers + 6 * counters + first + total


def weigh_bits(planes: int, width: int) -> tuple[int, int]:
    """Adder bits and register bits of `lutra_weigh`."""
    if planes == 1:
        return 0, 0
    low = 1 << (log2_up(planes) - 1)
    high = planes - low
    parts = [weigh_bits(low, width), weigh_bits(high, width)]
    late = log2_up(planes) - 1 - log2_up(high)
    own = width + high
    return sum(p[0] for p in parts) + own, sum(p[1] for p in parts) + own + low + late * own


def features(
    fold: Fold, nf: int, sf: int, x: Range, w: Range, y: Range, biased: bool, family: str
) -> dict[str, float]:
    """Terms of the cost, each proportional to what it costs.

    count: functions of up to six inputs in popcounts; add: bits of adders in the trees; acc: accumulator bits; weights,
    bias: LUTs of constant memories; replay: LUTs of the buffer; out: bits of the output register or slice; control:
    counter bits; unit: 1. ff.*: registers of each.
    """
    simd, pe = fold.simd, fold.pe
    one = popcount_bits(simd)
    row = simd.bit_length() + x.bits
    over_x = weigh_bits(x.bits, simd.bit_length()) if simd > 1 else (0, 0)
    over_w = weigh_bits(w.bits, row)
    planes = x.bits * w.bits
    width, depth = pe * simd * w.bits, nf * sf
    block = in_block(fold, depth, width)
    control = log2_up(depth) + log2_up(sf) + 1
    kept = simd * x.bits
    return {
        "lut.count": pe * planes * one[0],
        "lut.add": pe * (planes * one[1] + w.bits * over_x[0] + over_w[0]),
        "lut.acc": pe * y.bits if sf > 1 or biased else 0,
        "lut.weights": 0 if block else lut_bits(depth, width, family),
        "lut.bias": lut_bits(nf, pe * y.bits, family) if biased else 0,
        "lut.replay": kept * -(-sf // (16 if family == "ecp5" else 32)) if nf > 1 and sf > 1 else 0,
        "lut.slice": 0 if sf > 1 else pe * y.bits,
        "lut.control": control,
        "unit": 1,
        "ff.tree": pe * (planes * one[2] + w.bits * over_x[1] + over_w[1]),
        "ff.acc": pe * y.bits * 2,
        "ff.weights": 0 if block or depth == 1 else width,
        "ff.x": kept * (1 if nf > 1 and sf > 1 else 2),
        "ff.control": 2 * control + 3 * (2 + depth_of_dot(simd, x.bits, w.bits)),
        "ff.bias": pe * y.bits if biased and nf > 1 else 0,
        "bram": blocks(depth, width, family) if block else 0,
    }
