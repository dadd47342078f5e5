"""Netlist: instances and streams, as data. Only the printers know a language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

import numpy as np

from lutra.ir import Array

Param = int | str
BANK = 16384  # words of the deepest block memory; `lutra_rom` knows it too


@dataclass(frozen=True)
class Memory:
    """Words to be read by $readmemh: `words` (depth,) of Python integers, each `width` bits.

    cut: bits of the slices, less than `width`, that `lutra_rom` reads from files of their own; 0: one file. blank: the
    memory wakes up with nothing, and has these words when they were written.
    """

    words: tuple[int, ...]
    width: int
    cut: int = 0
    blank: bool = False

    @property
    def whole(self) -> bool:
        """Whether it is one file."""
        return not 0 < self.cut < self.width

    def text(self) -> str:
        """One hexadecimal word a line."""
        digits = (self.width + 3) // 4
        return "".join(f"{w:0{digits}x}\n" for w in self.words)

    def parts(self) -> tuple[str, ...]:
        """The texts of its banks of BANK words, and in each of its slices, the low bits first."""
        size = (self.width + 7) // 8
        packed = np.frombuffer(b"".join(w.to_bytes(size, "little") for w in self.words), np.uint8)
        bits = np.unpackbits(packed.reshape(-1, size), axis=1, count=self.width, bitorder="little")
        return tuple(_hexadecimal(bits[bank : bank + BANK, low : low + self.cut])
                     for bank in range(0, len(self.words), BANK) for low in range(0, self.width, self.cut))


@dataclass(frozen=True)
class Region:
    """What a block reads of off-chip memory, again and again: `image`, whole beats of `bits` bits, little endian; its
    first `words` words are a round.
    """

    image: bytes
    bits: int
    words: int  # of a round

    def __post_init__(self) -> None:
        assert self.image and len(self.image) % (self.bits // 8) == 0, (len(self.image), self.bits)


def _hexadecimal(bits: Array) -> str:
    """Lines of hexadecimal numbers from (words, bits), the low bit first."""
    words, width = bits.shape
    digits = (width + 3) // 4
    nibbles = np.zeros((words, digits * 4), np.uint8)
    nibbles[:, :width] = bits
    values = np.packbits(nibbles.reshape(words, digits, 4), axis=2, bitorder="little")[:, ::-1, 0]
    lines = np.full((words, digits + 1), ord("\n"), np.uint8)
    lines[:, :digits] = np.frombuffer(b"0123456789abcdef", np.uint8)[values]
    return lines.tobytes().decode()


@dataclass(frozen=True)
class Block:
    """One hardware unit: a module of the library, its parameters, its memories, the widths of its streams in bits.

    A memory's key is the name of the string parameter that takes the file's name. The module's ports are in_data,
    in_valid, in_ready and the same with out; where it has several streams of a kind, in0_data, in1_data and so on, or,
    if `packed`, all of them side by side in in_data, in_valid, in_ready, the first in the low bits.
    written: the memory that is written while the design runs nothing, over ports write, address, value and by the
    parameters BASE, ADDRESS (see `lutra_weights`); "": none.
    `text` is the module's source where it was made for this block and no file of the library defines it, `cpp` its HLS
    form's.
    last: it has a port out_last, which says that the word is a ragged frame's last.
    A block with a `region` reads it through ports m_axi_* (see `lutra.hw.axi`).
    """

    module: str
    params: Mapping[str, Param] = field(default_factory=dict)
    memories: Mapping[str, Memory] = field(default_factory=dict)
    inputs: tuple[int, ...] = (1,)
    outputs: tuple[int, ...] = (1,)
    packed: bool = False
    text: str = ""
    cpp: str = ""
    region: Region | None = None
    written: str = ""
    last: bool = False

    @property
    def window(self) -> int:
        """Bytes of addresses that its written memory takes; see `window`."""
        memory = self.memories[self.written]
        return window(len(memory.words), memory.width)

    @property
    def round(self) -> int:
        """Words that it gives again and again, of its region or its written memory."""
        return self.region.words if self.region else len(self.memories[self.written].words)


@dataclass(frozen=True)
class Stream:
    """A valid/ready/data stream of `width` bits between two instances, or an end of the design (None); `words` a frame,
    0 where nobody needs to know.
    """

    name: str
    width: int
    source: str | None
    sink: str | None
    words: int = 0


@dataclass(frozen=True)
class Instance:
    """A block in place, under a name that Lutra made. of: the instance that it serves, as its weights' memory does."""

    name: str
    block: Block
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    of: str = ""


@dataclass(frozen=True)
class End:
    """A stream that leaves or enters the design, and its words a frame (for `last`); where it is ragged, the most.
    parts: of a ragged one, in how many sequences they are, each with a last word; else 0. filler: where nobody knows
    before a ragged frame comes how many words it has, the word that stands behind its end.
    """

    stream: str
    words: int
    parts: int = 0
    filler: int | None = None

    @property
    def ragged(self) -> bool:
        """Whether frames differ in how many words they have."""
        return self.parts > 0


@dataclass(frozen=True)
class Netlist:
    """A design: instances, each after those that feed it, the streams between them, and its ends. Memories that are
    written hang on an AXI4-Lite port (`lutra_control`), or if not `controlled` on the bus behind that.
    """

    name: str
    instances: tuple[Instance, ...]
    streams: tuple[Stream, ...]
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    controlled: bool = True

    @property
    def sequences(self) -> int:
        """In how many sequences a frame's streams are, each of them sent by itself; one where there are none."""
        return max(1, *(end.parts for end in self.outputs))

    def width(self, stream: str) -> int:
        """Bits of a stream's words."""
        return self._widths[stream]

    @cached_property
    def regions(self) -> tuple[tuple[str, Region], ...]:
        """What is read of off-chip memory, and the name of the instance that does; in order of the ports."""
        return tuple((i.name, i.block.region) for i in self.instances if i.block.region)

    @cached_property
    def windows(self) -> dict[str, int]:
        """The first address of each instance's written memory: the largest first, so that each lies at a multiple of
        its size. Address 0 is `lutra_control`'s own.
        """
        sizes = {i.name: i.block.window for i in self.instances if i.block.written}
        ordered = sorted(sizes, key=lambda name: -sizes[name])
        first = sizes[ordered[0]] if ordered else 0
        return dict(zip(ordered, accumulate((sizes[n] for n in ordered), initial=first), strict=False))

    @cached_property
    def blank(self) -> tuple[str, ...]:
        """The instances whose memory wakes up with nothing, so that the design is stopped until it is written."""
        return tuple(i.name for i in self.instances if i.block.written and i.block.memories[i.block.written].blank)

    @cached_property
    def marked(self) -> frozenset[str]:
        """The streams whose source says where frames end."""
        return frozenset(s for i in self.instances if i.block.last for s in i.outputs)

    @property
    def address_bits(self) -> int:
        """Bits of an address of the written memories; 0 where there are none."""
        return self.last_address.bit_length()

    @property
    def last_address(self) -> int:
        """The last of the written memories' addresses; 0 where there are none."""
        return max((self.windows[i.name] + i.block.window - 1 for i in self.instances if i.block.written), default=0)

    @cached_property
    def _widths(self) -> dict[str, int]:
        return {s.name: s.width for s in self.streams}


def parts(width: int) -> int:
    """How many words of 32 bits hold one of `width`."""
    return (width + 31) // 32


def window(depth: int, width: int) -> int:
    """Bytes of addresses through which a memory is written, a power of two: 32 bits each of whole words."""
    return 4 * _power(parts(width)) * _power(depth)


def _power(n: int) -> int:
    """The least power of two that is no less."""
    return 1 << (n - 1).bit_length()


def pack(codes: Array, bits: int) -> tuple[int, ...]:
    """Words of a memory or stream from codes of shape (depth, lanes), each `bits` wide: lane 0 in the low bits."""
    depth, lanes = codes.shape
    planes = (codes[..., None] >> np.arange(bits)) & 1
    packed = np.packbits(planes.reshape(depth, lanes * bits).astype(np.uint8), axis=1, bitorder="little")
    return tuple(int.from_bytes(row.tobytes(), "little") for row in packed)
