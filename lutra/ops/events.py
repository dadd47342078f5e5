"""The slots of a loop in which a word comes or goes: all that its times depend on.

A large product has a slot for each part of a row and a word in few of them, so schedules are worked out on these alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lutra.ir import Array

if TYPE_CHECKING:
    from lutra.ops.base import Loop

NEVER = -(2**62)  # before every cycle
ALL = slice(None)
Index = Array | slice  # `ALL`: the words are in all of the slots, in order


@dataclass(frozen=True, eq=False)
class Events:
    """A flat loop of `slots` cycles a frame. at: its slots with a word, ascending (n,); takes, writes: which of those
    take the words of each input, and give the output's; words: how many there are of each input, and of the output;
    latency: see `Loop`.
    """

    slots: int
    latency: int
    at: Array
    takes: tuple[Index, ...]
    writes: Index
    words: tuple[int, ...]

    def times(self, arrivals: tuple[Array, ...], release: Array | None = None) -> tuple[tuple[Array, ...], Array]:
        """See `Unit.times`: a slot runs when the one before it has and its words are there."""
        if release is None and self._straight(arrivals):
            return arrivals, arrivals[0] + self.latency
        frames = len(arrivals[0]) // self.words[0]
        slot = self.at + self.slots * np.arange(frames)[:, None]
        lag = self._lags(tuple(a.reshape(frames, -1) for a in arrivals), slot)
        np.maximum(lag, 0, out=lag)  # no slot runs before its own cycle
        if release is not None:
            bound = release.reshape(frames, -1) - self.latency - slot[:, self.writes]
            lag[:, self.writes] = np.maximum(lag[:, self.writes], bound)
        start = slot + np.maximum.accumulate(lag.reshape(-1)).reshape(slot.shape)
        return self._words(start)

    def steady(self, arrivals: tuple[Array, ...], interval: int) -> tuple[tuple[Array, ...], Array]:
        """The same for one frame of a steady state with a frame every `interval` cycles: how far the slots lag behind a
        slot a cycle is a running maximum, and a frame begins with the lag of the one before, less the cycles that are
        left between them.
        """
        if self._straight(arrivals) and arrivals[0][-1] < arrivals[0][0] + interval:
            return arrivals, arrivals[0] + self.latency
        lag = self._lags(tuple(a[None] for a in arrivals), self.at[None])
        np.maximum.accumulate(lag, axis=1, out=lag)
        return self._words(self.at + np.maximum(lag, lag[:, -1:] - (interval - self.slots)))

    def _straight(self, arrivals: tuple[Array, ...]) -> bool:
        """Whether each word goes on as it comes: one in and one out in each slot, and never two at once."""
        flat = len(arrivals) == 1 and self.takes[0] is ALL and self.writes is ALL and len(self.at) == self.slots
        return flat and apart(arrivals[0])

    def _lags(self, arrivals: tuple[Array, ...], slot: Array) -> Array:
        """How far behind its slot each word comes: a new array (frames, n)."""
        if len(arrivals) == 1 and self.takes[0] is ALL:
            return arrivals[0] - slot
        lag = np.full(slot.shape, NEVER)
        for which, came in zip(self.takes, arrivals, strict=True):
            lag[:, which] = np.maximum(lag[:, which], came - slot[:, which])
        return lag

    def _words(self, start: Array) -> tuple[tuple[Array, ...], Array]:
        taken = tuple(start[:, which].reshape(-1) for which in self.takes)
        return taken, start[:, self.writes].reshape(-1) + self.latency


def one_a_cycle(earliest: Array) -> Array:
    """When slots run that come one after the other, none before its `earliest` (last axis)."""
    if apart(earliest):
        return earliest
    slot = np.arange(earliest.shape[-1])
    times: Array = slot + np.maximum.accumulate(earliest - slot, axis=-1)
    return times


def apart(times: Array) -> bool:
    """Whether times ascend, no two in the same cycle (last axis)."""
    return bool((times[..., 1:] > times[..., :-1]).all())


def events(loop: Loop) -> Events:
    """The events of a loop."""
    takes = [np.flatnonzero(np.diff(reads, prepend=0)) for reads in np.atleast_2d(loop.reads)]
    busy = np.zeros(loop.slots, bool)
    for slots in (*takes, loop.writes):
        busy[slots] = True
    at = np.flatnonzero(busy)
    place = np.cumsum(busy) - 1
    indices = [ALL if len(slots) == len(at) else place[slots] for slots in (*takes, loop.writes)]
    return Events(loop.slots, loop.latency, at, tuple(indices[:-1]), indices[-1],
                  (*(len(slots) for slots in takes), len(loop.writes)))
