"""Place and route on ECP5 by nextpnr, and the bitstream."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lutra.errors import LutraError
from lutra.hw.netlist import Netlist
from lutra.hw.verilog import sources
from lutra.plan.devices import Device
from lutra.synth.pins import pins, serial_top
from lutra.synth.report import count
from lutra.synth.units import FLOWS, read_script, run_yosys
from lutra.tools.cache import Cache
from lutra.tools.find import ecppack, nextpnr_ecp5, yosys

SPEED_GRADE = 6  # the slowest
SEED = 1
# nextpnr's option, the largest package that it knows, and the pins of that for a user (FPGA-DS-02012, table 1.1).
PACKAGES = {"ecp5-25k": ("--25k", "CABGA381", 197), "ecp5-45k": ("--45k", "CABGA554", 245),
            "ecp5-85k": ("--85k", "CABGA756", 365)}


@dataclass(frozen=True)
class PlaceReport:
    """A placed and routed design.

    fmax_mhz: greatest clock by nextpnr's timing, speed grade 6. utilisation: (used, available) by nextpnr's names of
    cells (TRELLIS_COMB: LUT4 sites). serial: whether data pins are serial (`pins.serial_top`), whose registers are then
    counted too. seconds: what synthesis, place and route, and packing took when they ran. critical: the cells along the
    slowest path.
    """

    device: Device
    package: str
    clock_mhz: float
    fmax_mhz: float
    utilisation: Mapping[str, tuple[int, int]]
    serial: bool
    bitstream: Path
    seconds: float
    critical: tuple[str, ...]
    tool: str

    @property
    def met(self) -> bool:
        """Whether the clock that was asked for is reached."""
        return self.fmax_mhz >= self.clock_mhz

    def to_json(self) -> dict[str, Any]:
        """As JSON data, but for the bitstream's place."""
        left_out = {"device", "bitstream"}
        own = {k: getattr(self, k) for k in self.__dataclass_fields__ if k not in left_out}
        return {"device": self.device.name, "met": self.met, **own}


def place(netlist: Netlist, device: Device, clock_mhz: float, cache: Cache) -> PlaceReport:
    """Synthesise the whole design, place and route it for a clock, and pack a bitstream.

    Pins are left to nextpnr (a board's are a constraint file's matter); where the package has fewer than the streams
    need, data become serial. A clock that is not met is no error: see `PlaceReport.met`. LutraError for a device
    that is no ECP5, a design that does not fit, or a missing tool.
    """
    if device.name not in PACKAGES:
        raise LutraError(f"no open tool places and routes {device.name}", hint=f"one of {', '.join(PACKAGES)}")
    option, package, available = PACKAGES[device.name]
    serial = pins(netlist) > available
    files, top = dict(sources(netlist)), netlist.name
    if serial:
        files, top = {**files, "lutra_pins.sv": serial_top(netlist)}, "lutra_pins"
    flow = FLOWS["ecp5"].format(top=top) + " -json design.json\ntee -o stat.json stat -json\n"
    script = read_script(files, top) + flow
    args = [option, "--package", package, "--speed", str(SPEED_GRADE), "--freq", f"{clock_mhz:g}", "--seed", str(SEED)]

    def make(folder: Path) -> None:
        start = time.monotonic()
        log = run_yosys(folder, files, script)
        _check_fits(folder, device)
        log += nextpnr_ecp5()(
            *args, "--json", "design.json", "--textcfg", "design.config", "--report", "timing.json",
            "--lpf-allow-unconstrained", "--timing-allow-fail", cwd=folder,
        )
        log += ecppack()("design.config", "design.bit", cwd=folder)
        (folder / "seconds").write_text(f"{time.monotonic() - start:.1f}")
        (folder / "log").write_text(log)
        for name in [*files, "script.ys", "design.json", "stat.json", "design.config"]:
            (folder / name).unlink()

    versions = [yosys().version, nextpnr_ecp5().version]
    key = ["place", *versions, *args, script, *(part for item in files.items() for part in item)]
    kept = cache.folder(key, make)
    return _report(kept, device, package, clock_mhz, serial)


def _check_fits(folder: Path, device: Device) -> None:
    need = count(json.loads((folder / "stat.json").read_text())["design"]["num_cells_by_type"])
    short = [(r, getattr(need, r), getattr(device, r)) for r, s in need.share(device).items() if s > 1]
    if short:
        text = ", ".join(f"{n} {r.upper()} where there are {have}" for r, n, have in short)
        raise LutraError(f"the design does not fit {device.name}: {text}", hint="a smaller fold, or a larger device")


def _report(folder: Path, device: Device, package: str, clock_mhz: float, serial: bool) -> PlaceReport:
    timing = json.loads((folder / "timing.json").read_text())
    fmax = min((c["achieved"] for c in timing["fmax"].values()), default=float("inf"))
    used = {k: (v["used"], v["available"]) for k, v in timing["utilization"].items() if v["used"]}
    paths = [p for p in timing["critical_paths"] if p["from"] == p["to"] and p["from"].startswith("posedge")]
    worst: dict[str, Any] = max(paths, key=lambda p: sum(step["delay"] for step in p["path"]), default={"path": []})
    cells = tuple(dict.fromkeys(_cell(step["to"]["cell"]) for step in worst["path"]))
    return PlaceReport(
        device, package, clock_mhz, fmax, used, serial, folder / "design.bit",
        float((folder / "seconds").read_text()), cells, f"nextpnr {nextpnr_ecp5().version}",
    )


def _cell(name: str) -> str:
    """A cell's name without what synthesis added to it."""
    return re.sub(r"(_(TRELLIS_FF|LUT4|CCU2C|PFUMX|L6MUX21|DP16KD|MULT18X18D)_.*|\$.*)$", "", name)
