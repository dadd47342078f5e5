"""How large a Depthwise is: the structural terms of its cost."""

from __future__ import annotations

from lutra.ir import Range
from lutra.ops.base import Fold
from lutra.ops.mul.size import digits, row_bits, shifters
from lutra.ops.rom import columns, lut_bits, lut_ram, rom_blocks

DEEP = 64  # words of a memory whose columns are a 6-input function each


def features(
    fold: Fold, words: int, taps: int, x: Range, w: Range | None, y: Range, exact: bool, biased: bool, block: bool,
    family: str,
) -> dict[str, float]:
    """Terms of the cost, each proportional to what it costs. w: the weights, None where all are 1.

    rows: 6-input functions of the products, and shift registers; exact: their carries; sum: bits of the last adder;
    start: bits that begin with a bias; slice: bits of the input slice; weights, bias: LUTs of constant memories;
    weights_deep: those of many words, which synthesis shares badly; ram*: sums in LUT RAM; control: counter bits;
    unit: 1. ff.*: registers of each.
    """
    pe, tiles = fold.pe, words * taps
    apart = words == 1 and taps > 1
    width = pe * w.bits if w else 0
    bits, signed = (w.bits + w.bipolar, w.signed or w.bipolar) if w else (0, True)
    functions, registers = row_bits(x.bits, x.signed, bits, signed) if w else (0, 0)
    rows = digits(bits, signed) if w else 0
    memory = 0 if block else lut_bits(tiles, width, family)
    control = (tiles - 1).bit_length() * (w is not None) + (taps - 1).bit_length() + 2 * (words - 1).bit_length()
    sums = lut_ram(words, pe * y.bits, family) if taps > 1 and words > 1 else {}
    return sums | {
        "lut.rows": pe * (functions + shifters(rows, family)),
        "lut.exact": pe * rows * exact,
        "lut.sum": pe * y.bits,
        "lut.start": pe * y.bits if biased and taps > 1 else 0,
        "lut.slice": 0 if apart else pe * x.bits,
        "lut.weights": memory if tiles <= DEEP else 0,
        "lut.weights_deep": memory if tiles > DEEP else 0,
        "lut.bias": lut_bits(words, pe * y.bits, family) if biased else 0,
        "control": control,
        "unit": 1,
        "ff.x": pe * x.bits * (1 + block + 2 * (not apart)),
        "ff.rows": pe * registers,
        "ff.factors": pe * max(rows - 1, 0) * (x.bits + bits / 2),
        "ff.weights": width * block + (0 if block else columns(tiles, width)),
        "ff.sum": pe * y.bits * (1 + (taps > 1)),
        "ff.bias": columns(words, pe * y.bits) if biased else 0,
        "bram": float(rom_blocks(tiles, width, family)) if block else 0.0,
    }
