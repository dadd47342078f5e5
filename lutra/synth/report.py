"""What synthesis found, counted in the units that device tables use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from lutra.errors import LutraError
from lutra.hw.netlist import Netlist
from lutra.plan.devices import Device

# LUTs of storage that one cell takes. A distributed RAM of Xilinx takes a LUT6 for each 64 bits and read port
# (UG474, table 2-2; UG574, table 2-3). ECP5's DPR16X4 takes three slices of two LUT4: two hold the bits, the third
# is their write port and can hold nothing else (FPGA-DS-02012, table 2.3).
LUT_MEMORY = {
    "RAM16X1S": 1, "RAM32X1S": 1, "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4, "RAM512X1S": 8,
    "RAM16X1D": 2, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM256X1D": 8, "RAM32M": 4, "RAM64M": 4,
    "RAM32M16": 8, "RAM64M8": 8, "SRL16E": 1, "SRLC16E": 1, "SRLC32E": 1, "TRELLIS_DPR16X4": 6,
}
LUT_LOGIC = {**{f"LUT{n}": 1 for n in range(1, 7)}, "INV": 1, "CCU2C": 2}
FF = ("FDRE", "FDSE", "FDCE", "FDPE", "FDRE_1", "FDSE_1", "FDCE_1", "FDPE_1", "TRELLIS_FF")
CARRY = ("CARRY4", "CARRY8", "CCU2C")
MUX = ("MUXF5", "MUXF6", "MUXF7", "MUXF8", "MUXF9", "PFUMX", "L6MUX21")
BRAM = {"RAMB18E1": 1, "RAMB36E1": 2, "RAMB18E2": 1, "RAMB36E2": 2, "DP16KD": 1, "PDPW16KD": 1}
DSP = ("DSP48E1", "DSP48E2", "MULT18X18D")
# Constants, pads, clock trees, adders inside a DSP, and what only remembers a name.
FREE = ("VCC", "GND", "BUFG", "IBUF", "OBUF", "ALU54B", "$scopeinfo")


@dataclass(frozen=True)
class Resources:
    """Counts of one unit or design.

    lut: all LUTs of the family's own size, `lut_logic` + `lut_memory`. On Xilinx each LUT1..LUT6 (and each inverter)
    is one LUT6, though two small ones could share one: that is for placement to find. On ECP5 each LUT4 is one and a
    CCU2C, a two-bit carry cell, is two. lut_memory: LUTs that hold distributed RAM or shift registers.
    carry: CARRY4, CARRY8 or CCU2C. mux: dedicated multiplexers behind LUTs (MUXF*, PFUMX, L6MUX21), no LUTs.
    bram: RAMB18 (a RAMB36 is two) or DP16KD. uram: URAM288. dsp: DSP48 or MULT18X18D.
    """

    lut_logic: int = 0
    lut_memory: int = 0
    ff: int = 0
    carry: int = 0
    mux: int = 0
    bram: int = 0
    uram: int = 0
    dsp: int = 0

    @property
    def lut(self) -> int:
        """All LUTs."""
        return self.lut_logic + self.lut_memory

    def __add__(self, other: Resources) -> Resources:
        return Resources(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def share(self, device: Device) -> dict[str, float]:
        """Each resource over what the device has of it; infinite where it has none."""
        pairs = ((r, getattr(self, r), getattr(device, r)) for r in ("lut", "ff", "bram", "uram", "dsp"))
        return {r: need / have if have else float("inf") if need else 0.0 for r, need, have in pairs}


def count(cells: Mapping[str, int]) -> Resources:
    """Resources from numbers of cells by type; LutraError for a type that is not known, as it must not count as 0."""
    known = {*LUT_LOGIC, *LUT_MEMORY, *FF, *CARRY, *MUX, *BRAM, *DSP, *FREE, "URAM288"}
    if strange := sorted(set(cells) - known):
        raise LutraError(f"synthesis left cells of an unknown type {strange[0]!r}", hint="please report this model")

    def total(kinds: Mapping[str, int] | tuple[str, ...]) -> int:
        weights = kinds if isinstance(kinds, Mapping) else dict.fromkeys(kinds, 1)
        return sum(cells.get(k, 0) * w for k, w in weights.items())

    return Resources(
        lut_logic=total(LUT_LOGIC), lut_memory=total(LUT_MEMORY), ff=total(FF), carry=total(CARRY), mux=total(MUX),
        bram=total(BRAM), uram=cells.get("URAM288", 0), dsp=total(DSP),
    )


@dataclass(frozen=True)
class SynthReport:
    """Resources of a design on a device: each unit out of context, and the whole as one where it was asked for."""

    device: Device
    units: Mapping[str, Resources]
    whole: Resources | None
    tool: str

    @property
    def total(self) -> Resources:
        """The whole design's, else the sum of its units'."""
        return self.whole or sum(self.units.values(), Resources())

    def by_unit(self, netlist: Netlist) -> tuple[Resources, ...]:
        """Of each instance that serves no other, with those that serve it."""
        found = {i.name: Resources() for i in netlist.instances if not i.of}
        for i in netlist.instances:
            found[i.of or i.name] += self.units[i.name]
        return tuple(found.values())

    def to_json(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "device": self.device.name, "tool": self.tool, "lut_inputs": self.device.lut_inputs,
            "units": {name: _json(r) for name, r in self.units.items()},
            "whole": _json(self.whole) if self.whole else None,
            "total": _json(self.total), "share": self.total.share(self.device),
        }


def _json(resources: Resources) -> dict[str, int]:
    return {"lut": resources.lut, **asdict(resources)}
