"""Weights that come to a unit as a stream: the memory that gives them."""

from __future__ import annotations

from lutra.hw.netlist import Block, Memory


def source(words: Memory) -> Block:
    """`lutra_weights`: the words in order, for ever."""
    params = {"WIDTH": words.width, "DEPTH": len(words.words), "BLOCK": words.cut}
    return Block("lutra_weights", params, {"WORDS": words}, (), (words.width,))
