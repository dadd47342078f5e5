"""`lutra report`, `lutra devices`, `lutra boards`, `lutra doctor`."""

from __future__ import annotations

import platform
from dataclasses import asdict
from pathlib import Path

import click

from lutra import __version__
from lutra.cli import options
from lutra.cli.build import overview
from lutra.cli.console import emit, table
from lutra.deploy.boards import boards as all_boards
from lutra.plan.devices import devices as all_devices
from lutra.tools.find import toolchain


@click.command()
@options.folder
@options.cache
@options.as_json
def report(folder: Path, cache: Path | None, as_json: bool) -> None:
    """Write the report of a build FOLDER again, and show its main figures."""
    acc = options.opened(folder, cache)
    acc.report(folder / "report.html")
    emit(acc.summary().data(), as_json, lambda out: overview(out, acc, folder))


@click.command()
@options.as_json
def devices(as_json: bool) -> None:
    """List the devices that can be planned for."""
    rows = [(d.name, d.family, f"{d.lut:,} LUT{d.lut_inputs}", f"{d.ff:,}", f"{d.bram:,}", d.uram, f"{d.dsp:,}",
             f"{d.bandwidth_gbs:g}") for d in all_devices()]
    head = ("device", "family", "LUT", "FF", "BRAM", "URAM", "DSP", "GB/s")
    emit([asdict(d) for d in all_devices()], as_json, lambda out: out.print(table(head, rows, left=2)))


@click.command()
@options.as_json
def boards(as_json: bool) -> None:
    """List the boards that `lutra build --board` makes projects for."""
    rows = [(b.name, b.title, b.device, b.part) for b in all_boards()]
    emit([asdict(b) for b in all_boards()], as_json,
         lambda out: out.print(table(("board", "", "device", "part"), rows, left=4)))


@click.command()
@options.as_json
def doctor(as_json: bool) -> None:
    """Say which tools were found, and how to get the others."""
    found = toolchain()
    data = {"lutra": __version__, "python": platform.python_version(),
            "tools": [{"name": f.name, "purpose": f.purpose, "found": f.tool is not None,
                       "version": f.tool.version if f.tool else None, "path": str(f.tool.path) if f.tool else None,
                       "missing": f.missing or None} for f in found]}
    rows = [(f.name, f.purpose, f"{f.tool.name} {f.tool.version}" if f.tool else "missing",
             str(f.tool.path) if f.tool else f.missing) for f in found]
    head = ("tool", "for", "found", f"lutra {__version__}, Python {platform.python_version()}")
    emit(data, as_json, lambda out: out.print(table(head, rows, left=4)))
