"""From a pipeline to a netlist: an instance for each stage, and the streams between them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lutra.hw.netlist import Block, End, Instance, Netlist, Stream, pack
from lutra.ir import Graph, Node
from lutra.ops.base import Fold
from lutra.ops.sequence import Sequential
from lutra.plan.names import Sink
from lutra.plan.pipeline import Feed, Pipeline, connect
from lutra.plan.ragged import ragged
from lutra.plan.sharing import Pairs, block_of

TOP = "lutra_top"


def assemble(
    graph: Graph, folds: Mapping[Node, Fold], depths: Mapping[Sink, int], name: str = TOP, shared: Pairs = ()
) -> Netlist:
    """The hardware of an integer graph; see `pipeline.connect`. Its ends have the order of the graph's. shared: the
    pairs of matrices whose weights lie in one memory.
    """
    return netlist(connect(graph, folds, depths), name, shared)


def netlist(pipe: Pipeline, name: str, shared: Pairs = ()) -> Netlist:
    """The netlist of a pipeline; shared: see `assemble`."""
    blocks = [stage.block for stage in pipe.stages]
    names = [f"u{k}_{stage.unit.kind}" for k, stage in enumerate(pipe.stages)]
    widths = {Feed(None, k): blocks[s].inputs[port] for k, (s, port) in enumerate(pipe.inputs)}
    widths |= {Feed(k, port): width for k, block in enumerate(blocks) for port, width in enumerate(block.outputs)}
    wires = {feed: f"s{k}" for k, feed in enumerate(widths)}
    feeders = _feeders(pipe, names, shared)
    constants = {s.sink: s for _, some in feeders.values() for s in some}
    readers: dict[Feed, str] = {}
    for k, feeds in enumerate(pipe.feeds):
        for feed, width in zip(feeds, blocks[k].inputs[: len(feeds)], strict=True):
            assert feed not in readers and width == widths[feed], (names[k], feed)
            readers[feed] = names[k]
    streams = [Stream(wires[f], width, None if f.stage is None else names[f.stage], readers.get(f), _words(pipe, f))
               for f, width in widths.items()] + list(constants.values())
    instances: list[Instance] = []
    for k, unit in enumerate(names):
        given = tuple(wires[f] for f in pipe.feeds[k])
        if k in feeders:
            instances.append(feeders[k][0])
        if unit in constants:
            given += (constants[unit].name,)
        assert len(given) == len(blocks[k].inputs), (unit, "has no constants")
        outputs = tuple(wires[Feed(k, p)] for p in range(pipe.stages[k].sinks))
        instances.append(Instance(unit, blocks[k], given, outputs))
    uneven = ragged(pipe)
    first = tuple(End(wires[f], n, uneven.get(f, 0)) for k, n in enumerate(pipe.in_words) for f in (Feed(None, k),))
    last = tuple(End(wires[f], pipe.at(f).words[1], uneven.get(f, 0), _filler(pipe, f)) for f in pipe.outputs)
    return Netlist(name, tuple(instances), tuple(streams), first, last)


def _filler(pipe: Pipeline, feed: Feed) -> int | None:
    """The word that stands behind the end of an output whose columns no length counts."""
    stage = pipe.at(feed)
    if not isinstance(stage.unit, Sequential) or stage.unit.by_length:
        return None
    code = stage.out.range.encode(np.array([stage.unit.blank] * stage.lanes[1]))
    (word,) = pack(code[None], stage.out.range.bits)
    return word


def _words(pipe: Pipeline, feed: Feed) -> int:
    """Words a frame of a stream."""
    return pipe.in_words[feed.port] if feed.stage is None else pipe.at(feed).words[1]


def _feeders(pipe: Pipeline, names: list[str], shared: Pairs) -> dict[int, tuple[Instance, list[Stream]]]:
    """What gives stages their constants, by the first stage that it gives some, and the streams of them."""
    place = {s.node: k for k, s in enumerate(pipe.stages) if s.unit is s.node.op}
    given: list[tuple[tuple[int, ...], str, Block, tuple[int, ...]]]
    given = [((k,), f"u{k}_weights", b, (b.round,)) for k, stage in enumerate(pipe.stages) if (b := stage.feeder)]
    for i, j in ((place[a], place[b]) for a, b in shared):
        given.append(((i, j), f"u{i}_u{j}_weights", *block_of(pipe.stages[i], pipe.stages[j])))
    found = {}
    for ks, name, block, rounds in given:
        streams = [Stream(f"w{k}", width, name, names[k], pipe.stages[k].xs[0].pixels * words)
                   for k, width, words in zip(ks, block.outputs, rounds, strict=True)]
        found[ks[0]] = Instance(name, block, (), tuple(s.name for s in streams), of=names[ks[0]]), streams
    return found
