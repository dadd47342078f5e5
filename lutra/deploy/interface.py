"""The packaged design's ports: the bus interfaces of the module `lutra_ip`, and how streams are laid out in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lutra.deploy.boards import Board
from lutra.errors import LutraError
from lutra.hw.axi import ADDRESS, places
from lutra.hw.netlist import End, Netlist
from lutra.hw.verilog import AXI_LITE, ports, word_bytes

IP = "lutra_ip"
HOST = "s_axi_host"  # runs the design, says frames in a packet and where regions lie
WEIGHTS = "s_axi"  # memories that are written
HOST_ADDRESS = 12  # bits
STREAMS = 4  # channels of the DMA engine for PCIe; and more engines than that would crowd a board
REGIONS = 48  # three memory ports of 16 masters each


@dataclass(frozen=True)
class Layout:
    """A stream's words in bytes: `width` bits of a word, padded to `padded` bytes (a power of two), which go over a bus
    of `bus` bytes; `words` a frame of the model, or at most, where it is ragged. filler: with which the packaged RTL
    makes frames that long.
    """

    port: str
    width: int
    words: int
    padded: int
    bus: int
    ragged: bool = False
    filler: int | None = None


@dataclass(frozen=True)
class Signal:
    """A port of the module: its logical name in the bus, the direction, the bits."""

    name: str
    way: str
    bits: int


@dataclass(frozen=True)
class Interface:
    """A bus interface. kind: "axis" or "aximm"; mode: "slave" or "master"."""

    name: str
    kind: str
    mode: str
    signals: tuple[Signal, ...]
    params: Mapping[str, object]


def layouts(netlist: Netlist, board: Board) -> tuple[tuple[Layout, ...], tuple[Layout, ...]]:
    """Those of the inputs and of the outputs. LutraError for more streams or regions than a board's project takes."""
    for what, ends in (("inputs", netlist.inputs), ("outputs", netlist.outputs)):
        if len(ends) > STREAMS:
            raise LutraError(f"the design has {len(ends)} {what}", board.name, f"a project takes up to {STREAMS}")
    if netlist.regions and board.kind == "pcie":
        raise LutraError("weights stream from off-chip memory, which this board's project does not connect", board.name,
                         "keep them on the chip, or package the IP and connect its m_axi ports yourself")
    if len(netlist.regions) > REGIONS:
        raise LutraError(f"{len(netlist.regions)} layers stream their weights", board.name, f"at most {REGIONS} can")
    return (tuple(_layout(netlist, board, p, e)
                  for p, e in zip(ports("s_axis", len(netlist.inputs)), netlist.inputs, strict=True)),
            tuple(_layout(netlist, board, p, e)
                  for p, e in zip(ports("m_axis", len(netlist.outputs)), netlist.outputs, strict=True)))


def _layout(netlist: Netlist, board: Board, port: str, end: End) -> Layout:
    width = netlist.width(end.stream)
    padded = max(board.least_bytes, 1 << (word_bytes(width) - 1).bit_length())
    ragged = end.ragged and end.filler is None
    return Layout(port, width, end.words // netlist.sequences, padded, min(padded, board.bus_bytes), ragged, end.filler)


def interfaces(netlist: Netlist, board: Board) -> tuple[Interface, ...]:
    """Streams, then what a host writes, then what is read of memory."""
    inputs, outputs = layouts(netlist, board)
    found = [_stream(layout, "slave") for layout in inputs] + [_stream(layout, "master") for layout in outputs]
    found.append(_lite(HOST, HOST_ADDRESS))
    if netlist.windows:
        found.append(_lite(WEIGHTS, weights_bits(netlist)))
    return (*found, *(_reads(place.port, place.bits) for place in places(netlist)))


def weights_bits(netlist: Netlist) -> int:
    """Bits of an address of the memories that are written: of 4 KiB at least, the least that interconnects map."""
    return max(HOST_ADDRESS, netlist.address_bits)


def _stream(layout: Layout, mode: str) -> Interface:
    there, back = ("input", "output") if mode == "slave" else ("output", "input")
    signals = [Signal("TDATA", there, 8 * layout.bus), Signal("TVALID", there, 1), Signal("TREADY", back, 1)]
    if mode == "master":
        signals += [Signal("TKEEP", there, layout.bus), Signal("TLAST", there, 1)]
    return Interface(layout.port, "axis", mode, tuple(signals), {"TDATA_NUM_BYTES": layout.bus})


def _lite(name: str, bits: int) -> Interface:
    signals = [Signal(s.upper(), way, size or bits) for way, s, size in AXI_LITE]
    return Interface(name, "aximm", "slave", tuple(signals),
                     {"PROTOCOL": "AXI4LITE", "ADDR_WIDTH": bits, "DATA_WIDTH": 32})


def _reads(name: str, bits: int) -> Interface:
    said = {"ARADDR": ADDRESS, "ARLEN": 8, "ARSIZE": 3, "ARBURST": 2, "ARCACHE": 4, "ARPROT": 3, "ARVALID": 1,
            "RREADY": 1}
    heard = {"ARREADY": 1, "RDATA": bits, "RRESP": 2, "RLAST": 1, "RVALID": 1}
    signals = [Signal(s, way, size) for way, some in (("output", said), ("input", heard)) for s, size in some.items()]
    return Interface(name, "aximm", "master", tuple(signals), {
        "PROTOCOL": "AXI4", "READ_WRITE_MODE": "READ_ONLY", "ADDR_WIDTH": ADDRESS, "DATA_WIDTH": bits,
        "MAX_BURST_LENGTH": 256, "SUPPORTS_NARROW_BURST": 0})
