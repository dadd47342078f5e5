"""Formats inside a recurrent layer, and what they are once their binary points are known."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import NamedTuple

from lutra.errors import LutraError
from lutra.quant import modes
from lutra.quant.kinds import Fixed

WIDEST_SUM, WIDEST_INDEX = 16, 12  # bits: of what a table is looked up by in training, and in hardware


@dataclass(frozen=True)
class Recurrent:
    """Formats inside LSTM and GRU layers. Points that are None are calibrated; none of them is learned.

    Its fields:
        state: of h, the layer's output and what the recurrent products read.
        sums: of the gates' sums, at most 16 bits; of a GRU also of U_n h + b_hn.
        memory: of the LSTM's cell.
        sigmoid_index, tanh_index, memory_index: that sums and memory are cast to, to address a table; at most 12 bits.
        sigmoid, tanh: of the tables' entries, which have the least squared error at that.
        peepholes: of the weights between cell and gates, whose points are learned unless they are given.
    """

    state: Fixed = field(default=Fixed(8, 7, True))
    sums: Fixed = field(default=Fixed(16))
    memory: Fixed = field(default=Fixed(16))
    sigmoid_index: Fixed = field(default=Fixed(8, 4, True))
    tanh_index: Fixed = field(default=Fixed(8, 5, True))
    memory_index: Fixed = field(default=Fixed(8, 5, True))
    sigmoid: Fixed = field(default=Fixed(8, 7, False))
    tanh: Fixed = field(default=Fixed(8, 6, True))
    peepholes: Fixed = field(default=Fixed(8))

    def __post_init__(self) -> None:
        for f in fields(self):
            form: Fixed = getattr(self, f.name)
            if form.per_channel:
                raise LutraError("a point for each channel", f"recurrent.{f.name}", "one point serves all neurons")
            if f.name not in CALIBRATED and form.fraction is None:
                raise LutraError("no binary point", f"recurrent.{f.name}", "say one, as Fixed(8, 7)")
        for name in ("sums", "memory"):
            if getattr(self, name).width > WIDEST_SUM:
                raise LutraError(f"{getattr(self, name).width} bits", f"recurrent.{name}", f"up to {WIDEST_SUM}")
        for name in ("sigmoid_index", "tanh_index", "memory_index"):
            if getattr(self, name).width > WIDEST_INDEX:
                raise LutraError(f"{getattr(self, name).width} bits", f"recurrent.{name}", f"up to {WIDEST_INDEX}")


CALIBRATED = ("sums", "memory", "peepholes")
# What each of these is the cast of, in the names of a network's casts. All points but those of peepholes never learn.
ROLES = {f.name: f.name + "_table" * (f.name in ("sigmoid", "tanh")) for f in fields(Recurrent)} | {
    "peepholes": "peephole"}
INNER = tuple(role for name, role in ROLES.items() if name != "peepholes")


class Word(NamedTuple):
    """A format with its binary point: an integer worth 2**-fraction, as `ap_fixed` rounds and overflows to it."""

    fraction: int
    width: int
    signed: bool
    rounding: str
    overflow: str

    @property
    def ends(self) -> tuple[int, int]:
        """The least and greatest integer of the word."""
        return modes.integers(self.width, self.signed)

    @property
    def most(self) -> int:
        """The greatest magnitude."""
        return max(-self.ends[0], self.ends[1])

    @property
    def kept(self) -> tuple[int, int]:
        """The integers that overflow leaves as they are."""
        return modes.clip(self.width, self.signed, self.overflow)


class Words(NamedTuple):
    """The formats inside a layer with their points."""

    state: Word
    sums: Word
    memory: Word
    sigmoid_index: Word
    tanh_index: Word
    memory_index: Word
    sigmoid: Word
    tanh: Word

    def __str__(self) -> str:
        """One line, as it stands in an exported graph; `Words.parse` of the front end reads it."""
        return ";".join(f"{name}={w.fraction},{w.width},{int(w.signed)},{w.rounding},{w.overflow}"
                        for name, w in self._asdict().items())
