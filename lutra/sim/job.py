"""What a simulation is given and what it gives back, and the two files in which that goes to the harness and comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lutra.errors import LutraError
from lutra.hw.axi import PAGE, places
from lutra.hw.netlist import End, Netlist
from lutra.hw.verilog import word_bytes
from lutra.ir import Array
from lutra.sim.wrapper import stores


@dataclass(frozen=True)
class Received:
    """What an output gave: words (m, bytes), in which cycle each of them `left` (m,), and how many there had been at
    the end of each frame (frames,), or of each sequence of each (frames * sequences,).
    """

    words: Array
    left: Array
    ends: Array


@dataclass(frozen=True)
class RtlRun:
    """What a simulation gave. sent: for each input, in which cycle each of its words was taken (n,); received: what
    came at each output. Cycle 0 is the first after reset. occupancy: where it was asked for, by the stream that a
    FIFO gives, the least depth with which it would never have held a word up. fetched: for each port to off-chip
    memory, the bytes read from cycle 0 until the last word left.
    """

    sent: tuple[Array, ...]
    received: tuple[Received, ...]
    occupancy: Mapping[str, int] = field(default_factory=dict)
    fetched: tuple[int, ...] = ()

    @property
    def taken(self) -> Array:
        """When each word of the one input was taken."""
        (taken,) = self.sent
        return taken

    @property
    def words(self) -> Array:
        """The words of the one output."""
        (end,) = self.received
        return end.words

    @property
    def left(self) -> Array:
        """When each word of the one output left."""
        (end,) = self.received
        return end.left

    def timing(self, frames: int) -> Timing:
        """Interval and latency of `frames` frames, from the time at which each one's last word left."""
        assert all(len(end.ends) % frames == 0 for end in self.received), frames
        done = np.max([end.left[end.ends.reshape(frames, -1)[:, -1] - 1] for end in self.received], axis=0)
        start = min(int(taken[0]) for taken in self.sent)
        return Timing(tuple(int(d) for d in np.diff(done)), int(done[0]) - start)


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

    @property
    def average(self) -> int:
        """The steady state's mean, rounded up: where memory bounds the interval, frames differ by some cycles."""
        last = self.intervals[len(self.intervals) // 2:]
        return -(-sum(last) // len(last))


@dataclass(frozen=True)
class Memory:
    """Off-chip memory as a simulation models it: `latency` cycles from an address's taking to its first beat, so many
    bursts `outstanding` at each port, `rate` bytes a cycle for all ports of a design together (0: a beat a cycle for
    each), the share of cycles in which addresses and, apart from that, beats are stalled.
    """

    latency: int = 64
    outstanding: int = 16
    rate: float = 0.0
    stalls: float = 0.0

    def __post_init__(self) -> None:
        if self.latency < 1 or self.outstanding < 1 or self.rate < 0 or not 0 <= self.stalls < 1:
            raise LutraError(f"{self} is no memory", hint="latency and outstanding from 1, a rate, stalls below 1")


QUICK = Memory()  # keeps up with anything


@dataclass(frozen=True)
class Stimulus:
    """Input of one design: words (n, bytes), the share of cycles stalled at each input and each output, and from which
    cycle on each word may be offered (n,), by default as soon as the one before it is taken. A design of several inputs
    takes a tuple of words, and where they are given of arrivals, one for each. `memory` is what its memory ports read.
    writes: (n, 2) of address and value, uint32, of what is written through its AXI4-Lite port before the first frame.
    """

    words: Array | tuple[Array, ...]
    stalls: float | tuple[float, float] = 0.0
    seed: int = 0
    arrivals: Array | tuple[Array, ...] | None = None
    memory: Memory = QUICK
    writes: Array | None = None

    @property
    def inputs(self) -> tuple[tuple[Array, Array | None], ...]:
        """Words and arrivals of each input."""
        words = self.words if isinstance(self.words, tuple) else (self.words,)
        if self.arrivals is None:
            return tuple((w, None) for w in words)
        arrivals = self.arrivals if isinstance(self.arrivals, tuple) else (self.arrivals,)
        return tuple(zip(words, arrivals, strict=True))


def frames(netlist: Netlist, stimulus: Stimulus) -> int:
    """How many frames a stimulus is, by the inputs whose frames are all of one size."""
    counts = set()
    for end, (words, arrivals) in zip(netlist.inputs, stimulus.inputs, strict=True):
        width = word_bytes(netlist.width(end.stream))
        assert words.dtype == np.uint8 and words.shape[1:] == (width,), (words.dtype, words.shape, width)
        assert arrivals is None or len(arrivals) == len(words), (len(words), end)
        if not end.ragged:
            assert len(words) % end.words == 0, (len(words), end)
            counts.add(len(words) // end.words)
    assert len(counts) == 1, counts
    return counts.pop()


def job(netlist: Netlist, stimulus: Stimulus, count: int) -> bytes:
    """One design's part of the job file; its layout is described in harness.cpp."""
    stalls = stimulus.stalls if isinstance(stimulus.stalls, tuple) else (stimulus.stalls, stimulus.stalls)
    if not all(0 <= s < 1 for s in stalls):
        raise LutraError(f"stalls={stimulus.stalls} is not a share of the cycles below 1")
    ends = len(netlist.inputs) + len(netlist.outputs)
    seeds = iter(range(stimulus.seed * ends, (stimulus.seed + 1) * ends))
    parts = []
    for words, arrivals in stimulus.inputs:
        parts += [_head(len(words), next(seeds), stalls[0]), np.uint64(arrivals is not None).tobytes()]
        parts += [b"" if arrivals is None else arrivals.astype("<i8").tobytes(), words.tobytes()]
    parts += [_head(count * (end.parts or end.words), next(seeds), stalls[1]) for end in netlist.outputs]
    if netlist.regions:
        parts += _memory(netlist, stimulus)
    if netlist.windows and netlist.controlled:
        writes = np.zeros((0, 2), "<u4") if stimulus.writes is None else stimulus.writes.astype("<u4")
        parts += [_head(len(writes), stimulus.seed, stalls[0]), writes.tobytes()]
    return b"".join(parts)


def _memory(netlist: Netlist, stimulus: Stimulus) -> list[bytes]:
    """What a design's memory ports read, and how fast. It does not begin at address 0."""
    m = stimulus.memory
    parts = [np.array([m.latency, m.outstanding], "<u8").tobytes(), np.array([m.rate, m.stalls], "<f8").tobytes(),
             np.uint64(stimulus.seed % 2**64).tobytes()]
    for place, (_, region) in zip(places(netlist), netlist.regions, strict=True):
        parts += [np.array([PAGE + place.offset, place.size], "<u8").tobytes(), region.image]
    return parts


def _head(words: int, seed: int, stalls: float) -> bytes:
    return np.array([words, seed % 2**64], "<u8").tobytes() + np.float64(stalls).tobytes()


def results(
    netlists: Sequence[Netlist], stimuli: Sequence[Stimulus], counts: Sequence[int], record: bool, data: bytes,
) -> tuple[RtlRun, ...]:
    """The result file's parts; its layout is described in harness.cpp."""
    at = 0

    def take(dtype: str, count: int) -> Array:
        nonlocal at
        array = np.frombuffer(data, dtype, count, at)
        at += array.nbytes
        return array

    def received(netlist: Netlist, end: End, frames: int) -> Received:
        width = word_bytes(netlist.width(end.stream))
        ends = take("<u8", frames * end.parts).astype(np.int64) if end.ragged else np.arange(1, frames + 1) * end.words
        count = int(ends[-1]) if frames else 0
        left = take("<i8", count)
        return Received(take("u1", count * width).reshape(count, width), left, ends)

    def fetched(netlist: Netlist) -> tuple[int, ...]:
        beats = take("<u8", len(netlist.regions))
        return tuple(int(b) * r.bits // 8 for b, (_, r) in zip(beats, netlist.regions, strict=True))

    ends = [(tuple(take("<i8", len(words)) for words, _ in s.inputs), tuple(received(n, e, f) for e in n.outputs),
             fetched(n)) for n, s, f in zip(netlists, stimuli, counts, strict=True)]
    fifos = [[i.outputs[0] for i in stores(n)] if record else [] for n in netlists]
    most = [dict(zip(names, map(int, take("<u8", len(names))), strict=True)) for names in fifos]
    assert at == len(data), (at, len(data))
    return tuple(RtlRun(sent, got, occupancy, read) for (sent, got, read), occupancy in zip(ends, most, strict=True))
