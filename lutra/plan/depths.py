"""Stream depths: the FIFOs that keep the interval and the latency of unbounded streams.

The steady state of a frame every `interval` cycles, words evenly spread at each input, says how many words wait in
each stream (`waiting`); a single frame offered at once to an empty pipeline, what its latency needs beyond that
(`lutra.plan.late`). A pipeline of such loops that runs by itself is never later than any schedule that exists (its
times are maxima and sums of earlier ones: F. Baccelli et al., "Synchronization and Linearity", 1992, chapter 2), so it
reaches the interval of the one and the latency of the other, and nothing deadlocks.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lutra.ir import Array, Graph, Node
from lutra.ops.base import Fold
from lutra.ops.fifo.op import Fifo
from lutra.plan.late import demanded
from lutra.plan.names import Sink
from lutra.plan.pipeline import SMALLEST, Path, Pipeline, connect
from lutra.plan.schedule import Times, flow
from lutra.plan.stages import Stage

PASSES = 16  # of choosing depths, within which none grows any more


def stream_depths(graph: Graph, folds: Mapping[Node, Fold], interval: int | None = None) -> dict[Sink, int]:
    """The depth that each stream needs for a frame every `interval` cycles (default: the slowest stage's).

    A stream that is not named needs no FIFO.
    """
    depths: dict[Sink, int] = {}
    known: dict[Stage, Stage] = {}
    delays: dict[str, int] | None = None
    for _ in range(PASSES):
        pipe = connect(graph, folds, depths, known)
        every = interval or max(s.cycles for s in pipe.stages)
        found = depths
        if delays != (delays := _delays(pipe)):  # else every stage runs as in the pass before
            found = _most(depths, waiting(pipe, every))
        if found == depths:
            found = _most(depths, demanded(pipe, depths))
        if found == depths:
            return depths
        depths = found
    raise AssertionError("stream depths do not come to rest")


def _delays(pipe: Pipeline) -> dict[str, int]:
    """The delay of each FIFO, by its name: all of their depths that a schedule with unbounded streams depends on."""
    return {s.name: s.unit.latency(s.fold, s.xs[0]) for s in pipe.stages if isinstance(s.unit, Fifo)}


def _most(a: Mapping[Sink, int], b: Mapping[Sink, int]) -> dict[Sink, int]:
    return {sink: depth for sink in {**a, **b} if (depth := max(a.get(sink, 0), b.get(sink, 0)))}


def waiting(pipe: Pipeline, interval: int) -> dict[Sink, int]:
    """For each stream the most words that wait in it in steady state, every stage running as soon as it can.

    With this room no stage is ever held up by its output when frames come every `interval` cycles. 0 where the
    source's output register does.
    """
    even = tuple(np.arange(n, dtype=np.int64) * interval // n for n in pipe.in_words)
    watch = _Watch(pipe, interval)
    for k, times in enumerate(flow(pipe, even, interval)):
        watch.see(k, times)
    return watch.rooms


class _Watch:
    """Sees the times of stages as they come, and keeps what the streams of later ones need."""

    def __init__(self, pipe: Pipeline, interval: int) -> None:
        self.pipe, self.interval = pipe, interval
        self.rooms: dict[Sink, int] = {}
        ends = {path.end: (sink, path) for sink, path in pipe.paths.items()
                if path.end is not None and path.source.stage is not None}
        self.ends: dict[int, list[tuple[int, Sink, Path]]] = {}
        for (stage, port), (sink, path) in ends.items():
            self.ends.setdefault(stage, []).append((port, sink, path))
        self.between = {k for path in pipe.paths.values() for k in path.between}
        self.known: dict[int, tuple[Array, Array]] = {}  # of what is between: when words come and are taken

    def see(self, k: int, times: Times) -> None:
        """A stage's times: with them the room of each stream that it reads is known."""
        if k in self.between:
            self.known[k] = times.came[0], times.taken[0]
        for port, sink, path in self.ends.get(k, ()):
            steps = [*(self.known.pop(n) for n in path.between), (times.came[port], times.taken[port])]
            fifo = [isinstance(self.pipe.stages[n].unit, Fifo) for n in path.between]
            self.rooms[sink] = _room(steps, fifo.index(True) if True in fifo else None, self.interval)


def _room(steps: list[tuple[Array, Array]], fifo: int | None, interval: int) -> int:
    """Words that wait in one stream: where its FIFO is or would be, on the side of the wider words. steps: when words
    come to what is on the stream, and to its reader, and are taken; fifo: the place of its FIFO among them.
    """
    if all(_unhurried(came, taken, interval) for came, taken in steps):
        return 0
    into = min((came for came, _ in steps), key=len) if fifo is None else steps[fifo][0]
    taken = steps[-1][1]
    last = -(-np.arange(1, len(into) + 1) * len(taken) // len(into)) - 1  # the reader's word with its last part
    return max(SMALLEST, _occupied(into, taken[last], interval))


def _unhurried(there: Array, taken: Array, interval: int) -> bool:
    """Whether each word is taken as it comes, or before the next result stands behind the output register."""
    if taken is there:
        return True
    after = np.append(there[1:], there[0] + interval)
    return bool(((taken == there) | (taken <= after - 2)).all())


def _occupied(there: Array, gone: Array, interval: int) -> int:
    """The most words at once that have come and not gone, the one that comes in a cycle among them."""
    frames = -(-int(gone.max() - there.min()) // interval) + 2
    release = interval * np.arange(frames)[:, None]
    left = np.searchsorted((gone[None, :] + release).ravel(), there + release[-1], side="left")
    return int((np.arange(len(there)) + len(there) * (frames - 1) + 1 - left).max())
