"""The exact schedule of a whole pipeline.

Every unit is one or two loops that wait for their words and for room at their output and never otherwise, so a
stage's times follow from its arrivals by running maxima (`Unit.times`), and a pipeline's by composing the stages.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lutra.ir import Array
from lutra.plan.stages import Stage

SETTLING = 32  # frames within which every stage repeats its schedule


def words(stage: Stage) -> tuple[int, int]:
    """Words a frame of a stage's two streams."""
    before, after = stage.lanes
    return stage.x.size // before, stage.unit.infer(stage.x).size // after


def at_once(stage: Stage) -> Array:
    """Arrivals of one frame that is offered at a word a cycle."""
    return np.arange(words(stage)[0], dtype=np.int64)


def latency(pipe: Sequence[Stage]) -> int:
    """Cycles from taking the first input word to the last output word's being there: one frame, offered at a word a
    cycle to an empty pipeline whose output never stalls.
    """
    taken, times = pipe[0].times(at_once(pipe[0]))
    for stage in pipe[1:]:
        _, times = stage.times(times)
    return int(times[-1] - taken[0])


def steady(stage: Stage, arrivals: Array, interval: int, release: Array | None = None) -> tuple[Array, Array]:
    """When a stage takes each input word of a frame and has each output word, when every frame arrives `interval`
    cycles after the one before and all have gone on for ever.

    arrivals: (words,) of one frame, spanning less than an interval. release: see `Unit.times`, of one frame.
    """
    assert stage.cycles <= interval, (stage.name, stage.cycles, interval)
    frames = 3
    while frames <= SETTLING:
        start = interval * np.arange(frames)[:, None]
        bound = None if release is None else (release + start).ravel()
        taken, there = stage.times((arrivals + start).ravel(), bound)
        taken, there = taken.reshape(frames, -1) - start, there.reshape(frames, -1) - start
        if np.array_equal(there[-1], there[-2]) and np.array_equal(taken[-1], taken[-2]):
            return taken[-1], there[-1]
        frames *= 2
    raise AssertionError(f"{stage.name} does not settle in {SETTLING} frames")
