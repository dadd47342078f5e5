"""Fetch: words that a unit reads in rounds for ever, streamed from off-chip memory over AXI4."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from lutra.hw.netlist import Block, Region
from lutra.ir import Range, Tensor
from lutra.ops.base import Cost, Fold
from lutra.ops.cost import estimate
from lutra.ops.fifo.op import Fifo
from lutra.ops.width.op import Width

BUSES = (32, 64, 128, 256, 512)  # bits of a beat; AXI4 has 1024 too, which few memory controllers take
BURST_BYTES = 512  # of a burst: long enough for DRAM to be efficient; a divisor of 4096, which no burst may cross
TURN = 4 * BURST_BYTES  # short rounds lie in memory several times, about so many bytes, for the sake of long bursts
LATENCY = 64  # cycles from address to first beat that a FIFO covers: some 300 ns at the clocks of dataflow designs
HANDSHAKE = 8  # cycles of the unit's own from a freed place to the address, and from the beat to the word


@dataclass(frozen=True)
class Fetch:
    """Rounds of `words` words of `width` bits.

    In memory `copies` rounds lie one after another, in whole beats of `bus` bits, little endian. Where a word fits, as
    many whole ones as do lie side by side in a beat, the first in the low bits; else each has whole beats. What is
    left over is zero.
    """

    words: int
    width: int

    @property
    def bus(self) -> int:
        """Bits of a beat: the narrowest bus that a word fits, or the widest."""
        return next((b for b in BUSES if b >= self.width), BUSES[-1])

    @property
    def per(self) -> int:
        """Words in a beat; 1 where a word does not fit."""
        return max(1, self.bus // self.width)

    @property
    def join(self) -> int:
        """Beats of a word; 1 where it fits. A word takes so many cycles."""
        return ceil(self.width / self.bus)

    @property
    def copies(self) -> int:
        """Rounds in memory."""
        return max(1, TURN * 8 * self.per // (self.bus * self.join * self.words))

    @property
    def beats(self) -> int:
        """Beats in memory."""
        return ceil(self.copies * self.words / self.per) * self.join

    @property
    def size(self) -> int:
        """Bytes in memory, all of which are read in turn: for `copies` rounds."""
        return self.beats * self.bus // 8

    @property
    def burst(self) -> int:
        """Beats of a burst: a power of two, at most the 256 of AXI4."""
        return BURST_BYTES * 8 // self.bus

    @property
    def depth(self) -> int:
        """Beats that the FIFO holds: one burst that is read, one to come, and what is read until it does."""
        return 2 * self.burst + ceil((LATENCY + HANDSHAKE) / self.per)

    def image(self, words: tuple[int, ...]) -> bytes:
        """What lies in memory, of the words of a round."""
        assert len(words) == self.words, (len(words), self)
        size, every = self.bus * self.join // 8, words * self.copies
        groups = (every[k : k + self.per] for k in range(0, len(every), self.per))
        return b"".join(sum(w << i * self.width for i, w in enumerate(g)).to_bytes(size, "little") for g in groups)

    def block(self, words: tuple[int, ...]) -> Block:
        """`lutra_fetch` of these words."""
        params = {"WIDTH": self.width, "WORDS": self.words * self.copies, "BUS": self.bus, "BURST": self.burst,
                  "DEPTH": self.depth, "BLOCK": int(self._in_block)}
        region = Region(self.image(words), self.bus, self.words)
        return Block("lutra_fetch", params, inputs=(), outputs=(self.width,), region=region)

    @property
    def _in_block(self) -> bool:
        return self._fifo.in_block(Fold(self.bus, self.bus), _wires(self.bus))

    @property
    def _fifo(self) -> Fifo:
        return Fifo(self.depth)

    def features(self, family: str) -> dict[str, float]:
        """The counters of addresses and room; what the FIFO and the converter of words cost by themselves."""
        wide = self.join * self.bus if self.join > 1 else self.per * self.width
        taken, given = (self.bus, wide) if self.join > 1 else (wide, self.width)
        fifo = self._fifo.cost(Fold(self.bus, self.bus), _wires(self.bus), family)
        cut = Width().cost(Fold(given, taken), _wires(wide), family)
        return {"one": 1.0, "counter": float(self.depth.bit_length() + self.beats.bit_length()), "bram": fifo.bram,
                "lut.fifo": fifo.lut, "ff.fifo": fifo.ff, "lut.cut": cut.lut, "ff.cut": cut.ff}

    def cost(self, family: str) -> Cost:
        """From `features`, by coefficients fitted to synthesis."""
        return estimate(family, "fetch", self.features(family))


def _wires(bits: int) -> Tensor:
    """Words of so many bits."""
    return Tensor((bits,), Range(0, 1))
