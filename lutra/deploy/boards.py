"""Boards: which device they carry, and how a host reaches it. The table is `boards.json`."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lutra.errors import LutraError


@dataclass(frozen=True)
class Board:
    """One board.

    kind: "zynq7" and "zynqmp" have a processor beside the fabric, memory that both share, and a DMA engine for each
    stream; "pcie" has streams from and to a host. device: a name of the table of devices. part: with package and speed
    grade. board_part: pattern of the vendor's board files. bus_bytes: of a stream at most; least_bytes: of a word at
    least, as every beat must be whole. address_bits: of its memory.
    """

    name: str
    title: str
    kind: str
    device: str
    part: str
    board_part: str
    bus_bytes: int
    least_bytes: int
    address_bits: int


@cache
def boards() -> tuple[Board, ...]:
    """All boards."""
    rows = json.loads(Path(__file__).with_name("boards.json").read_text())
    return tuple(Board(**row) for row in rows)


def board(name: str) -> Board:
    """The board of a name, in any case; LutraError with the closest names where there is none."""
    table = {b.name: b for b in boards()}
    found = table.get(name.strip().lower())
    if found is None:
        close = difflib.get_close_matches(name.lower(), table, n=3, cutoff=0.5)
        raise LutraError(f"unknown board {name!r}", hint=f"try {', '.join(close or table)}")
    return found
