"""Weights that come to a unit as a stream, from a memory that is written at run time."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from lutra.hw.netlist import Block, Memory, parts
from lutra.ops.base import ULTRA, Cost
from lutra.ops.rom import blocks, lut_ram, ultra_blocks

PORT = {"xc7": (10.0, 1.0), "xcup": (10.0, 1.0), "ecp5": (12.0, 2.3)}  # LUTs of `lutra_control`, and for an address bit
CONTROL = {"xc7": 1.0, "xcup": 1.0, "ecp5": 2.0}  # LUTs for a bit of an address, in its counter and comparisons
PLACES = ("lut", "block", ULTRA)  # in the order of the module's parameter PLACE


def written(words: Memory, place: str) -> Block:
    """`lutra_weights`: a memory with these words in order, for ever; from power-up, unless it is blank."""
    params = {"WIDTH": words.width, "DEPTH": len(words.words), "PLACE": PLACES.index(place)}
    return Block("lutra_weights", params, {"WORDS": words}, (), (words.width,), written="WORDS")


def written_cost(depth: int, width: int, place: str, family: str) -> Cost:
    """Resources of `lutra_weights` in one of PLACES: the memory as synthesis maps it, registers for a word that comes
    in parts and its address, and a counter. Its block memories are a bound: synthesis may put the rest of a depth
    elsewhere.
    """
    bits, pieces = (depth - 1).bit_length(), parts(width)
    control, registers = CONTROL[family] * (2 * bits + pieces + 4), width + 2 * bits + 2
    if place == "block":
        return Cost(control, registers, blocks(depth, width, family))
    if place == ULTRA:
        count, ways = ultra_blocks(depth, width)
        return Cost(control + width * ceil((ways - 1) / 3), registers + (ways - 1).bit_length(), uram=count)
    held = width  # LUTs of memory have no register behind them
    return Cost(control + sum(lut_ram(depth, width, family).values()), held + registers)


def port_cost(windows: Sequence[int], family: str) -> Cost:
    """Resources of `lutra_control` before memories with windows of so many bytes: registers for an address, a value
    and the handshakes, and comparisons of the address.
    """
    if not windows:
        return Cost()
    bits = (max(windows) + sum(windows) - 1).bit_length()
    fixed, each = PORT[family]
    return Cost(fixed + each * bits, bits + 41)
