"""How large popcounts and trees of adders are, and how many registers lie along them, from shape and widths alone."""

from __future__ import annotations


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
