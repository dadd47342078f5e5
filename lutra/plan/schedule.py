"""The exact schedule of a whole pipeline.

Every unit is one or two loops that wait for their words and for room at their output and never otherwise, so a
stage's times follow from its arrivals by running maxima (`Unit.times`), and a pipeline's by composing the stages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from lutra.ir import Array
from lutra.plan.pipeline import Feed, Pipeline
from lutra.plan.stages import Stage

SETTLING = 32  # frames within which every stage repeats its schedule


class Times(NamedTuple):
    """When the words of each of a stage's inputs come and are taken, and when those of its outputs are there."""

    came: tuple[Array, ...]
    taken: tuple[Array, ...]
    there: Array


def at_once(pipe: Pipeline) -> tuple[Array, ...]:
    """Arrivals of one frame that is offered at a word a cycle at each input."""
    return tuple(np.arange(n, dtype=np.int64) for n in pipe.in_words)


def flow(pipe: Pipeline, arrivals: Sequence[Array], interval: int | None = None) -> Iterator[Times]:
    """The times of each stage, every one running as soon as it can: for one frame, or for one of a steady state with a
    frame every `interval` cycles (see `steady`). arrivals: of each input's words.
    """
    there: dict[Feed, Array] = {Feed(None, k): came for k, came in enumerate(arrivals)}
    for k, (stage, feeds) in enumerate(zip(pipe.stages, pipe.feeds, strict=True)):
        came = tuple(there.pop(f) for f in feeds)  # each stream has one reader
        taken, found = stage.times(came) if interval is None else steady(stage, came, interval)
        there |= {Feed(k, port): found for port in range(stage.sinks)}
        yield Times(came, taken, found)


def latency(pipe: Pipeline) -> int:
    """Cycles from taking the first input word to the last output word's being there: one frame, offered at a word a
    cycle at each input of an empty pipeline whose outputs never stall.
    """
    first, last = [], []
    readers, ends = {stage for stage, _ in pipe.inputs}, {f.stage for f in pipe.outputs}
    for k, times in enumerate(flow(pipe, at_once(pipe))):
        if k in readers:
            first += [int(times.taken[port][0]) for stage, port in pipe.inputs if stage == k]
        if k in ends:
            last.append(int(times.there[-1]))
    return max(last) - min(first)


def steady(
    stage: Stage, arrivals: tuple[Array, ...], interval: int, release: Array | None = None
) -> tuple[tuple[Array, ...], Array]:
    """When a stage takes each input word of a frame and has each output word, when every frame arrives `interval`
    cycles after the one before and all have gone on for ever.

    arrivals: of the words of one frame of each input. release: see `Unit.times`, of one frame.
    """
    assert stage.cycles <= interval, (stage.name, stage.cycles, interval)
    if stage.events is not None and release is None:
        return stage.events.steady(arrivals, interval)
    frames = 3
    while frames <= SETTLING:
        start = interval * np.arange(frames)[:, None]
        bound = None if release is None else (release + start).ravel()
        taken, there = stage.times(tuple((a + start).ravel() for a in arrivals), bound)
        ends = [(t.reshape(frames, -1) - start) for t in (*taken, there)]
        if all(np.array_equal(e[-1], e[-2]) for e in ends):
            return tuple(e[-1] for e in ends[:-1]), ends[-1][-1]
        frames *= 2
    raise AssertionError(f"{stage.name} does not settle in {SETTLING} frames")
