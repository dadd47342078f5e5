"""Stream depths: the smallest FIFOs that keep the interval and the latency of unbounded streams.

Two schedules are kept: the steady state of a frame every `interval` cycles, its words evenly spread at the input, and
a single frame offered at once to an empty pipeline. In both, first every stage runs as soon as its words are there.
Then, from the last unit to the first, each one runs as late as the room of its output stream makes it (a word comes
into a FIFO of depth d when the d-th word before it has gone, into no FIFO when the one before it has), and the least
room is sought with which every word is still there when the next unit takes it. That is a schedule for finite streams.
A pipeline of such loops that runs by itself is never later than any schedule that exists (its times are maxima and
sums of earlier ones), so it reaches the interval of the one and the latency of the other, and nothing deadlocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lutra.ir import Array, Graph, Node
from lutra.ops.base import Fold
from lutra.ops.fifo.op import Fifo
from lutra.plan.schedule import at_once, steady, words
from lutra.plan.stages import Stage, stages, stream, unit_stages

SMALLEST = 2  # depth of a FIFO that takes and gives a word in every cycle
SLOWEST = 3  # the most cycles from a word's coming into a FIFO to its standing at the output
NEVER = -(2**62)  # before every cycle
PASSES = 16  # of choosing depths, within which none grows any more


def stream_depths(graph: Graph, folds: Mapping[Node, Fold], interval: int | None = None) -> dict[Node, int]:
    """The depth that each stream needs for a frame every `interval` cycles (default: the slowest stage's).

    Keyed by the unit that fills the stream; a stream that is not named needs no FIFO.
    """
    units = unit_stages(graph, folds)
    interval = interval or max(s.cycles for s in stages(graph, folds, {}))
    count = words(units[0])[0]
    even = np.arange(count, dtype=np.int64) * interval // count
    depths = _Timing(units, even, interval, {}, SLOWEST).depths()
    for _ in range(PASSES):
        found = _Timing(units, at_once(units[0]), None, depths, 0).depths()
        if found == depths:
            waiting = _waiting(units, even, interval, found)
            return {node: max(depth, waiting[node]) for node, depth in depths.items() if max(depth, waiting[node])}
        depths = found
    raise AssertionError("stream depths do not come to rest")


def _waiting(units: tuple[Stage, ...], arrivals: Array, interval: int, least: Mapping[Node, int]) -> dict[Node, int]:
    """For each stream the most words that wait in it in steady state, every stage running as soon as it can.

    With this room no stage is ever held up by its output when frames come every `interval` cycles. A held-up unit's
    pipeline keeps the gaps between its results, which the late schedule above does not know: it would close them.
    0 where the source's output register does.
    """
    _, came = steady(units[0], arrivals, interval)
    rooms: dict[Node, int] = {}
    for source, sink in pairwise(units):
        into, room = came, 0
        for stage in (*stream(source, sink, max(least.get(source.node, 0), SMALLEST)), sink):
            into = came if isinstance(stage.unit, Fifo) else into
            taken, came_next = steady(stage, came, interval)
            if not _unhurried(came, taken, interval):
                room = max(room, SMALLEST)
            came = came_next
        if room:
            last = -(-np.arange(1, len(into) + 1) * len(taken) // len(into)) - 1  # the sink's word with its last part
            room = max(room, _most(into, taken[last], interval))
        rooms[source.node] = room
    return rooms


def _unhurried(there: Array, taken: Array, interval: int) -> bool:
    """Whether each word is taken as it comes, or before the next result stands behind the output register."""
    after = np.append(there[1:], there[0] + interval)
    return bool(((taken == there) | (taken <= after - 2)).all())


def _most(there: Array, gone: Array, interval: int) -> int:
    """The most words at once that have come and not gone, the one that comes in a cycle among them."""
    frames = -(-int(gone.max() - there.min()) // interval) + 2
    release = interval * np.arange(frames)[:, None]
    left = np.searchsorted((gone[None, :] + release).ravel(), there + release[-1], side="left")
    return int((np.arange(len(there)) + len(there) * (frames - 1) + 1 - left).max())


@dataclass(frozen=True)
class _Timing:
    """One schedule of the units: a frame every `interval` cycles, or just one frame where that is None.

    least: depths that are there already. hop: cycles that every stream takes in which no FIFO stands yet, kept free
    for one.
    """

    units: tuple[Stage, ...]
    arrivals: Array
    interval: int | None
    least: Mapping[Node, int]
    hop: int

    def depths(self) -> dict[Node, int]:
        """The least depths, none below `least`, with which this schedule stands."""
        came = self._forward()
        chosen: dict[Node, int] = {}
        wanted, _ = self.run(self.units[-1], came[self.units[-1].name])
        for source, sink in reversed(list(pairwise(self.units))):
            link = _Link(self, source, sink, wanted, came)
            depth, wanted = link.choose(self.least.get(source.node, 0))
            chosen[source.node] = depth
        return chosen

    def _forward(self) -> dict[str, Array]:
        """When the words of each stage come, by its name, every stage running as soon as it can."""
        came: dict[str, Array] = {self.units[0].name: self.arrivals}
        for source, sink in pairwise(self.units):
            _, times = self.run(source, came[source.name])
            down = source.lanes[1] > sink.lanes[0]  # a FIFO would stand before the converter
            times = times + self.hop * down
            for stage in stream(source, sink, self.least.get(source.node, 0)):
                came[stage.name] = times
                _, times = self.run(stage, times)
            came[sink.name] = times + self.hop * (not down)
        return came

    def run(self, stage: Stage, arrivals: Array, release: Array | None = None) -> tuple[Array, Array]:
        """When a stage takes its words and when its own are there."""
        if self.interval is None:
            return stage.times(arrivals, release)
        return steady(stage, arrivals, self.interval, release)

    def before(self, times: Array, n: int) -> Array:
        """For each word, the time of the n-th word before it: in the frame before, or never where there is none."""
        index = np.arange(len(times)) - n
        if self.interval is None:
            return np.where(index < 0, NEVER, times[np.maximum(index, 0)])
        return times[index % len(times)] + index // len(times) * self.interval


@dataclass(frozen=True)
class _Link:
    """A stream between two units, the second of which takes its words at `wanted`. came: see `_Timing._forward`."""

    timing: _Timing
    source: Stage
    sink: Stage
    wanted: Array
    came: Mapping[str, Array]

    def choose(self, least: int) -> tuple[int, Array]:
        """The least depth, not below `least`, with which every word is there in time, and when the source then takes
        its own words.
        """
        taken = self._taken(least, least)
        if taken is not None:
            return least, taken
        low, high = least, max(SMALLEST, least + 1)
        while (taken := self._taken(high, least)) is None:
            low, high = high, 2 * high
        while high - low > 1 and high > SMALLEST:
            middle = (low + high) // 2
            found = self._taken(middle, least)
            low, high, taken = (low, middle, found) if found is not None else (middle, high, taken)
        return high, taken

    def _taken(self, depth: int, least: int) -> Array | None:
        """When the source takes its words with a FIFO of this depth; None if some word then comes too late."""
        between = stream(self.source, self.sink, depth)
        feeders: list[tuple[Stage, int]] = [(self.source, 0)]  # what fills what is after it, and the room there
        for stage in between:
            if isinstance(stage.unit, Fifo):
                feeders[-1] = feeders[-1][0], depth
            else:
                feeders.append((stage, 0))
        delay = self._delay(depth if self.timing.hop else least)
        wanted = self.wanted
        for stage, room in reversed(feeders):
            found = self._late(stage, wanted, room, delay if room else 0)
            if found is None:
                return None
            wanted = found
        return wanted

    def _late(self, stage: Stage, wanted: Array, room: int, delay: int) -> Array | None:
        """When a stage takes its words if it runs as late as its output makes it, whose words are wanted then."""
        came = self.came[stage.name]
        _, soon = self.timing.run(stage, came)
        gap = 1 if room or (np.diff(soon) == 1).any() else 2  # an output register alone is free a cycle later
        taken, there = self.timing.run(stage, came, self.timing.before(wanted, room or 1) + gap)
        return taken if (there + delay <= wanted).all() else None

    def _delay(self, depth: int) -> int:
        """Cycles through a FIFO of this depth."""
        fifos = [s for s in stream(self.source, self.sink, depth) if isinstance(s.unit, Fifo)]
        return fifos[0].unit.loop(fifos[0].fold, fifos[0].x).latency if fifos else 0
