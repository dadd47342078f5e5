"""Schedules and stream depths against a simulation, cycle by cycle, of loops that wait on both sides."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from lutra.hw.netlist import Block
from lutra.ir import Graph, Input, Node, Range, Tensor
from lutra.ops.base import Cost, Fold, Loop, Unit
from lutra.ops.fifo.op import Fifo
from lutra.plan.depths import stream_depths
from lutra.plan.pipeline import connect
from lutra.plan.schedule import latency, steady
from lutra.plan.stages import placed


@dataclass(frozen=True)
class Toy(Unit):
    """One lane; `size` elements in, as many out, in a loop of `slots` cycles that reads and writes in given slots."""

    reads: tuple[int, ...]
    writes: tuple[int, ...]
    slots: int
    delay: int = 2

    def infer(self, *args):
        return args[0]

    def evaluate(self, *args):
        return args[0]

    def folds(self, x):
        return (Fold(),)

    def lanes(self, fold, x):
        return 1, 1

    def loop(self, fold, x):
        taken = np.cumsum(np.isin(np.arange(self.slots), self.reads))
        return Loop(self.slots, taken, np.array(self.writes), self.delay)

    def block(self, fold, x):
        return Block("lutra_toy")

    def cost(self, fold, x, family):
        return Cost(lut=1.0)

    @classmethod
    def samples(cls):
        raise NotImplementedError


def graph(*ops, size):
    node = Node(Input("x", Tensor((size,), Range(0, 1))))
    source = node
    for op in ops:
        node = Node(op, (node,))
    return Graph((source,), (node,))


def burst(n, slots):
    """Reads all words first and writes as it reads."""
    return Toy(tuple(range(n)), tuple(range(n)), slots)


def even(n, slots):
    """Reads and writes evenly."""
    places = tuple(i * slots // n for i in range(n))
    return Toy(places, places, slots)


def late(n, slots):
    """Reads all words first and writes at the end, as a matrix product with one row at a time does."""
    return Toy(tuple(range(n)), tuple(slots - n + i for i in range(n)), slots)


@dataclass
class Running:
    """A unit at work: slot, results on their way, output words (two at most where results can be adjacent)."""

    loop: Loop
    room: int
    slot: int = 0
    fetched: int = 0
    pipe: list = field(default_factory=list)
    out: list = field(default_factory=list)

    def step(self, word, push):
        """One cycle. word: whether the input has one. Returns whether it is taken."""
        frame = self.slot % self.loop.slots
        reads = int(self.loop.reads[frame] - (self.loop.reads[frame - 1] if frame else 0))
        moves = not (self.pipe[0] and push)
        go = moves and (word or not reads)
        if moves:
            result = self.pipe.pop(0)
            self.pipe.append(go and frame in self.loop.writes)
            self.slot += go
            return bool(reads and go), result
        return False, False


def simulate(graph, depths, frames):
    """Cycle in which each frame's last word leaves the pipeline whose FIFOs have these depths, and the first taken."""
    pipe = connect(graph, {n: Fold() for n in graph.nodes if isinstance(n.op, Unit)}, depths).stages
    parts = [_part(s) for s in pipe]
    words = pipe[0].xs[0].size
    ends, left, now, first = [], 0, 0, None
    while left < words * frames:
        left, first = _cycle(parts, now, left, first)
        if left and left % words == 0 and len(ends) < left // words:
            ends.append(now)
        now += 1
        assert now < 200_000, "deadlock"
    return np.array(ends), first


class Stretch:
    """A word-for-word stage: a FIFO of some depth and latency."""

    def __init__(self, depth, delay):
        self.depth, self.delay, self.words = depth, delay, []


def _part(stage):
    if isinstance(stage.unit, Fifo):
        return Stretch(stage.unit.depth, stage.unit.loop(stage.fold, stage.xs[0]).latency)
    loop = stage.unit.loop(stage.fold, stage.xs[0])
    part = Running(loop, 2 if np.any(np.diff(np.append(loop.writes, loop.slots + loop.writes[0])) == 1) else 1)
    part.pipe = [False] * (loop.latency - 1)
    return part


def _valid(part, now):
    if isinstance(part, Stretch):
        return bool(part.words) and part.words[0] <= now
    return bool(part.out)


def _cycle(parts, now, left, first):
    """All parts decide by the state at the start of the cycle, then move."""
    valid = [True, *(_valid(p, now) for p in parts)]
    full = [len(p.words) >= p.depth if isinstance(p, Stretch) else len(p.out) >= p.room for p in parts]
    moves = []
    for i, part in enumerate(parts):
        if isinstance(part, Stretch):
            moves.append((valid[i] and not full[i], False))
        else:
            moves.append(part.step(valid[i], full[i]))
    taken = [m[0] for m in moves[1:]] + [True]
    for part, (took, result), gone in zip(parts, moves, taken, strict=True):
        if isinstance(part, Stretch):
            if gone and _valid(part, now):
                part.words.pop(0)
            if took:
                part.words.append(now + part.delay)
        else:
            if gone and part.out:
                part.out.pop(0)
            if result:
                part.out.append(True)
    first = now if first is None and moves[0][0] else first
    return left + valid[-1], first


CHAINS = {
    "even into burst": (even(16, 128), burst(16, 128)),
    "burst into even": (burst(16, 128), even(16, 128)),
    "late into burst": (late(16, 100), burst(16, 128)),
    "three of one length": (late(12, 96), even(12, 96), burst(12, 96)),
    "slow in the middle": (burst(16, 20), late(16, 90), burst(16, 17)),
    "slow first": (late(16, 90), burst(16, 17), even(16, 40)),
    "one word a cycle": (burst(16, 16), burst(16, 16), burst(16, 16)),
    "five": (even(24, 150), burst(24, 150), late(24, 149), even(24, 150), burst(24, 120)),
}


def planned(name):
    g = graph(*CHAINS[name], size=len(CHAINS[name][0].reads))
    folds = {n: Fold() for n in g.nodes if isinstance(n.op, Unit)}
    return g, folds, stream_depths(g, folds)


@pytest.mark.parametrize("name", CHAINS)
def test_interval_of_finite_streams_is_the_slowest_units(name):
    g, _, depths = planned(name)
    ends, _ = simulate(g, depths, frames=10)
    assert set(np.diff(ends)[4:]) == {max(op.slots for op in CHAINS[name])}


@pytest.mark.parametrize("name", ["even into burst", "three of one length", "five"])
def test_without_the_depths_the_interval_is_longer(name):
    g, _, depths = planned(name)
    assert depths
    ends, _ = simulate(g, {}, frames=10)
    assert np.diff(ends)[-1] > max(op.slots for op in CHAINS[name])


@pytest.mark.parametrize("name", CHAINS)
def test_latency_is_the_first_frames(name):
    g, folds, depths = planned(name)
    ends, first = simulate(g, depths, frames=1)
    assert ends[0] - first == latency(connect(g, folds, depths))


def test_a_stream_of_matching_rates_needs_no_fifo():
    assert planned("one word a cycle")[2] == {}


def test_steady_state_of_a_unit_that_lags():
    g = graph(late(4, 10), size=4)
    (taken,), there = steady(placed("toy", g.nodes[1], Fold()), (np.array([0, 3, 6, 9]),), 10)
    assert taken.tolist() == [6, 7, 8, 9]  # never waits any more: ten slots in ten cycles
    assert there.tolist() == [14, 15, 16, 17]
