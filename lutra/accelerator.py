"""Accelerator: what `lutra.compile` gives. The verbs of the public API, on one model, its integers and its plan."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Netlist
from lutra.ir import Array, Graph
from lutra.plan.assemble import assemble
from lutra.plan.plan import Plan
from lutra.rules.lower import Lowered
from lutra.sim.reference import Runner
from lutra.sim.rtl import RtlModel, RtlRun, from_words, to_words
from lutra.tools.cache import Cache

if TYPE_CHECKING:
    from lutra.report.model import Facts
    from lutra.synth import PlaceReport, SynthReport
    from lutra.synth.report import Resources

MEASURED = 4  # frames for a steady state, at least
CELLS = {"lut": "TRELLIS_COMB", "ff": "TRELLIS_FF", "bram": "DP16KD", "dsp": "MULT18X18D"}  # nextpnr's names


@dataclass(frozen=True)
class ModelFile:
    """What is known of the model file: its name as given, its SHA-256, its size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, eq=False)
class Accelerator:
    """A compiled network: it computes, simulates, synthesises, reports.

    Frames x are (N, *shape) in the source's layout: real numbers as the model takes them; where the input's format was
    given (`input_range`, `input_scale`), arrays of an integer type are taken as the integers that the hardware is fed.
    """

    facts: ModelFile
    source: Graph
    lowered: Lowered
    plan: Plan
    cache: Cache
    measured: dict[str, Any] = field(default_factory=dict)  # what verbs found out, for the report

    # -- what it computes

    def reference(self, x: Array) -> Array:
        """The source model's own operations, in double precision: (N, *output shape)."""
        real = self.lowered.input.real(np.asarray(x))
        return self.source.evaluate(real)[self.source.outputs[0]]

    def run(self, x: Array, raw: bool = False) -> Array:
        """The integer graph, exact: the model's output in its own layout, or with `raw` the output integers, int64."""
        y = self._runner.run(self.lowered.input.integers(np.asarray(x)))
        return self._result(y, raw)

    def simulate(self, x: Array, stalls: float = 0.0, seed: int = 0, raw: bool = False,
                 vcd: Path | None = None) -> Array:
        """The same through the RTL, in Verilator. stalls: share of cycles in which each end holds back, at random."""
        codes = self.lowered.input.range.encode(self.lowered.input.integers(np.asarray(x)))
        return self._result(self._decoded(self._rtl_run(codes, stalls, seed, vcd), len(codes)), raw)

    def verify(self, x: Array, stalls: float = 0.0, seed: int = 0) -> int:
        """Simulate the frames and compare every output integer with the integer graph's; how many there were.

        LutraError, with the first frame and place, where one differs.
        """
        ours, theirs = self.run(x, raw=True), self.simulate(x, stalls, seed, raw=True)
        wrong = np.argwhere(ours != theirs)
        if len(wrong):
            at = tuple(int(i) for i in wrong[0])
            raise LutraError(f"{len(wrong)} of {ours.size} output integers of the RTL differ", f"frame {at[0]}",
                             f"the first is {theirs[at]} instead of {ours[at]}; please report this model")
        self.measured["verified"] = {"frames": len(ours), "words": int(ours.size), "stalls": stalls, "seed": seed}
        return int(ours.size)

    def integers(self, x: Array) -> list[Array]:
        """The integers of every node of the integer graph, in order of its nodes."""
        return self._runner.all(self.lowered.input.integers(np.asarray(x)))

    # -- how fast it is

    @property
    def interval(self) -> int:
        """Cycles from frame to frame in steady state, by the plan's exact schedule."""
        return self.plan.interval

    @property
    def latency(self) -> int:
        """Cycles from the first word in to the last word out of one frame, by the plan's exact schedule."""
        return self.plan.latency

    @property
    def fps(self) -> float:
        """Frames a second at the plan's clock."""
        return self.plan.fps

    def measure(self, frames: int = 0) -> dict[str, int]:
        """Cycles in RTL simulation: {"interval": ..., "latency": ...}. Random frames; timing does not depend on them.

        frames: how many to simulate, by default enough for the pipeline to fill and repeat itself.
        """
        frames = frames or MEASURED + 2 * -(-self.latency // self.interval)
        given = self.lowered.input
        draw = np.random.default_rng(0).integers(0, given.range.levels, (frames, *given.shape))
        codes = given.range.encode(given.range.lo + given.range.step * draw)
        timing = self._rtl_run(codes, 0.0, 0, None).timing(frames)
        self.measured["cycles"] = {"interval": timing.interval, "latency": timing.latency}
        return dict(self.measured["cycles"])

    # -- what it takes

    def synthesise(self, device: str | None = None) -> SynthReport:
        """Resources by Yosys, each unit by itself, on `device` (by default the plan's)."""
        from lutra.plan.devices import device as find
        from lutra.synth import synthesise

        target = find(device) if device else self.plan.device
        report = synthesise(self.netlist, target, self.cache)
        units = zip(self.plan.stages, self.netlist.instances, strict=True)
        self.measured.setdefault("synthesised", {})[target.name] = {
            "units": {stage.name: _counts(report.units[instance.name]) for stage, instance in units},
            "total": _counts(report.total), "tool": report.tool,
        }
        return report

    def place(self) -> PlaceReport:
        """Place and route on the plan's ECP5 device: timing, and a bitstream in the cache, which `save` copies."""
        from lutra.synth import place

        report = place(self.netlist, self.plan.device, self.plan.clock_mhz, self.cache)
        used = {ours: report.utilisation.get(theirs, (0, 0))[0] for ours, theirs in CELLS.items()}
        self.measured["placed"] = {
            "fmax_mhz": report.fmax_mhz, "used": used, "bitstream": str(report.bitstream),
            "bitstream_bytes": report.bitstream.stat().st_size, "critical": list(report.critical), "tool": report.tool,
        }
        return report

    # -- what it leaves

    def rtl(self) -> dict[str, str]:
        """The design's files: name to text, SystemVerilog and memories."""
        from lutra.hw.verilog import sources

        return sources(self.netlist)

    def summary(self) -> Facts:
        """Every figure that the report shows; `.data()` is its JSON form."""
        from lutra.summary import summarise

        return summarise(self)

    def report(self, path: str | Path) -> Path:
        """Write the HTML page."""
        from lutra.report.html import page
        from lutra.store import written

        return written(Path(path), page(self.summary().data()))

    def save(self, folder: str | Path) -> Path:
        """Write the build folder: graphs, plan, RTL, report; whole or not at all. `lutra.load` reads it back."""
        from lutra.store import save

        return save(self, Path(folder))

    def replan(self, plan: Plan) -> Accelerator:
        """The same network under another plan."""
        return replace(self, plan=plan, measured={})

    # -- inside

    @cached_property
    def netlist(self) -> Netlist:
        """The design as instances and streams."""
        return assemble(self.lowered.graph, self.plan.folds, self.plan.depths)

    @cached_property
    def _runner(self) -> Runner:
        return Runner(self.lowered.graph, self.cache)

    @cached_property
    def _model(self) -> RtlModel:
        return RtlModel.build(self.netlist, self.cache)

    def _result(self, y: Array, raw: bool) -> Array:
        return self.lowered.output.raw(y) if raw else self.lowered.output.real(y)

    def _rtl_run(self, codes: Array, stalls: float, seed: int, vcd: Path | None) -> RtlRun:
        if not len(codes):
            raise LutraError("there are no frames to simulate", "input", "give an array with at least one frame")
        lanes = self.plan.stages[0].lanes[0]
        words = to_words(codes.reshape(-1, lanes), self.lowered.input.range.bits)
        return self._model.run(words, stalls=stalls, seed=seed, vcd=vcd)

    def _decoded(self, run: RtlRun, frames: int) -> Array:
        out = self.lowered.graph.outputs[0].out
        codes = from_words(run.words, self.plan.stages[-1].lanes[1], out.range.bits)
        return out.range.decode(codes).reshape(frames, *out.shape)


def _counts(resources: Resources) -> dict[str, int]:
    return {kind: int(getattr(resources, kind)) for kind in CELLS}
