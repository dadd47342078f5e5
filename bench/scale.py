"""The compiler on networks of ImageNet size: from the model file to RTL text.

    python bench/scale.py                              # all rows
    python bench/scale.py --only resnet50 --profile 25

Each network of the zoo, with seeded weights, in a process of its own that reads the model file, lowers, plans for the
frame rate, sizes the streams, and writes the RTL: seconds and peak memory after each phase. --profile prints the
functions in which it spent most. Bars: MobileNet-V1 of 4 bits in 60 s; ResNet-50 of 4 and of 8 bits in 120 s and 6 GB,
its streams in 30 s and 4 GB; on two cores.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from shared import Board

T = TypeVar("T")
CLOCK_MHZ = 200.0
WRITTEN, OFFCHIP = "written", "offchip"
PLAN, STREAMS = "plan", "of which stream depths"


@dataclass(frozen=True)
class Case:
    """A network, its bits, the frames a second to plan for and the device; bars in seconds and megabytes. refused: a
    part of the sentence that says what is short, where it does not fit. weights: where they live.
    """

    name: str
    bits: tuple[int, int]
    fps: float
    seconds: float | None = None
    megabytes: float | None = None
    device: str = "xcu280"
    refused: str = ""
    weights: str = "auto"

    @property
    def title(self) -> str:
        """The network and its bits, and where its weights live."""
        place = f" {self.weights}" if self.weights != "auto" else ""
        return f"{self.name} w{self.bits[0]}a{self.bits[1]}{place}"


CASES = (
    Case("mobilenet_v1", (4, 4), 500, 60),
    Case("mobilenet_v2", (4, 4), 500),
    Case("resnet18", (2, 2), 200),
    Case("resnet50", (1, 2), 100, 120, 6000, "xcu250"),
    Case("resnet50", (2, 2), 100, 120, 6000, "xcu250"),
    Case("resnet50", (4, 4), 100, 120, 6000),
    Case("resnet50", (4, 4), 100, 120, 6000, weights=WRITTEN),
    Case("resnet50", (8, 8), 100, 120, 6000, refused="BRAM"),
    Case("resnet50", (8, 8), 100, 120, 6000, weights=WRITTEN),
    Case("resnet50", (8, 8), 50, 120, 6000, weights=OFFCHIP),
    Case("unet", (4, 4), 50),
    Case("vgg10_1d", (4, 4), 10_000),
)
STREAM_SECONDS, STREAM_MEGABYTES = 30, 4000  # of ResNet-50


def megabytes() -> float:
    """Peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@dataclass
class Watch:
    """Runs phases; keeps the wall seconds and the processor's seconds of each, and the peak memory after it."""

    rows: list[tuple[str, float, float, float]] = field(default_factory=list)

    def __call__(self, name: str, work: Callable[[], T]) -> T:
        """What `work` gives."""
        begin, used = time.perf_counter(), time.process_time()
        try:
            return work()
        finally:
            self.rows.append((name, time.perf_counter() - begin, time.process_time() - used, megabytes()))


def phases(model: Path, fps: float, name: str, weights: str, folder: Path) -> dict[str, Any]:
    """Every phase of a build, and how much RTL there is (megabytes, units)."""
    phase = Watch()
    build = phase("import", lambda: import_module("lutra.build"))  # part of what a user waits for
    from lutra.errors import LutraError
    from lutra.front import load
    from lutra.hw.verilog import sources
    from lutra.plan import fitting
    from lutra.plan.assemble import assemble
    from lutra.plan.devices import device
    from lutra.plan.written import writable

    depths = fitting.stream_depths
    fitting.stream_depths = lambda *given: phase(STREAMS, lambda: depths(*given))
    target = device(name)
    loaded = phase("read", lambda: load(model))
    graph = phase("lower", lambda: build.lower(loaded.graph, {}, target.family)).graph
    if weights == WRITTEN:
        graph = phase("make weights writable", lambda: writable(graph))
    try:
        plan = phase(PLAN, lambda: build.plan_for(graph, target, CLOCK_MHZ, fps, weights=weights))
    except LutraError as e:
        return {"rows": phase.rows, "refused": str(e)}
    netlist = phase("assemble", lambda: assemble(graph, plan.folds, plan.depths, shared=plan.shared))

    def write() -> int:
        files = sources(netlist)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        return sum(map(len, files.values()))

    size = phase("write", write)
    return {"rows": phase.rows, "rtl": size / 1e6, "units": len(netlist.instances), "fps": plan.fps}


def child(model: Path, fps: float, name: str, weights: str, profile: int) -> None:
    """One build in this process: its figures as JSON on stdout, the profile on stderr."""
    profiler = cProfile.Profile() if profile else None
    with tempfile.TemporaryDirectory() as folder:
        work = partial(phases, model, fps, name, weights, Path(folder))
        found = profiler.runcall(work) if profiler else work()
    if profiler:
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(profile)
    print(json.dumps(found))


def measure(case: Case, folder: Path, profile: int, board: Board) -> None:
    """One case: its model file, its build in a fresh process on two threads, its figures beside its bars."""
    from lutra.zoo import build

    model = folder / "model.onnx"
    model.write_bytes(build(case.name, case.bits).SerializeToString())
    command = [sys.executable, __file__, "--child", str(model), str(case.fps), case.device, case.weights,
               "--profile", str(profile)]
    threads = {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **threads})
    if run.returncode:
        board.bar(f"{case.title}: exit code of the build", run.returncode, most=0)
        return
    found = json.loads(run.stdout)
    for name, wall, used, peak in found["rows"]:
        board.show(f"{case.title}: {name}", wall, f"s; {used:,.1f} s of processor; peak {peak:,.0f} MB")
    wall = sum(row[1] for row in found["rows"] if row[0] != STREAMS)  # planning has the streams in it
    if "refused" in found:
        board.show(f"{case.title}: {found['refused']}", wall, "s until it said so")
        expected = bool(case.refused) and case.refused in found["refused"]
        board.bar(f"{case.title}: refused as expected", int(expected), least=1)
        return
    board.show(f"{case.title}: RTL and memories", found["rtl"], f"MB; {found['units']} units; {found['fps']:,.0f} fps")
    board.bar(f"{case.title}: file to RTL", wall, "s", most=case.seconds)
    board.bar(f"{case.title}: peak memory", max(row[3] for row in found["rows"]), "MB", most=case.megabytes)
    if case.name == "resnet50":
        streams = max((row for row in found["rows"] if row[0] == STREAMS), key=lambda row: row[1])  # of each whole plan
        board.bar(f"{case.title}: stream depths", streams[1], "s", most=STREAM_SECONDS)
        board.bar(f"{case.title}: memory when they are known", streams[3], "MB", most=STREAM_MEGABYTES)


def main() -> None:
    """All cases, or those named."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--only", default="", help="part of a title, such as resnet50 or w8a8")
    made.add_argument("--profile", type=int, default=0, metavar="N", help="print the N hottest functions")
    made.add_argument("--child", nargs=4, metavar=("MODEL", "FPS", "DEVICE", "WEIGHTS"), help=argparse.SUPPRESS)
    args = made.parse_args()
    if args.child:
        child(Path(args.child[0]), float(args.child[1]), *args.child[2:], args.profile)
        return
    board = Board()
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            if args.only.lower() in case.title:
                measure(case, Path(folder), args.profile, board)
    board.end()


if __name__ == "__main__":
    main()
