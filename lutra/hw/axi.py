"""Ports to off-chip memory: an AXI4 read master for each region that a design reads.

Each has a port of its own, since the interconnect that shares one memory among several masters, with its clocks and
widths, belongs to the memory's controller and comes with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from lutra.hw.netlist import Netlist

ADDRESS = 40  # bits
PAGE = 4096  # bytes: no burst crosses one (AMBA AXI and ACE Protocol Specification, IHI 0022E, A3.4.1)
ASKED = ("araddr", "arlen", "arvalid", "rready")  # what the master says, from registers
TOLD = ("base", "arready", "rdata", "rvalid")  # what it hears


@dataclass(frozen=True)
class Place:
    """Where a region lies in the memory image: its port and the instance that reads it, byte offset, bytes, and bits of
    the port's data.
    """

    port: str
    instance: str
    offset: int
    size: int
    bits: int


def places(netlist: Netlist) -> tuple[Place, ...]:
    """The regions of a design, one after another, each at a multiple of PAGE."""
    found: list[Place] = []
    at = 0
    names = ("m_axi",) if len(netlist.regions) == 1 else tuple(f"m_axi{k}" for k in range(len(netlist.regions)))
    for port, (name, region) in zip(names, netlist.regions, strict=True):
        found.append(Place(port, name, at, len(region.image), region.bits))
        at += -(-len(region.image) // PAGE) * PAGE
    return tuple(found)


def image(netlist: Netlist) -> bytes:
    """The memory image of all regions, zeros between them."""
    regions = zip(places(netlist), netlist.regions, strict=True)
    return b"".join(region.image.ljust(-(-p.size // PAGE) * PAGE, b"\0") for p, (_, region) in regions)


def declared(place: Place) -> list[str]:
    """The top module's ports for a region."""
    p, address = place.port, f"[{ADDRESS - 1}:0]"
    return [f"input  wire {address} {p}_base",  # of this region: the image's address plus the offset
            f"output wire {address} {p}_araddr", f"output wire [7:0] {p}_arlen", f"output wire [2:0] {p}_arsize",
            f"output wire [1:0] {p}_arburst", f"output wire {p}_arvalid", f"input  wire {p}_arready",
            f"input  wire [{place.bits - 1}:0] {p}_rdata", f"input  wire [1:0] {p}_rresp", f"input  wire {p}_rlast",
            f"input  wire {p}_rvalid", f"output wire {p}_rready"]


def constants(place: Place) -> str:
    """What the top module says and leaves unread itself: whole beats, rising addresses."""
    p = place.port
    return f"""\
  assign {p}_arsize = 3'd{(place.bits // 8).bit_length() - 1};
  assign {p}_arburst = 2'b01;
  wire unused_{p} = &{{1'b0, {p}_rresp, {p}_rlast}};
"""


def wired(place: Place) -> str:
    """An instance's connections to the top module's ports."""
    return "    " + ", ".join(f".m_axi_{wire}({place.port}_{wire})" for wire in (*TOLD, *ASKED))
