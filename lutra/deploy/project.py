"""A build folder's files for a board: the vendor's project in `vendor/`, what runs on the board in `driver/`."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lutra.deploy import alveo, zynq
from lutra.deploy.boards import Board
from lutra.deploy.design import Parts
from lutra.deploy.hls import VERILOG
from lutra.deploy.interface import IP, Layout, interfaces, layouts
from lutra.deploy.package import package_script
from lutra.deploy.wrapper import MODULES, wrapper
from lutra.errors import LutraError
from lutra.hw import cpp
from lutra.hw.axi import image, places
from lutra.hw.netlist import Netlist
from lutra.hw.verilog import library, sources
from lutra.ir import Graph, Node, Range
from lutra.ops.sequence import lengths_of
from lutra.rules.lower import Lowered

LONGEST = (1 << 26) - 64  # bytes of a frame, as of a transfer of the DMA engines
IMPORT = "from lutra.hw.words import"


def project(
    lowered: Lowered, netlist: Netlist, board: Board, clock_mhz: float, about: str, form: str = "rtl"
) -> dict[str, bytes]:
    """Path in the build folder -> content. about: the model's name, any text. form: "rtl", the RTL is in `rtl/` of the
    same folder; or "hls", what is in `hls/` goes through Vitis HLS first.

    LutraError for what the board's project cannot hold: too many streams, too long frames, weights in memory that it
    does not connect.
    """
    inputs, outputs = layouts(netlist, board)
    for layout in (*inputs, *outputs):
        size = netlist.sequences * layout.words * layout.padded
        if size > LONGEST:
            raise LutraError(f"a frame at {layout.port} has {size} bytes", board.name,
                             f"a transfer has at most {LONGEST}")
    buses = interfaces(netlist, board)
    parts = Parts(netlist, inputs, outputs, buses, board, clock_mhz)
    hls = form == "hls"
    if hls and (netlist.windows or netlist.regions):
        raise LutraError("the packaged IP around HLS takes weights that are constants", board.name,
                         'keep them on the chip, or build the RTL or both (backend="both"); hls.tcl exports such an IP')
    design = cpp.sources(netlist) if hls else sources(netlist)
    rtl = {} if hls else design
    own = {name: text for name, text in library(MODULES).items() if name not in rtl}
    identity = _identity(design)
    own[f"{IP}.v"] = wrapper(netlist, board, clock_mhz, identity, hls)
    listed = [f"../rtl/{name}" for name in rtl] + [f"rtl/{name}" for name in own]
    files = {f"vendor/rtl/{name}": text for name, text in own.items()}
    files["vendor/package.tcl"] = package_script(board, listed, buses, about, VERILOG if hls else "")
    files["vendor/system.tcl"] = (alveo if board.kind == "pcie" else zynq).system_script(parts)
    if board.kind == "pcie":
        files[f"vendor/{alveo.CONSTRAINTS}"] = alveo.PINS
    files |= {f"driver/{name}": text for name, text in _driver().items()}
    files["driver/format.json"] = json.dumps(_format(lowered, parts, identity, hls), indent=1) + "\n"
    data = {path: text.encode() for path, text in files.items()}
    data["driver/arrays.npz"] = _arrays(lowered)
    if netlist.regions:
        data["driver/weights.bin"] = image(netlist)
    return data


def _identity(files: Mapping[str, str]) -> int:
    """32 bits that tell designs apart."""
    text = "\0".join(part for item in sorted(files.items()) for part in item)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _driver() -> dict[str, str]:
    """The Python files that the board needs, apart from this package."""
    here = Path(__file__).parent
    text = here.joinpath("driver.py").read_text()
    assert text.count(IMPORT) == 1, IMPORT
    return {"driver.py": text.replace(IMPORT, "from words import"),
            "words.py": here.parent.joinpath("hw", "words.py").read_text()}


def _format(lowered: Lowered, parts: Parts, identity: int, hls: bool) -> dict[str, Any]:
    """What `driver.Accelerator.open` reads: streams, of which so many frames go together, and of how many one is that
    the hardware counts; addresses, regions, and what is left to the host.
    """
    netlist, board = parts.netlist, parts.board
    if board.kind == "pcie":
        addresses = alveo.address_map(parts)
    else:
        addresses = {name: zynq.address_map(parts)[name][1] for name, _ in parts.controls}
    graph = lowered.graph
    ends_in = [_stream(layout, end.range, end.source_shape if end.host is None else _fed(end.host))
               | _sequence(layout, graph, node, hls)
               for layout, node, end in zip(parts.inputs, graph.inputs, lowered.inputs, strict=True)]
    ends_out = [_stream(layout, node.out.range, end.index.array.shape) | _sequence(layout, graph, node, hls)
                for layout, node, end in zip(parts.outputs, graph.outputs, lowered.outputs, strict=True)]
    left = [name for end in lowered.outputs for name in end.operations]
    group = netlist.sequences
    return {"id": identity, "board": board.name, "kind": board.kind, "inputs": ends_in, "outputs": ends_out,
            "group": group, "counted": group if hls else 1, "addresses": addresses,
            "regions": [p.offset for p in places(netlist)], "left": left}


def _fed(host: Graph) -> tuple[int, ...]:
    """The shape of what the host's own part of the model gives."""
    return host.outputs[0].out.shape


def _stream(layout: Layout, of: Range, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"bits": of.bits, "lanes": layout.width // of.bits, "words": layout.words, "padded": layout.padded,
            "lo": of.lo, "hi": of.hi, "step": of.step, "shape": list(shape)}


def _sequence(layout: Layout, graph: Graph, node: Node, hls: bool) -> dict[str, Any]:
    """Of a stream of sequences how many columns there are, the input that has their lengths, what stands behind their
    ends; and whether that does not travel, as with HLS it does. None of it where the hardware fills frames up with it.
    """
    if not layout.ragged:
        return {}
    of = graph.inputs.index(lengths_of(graph)[node])
    columns = node.out.shape[0] // graph.inputs[of].out.size
    return {"columns": columns, "of": of, "ragged": not hls, "blank": getattr(node.op, "blank", 0)}


def _arrays(lowered: Lowered) -> bytes:
    """Orders of elements, and what integers are worth, in the model's layout where they differ by channel."""
    found = {f"input{k}": end.order.array.ravel() for k, end in enumerate(lowered.inputs)}
    for k, (shape, end) in enumerate(zip(lowered.given, lowered.outputs, strict=True)):
        found[f"output{k}"] = end.index.array.ravel()
        for what, value in (("scale", end.scale.array), ("offset", end.offset.array)):
            frame = np.broadcast_to(value, shape).reshape(1, -1)
            found[f"{what}{k}"] = end.raw(frame)[0]
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **found)
    return buffer.getvalue()
