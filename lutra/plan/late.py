"""What the latency of a single frame needs of the depths of streams.

First every stage runs as soon as its words are there. Then, from the outputs to the inputs, each one runs as late as
the room in its streams makes it (a word comes into a FIFO of depth d when the d-th word before it has gone, into no
FIFO when the one before it has), and the least room is sought with which every word is still there when its reader
takes it. That is a schedule for finite streams. Behind a fork the latest room decides when a word may come, and the
earliest reader when it must.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from lutra.ir import Array
from lutra.ops.events import NEVER
from lutra.ops.fifo.op import Fifo
from lutra.ops.fork.op import Fork
from lutra.ops.width.op import Width
from lutra.plan.names import Sink
from lutra.plan.pipeline import SMALLEST, Pipeline
from lutra.plan.schedule import at_once, flow

PIPELINE = 16  # cycles from a unit's slot to its result, or more


def demanded(pipe: Pipeline, least: Mapping[Sink, int]) -> dict[Sink, int]:
    """The least depths, none below `least`, those of the pipeline's own FIFOs, with which a single frame that is
    offered at once has the latency of unbounded streams.
    """
    late = _Late(pipe, least, [_Soon(t.came, t.there) for t in flow(pipe, at_once(pipe))])
    for k in reversed(range(len(pipe.stages))):
        if not isinstance(pipe.stages[k].unit, Fifo | Width):
            late.visit(k)
    return late.depths


class _Span(NamedTuple):
    """When the words of a stage's output may be there, and when they must."""

    release: Array
    deadline: Array


class _Soon(NamedTuple):
    """When the words of a stage's inputs come and its own are there, if every stage runs as soon as it can."""

    came: tuple[Array, ...]
    there: Array


class _Spread(NamedTuple):
    """When the words of a fork's outputs may be there, and when they are."""

    release: Array
    there: Array


class _Late:
    """The late schedule as it grows, from the outputs to the inputs."""

    def __init__(self, pipe: Pipeline, least: Mapping[Sink, int], soon: list[_Soon]) -> None:
        self.pipe, self.least, self.soon = pipe, least, soon
        self.depths: dict[Sink, int] = {}
        self.taken: dict[int, tuple[Array, ...]] = {}  # when each stage takes the words of its inputs
        self.spread: dict[int, _Spread] = {}  # of each fork
        self.tried: dict[tuple[Sink, int], _Span | None] = {}  # while the depths behind a stage are chosen
        self.last: tuple[int, Array, tuple[tuple[Array, ...], Array]] | None = None  # a stage's run, often asked twice
        self.end = max(int(soon[f.stage].there[-1]) for f in pipe.outputs if f.stage is not None)
        self.behind: dict[int, list[Sink]] = {}
        for sink, path in pipe.paths.items():
            if path.source.stage is not None:
                self.behind.setdefault(path.source.stage, []).append(sink)
        self.forks = {feeds[0].stage: k for k, feeds in enumerate(pipe.feeds) if isinstance(pipe.stages[k].unit, Fork)}

    def visit(self, k: int) -> None:
        """Choose the depths behind a stage, and when it takes its words; what is behind it has been visited."""
        fork = self.forks.get(k)
        if fork is None:
            self._choose(k, None)
            return
        if self._feeds(k, fork):
            return
        self._choose(fork, self.soon[fork].there)
        fed = self._feeds(k, fork)
        assert fed, self.pipe.stages[k]

    def _feeds(self, k: int, fork: int) -> bool:
        """Whether a stage keeps up with the late schedule of the fork behind it; then its own is chosen. A word stands
        before the fork when the one before it may stand behind it, as the fork has room for one more.
        """
        behind = self.spread[fork]
        release = _before(behind.release, 1)
        self.taken[k], there = self._run(k, release)
        return bool((there < behind.there).all())

    def _choose(self, k: int, limit: Array | None) -> None:
        """Choose the least depths of the streams behind a stage with which its words are there in time for all of them,
        and not after `limit`.
        """
        self.tried = {}
        depths = {sink: self.least.get(sink, 0) for sink in self.behind[k]}
        while True:
            spans = {sink: self._spanned(k, sink, depth) for sink, depth in depths.items()}
            deadlines = [span.deadline for span in spans.values() if span] + ([] if limit is None else [limit])
            deadline = np.minimum.reduce(deadlines) if deadlines else None
            grown = {sink: self._deepen(k, sink, depth, deadline) for sink, depth in depths.items()}
            if grown == depths:
                break
            depths = grown
        self.depths |= depths
        first, *others = [span.release for span in spans.values() if span]
        release = np.maximum.reduce([first, *others]) if others else first
        self.taken[k], there = self._run(k, release)
        if isinstance(self.pipe.stages[k].unit, Fork):
            self.spread[k] = _Spread(release, there)

    def _deepen(self, k: int, sink: Sink, depth: int, deadline: Array | None) -> int:
        """The least depth of one stream, from `depth` on, with which the stage's words are there in time."""

        def stands(depth: int) -> bool:
            span = self._spanned(k, sink, depth)
            if span is None:
                return False
            _, there = self._run(k, span.release)
            return bool((there <= span.deadline).all() and (deadline is None or (there <= deadline).all()))

        if stands(depth):
            return depth
        low, high = depth, max(SMALLEST, depth + 1)
        while not stands(high):
            low, high = high, 2 * high
        while high - low > 1 and high > SMALLEST:
            middle = (low + high) // 2
            low, high = (low, middle) if stands(middle) else (middle, high)
        return high

    def _spanned(self, k: int, sink: Sink, depth: int) -> _Span | None:
        """`_span`, worked out once while the depths behind a stage are chosen."""
        if (sink, depth) not in self.tried:
            self.tried[sink, depth] = self._span(k, sink, depth)
        return self.tried[sink, depth]

    def _span(self, k: int, sink: Sink, depth: int) -> _Span | None:
        """What a stream with a FIFO of this depth asks of the stage that fills it; None where its width converter then
        is too late.
        """
        path = self.pipe.paths[sink]
        if path.end is None:
            words = len(self.soon[k].there)
            return _Span(np.full(words, NEVER), self.end - np.arange(words)[::-1])
        stage, port = path.end
        wanted, delay, width = self.taken[stage][port], 0, None
        for at in path.between:
            unit, fold, xs = self.pipe.stages[at].unit, self.pipe.stages[at].fold, self.pipe.stages[at].xs
            if isinstance(unit, Fifo):
                delay = unit.latency(fold, xs[0])
            else:
                width = at
        if width is None:
            return self._before(k, wanted, depth, delay)
        (taken,), given = self.pipe.stages[width].lanes
        up = taken < given
        inner = self._before(width, wanted, depth * up, delay * up)
        (taken_late,), there = self._run(width, inner.release)
        if (there > inner.deadline).any():
            return None
        return self._before(k, taken_late, depth * (not up), delay * (not up))

    def _before(self, k: int, wanted: Array, room: int, delay: int) -> _Span:
        """What a stage may do whose words are wanted then, with this much room behind it and this delay in it."""
        adjacent = isinstance(self.pipe.stages[k].unit, Fork) or (np.diff(self.soon[k].there) == 1).any()
        gap = 1 if room or adjacent else 2  # an output register alone is free a cycle later
        return _Span(_before(wanted, room or 1) + gap, wanted - delay)

    def _run(self, k: int, release: Array) -> tuple[tuple[Array, ...], Array]:
        if self.last is None or self.last[0] != k or self.last[1] is not release:
            self.last = k, release, self._held(k, release)
        return self.last[2]

    def _held(self, k: int, release: Array) -> tuple[tuple[Array, ...], Array]:
        taken, there = self.pipe.stages[k].times(self.soon[k].came, release)
        piped = not isinstance(self.pipe.stages[k].unit, Width | Fork)
        return taken, _kept(self.soon[k].there, there) if piped else there


def _kept(soon: Array, there: Array) -> Array:
    """When the words of a stage are there, of which some are held up: results behind one that are in the unit's
    pipeline already keep their distance from it, as the whole of it stands still. Those that come later may be said to
    keep it, too: later than they are.
    """
    if np.array_equal(soon, there):
        return there
    fresh = np.append(True, soon[1:] - PIPELINE >= np.maximum.accumulate(there)[:-1])
    for part in (np.cumsum(fresh), np.zeros(len(soon), np.int64)):
        delay = there - soon
        offset = part * (int(delay.max()) + 1)
        kept: Array = soon + np.maximum.accumulate(delay + offset) - offset
        if (kept[:-1] <= soon[1:] - PIPELINE)[fresh[1:]].all():
            break
    return kept


def _before(times: Array, n: int) -> Array:
    """For each word, the time of the n-th word before it, or never where there is none."""
    index = np.arange(len(times)) - n
    return np.where(index < 0, NEVER, times[np.maximum(index, 0)])
