"""Resources of a netlist by Yosys: its units out of context, in parallel, identical ones once, kept by content."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from lutra.hw.netlist import Block, End, Instance, Netlist, Stream
from lutra.hw.verilog import sources
from lutra.plan.devices import Device
from lutra.synth.report import Resources, SynthReport, count
from lutra.tools.cache import Cache, digest
from lutra.tools.find import yosys

# Pads and clock buffers are left out: a unit's ports are wires inside a chip.
FLOWS = {
    "xc7": "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top {top}",
    "xcup": "synth_xilinx -family xcup -flatten -noiopad -noclkbuf -top {top}",
    "ecp5": "synth_ecp5 -top {top}",
}
Progress = Callable[[str, int, int], None]  # what was done, how many are done, of how many


def synthesise(
    netlist: Netlist, device: Device, cache: Cache, jobs: int | None = None, whole: bool = False,
    progress: Progress | None = None,
) -> SynthReport:
    """Resources of each instance on the device's family and, if `whole`, of the design as one flat module.

    jobs: how many Yosys run at once (default: one for each processor). LutraError where Yosys is missing or fails.
    """
    designs = {i.name: single(i.block) for i in netlist.instances}
    files = {name: sources(design) for name, design in designs.items()}
    if whole:
        files[""] = sources(netlist)  # no instance has an empty name
    tops = {name: designs[name].name if name else netlist.name for name in files}
    keys = {name: digest([tops[name], *_flat(text)]) for name, text in files.items()}
    once = {key: name for name, key in keys.items()}
    found: dict[str, Resources] = {}
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        ahead = sorted(once.items(), key=lambda item: item[1] != "")  # the longest first
        runs = {pool.submit(synthesise_files, files[n], tops[n], device.family, cache): key for key, n in ahead}
        try:
            for done, run in enumerate(as_completed(runs), 1):
                found[runs[run]] = run.result()
                if progress:
                    progress(once[runs[run]] or netlist.name, done, len(runs))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    units = {i.name: found[keys[i.name]] for i in netlist.instances}
    return SynthReport(device, units, found[keys[""]] if whole else None, f"Yosys {yosys().version}")


def synthesise_block(block: Block, family: str, cache: Cache) -> Resources:
    """Resources of one unit out of context."""
    return synthesise_files(sources(single(block)), "unit", family, cache)


def single(block: Block) -> Netlist:
    """A design of one unit, with nothing around it (one word a frame: no counter for `tlast`)."""
    ins, outs = (tuple(f"{end}{k}" for k in range(len(widths))) for end, widths in
                 (("i", block.inputs), ("o", block.outputs)))
    streams = [Stream(name, width, None, "u") for name, width in zip(ins, block.inputs, strict=True)]
    streams += [Stream(name, width, "u", None) for name, width in zip(outs, block.outputs, strict=True)]
    first, last = (tuple(End(name, 1) for name in names) for names in (ins, outs))
    return Netlist("unit", (Instance("u", block, ins, outs),), tuple(streams), first, last, controlled=False)


def synthesise_files(files: Mapping[str, str], top: str, family: str, cache: Cache) -> Resources:
    """Resources of SystemVerilog files (.sv) with what they read, flattened below the module `top`."""
    script = read_script(files, top) + FLOWS[family].format(top=top) + "\ntee -o stat.json stat -json\n"

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            log = run_yosys(Path(scratch), files, script)
            (folder / "yosys.log").write_text(log)
            (folder / "stat.json").write_bytes((Path(scratch) / "stat.json").read_bytes())

    place = cache.folder(["synthesise", yosys().version, script, *_flat(files)], make)
    cells = json.loads((place / "stat.json").read_text())["design"]["num_cells_by_type"]
    return count(cells)


def run_yosys(folder: Path, files: Mapping[str, str], script: str) -> str:
    """Write the files and the script into a folder and run Yosys there; its log."""
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "script.ys").write_text(script)
    return yosys()("-s", "script.ys", cwd=folder)


def read_script(files: Mapping[str, str], top: str) -> str:
    """The commands that read a design's files, in their order; modules wait for their parameters, as a default has no
    memory file.
    """
    names = " ".join(name for name in files if name.endswith(".sv"))
    return f"read_verilog -sv -defer {names}\nhierarchy -top {top}\n"


def _flat(files: Mapping[str, str]) -> list[str]:
    return [part for item in files.items() for part in item]
