"""Devices: what a chip has, each with its source. The table is `devices.json`."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lutra.errors import LutraError
from lutra.ops.base import Cost

LUT_INPUTS = {"xc7": 6, "xcup": 6, "ecp5": 4}  # LUTs of different sizes are never compared without saying so


@dataclass(frozen=True)
class Device:
    """One chip. `family` is what synthesis and cost models distinguish ("xc7", "xcup", "ecp5").

    lut: look-up tables of the family's size (`lut_inputs`); bram: RAMB18 on Xilinx (a RAMB36 is two), DP16KD on ECP5;
    uram: UltraRAM blocks; dsp: DSP48 slices or MULT18X18D; bandwidth_gbs: peak of the off-chip memory named in
    `source`, in 10**9 bytes a second.
    """

    name: str
    family: str
    lut: int
    ff: int
    bram: int
    uram: int
    dsp: int
    bandwidth_gbs: float
    source: str

    @property
    def lut_inputs(self) -> int:
        """Inputs of one LUT: 4 or 6."""
        return LUT_INPUTS[self.family]

    @property
    def capacity(self) -> Cost:
        """Everything that a plan spends."""
        return Cost(self.lut, self.ff, self.bram, self.dsp, self.uram)


@cache
def devices() -> tuple[Device, ...]:
    """All devices, by family and size."""
    rows = json.loads(Path(__file__).with_name("devices.json").read_text())
    return tuple(Device(**row) for row in rows)


def device(name: str) -> Device:
    """The device of a name, in any case; LutraError with the closest names where there is none."""
    table = {d.name: d for d in devices()}
    found = table.get(name.strip().lower())
    if found is None:
        close = difflib.get_close_matches(name.lower(), table, n=3, cutoff=0.5)
        raise LutraError(f"unknown device {name!r}", hint=f"try {', '.join(close or table)}")
    return found
