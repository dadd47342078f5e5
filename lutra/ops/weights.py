"""Weights that come to a unit as a stream: what gives them."""

from __future__ import annotations

from lutra.hw.netlist import Block, Memory
from lutra.ops.base import OFFCHIP
from lutra.ops.fetch.op import Fetch


def source(words: Memory, place: str) -> Block:
    """The words in order, for ever, from a place of `STREAMED`: `lutra_weights` or `lutra_fetch`."""
    if place == OFFCHIP:
        return Fetch(len(words.words), words.width).block(words.words)
    params = {"WIDTH": words.width, "DEPTH": len(words.words), "BLOCK": words.cut}
    return Block("lutra_weights", params, {"WORDS": words}, (), (words.width,))
