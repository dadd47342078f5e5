"""RTL simulation: a netlist's Verilog, verilated, compiled and driven word by word at its AXI4-Stream ends."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Netlist
from lutra.hw.verilog import word_bytes
from lutra.ir import Array
from lutra.sim.verilate import Style, executable, memories, separate
from lutra.tools.cache import Cache, writing
from lutra.tools.find import Tool

PATIENCE = 1_000_000  # cycles in which nothing moves at either end: more is called a deadlock


@dataclass(frozen=True)
class RtlRun:
    """What a simulation gave: output words (m, bytes) and, in cycles, when each input word was `taken` (n,) and when
    each output word `left` (m,). Cycle 0 is the first after reset.
    """

    words: Array
    taken: Array
    left: Array

    def timing(self, frames: int) -> Timing:
        """Interval and latency of `frames` frames, from the time at which each one's last word left."""
        done = self.left.reshape(frames, -1)[:, -1]
        start = self.taken.reshape(frames, -1)[:, 0]
        return Timing(tuple(int(d) for d in np.diff(done)), int(done[0] - start[0]))


@dataclass(frozen=True)
class Timing:
    """`intervals`: cycles between the ends of successive frames; `latency`: cycles from the first word's taking to the
    last word's being there, of the first frame.
    """

    intervals: tuple[int, ...]
    latency: int

    @property
    def interval(self) -> int:
        """The steady state's cycles a frame; LutraError where the last half of the run is not steady."""
        last = set(self.intervals[len(self.intervals) // 2:])
        if len(last) != 1:
            raise LutraError(f"no steady interval, the last were {sorted(last)} cycles", hint="simulate more frames")
        return last.pop()


@dataclass(frozen=True)
class Stimulus:
    """Input of one design: words (n, bytes), the share of cycles stalled at each end, and from which cycle on each
    word may be offered (n,), by default as soon as the one before it is taken.
    """

    words: Array
    stalls: float | tuple[float, float] = 0.0
    seed: int = 0
    arrivals: Array | None = None


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
        self, words: Array, stalls: float | tuple[float, float] = 0.0, seed: int = 0, arrivals: Array | None = None,
        vcd: Path | None = None, patience: int = PATIENCE,
    ) -> RtlRun:
        """Whole frames of input words (n, bytes) through the single design; see `Stimulus` and `run_many`."""
        (result,) = self.run_many((Stimulus(words, stalls, seed, arrivals),), vcd, patience)
        return result

    def run_many(
        self, stimuli: Sequence[Stimulus], vcd: Path | None = None, patience: int = PATIENCE
    ) -> tuple[RtlRun, ...]:
        """Drive each design with its own words. A waveform file on request, from a build of its own.

        LutraError where nothing moves for `patience` cycles, a rule of the streams is broken (data or valid change
        before they are taken, an output follows an input in the same cycle, a misplaced last, a word too many).
        """
        binary = self._binary(traced=vcd is not None)
        counts = [_out_words(n, s) for n, s in zip(self.netlists, stimuli, strict=True)]
        job = b"".join([np.uint64(patience).tobytes(), *map(_job, self.netlists, stimuli, counts)])
        wave = [str(vcd.resolve())] if vcd else []
        with writing(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory(prefix="lutra-") as folder:
            place = Path(folder)
            (place / "job").write_bytes(job)
            binary(place / "job", place / "result", *wave, cwd=memories(self.netlists, self.cache))
            result = (place / "result").read_bytes()
        return _results(self.netlists, stimuli, counts, result)

    def _binary(self, traced: bool) -> Tool:
        return executable(self.netlists, self.cache, Style(traced, self.fast), self.changed)


def to_words(codes: Array, bits: int) -> Array:
    """Words (n, bytes) of codes (n, lanes), each `bits` wide, lane 0 in the low bits; little endian, zeros above."""
    count, lanes = codes.shape
    if bits == 8:
        return codes.astype(np.uint8)
    if bits % 8 == 0:
        raw = np.ascontiguousarray(codes.astype("<u8")).view(np.uint8).reshape(count, lanes, 8)
        return np.ascontiguousarray(raw[:, :, : bits // 8]).reshape(count, -1)
    planes = (codes.astype(np.uint64)[..., None] >> np.arange(bits, dtype=np.uint64)).astype(np.uint8) & 1
    return np.packbits(planes.reshape(count, lanes * bits), axis=1, bitorder="little")


def from_words(words: Array, lanes: int, bits: int) -> Array:
    """Codes (n, lanes), int64, of words (n, bytes): the inverse of `to_words`."""
    planes = np.unpackbits(words, axis=1, count=lanes * bits, bitorder="little").reshape(len(words), lanes, bits)
    if bits <= 8:
        return np.packbits(planes, axis=2, bitorder="little")[..., 0].astype(np.int64)
    whole = np.zeros((len(words), lanes, 8), np.uint8)
    whole[..., : (bits + 7) // 8] = np.packbits(planes, axis=2, bitorder="little")
    return whole.view("<u8")[..., 0].astype(np.int64)


def _out_words(netlist: Netlist, stimulus: Stimulus) -> int:
    """Output words that the stimulus must bring."""
    count, width = map(int, stimulus.words.shape)
    (first,), (last,) = netlist.inputs, netlist.outputs
    wanted = word_bytes(netlist.width(first.stream))
    assert stimulus.words.dtype == np.uint8 and width == wanted, (stimulus.words.dtype, width, wanted)
    assert count % first.words == 0, (count, first)
    return count // first.words * last.words


def _job(netlist: Netlist, stimulus: Stimulus, out_words: int) -> bytes:
    """One design's part of the job file; its layout is described in harness.cpp."""
    stalls = stimulus.stalls if isinstance(stimulus.stalls, tuple) else (stimulus.stalls, stimulus.stalls)
    if not all(0 <= s < 1 for s in stalls):
        raise LutraError(f"stalls={stimulus.stalls} is not a share of the cycles below 1")
    arrivals = b"" if stimulus.arrivals is None else stimulus.arrivals.astype("<i8").tobytes()
    head = np.array([len(stimulus.words), out_words, stimulus.seed], "<u8").tobytes()
    flag = np.array([bool(arrivals)], "<u8").tobytes()
    return b"".join([head, np.array(stalls, "<f8").tobytes(), flag, arrivals, stimulus.words.tobytes()])


def _results(
    netlists: Sequence[Netlist], stimuli: Sequence[Stimulus], counts: Sequence[int], data: bytes
) -> tuple[RtlRun, ...]:
    """The result file's parts; its layout is described in harness.cpp."""
    runs, at = [], 0

    def take(dtype: str, count: int) -> Array:
        nonlocal at
        array = np.frombuffer(data, dtype, count, at)
        at += array.nbytes
        return array

    for netlist, stimulus, count in zip(netlists, stimuli, counts, strict=True):
        (end,) = netlist.outputs
        taken, left = take("<i8", len(stimulus.words)), take("<i8", count)
        width = word_bytes(netlist.width(end.stream))
        runs.append(RtlRun(take("u1", count * width).reshape(count, width), taken, left))
    assert at == len(data), (at, len(data))
    return tuple(runs)
