"""The exact schedule of a whole pipeline, and the stream depths that follow from it.

Every unit is a flat loop that waits for its words and never otherwise, so a stage's times follow from its arrivals by
a running maximum (`Unit.times`), and a pipeline's by composing the stages.

Depths. Release a frame every `interval` cycles, its words evenly spread, and let every stage run as soon as its words
are there. In steady state each stage then repeats one schedule with that period (`steady`). A FIFO that holds the
words between production and consumption in this schedule makes it admissible with finite streams, and a pipeline of
such loops that runs by itself is never later than an admissible schedule (its times are monotonic: max and plus), so
the measured interval is the planned one and nothing deadlocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from lutra.ir import Array, Graph, Node
from lutra.ops.base import Fold
from lutra.ops.fifo.op import Fifo
from lutra.plan.stages import Stage, stages, stream, unit_stages

SETTLING = 32  # frames within which every stage repeats its schedule
SMALLEST = 2  # depth of a FIFO that takes and gives a word in every cycle


def words(stage: Stage) -> tuple[int, int]:
    """Words a frame of a stage's two streams."""
    before, after = stage.lanes
    return stage.x.size // before, stage.unit.infer(stage.x).size // after


def latency(pipe: Sequence[Stage]) -> int:
    """Cycles from taking the first input word to the last output word's being there: one frame, offered at a word a
    cycle to an empty pipeline whose output never stalls.
    """
    times = np.arange(words(pipe[0])[0], dtype=np.int64)
    for stage in pipe:
        _, times = stage.times(times)
    return int(times[-1])


def steady(stage: Stage, arrivals: Array, interval: int) -> tuple[Array, Array]:
    """When a stage takes each input word of a frame and has each output word, when every frame arrives `interval`
    cycles after the one before and all have gone on for ever. arrivals: (words,) of one frame, spanning < interval.
    """
    assert stage.cycles <= interval, (stage.name, stage.cycles, interval)
    frames = 3
    while frames <= SETTLING:
        release = interval * np.arange(frames)[:, None]
        taken, there = stage.times((arrivals[None, :] + release).ravel())
        taken, there = taken.reshape(frames, -1) - release, there.reshape(frames, -1) - release
        if np.array_equal(there[-1], there[-2]) and np.array_equal(taken[-1], taken[-2]):
            return taken[-1], there[-1]
        frames *= 2
    raise AssertionError(f"{stage.name} does not settle in {SETTLING} frames")


def waiting(there: Array, taken: Array, interval: int) -> int:
    """The most words of a stream at once between its two ends in steady state, the one that comes and the one that
    goes in a cycle among them. there, taken: (words,) times of one frame.
    """
    frames = -(-int(taken.max() - there.min()) // interval) + 2
    release = interval * np.arange(frames)[:, None]
    gone = np.searchsorted((taken[None, :] + release).ravel(), there + release[-1], side="left")
    came = np.arange(len(there)) + len(there) * (frames - 1) + 1
    return int((came - gone).max())


def unhurried(there: Array, taken: Array, interval: int) -> bool:
    """Whether a unit's output register alone does in steady state: each word is taken as it comes, or, as a unit goes
    on while a word stands at its output, before the next result stands behind it.
    """
    after = np.append(there[1:], there[0] + interval)
    return bool(((taken == there) | (taken <= after - 2)).all())


def stream_depths(graph: Graph, folds: Mapping[Node, Fold], interval: int | None = None) -> dict[Node, int]:
    """The depth that each stream needs for a frame every `interval` cycles (default: the slowest stage's).

    Keyed by the unit that fills the stream; a stream that is not named needs no FIFO.
    """
    interval = interval or max(s.cycles for s in stages(graph, folds, {}))
    units = unit_stages(graph, folds)
    count = words(units[0])[0]
    _, there = steady(units[0], np.arange(count, dtype=np.int64) * interval // count, interval)
    depths: dict[Node, int] = {}
    for source, sink in pairwise(units):
        depth, there = _depth(source, sink, there, interval)
        if depth:
            depths[source.node] = depth
    return depths


def _depth(source: Stage, sink: Stage, there: Array, interval: int) -> tuple[int, Array]:
    """The depth of a stream whose words are there at `there`, and when the sink's own output words are."""
    depth = 0
    while True:
        taken, out = _through((*stream(source, sink, depth), sink), there, interval)
        need = 0 if depth == 0 and unhurried(there, taken, interval) else waiting(there, taken, interval)
        if need <= depth:
            return depth, out
        depth = max(need, SMALLEST)  # a deeper FIFO may have a longer latency, so look again


def _through(pipe: Sequence[Stage], arrivals: Array, interval: int) -> tuple[Array, Array]:
    """When the words of a stream leave its FIFO, or its source where it has none, and when the last stage's are there.

    pipe: FIFO and width converter where there are, then the sink.
    """
    reader = 1 if isinstance(pipe[0].unit, Fifo) else 0
    left, times = arrivals, arrivals
    for i, stage in enumerate(pipe):
        taken, times = steady(stage, times, interval)
        left = taken if i == reader else left
    return left, times
