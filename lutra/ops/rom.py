"""Where constants and buffers live, and how much memory that takes."""

from __future__ import annotations

from math import ceil

from lutra.errors import LutraError
from lutra.ops.base import Fold

LUT_WORDS = 128  # a memory of up to this many words is cheaper in LUTs than in a block memory mostly left empty
LUT_BITS = 4096  # and so is one of fewer bits than this
WORTH = {"xc7": 64, "xcup": 64, "ecp5": 128}  # LUTs for which synthesis takes a block memory
RAMB18 = ((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512))  # width, words; Xilinx UG473
SHALLOW = RAMB18[-1][1]  # what blocks of any shape hold in one
WASTE = 1.25  # a clock half as fast again is worth a quarter more block memories
# Xilinx UG573 has 72 bits, or 144 without the second port; synthesis makes narrower ones of the bytes of a word.
URAM288 = ((9, 32768), (18, 16384), (36, 8192), (72, 4096), (144, 2048))
ULTRA_WORDS = 4096
DP16KD = ((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512))  # Lattice FPGA-TN-02204


def in_block(fold: Fold, depth: int, width: int) -> bool:
    """Whether a constant memory goes to block RAM: as `fold.ram` says, or by its depth and width for "auto"."""
    match fold.ram:
        case "block":
            return depth > 1
        case "lut" | "offchip" | "ultra":
            return False
        case "auto" | "written":
            return depth > LUT_WORDS and depth * width >= LUT_BITS
    raise LutraError(f"ram={fold.ram!r} is not a place for constants", hint='"lut", "block" or "auto"')


def blocks(depth: int, width: int, family: str) -> int:
    """Block memories (RAMB18 or DP16KD) of a memory with one reading port: the fewest over their shapes."""
    shapes = DP16KD if family == "ecp5" else RAMB18
    return min(ceil(width / w) * ceil(depth / d) for w, d in shapes)


def ultra_blocks(depth: int, width: int) -> tuple[int, int]:
    """UltraRAM blocks of a memory that is read and written at one address, the fewest over their shapes, and of how
    many words one is chosen when it is read.
    """
    return min((ceil(width / w) * ceil(depth / d), ceil(depth / min(d, ULTRA_WORDS))) for w, d in URAM288)


def columns(depth: int, width: int) -> float:
    """How many different columns a constant memory of random bits has: synthesis keeps one of those that are alike."""
    if depth == 1:
        return 0.0
    if depth > 20:
        return float(width)
    kinds = 2.0**depth
    return kinds * (1 - (1 - 1 / kinds) ** width)


def sliced(depth: int, width: int) -> int:
    """Block memories of a memory that is cut into slices as wide as one block of its depth is, so that none lies behind
    another with a multiplexer after them: line buffers and FIFOs. Both families have blocks of the same shapes.
    """
    w, d = _shape(depth)
    return ceil(width / w) * ceil(depth / d)


def _shape(depth: int) -> tuple[int, int]:
    """Width and words of the widest block that has this depth; of the deepest, where none has."""
    return next((s for s in reversed(RAMB18) if s[1] >= depth), RAMB18[0])


def slice_bits(depth: int, width: int) -> int:
    """Bits of the slices that a constant memory in block RAM is cut into (see `sliced`); its width, where synthesis is
    to cut it, since slices would take more than WASTE times the fewest blocks.
    """
    w, d = _shape(depth)
    worth = d > SHALLOW and sliced(depth, width) <= WASTE * blocks(depth, width, "xc7")
    return min(w, width) if worth else width


def rom_blocks(depth: int, width: int, family: str) -> int:
    """Block memories of a constant memory."""
    return sliced(depth, width) if slice_bits(depth, width) < width else blocks(depth, width, family)


def lut_bits(depth: int, width: int, family: str) -> float:
    """LUTs of a constant memory in logic: one for 64 words (16 on ECP5) of each column, and its multiplexers.

    Columns of two words are a bit of the address, its inverse or a constant; so are 6 in 16 of those of three or four.
    """
    words = 16 if family == "ecp5" else 64
    if depth <= 2:
        return 0.0
    return columns(depth, width) * ceil(depth / words) * (10 / 16 if depth <= 4 else 1)


def lut_ram(depth: int, width: int, family: str) -> dict[str, float]:
    """Features of a memory with a port to write and one to read in LUTs: the LUTs that hold it, as synthesis counts
    them (`lutra.synth.report`), and between the banks of a deep one the multiplexers and the choice of the written.

    Xilinx: RAM32M, 4 LUTs for 6 bits of 32 words, or RAM64M, 4 for 3 bits of 64 (UG474); ECP5: DPR16X4, 6 LUTs for 4
    bits of 16 words.
    """
    if family == "ecp5":
        banks, luts = ceil(depth / 16), 6 * ceil(width / 4)
    else:
        banks, luts = ceil(depth / 64), 4 * ceil(width / (6 if depth <= 32 else 3))
    return {"lut.ram": float(banks * luts), "lut.ram_mux": float(width * (banks - 1)),
            "lut.ram_bank": float(banks if banks > 1 else 0)}


def buffer(depth: int, width: int, family: str) -> dict[str, float]:
    """Features of a memory with a port to write and one to read whose place is left to synthesis: block memories where
    each takes the place of WORTH LUTs or more (found in its results).
    """
    luts, count = lut_ram(depth, width, family), blocks(depth, width, family)
    return {"bram": float(count)} if luts["lut.ram"] >= WORTH[family] * count else luts
