"""RTL simulation: a netlist's Verilog, verilated, compiled and driven word by word at its AXI4-Stream ends."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lutra.hw.netlist import Netlist
from lutra.hw.words import from_words, to_words
from lutra.ir import Array
from lutra.sim.job import QUICK, Memory, RtlRun, Stimulus, frames, job, results
from lutra.sim.verilate import Style, executable, memories, separate
from lutra.tools.cache import Cache, writing
from lutra.tools.find import Tool

__all__ = ["PATIENCE", "Memory", "RtlModel", "RtlRun", "Stimulus", "from_words", "to_words"]
PATIENCE = 1_000_000  # cycles in which nothing moves at either end: more is called a deadlock


@dataclass(frozen=True)
class RtlModel:
    """One or more designs in one compiled simulation. They run side by side, each driven on its own.

    `changed`: texts that stand for library files of these names, for checks that faults are found. `fast`: compiled
    for a long run; else in less time, for a short one.
    """

    netlists: tuple[Netlist, ...]
    cache: Cache
    changed: Mapping[str, str] = field(default_factory=dict)
    fast: bool = True

    @classmethod
    def build(cls, netlist: Netlist, cache: Cache) -> RtlModel:
        """Verilate and compile, or find it in the cache. LutraError where Verilator or a compiler is missing."""
        return cls.build_many((netlist,), cache)

    @classmethod
    def build_many(
        cls, netlists: Sequence[Netlist], cache: Cache, changed: Mapping[str, str] | None = None, fast: bool = True
    ) -> RtlModel:
        """Several designs in one simulation: one compilation instead of many."""
        model = cls(separate(netlists), cache, changed or {}, fast)
        model._binary(traced=False)
        return model

    def run(
        self, words: Array | tuple[Array, ...], stalls: float | tuple[float, float] = 0.0, seed: int = 0,
        arrivals: Array | tuple[Array, ...] | None = None, vcd: Path | None = None, patience: int = PATIENCE,
        record: bool = False, memory: Memory = QUICK, writes: Array | None = None,
    ) -> RtlRun:
        """Whole frames of input words (n, bytes) through the single design; see `Stimulus` and `run_many`."""
        (result,) = self.run_many((Stimulus(words, stalls, seed, arrivals, memory, writes),), vcd, patience, record)
        return result

    def run_many(
        self, stimuli: Sequence[Stimulus], vcd: Path | None = None, patience: int = PATIENCE, record: bool = False,
    ) -> tuple[RtlRun, ...]:
        """Drive each design with its own words. A waveform file on request, from a build of its own. record: count
        what lies in each FIFO.

        LutraError where nothing moves for `patience` cycles, a rule of the streams is broken (data or valid change
        before they are taken, an output follows an input in the same cycle, a misplaced last, a word too many).
        """
        binary = self._binary(traced=vcd is not None)
        counts = [frames(n, s) for n, s in zip(self.netlists, stimuli, strict=True)]
        head = np.array([patience, record], "<u8").tobytes()
        text = b"".join([head, *map(job, self.netlists, stimuli, counts)])
        wave = [str(vcd.resolve())] if vcd else []
        with writing(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory(prefix="lutra-") as folder:
            place = Path(folder)
            (place / "job").write_bytes(text)
            binary(place / "job", place / "result", *wave, cwd=memories(self.netlists, self.cache))
            result = (place / "result").read_bytes()
        return results(self.netlists, stimuli, counts, record, result)

    def _binary(self, traced: bool) -> Tool:
        return executable(self.netlists, self.cache, Style(traced, self.fast), self.changed)
