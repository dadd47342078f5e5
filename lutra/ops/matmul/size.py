"""How large a MatMul is: its pipeline's depth and the structural terms of its cost, from shape and widths alone."""

from __future__ import annotations

from lutra.ir import Range
from lutra.ops.base import Fold
from lutra.ops.rom import buffer, columns, in_block, lut_bits, rom_blocks


def log2_up(n: int) -> int:
    """The least k with 2**k >= n."""
    return (n - 1).bit_length()


def depth_of_count(bits: int) -> int:
    """Registers of `lutra_count_ones`."""
    return 0 if bits <= 1 else 1 if bits <= 6 else 1 + log2_up((bits + 7) // 7)


def ones_and_twos(lanes: int, bipolar: bool) -> tuple[int, int]:
    """Bits of weight 1 and of weight 2 after the first level of `lutra_agree` or `lutra_meet`."""
    if not bipolar:
        return -(-lanes // 3), -(-lanes // 3)
    groups = lanes // 3
    parities = lanes - 2 * groups
    second = -(-parities // 3)
    return second, groups + min(second, parities - second)


def depth_of_popcount(lanes: int, bipolar: bool) -> int:
    """Registers of `lutra_agree` or `lutra_meet`."""
    ones, twos = ones_and_twos(lanes, bipolar)
    if ones == 1 and twos <= 1:
        return 1
    return 2 + max(depth_of_count(ones), depth_of_count(twos - 1))


def depth_of_dot(simd: int, xbits: int, wbits: int, bipolar: bool) -> int:
    """Registers from a slot to its dot product: buffer and memory, parities, `lutra_dot`."""
    count = depth_of_popcount(simd, bipolar) + (log2_up(xbits) if simd > 1 else 0) + log2_up(wbits)
    return 2 + bipolar + count


def sum_bits(count: int, width: int) -> tuple[int, int]:
    """Adder bits and register bits of `lutra_sum`."""
    adders = registers = 0
    while count > 1:
        adders += count // 2 * (width + 1)
        count, width = (count + 1) // 2, width + 1
        registers += count * width
    return adders, registers


def count_bits(bits: int) -> tuple[int, int, int]:
    """6-input functions, adder bits and register bits of `lutra_count_ones`."""
    if bits <= 1:
        return 0, 0, 0
    counters = 1 if bits <= 6 else (bits + 7) // 7
    functions = 2 if bits <= 3 else 3 * counters
    carries = max(0, bits - 6 * counters)
    adders, registers = sum_bits(counters, 3)
    return functions, adders, registers + functions + carries


def popcount_bits(lanes: int, bipolar: bool) -> tuple[int, int, int]:
    """6-input functions, adder bits and register bits of `lutra_agree` or `lutra_meet`."""
    ones, twos = ones_and_twos(lanes, bipolar)
    first = ones + twos - (lanes == 1 and not bipolar)
    if ones == 1 and twos <= 1:
        return first, 0, first
    low, high = count_bits(ones), count_bits(twos - 1)
    late = abs(depth_of_count(ones) - depth_of_count(twos - 1)) + max(depth_of_count(ones), depth_of_count(twos - 1))
    total = lanes.bit_length()
    return first + low[0] + high[0], low[1] + high[1] + total - 1, first + low[2] + high[2] + late + total


def wide_functions(lanes: int, bipolar: bool) -> int:
    """How many of `popcount_bits`'s functions have more than four inputs, which matters to LUTs of four."""
    ones, twos = ones_and_twos(lanes, bipolar)
    groups = lanes // 3
    first = groups + 2 * ((lanes - 2 * groups) // 3) if bipolar else 2 * groups
    return first + sum(count_bits(bits)[0] for bits in (ones, twos - 1) if bits > 4 and ones + twos > 2)


def weigh_bits(planes: int, width: int) -> tuple[int, int]:
    """Adder bits and register bits of `lutra_weigh`."""
    if planes == 1:
        return 0, 0
    low = 1 << (log2_up(planes) - 1)
    high = planes - low
    parts = [weigh_bits(low, width), weigh_bits(high, width)]
    late = log2_up(planes) - 1 - log2_up(high)
    own = width + high
    adders = own if width > 1 else 0  # single bits do not overlap
    return sum(p[0] for p in parts) + adders, sum(p[1] for p in parts) + own + low + late * own


def features(
    fold: Fold, nf: int, sf: int, x: Range, w: Range, y: Range, biased: bool, family: str
) -> dict[str, float]:
    """Terms of the cost, each proportional to what it costs.

    wide, narrow: functions in popcounts, of five or six inputs and of fewer; parities: those of x that all rows share;
    add: bits of adders in the trees; acc: accumulator bits; start: those that begin with a bias; weights, bias: LUTs
    of constant memories; bias_deep: those of many words, which synthesis shares badly; ram*: the replay buffer; slice:
    bits of the output slice; control: counter bits; unit: 1.
    ff.*: registers of each.
    """
    simd, pe = fold.simd, fold.pe
    one = popcount_bits(simd, w.bipolar)
    wide = wide_functions(simd, w.bipolar)
    row = x.bits + (simd.bit_length() if simd > 1 else 0)
    over_x = weigh_bits(x.bits, simd.bit_length()) if simd > 1 else (0, 0)
    over_w = weigh_bits(w.bits, row)
    planes = x.bits * w.bits
    width, depth = pe * simd * w.bits, nf * sf
    block = in_block(fold, depth, width)
    control = log2_up(depth) + log2_up(sf) + 1
    kept = simd * x.bits
    parities = (simd // 3, ones_and_twos(simd, True)[0]) if w.bipolar else (0, 0)
    replay = buffer(sf, kept, family) if nf > 1 and sf > 1 else {}
    return replay | {
        "lut.wide": pe * planes * wide,
        "lut.narrow": pe * planes * (one[0] - wide),
        "lut.add": pe * (planes * one[1] + w.bits * over_x[0] + over_w[0]),
        "lut.acc": pe * y.bits if sf > 1 or biased else 0,
        "lut.start": pe * y.bits if sf > 1 and biased else 0,
        "lut.weights": 0 if block else lut_bits(depth, width, family),
        "lut.bias": lut_bits(nf, pe * y.bits, family) if biased else 0,
        "lut.bias_deep": lut_bits(nf, pe * y.bits, family) if biased and nf > 64 else 0,
        "lut.slice": 0 if sf > 1 else pe * y.bits,
        "lut.control": control,
        "unit": 1,
        "ff.tree": pe * (planes * one[2] + w.bits * over_x[1] + over_w[1]),
        "ff.acc": pe * y.bits * 2,
        "ff.weights": 0 if block else columns(depth, width),
        "lut.parities": sum(parities) * x.bits,
        "ff.x": kept * (1 if nf > 1 and sf > 1 else 2) + (kept + sum(parities) * x.bits if w.bipolar else 0),
        "ff.control": 2 * control + 3 * depth_of_dot(simd, x.bits, w.bits, w.bipolar),
        "ff.bias": pe * y.bits if biased and nf > 1 else 0,
        "bram": replay.get("bram", 0) + (rom_blocks(depth, width, family) if block else 0),
    }
