"""Accelerator: what `lutra.compile` gives. The verbs of the public API, on one model, its integers and its plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from lutra.errors import LutraError
from lutra.frames import gather, like, of_input, single
from lutra.hw.axi import places
from lutra.hw.netlist import Netlist
from lutra.ir import Array, Graph, Input, Node
from lutra.ops.fetch.op import LATENCY
from lutra.ops.sequence import lengths_of
from lutra.plan.assemble import assemble
from lutra.plan.memory import bytes_a_cycle
from lutra.plan.plan import Plan
from lutra.rules.ends import InputEnd
from lutra.rules.lower import Lowered
from lutra.sim.csim import CModel
from lutra.sim.reference import Runner
from lutra.sim.rtl import PATIENCE, Memory, RtlModel, RtlRun, from_words, to_words
from lutra.sim.sequences import apart, certain, grouped, inside, spread, tidied
from lutra.tools.cache import Cache

if TYPE_CHECKING:
    from lutra.report.model import Facts
    from lutra.synth import PlaceReport, SynthReport
    from lutra.synth.report import Resources

Came = tuple[Array, Array | None]  # words of an output, and how many there had been at the end of each frame
MOVES = 0.01  # of the cycles, at least, in which an end that stalls takes something
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
    They may be PyTorch's tensors: then the results are, too. Real numbers are in double precision.
    For a model of several inputs x is a tuple of such arrays in the model's order, or a mapping by the inputs' names
    (`input_names`); for one of several outputs the result is a tuple, else an array.
    """

    facts: ModelFile
    source: Graph
    lowered: Lowered
    plan: Plan
    cache: Cache
    backend: str = "rtl"  # what a build folder holds: "rtl", "hls", or "both"
    measured: dict[str, Any] = field(default_factory=dict)  # what verbs found out, for the report

    # -- what it computes

    @property
    def input_names(self) -> tuple[str, ...]:
        """The model's own names of its inputs, in order."""
        return tuple(n.op.name for n in self.source.inputs if isinstance(n.op, Input))

    def reference(self, x: Any) -> Any:
        """The source model's own operations, in double precision: (N, *output shape)."""
        values = self.source.evaluate(*self._fed(x, InputEnd.real))
        return single(like(x, tuple(values[n] for n in self.source.outputs)))

    def run(self, x: Any, raw: bool = False) -> Any:
        """The integer graph, exact: the model's output in its own layout, or with `raw` the output integers, int64."""
        fed, frames = self._groups(x)
        return single(like(x, self._results(self._apart(self._runner.outputs(fed), frames), raw)))

    def simulate(
        self, x: Any, stalls: float = 0.0, seed: int = 0, raw: bool = False, vcd: Path | None = None,
        weights: Mapping[str, Any] | None = None, backend: str = "rtl",
    ) -> Any:
        """The same through the RTL, in Verilator. stalls: share of cycles in which each end holds back, at random.
        weights: other ones, written through the AXI4-Lite port before the first frame (see `writes`); memories that
        wake up with nothing are written in any case.
        With backend "hls" by C simulation of the HLS form instead, which has no cycles: none of these apply.
        """
        fed, frames = self._groups(x)
        if backend != "rtl" and (stalls or vcd or weights):
            raise LutraError("stalls, waveforms and written weights are of the RTL's simulation",
                             hint='leave them out, or use backend="rtl"')
        ys = (self._received(self._rtl_run(fed, stalls, seed, vcd, weights=weights or {})) if backend == "rtl"
              else self._simulated(fed, backend))
        return single(like(x, self._results(self._apart(ys, frames), raw)))

    def verify(self, x: Any, stalls: float = 0.0, seed: int = 0, backend: str = "rtl") -> int:
        """Simulate the frames and compare every output integer with the integer graph's; how many there were.

        LutraError, with the first frame and place, where one differs.
        """
        fed, frames = self._groups(x)
        ys = (self._received(self._rtl_run(fed, stalls, seed, None)) if backend == "rtl"
              else self._simulated(fed, backend))
        ours, theirs = (self._results(self._apart(v, frames), raw=True) for v in (self._runner.outputs(fed), ys))
        integers = sum(_compared(*pair, f"output {k}, " * (len(self.lowered.outputs) > 1), backend)
                       for k, pair in enumerate(zip(ours, theirs, strict=True)))
        key = "verified" if backend == "rtl" else f"verified_{backend}"
        self.measured[key] = {"frames": frames, "words": integers, "stalls": stalls, "seed": seed}
        return integers

    def writes(self, weights: Mapping[str, Any] | None = None) -> Array:
        """What a host writes through the AXI4-Lite port to give layers other weights: (n, 2), uint32, an address and a
        value in each row, in order. The first write stops the design, the last lets it go; frames under way are lost.
        Without `weights`, the model's own of the layers in UltraRAM, which wakes up with nothing: until it is written
        the design takes no frame. For hardware of `lutra.compile(..., weights="written")`; see `with_weights`.
        """
        from lutra.plan.written import first_writes, write_sequence

        if weights is None:
            return first_writes(self.plan, self.netlist, {})
        return write_sequence(self.plan, self.netlist, weights)

    def with_weights(self, weights: Mapping[str, Any]) -> Accelerator:
        """The same hardware with other weights: by layer ("matmul0"), (rows, columns) integers in the order of the
        integer graph. LutraError where a layer's cannot be written, or not these.
        """
        from lutra.plan.written import reweighted

        plan = reweighted(self.plan, weights)
        return replace(self, lowered=replace(self.lowered, graph=plan.graph), plan=plan, measured={})

    def integers(self, x: Any) -> list[Array]:
        """The integers of every node of the integer graph, in order of its nodes; with `interleave` of groups."""
        return self._runner.all(*self._groups(x)[0])

    # -- how fast it is

    @property
    def interval(self) -> int:
        """Cycles from frame to frame in steady state, by the plan's exact schedule; with `interleave` from group to
        group of so many sequences.
        """
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
        rng = np.random.default_rng(0)
        given = [(node.out.range, (frames, *node.out.shape)) for node in self.lowered.graph.inputs]
        drawn = tuple(of.lo + of.step * rng.integers(0, of.levels, shape) for of, shape in given)
        drawn = tuple(np.full_like(x, of.hi) if node in self._sequences.values() else x for x, (of, _), node in zip(
            drawn, given, self.lowered.graph.inputs, strict=True))  # the longest sequences
        timing = self._rtl_run(drawn, 0.0, 0, None, self._filled).timing(frames)
        waits = self.interval > max(self.plan.cycles.values())  # for memory
        self.measured["cycles"] = {"interval": timing.average if waits else timing.interval, "latency": timing.latency}
        return dict(self.measured["cycles"])

    # -- what it takes

    def synthesise(self, device: str | None = None) -> SynthReport:
        """Resources by Yosys, each unit by itself, on `device` (by default the plan's)."""
        from lutra.plan.devices import device as find
        from lutra.synth import synthesise

        target = find(device) if device else self.plan.device
        report = synthesise(self.netlist, target, self.cache)
        units = zip(self.plan.stages, report.by_unit(self.netlist), strict=True)
        self.measured.setdefault("synthesised", {})[target.name] = {
            "units": {stage.name: _counts(found) for stage, found in units},
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

    def hls(self) -> dict[str, str]:
        """The design's HLS form: name to text, C++ and memories. LutraError for an operator that has none."""
        from lutra.hw.cpp import sources

        return sources(self.hls_netlist)

    def memory_map(self) -> list[dict[str, Any]]:
        """Where the constants of each layer that streams them lie in the memory image, `weights.bin` of a build folder:
        the layer, the port whose `_base` is the image's address plus `offset`, `bytes`, and bits of a beat.
        """
        own = (i.name for i in self.netlist.instances if not i.of)
        layers = {name: stage.name for name, stage in zip(own, self.plan.stages, strict=True)}
        served = {i.name: layers[i.of] for i in self.netlist.instances if i.of}
        return [{"layer": served[p.instance], "port": p.port, "offset": p.offset, "bytes": p.size, "beat_bits": p.bits}
                for p in places(self.netlist)]

    def address_map(self) -> list[dict[str, Any]]:
        """Where weights that can be written lie behind the AXI4-Lite port, `addresses.json` of a build folder: of each
        layer the byte `address` of its window and `bytes` of that, `words` of `word_bits`, each `word_bytes` after the
        one before it in parts of 32 bits, the low one first; `in` which memory, `blank` where that wakes up with
        nothing. Address 0 is the control register: 1 stops the design, 0 lets it go.
        """
        from lutra.plan.written import address_map

        return address_map(self.plan, self.netlist)

    def summary(self) -> Facts:
        """Every figure that the report shows; `.data()` is its JSON form."""
        from lutra.summary import summarise

        return summarise(self)

    def report(self, path: str | Path) -> Path:
        """Write the HTML page."""
        from lutra.files import written
        from lutra.report.html import page

        return written(Path(path), page(self.summary().data()))

    def save(self, folder: str | Path, backend: str = "", board: str | None = None) -> Path:
        """Write the build folder: graphs, plan, RTL or HLS form or both ("rtl", "hls", "both"; by default what a folder
        held that this was read from, or the RTL), report; whole or not at all. `lutra.load` reads it back.

        board: a name of `lutra boards`: then it also has `vendor/`, scripts that package the design and build a system
        for the board, and `driver/`, which runs it there. LutraError where the board carries another device than the
        plan's.
        """
        from lutra.store import save

        return save(replace(self, backend=backend) if backend else self, Path(folder), board)

    def vectors(self, frames: int = 2, seed: int = 0) -> bytes:
        """Random frames with their results, for a test bench: what is read of memory, then of each frame the words of
        each input and of each output, whole bytes, little endian; before those of an output that is a sequence 32 bits
        that say how many of them are certain. As the HLS form takes and gives them: of sequences all columns.
        """
        rng = np.random.default_rng(seed)
        given = [n.out for n in self.lowered.graph.inputs]
        fed = tuple(x.range.lo + x.range.step * rng.integers(0, x.range.levels, (frames, *x.shape)) for x in given)
        results = zip(self._runner.outputs(fed), self.lowered.graph.outputs, self.netlist.outputs, strict=True)
        words = [w.reshape(frames, -1) for w in self._encoded(fed, ragged=False)]
        for y, node, end in results:
            bits = node.out.range.bits
            codes = node.out.range.encode(y).reshape(-1, self.netlist.width(end.stream) // bits)
            found = to_words(codes, bits).reshape(frames, end.parts or 1, -1)
            if node in self._sequences:
                known = certain(node, self._lengths(node, fed)) * (end.words // node.out.shape[0])
                told = known.astype("<u4").view(np.uint8).reshape(frames, end.parts, -1)
                found = np.concatenate([told, found], axis=2)
            words.append(found.reshape(frames, -1))
        memory = b"".join(region.image for _, region in self.netlist.regions)
        return memory + np.concatenate(words, axis=1).tobytes()

    def to_board(self, x: Any) -> Any:
        """The integers that a board's driver is given for frames x; a tuple for several inputs."""
        fed = self._fed(x, InputEnd.integers)
        ends = zip(self.lowered.inputs, fed, strict=True)
        return single(tuple(end.unplaced(v).astype(np.int64) for end, v in ends))

    def from_board(self, y: Any) -> Any:
        """The model's output from the integers that a board's driver gives."""
        given = y if isinstance(y, tuple) else (y,)
        ends = zip(self.lowered.outputs, given, self.lowered.given, strict=True)
        streams = (end.stream(v, shape) for end, v, shape in ends)
        return single(self._results(tuple(streams), raw=False))

    def replan(self, plan: Plan) -> Accelerator:
        """The same network under another plan."""
        return replace(self, plan=plan, measured={})

    # -- inside

    def __repr__(self) -> str:
        """A line: the name, and the plan's main figures."""
        plan = self.plan
        return (f"<Accelerator of {self.facts.name!r} on {plan.device.name}: {plan.fps:,.6g} frames/s at "
                f"{plan.clock_mhz:g} MHz, {plan.cost.lut:,.0f} LUTs as planned>")

    @cached_property
    def netlist(self) -> Netlist:
        """The design as instances and streams."""
        return assemble(self.lowered.graph, self.plan.folds, self.plan.depths, shared=self.plan.shared)

    @cached_property
    def hls_netlist(self) -> Netlist:
        """The same for HLS, whose units each have their memories for themselves: a function reads arrays of its own."""
        plan = self.plan.apart()
        return assemble(plan.graph, plan.folds, plan.depths)

    @cached_property
    def _runner(self) -> Runner:
        return Runner(self.lowered.graph, self.cache)

    @cached_property
    def _model(self) -> RtlModel:
        return RtlModel.build(self.netlist, self.cache)

    @cached_property
    def _c_model(self) -> CModel:
        return CModel.build(self.hls_netlist, self.cache)

    def _fed(self, x: Any, form: Callable[[InputEnd, Array], Array]) -> tuple[Array, ...]:
        """Frames for each input, in a form that its end gives them."""
        names = self.input_names
        fed = []
        for name, end, frames in zip(names, self.lowered.inputs, gather(x, names), strict=True):
            with of_input(name, len(names) > 1):
                fed.append(form(end, frames))
        return tuple(fed)

    def _groups(self, x: Any) -> tuple[tuple[Array, ...], int]:
        """The integers for each input as the graph takes them, and how many of the model's frames they are."""
        fed = self._fed(x, InputEnd.integers)
        return grouped(fed, self.lowered.graph), len(fed[0])

    def _apart(self, ys: tuple[Array, ...], frames: int) -> tuple[Array, ...]:
        """So many of the model's frames."""
        return tuple(apart(y, self.plan.interleave, frames) for y in ys)

    def _results(self, ys: tuple[Array, ...], raw: bool) -> tuple[Array, ...]:
        return tuple(end.raw(y) if raw else end.real(y) for end, y in zip(self.lowered.outputs, ys, strict=True))

    def _rtl_run(
        self, fed: tuple[Array, ...], stalls: float, seed: int, vcd: Path | None, start: int = 0,
        weights: Mapping[str, Any] = MappingProxyType({}),
    ) -> RtlRun:
        """The RTL's run on integers for each input, from a cycle on, after these weights and those of memories that
        wake up with nothing were written. Its off-chip memory has what the plan reckons with.
        """
        from lutra.plan.written import first_writes

        words = self._encoded(fed)
        arrivals = tuple(np.full(len(w), start) for w in words) if start else None
        memory = Memory(LATENCY, rate=bytes_a_cycle(self.plan.device, self.plan.clock_mhz), stalls=stalls)
        return self._model.run(words, stalls=stalls, seed=seed, arrivals=arrivals, vcd=vcd, memory=memory,
                               patience=self._patience(stalls),
                               writes=first_writes(self.plan, self.netlist, weights) if self.netlist.windows else None)

    def _patience(self, stalls: float) -> int:
        """Cycles in which nothing moves that are no deadlock: twice those in which a frame passes all stages one by
        one, and as many more as the ends hold back.
        """
        moves = max(1.0 - stalls, MOVES)
        return max(PATIENCE, ceil(2 * self.interval * len(self.plan.stages) / moves))

    def _simulated(self, fed: tuple[Array, ...], backend: str) -> tuple[Array, ...]:
        """The integers of each output, by C simulation of the HLS form, as the integer graph has them."""
        if backend != "hls":
            raise LutraError(f"backend={backend!r} cannot be simulated", hint='"rtl" or "hls"')
        found = self._decoded(tuple((words, None) for words in self._c_model.run(self._encoded(fed, ragged=False))))
        return tuple(tidied(y, node, self._lengths(node, fed)) if node in self._sequences else y
                     for y, node in zip(found, self.lowered.graph.outputs, strict=True))

    def _received(self, run: RtlRun) -> tuple[Array, ...]:
        return self._decoded(tuple((end.words, end.ends) for end in run.received))

    def _lengths(self, node: Node, fed: tuple[Array, ...]) -> Array:
        """Those of a sequence that enters or leaves the design."""
        return fed[self.lowered.graph.inputs.index(self._sequences[node])]

    def _encoded(self, fed: tuple[Array, ...], ragged: bool = True) -> tuple[Array, ...]:
        """The words of each input's stream: of sequences, if `ragged`, as the RTL takes them, the columns that
        there are; else, as in HLS, all of them, with what the caller has behind the end.
        """
        if not len(fed[0]):
            raise LutraError("there are no frames to simulate", "input", "give an array with at least one frame")
        words = []
        ends = zip(self.lowered.graph.inputs, self.lowered.inputs, self.netlist.inputs, strict=True)
        for x, (node, given, end) in zip(fed, ends, strict=True):
            lanes = self.netlist.width(end.stream) // given.range.bits
            if ragged and node in self._sequences:
                x = inside(x, self._lengths(node, fed))
            words.append(to_words(given.range.encode(x).reshape(-1, lanes), given.range.bits))
        return tuple(words)

    @cached_property
    def _sequences(self) -> dict[Node, Node]:
        return lengths_of(self.lowered.graph)

    @property
    def _filled(self) -> int:
        """A cycle by which memory has sent all that FIFOs hold."""
        held = sum(int(i.block.params["DEPTH"]) * i.block.region.bits // 8
                   for i in self.netlist.instances if i.block.region)
        return 2 * LATENCY + ceil(2 * held / bytes_a_cycle(self.plan.device, self.plan.clock_mhz)) if held else 0

    def _decoded(self, came: tuple[Came, ...]) -> tuple[Array, ...]:
        """The integers of each output, as the integer graph has them."""
        found = []
        for (words, ends), node, end in zip(came, self.lowered.graph.outputs, self.netlist.outputs, strict=True):
            of = node.out.range
            values = of.decode(from_words(words, self.netlist.width(end.stream) // of.bits, of.bits))
            found.append(spread(values, ends, node) if node in self._sequences and ends is not None
                         else values.reshape(-1, *node.out.shape))
        return tuple(found)


def _compared(ours: Array, theirs: Array, output: str, backend: str) -> int:
    """How many integers there are of an output, all of them equal; LutraError where one differs."""
    wrong = np.argwhere(ours != theirs)
    if len(wrong):
        at = tuple(int(i) for i in wrong[0])
        raise LutraError(f"{len(wrong)} of {ours.size} output integers of the {backend.upper()} differ",
                         f"{output}frame {at[0]}",
                         f"the first is {theirs[at]} instead of {ours[at]}; please report this model")
    return int(ours.size)


def _counts(resources: Resources) -> dict[str, int]:
    return {kind: int(getattr(resources, kind)) for kind in (*CELLS, "uram")}
