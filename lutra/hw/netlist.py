"""Netlist: instances and streams, as data. Only the printers know a language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lutra.ir import Array

Param = int | str


@dataclass(frozen=True)
class Memory:
    """Words to be read by $readmemh: `words` (depth,) of Python integers or an integer array, each `width` bits."""

    words: tuple[int, ...]
    width: int

    def text(self) -> str:
        """One hexadecimal word a line."""
        digits = (self.width + 3) // 4
        return "".join(f"{w:0{digits}x}\n" for w in self.words)


@dataclass(frozen=True)
class Block:
    """One hardware unit: a module of the library, its parameters, its memories, the widths of its two streams.

    A memory's key is the name of the string parameter that takes the file's name.
    """

    module: str
    params: Mapping[str, Param] = field(default_factory=dict)
    memories: Mapping[str, Memory] = field(default_factory=dict)
    in_width: int = 1
    out_width: int = 1


@dataclass(frozen=True)
class Stream:
    """A valid/ready/data stream of `width` bits between two instances, or an end of the design (None)."""

    name: str
    width: int
    source: str | None
    sink: str | None


@dataclass(frozen=True)
class Instance:
    """A block in place, under a name that Lutra made."""

    name: str
    block: Block
    input: str
    output: str


@dataclass(frozen=True)
class Netlist:
    """A design: instances in order of the stream, and the streams between them.

    `in_words` and `out_words` are words a frame at the two ends, for `last`.
    """

    name: str
    instances: tuple[Instance, ...]
    streams: tuple[Stream, ...]
    input: str
    output: str
    in_words: int
    out_words: int


def pack(codes: Array, bits: int) -> tuple[int, ...]:
    """Words of a memory or stream from codes of shape (depth, lanes), each `bits` wide: lane 0 in the low bits."""
    depth, lanes = codes.shape
    planes = (codes[..., None] >> np.arange(bits)) & 1
    packed = np.packbits(planes.reshape(depth, lanes * bits).astype(np.uint8), axis=1, bitorder="little")
    return tuple(int.from_bytes(row.tobytes(), "little") for row in packed)
