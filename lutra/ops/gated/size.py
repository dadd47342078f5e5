"""How large a Gated unit is, and how long its pixels take, from shape and widths alone."""

from __future__ import annotations

from dataclasses import dataclass

from lutra.ir import Range
from lutra.ops.base import Fold
from lutra.ops.matmul.size import (
    count_bits,
    depth_of_count,
    depth_of_popcount,
    log2_up,
    ones_and_twos,
    popcount_bits,
    wide_functions,
)
from lutra.ops.rom import buffer, columns, in_block, lut_bits, rom_blocks

RAM = ("lut.ram", "lut.ram_mux", "lut.ram_bank", "bram")  # features of `buffer`


@dataclass(frozen=True)
class Shape:
    """A matrix folded onto `pe` rows by `simd` columns. masked: some inputs count nothing; y: the range of results."""

    pe: int
    simd: int
    nf: int
    sf: int
    masked: bool
    y: Range

    @property
    def at(self) -> int:
        """Registers from a slot to its weights: buffer and memory, parities."""
        return 2 if self.masked else 3

    @property
    def depth(self) -> int:
        """Registers from a slot to its sum: to the weights, of the popcount, and one that holds the sum."""
        count = 1 + depth_of_count(self.simd) if self.masked else depth_of_popcount(self.simd, True)
        return self.at + count + 1

    @property
    def wait(self) -> int:
        """Idle slots between the planes: the second meets a row's weights when its gate is known, three registers after
        the sum of its last slot and one before the weights.
        """
        return max(0, self.depth + 4 - self.at - ((self.nf - 1) * self.sf + 1))

    @property
    def slots(self) -> int:
        """Of a pixel."""
        return 2 * self.nf * self.sf + self.wait

    @property
    def sum_bits(self) -> int:
        """Bits of a plane's sum, and of a threshold one beyond what it reaches."""
        return (self.simd * self.sf + 1).bit_length() + 1

    @property
    def total_bits(self) -> int:
        """Bits of an accumulator."""
        return max(self.y.bits + self.y.step - 1, self.sum_bits)


def features(s: Shape, fold: Fold, family: str) -> dict[str, float]:
    """Terms of the cost, each proportional to what it costs.

    wide, narrow: functions in popcounts, of five or six inputs and of fewer; add: bits of adders in trees; shared: what
    all rows share of it; dots: bits of a slot's sums; acc: bits of accumulators; gate: bits of comparisons; memories of
    sums, gates, thresholds and weights; slice, control, unit as for a MatMul. ff.*: registers of each.
    """
    words, width = s.nf * s.sf, s.pe * s.simd
    block = in_block(fold, words, width)
    control, lanes = log2_up(words) + log2_up(s.sf) + 3 * log2_up(s.nf) + log2_up(s.wait + 1) + 1, s.simd
    functions, adders, registers = _count(s)
    wide = _wide(s)
    parities = 0 if s.masked else lanes // 3 + ones_and_twos(lanes, True)[0]
    sums, totals, dot = s.pe * s.sum_bits, s.pe * s.total_bits, s.pe * (lanes.bit_length() + 2)
    xbits = 3 if s.masked else 2
    kept = [buffer(s.sf, lanes * xbits, family) if s.sf > 1 else {}]
    kept += [buffer(s.nf, bits, family) for bits in (sums, s.pe) if s.nf > 1]
    memories = {name: sum(k.get(name, 0.0) for k in kept) for name in RAM}
    return {
        **memories,
        "lut.wide": s.pe * wide, "lut.narrow": s.pe * (functions - wide), "lut.add": s.pe * adders,
        "lut.shared": lanes + parities + (functions + adders if s.masked else 0),
        "lut.dots": dot, "lut.acc": 2 * totals, "lut.gate": sums,
        "lut.levels": lut_bits(s.nf, sums, family),
        "lut.weights": 0 if block else lut_bits(words, width, family),
        "lut.slice": 0 if s.sf > 1 else s.pe * (s.y.bits + 1),
        "lut.control": control, "unit": 1,
        "ff.tree": s.pe * registers + (registers if s.masked else 0), "ff.dots": dot,
        "ff.acc": totals + s.pe * s.y.bits, "ff.gate": 4 * sums, "ff.passed": s.pe * (s.depth - s.at),
        "ff.weights": 0 if block else columns(words, width),
        "ff.x": lanes * xbits * (1 if s.sf > 1 else 2) + (lanes if s.masked else lanes + parities),
        "ff.control": 2 * control + 4 * s.depth,
        "bram": memories["bram"] + (rom_blocks(words, width, family) if block else 0),
    }


def _count(s: Shape) -> tuple[int, int, int]:
    """Functions, adder bits and register bits of a row's popcount."""
    if not s.masked:
        return popcount_bits(s.simd, True)
    functions, adders, registers = count_bits(s.simd)
    return functions + s.simd, adders, registers + s.simd


def _wide(s: Shape) -> int:
    if not s.masked:
        return wide_functions(s.simd, True)
    return count_bits(s.simd)[0] if s.simd > 4 else 0
