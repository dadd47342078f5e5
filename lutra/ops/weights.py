"""Weights that come to a unit as a stream, from a memory that is written at run time."""

from __future__ import annotations

from lutra.hw.netlist import Block, Memory, parts
from lutra.ops.base import Cost
from lutra.ops.rom import blocks, lut_ram

CONTROL = {"xc7": 1.0, "xcup": 1.0, "ecp5": 2.0}  # LUTs for a bit of an address, in its counter and comparisons


def written(words: Memory, block: bool) -> Block:
    """`lutra_weights`: a memory with these words from power-up, in order, for ever."""
    params = {"WIDTH": words.width, "DEPTH": len(words.words), "BLOCK": int(block)}
    return Block("lutra_weights", params, {"WORDS": words}, (), (words.width,), written="WORDS")


def written_cost(depth: int, width: int, block: bool, family: str) -> Cost:
    """Resources of `lutra_weights`: the memory as synthesis maps it, registers for a word that comes in parts and its
    address, and a counter. Its block memories are a bound: synthesis may put the rest of a depth elsewhere.
    """
    bits, pieces = (depth - 1).bit_length(), parts(width)
    held = 0 if block else width  # LUTs of memory have no register behind them
    control = CONTROL[family] * (2 * bits + pieces + 4)
    if block:
        return Cost(control, width + 2 * bits + 2, blocks(depth, width, family))
    return Cost(control + sum(lut_ram(depth, width, family).values()), held + width + 2 * bits + 2)
