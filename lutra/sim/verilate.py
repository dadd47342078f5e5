"""Verilated models: one wrapper for all designs of a simulation, compiled once and kept by content."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from lutra.hw.netlist import Netlist
from lutra.hw.verilog import design_modules, memory_files, top_text
from lutra.sim.wrapper import BENCH, bench, model_text
from lutra.tools.cache import Cache
from lutra.tools.find import Tool, compiler, verilator
from lutra.tools.run import parallel

HERE = Path(__file__).resolve().parent
HARNESS = ("harness.h", "staller.h", "ends.h", "memory.h", "writer.h", "harness.cpp")
OPTIONS = ("--cc", "-O3", "--x-assign", "fast", "--x-initial", "unique", "--no-timing", "-Wno-fatal", "-Wno-lint",
           "-Wno-style", "--output-split", "20000", "--top-module", BENCH, "--prefix", "Vbench")
FLAGS = ("-std=c++17", "-fno-strict-aliasing", "-w")
SMALL, HUGE = 200_000, 20_000_000  # bytes of C++: the headers are most of the work; minutes for the best code
LIMIT_S = 3600  # of one compiler or Verilator call


def separate(netlists: Sequence[Netlist]) -> tuple[Netlist, ...]:
    """The same designs under names that do not meet: modules and, by instances, memory files."""
    if len(netlists) == 1:
        return tuple(netlists)
    return tuple(_prefixed(n, f"d{i}_") for i, n in enumerate(netlists))


def _prefixed(netlist: Netlist, prefix: str) -> Netlist:
    instances = tuple(replace(i, name=prefix + i.name, of=i.of and prefix + i.of) for i in netlist.instances)
    return replace(netlist, name=f"{netlist.name}_{prefix[:-1]}", instances=instances)


def memories(netlists: Sequence[Netlist], cache: Cache) -> Path:
    """A folder with the memory files of all designs: where the simulation runs."""
    texts = {name: text for n in netlists for i in n.instances for name, text in memory_files(i).items()}

    def make(folder: Path) -> None:
        for name, text in texts.items():
            (folder / name).write_text(text)

    return cache.folder(["memories", *(part for item in texts.items() for part in item)], make)


@dataclass(frozen=True)
class Style:
    """How a simulation is compiled: with waveforms, and for speed of running (else of compiling)."""

    traced: bool = False
    fast: bool = True
    huge: bool = False  # so large that the best code would take many minutes

    @property
    def flags(self) -> list[str]:
        """Options of the compiler."""
        on = {"COVERAGE": 0, "SC": 0, "TIMING": 0, "TRACE_FST": 0, "TRACE_SAIF": 0}
        on |= {"TRACE": self.traced, "TRACE_VCD": self.traced}
        defines = ["-DVL_TIME_CONTEXT", *(f"-DVM_{name}={int(value)}" for name, value in on.items())]
        return [*FLAGS, "-O0" if not self.fast else "-O1" if self.huge else "-O2", *defines]


Job = tuple[Path, Path, Style]  # source, object


def executable(netlists: Sequence[Netlist], cache: Cache, style: Style, changed: Mapping[str, str]) -> Tool:
    """The compiled simulation. Weights are read when it starts, so designs that differ in them alone share it.

    `changed`: library files, by name, that are taken with another text.
    """
    texts = {name: text for n in netlists for name, text in design_modules(n).items()}
    assert changed.keys() <= texts.keys(), changed.keys() - texts.keys()
    texts |= changed
    texts |= {f"{n.name}.sv": top_text(n) for n in netlists} | {f"{BENCH}.sv": bench(netlists)}
    model = model_text(netlists)
    trace = ("--trace-vcd",) if style.traced else ()

    def make(folder: Path) -> None:
        for name, text in texts.items():
            (folder / name).write_text(text)
        verilator()(*OPTIONS, *trace, "--Mdir", "obj", *texts, cwd=folder, timeout_s=LIMIT_S)
        (folder / "model.cpp").write_text(model)
        _compile(folder, runtime(cache, style), style)

    key = ["simulation", *texts.keys(), *texts.values(), model, *_identity(style)]
    binary = cache.folder(key, make) / "simulation"
    return Tool("simulation", (str(binary),), "", binary)


def runtime(cache: Cache, style: Style) -> list[Path]:
    """Objects that every simulation links: Verilator's own runtime and the harness."""
    names = ["verilated", "verilated_threads", *(["verilated_vcd_c"] if style.traced else [])]
    files = [*(_include() / f"{n}.cpp" for n in names), HERE / "harness.cpp"]

    def make(folder: Path) -> None:
        _objects([(f, folder / f"{f.stem}.o", style) for f in files], folder)

    folder = cache.folder(["runtime", *_identity(style)], make)
    return [folder / f"{f.stem}.o" for f in files]


def _compile(folder: Path, objects: list[Path], style: Style) -> None:
    """Verilator's sources in as many units as there are cores, then link; only the binary stays.

    What runs once (reset, its files are called slow) is compiled for no speed, and very large designs for less.
    """
    parts = sorted((folder / "obj").glob("*.cpp"), key=lambda p: -p.stat().st_size)
    size = sum(p.stat().st_size for p in parts)
    split = _cores() if size > SMALL else 1
    slow = [p for p in parts if "Slow" in p.name and split > 1]
    often = [folder / "model.cpp", *(p for p in parts if p not in slow)]
    jobs = _jobs(folder, "unit", often, split, style if size < HUGE else replace(style, huge=True))
    jobs += _jobs(folder, "slow", slow, split, replace(style, fast=False))
    _objects(jobs, folder)
    compiler()("-o", "simulation", *(o for _, o, _ in jobs), *objects, "-pthread", cwd=folder, timeout_s=LIMIT_S)


def _jobs(folder: Path, name: str, parts: Sequence[Path], split: int, style: Style) -> list[Job]:
    """Compiler calls for these sources, in so many units."""
    units = [unit for k in range(split) if (unit := parts[k::split])]
    for k, unit in enumerate(units):
        text = "".join(f'#include "{p.relative_to(folder).as_posix()}"\n' for p in unit)
        (folder / f"{name}{k}.cpp").write_text(text)
    return [(folder / f"{name}{k}.cpp", folder / f"{name}{k}.o", style) for k in range(len(units))]


def _objects(jobs: Sequence[Job], folder: Path) -> None:
    include = [f"-I{_include()}", f"-I{_include() / 'vltstd'}", f"-I{HERE}", f"-I{folder}", f"-I{folder / 'obj'}"]

    def one(source: Path, target: Path, style: Style) -> str:
        return compiler()(*style.flags, *include, "-c", source, "-o", target, cwd=folder, timeout_s=LIMIT_S)

    for _ in parallel([partial(one, *job) for job in jobs], _cores()):
        pass


def _include() -> Path:
    return verilator().path / "include"


def _cores() -> int:
    return os.cpu_count() or 1


def _identity(style: Style) -> list[str]:
    """What besides the design decides the binary."""
    own = [(HERE / n).read_text() for n in HARNESS]
    return [verilator().version, compiler().name, compiler().version, *OPTIONS, *style.flags, *own]
