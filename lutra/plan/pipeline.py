"""The planned pipeline of a graph: its stages, and which of them feeds which.

One structure that costs, schedule and hardware are all made from, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from lutra.ir import Graph, Input, Node
from lutra.ops.base import Fold, Unit
from lutra.ops.fifo.op import Fifo
from lutra.ops.fork.op import Fork
from lutra.ops.width.op import Width
from lutra.plan.names import Sink, hardware, layer_names, sinks, stream_names
from lutra.plan.region import Region, regions
from lutra.plan.stages import Stage, placed

SMALLEST = 2  # depth of a FIFO that takes and gives a word in every cycle


class Feed(NamedTuple):
    """What fills a stream: an output of a stage by its index, or (None) an input of the graph."""

    stage: int | None
    port: int


@dataclass(frozen=True)
class Path:
    """A stream on its way to who reads it: what fills it, the FIFO and width converter in between by their index, and
    the stage and its port that read it (None: an output of the graph).
    """

    source: Feed
    between: tuple[int, ...]
    end: tuple[int, int] | None


@dataclass(frozen=True, eq=False)
class Pipeline:
    """Stages, each after those that feed it; for each stage what feeds each of its inputs; what feeds each output of
    the graph; the stream of each sink.
    """

    stages: tuple[Stage, ...]
    feeds: tuple[tuple[Feed, ...], ...]
    outputs: tuple[Feed, ...]
    paths: Mapping[Sink, Path] = field(default_factory=dict)

    @cached_property
    def inputs(self) -> tuple[tuple[int, int], ...]:
        """For each input of the graph, the stage that reads it and its port."""
        found = {f.port: (s, p) for s, feeds in enumerate(self.feeds) for p, f in enumerate(feeds) if f.stage is None}
        return tuple(found[k] for k in range(len(found)))

    @property
    def in_words(self) -> tuple[int, ...]:
        """Words a frame of each input."""
        return tuple(self.stages[s].words[0][p] for s, p in self.inputs)

    def at(self, feed: Feed) -> Stage:
        """The stage that fills a stream."""
        assert feed.stage is not None
        return self.stages[feed.stage]


def connect(
    graph: Graph, folds: Mapping[Node, Fold], depths: Mapping[Sink, int], known: dict[Stage, Stage] | None = None
) -> Pipeline:
    """The pipeline of an integer graph: each unit and join; behind what several read, a fork; in each stream a FIFO
    where its depth is not 0 and a width converter where the reader's lanes differ. What `depths` lacks is 0.

    An input has the lanes of its reader; where several read it, those of its own fold or else of the widest. Where
    only outputs read it, there is one. known: stages of other pipelines of this graph, whose schedules are worked out
    already; they are used again, and new ones join them.
    """
    builder = _Builder(graph, folds, depths, {} if known is None else known)
    for node, readers in sinks(graph).items():
        if node not in builder.within:
            builder.place(node, readers)
    outputs = tuple(builder.ready[Sink(None, k)] for k in range(len(graph.outputs)))
    return Pipeline(tuple(builder.stages), tuple(builder.feeds), outputs, builder.paths)


def alone(stage: Stage) -> Pipeline:
    """A stage with nothing around it."""
    return Pipeline((stage,), (tuple(Feed(None, k) for k in range(len(stage.xs))),),
                    tuple(Feed(0, k) for k in range(stage.sinks)))


class _Builder:
    """A pipeline as it grows. ready: what fills the stream of each sink, converted and buffered."""

    def __init__(
        self, graph: Graph, folds: Mapping[Node, Fold], depths: Mapping[Sink, int], known: dict[Stage, Stage]
    ) -> None:
        self.graph, self.folds, self.depths, self.known = graph, folds, depths, known
        names = layer_names(graph)
        self.placed = {n: placed(names[n], n, folds[n]) for n in hardware(graph)}
        self.first: dict[Node, Node] = {}  # of the nodes that become one stage, by the last
        rows = regions(graph, folds, depths)
        for last, row in rows.items():
            self.first[last] = row[0]
            self.placed[last] = _region([self.placed[n] for n in row])
        self.within = {n for last, row in rows.items() for n in row if n is not last}
        self.names = stream_names(graph)
        self.stages: list[Stage] = []
        self.feeds: list[tuple[Feed, ...]] = []
        self.ready: dict[Sink, Feed] = {}
        self.paths: dict[Sink, Path] = {}

    def place(self, node: Node, readers: tuple[Sink, ...]) -> None:
        """A node's stage, the fork behind it, and the streams to its readers."""
        feed, lanes = self._source(node, readers)
        if len(readers) > 1:
            name = f"{self.placed[node].name if node in self.placed else _input(self.graph, node)}_fork"
            feed = self._add(Stage(name, node, Fork(len(readers)), Fold(lanes, lanes), (node.out,)), feed)
        for k, sink in enumerate(readers):
            self._stream(node, sink, Feed(feed.stage, feed.port + k), lanes)

    def _source(self, node: Node, readers: tuple[Sink, ...]) -> tuple[Feed, int]:
        """What fills a node's stream, and its lanes."""
        if not isinstance(node.op, Input):
            ports = [Sink(self.first.get(node, node), p) for p in range(len(node.args))]
            index = len(self.stages)
            feed = self._add(self.placed[node], *(self.ready[s] for s in ports))
            for sink in ports:
                path = self.paths[sink]
                self.paths[sink] = Path(path.source, path.between, (index, sink.port))
            return feed, self.placed[node].lanes[1]
        own = self.folds[node].pe if node in self.folds else 0
        wanted = [self.placed[s.user].lanes[0][s.port] for s in readers if s.user is not None]
        return Feed(None, self.graph.inputs.index(node)), own or max(wanted, default=1)

    def _stream(self, node: Node, sink: Sink, source: Feed, lanes: int) -> None:
        """What stands between a source and a reader, the FIFO on the side of the wider words: the converter moves a
        word a cycle on the other side, so that nothing ever needs to wait there. A wire from an input to an output
        has a FIFO too, as each output comes from a register.
        """
        wanted = self.placed[sink.user].lanes[0][sink.port] if sink.user is not None else lanes
        wide, first, name = max(lanes, wanted), len(self.stages), self.names[sink]
        depth = self.depths.get(sink, 0)
        if not depth and source.stage is None and sink.user is None:
            depth = SMALLEST
        fifo = Stage(f"{name}_fifo", node, Fifo(depth), Fold(wide, wide), (node.out,)) if depth else None
        width = Stage(f"{name}_width", node, Width(), Fold(wanted, lanes), (node.out,)) if lanes != wanted else None
        feed = source
        for stage in (width, fifo) if lanes < wanted else (fifo, width):
            feed = self._add(stage, feed) if stage else feed
        self.ready[sink] = feed
        self.paths[sink] = Path(source, tuple(range(first, len(self.stages))), None)

    def _add(self, stage: Stage, *feeds: Feed) -> Feed:
        self.stages.append(self.known.setdefault(stage, stage))
        self.feeds.append(feeds)
        return Feed(len(self.stages) - 1, 0)


def _region(row: Sequence[Stage]) -> Stage:
    """Stages in a row as one."""
    unit, xs = Region(tuple(s.unit for s in row if isinstance(s.unit, Unit)), tuple(s.fold for s in row)), row[0].xs
    return Stage(f"{row[0].name}_{row[-1].name}", row[-1].node, unit, unit.folds(xs[0])[0], xs)


def _input(graph: Graph, node: Node) -> str:
    return "input" if len(graph.inputs) == 1 else f"input{graph.inputs.index(node)}"
