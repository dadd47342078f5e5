"""From a pipeline to a netlist: an instance for each stage, and the streams between them."""

from __future__ import annotations

from collections.abc import Mapping

from lutra.hw.netlist import Block, End, Instance, Netlist, Stream
from lutra.ir import Graph, Node
from lutra.ops.base import Fold
from lutra.plan.names import Sink
from lutra.plan.pipeline import Feed, Pipeline, connect
from lutra.plan.ragged import ragged

TOP = "lutra_top"


def assemble(graph: Graph, folds: Mapping[Node, Fold], depths: Mapping[Sink, int], name: str = TOP) -> Netlist:
    """The hardware of an integer graph; see `pipeline.connect`. Its ends have the order of the graph's."""
    return netlist(connect(graph, folds, depths), name)


def netlist(pipe: Pipeline, name: str) -> Netlist:
    """The netlist of a pipeline."""
    blocks = [stage.block for stage in pipe.stages]
    names = [f"u{k}_{stage.unit.kind}" for k, stage in enumerate(pipe.stages)]
    widths = {Feed(None, k): blocks[s].inputs[port] for k, (s, port) in enumerate(pipe.inputs)}
    widths |= {Feed(k, port): width for k, block in enumerate(blocks) for port, width in enumerate(block.outputs)}
    wires = {feed: f"s{k}" for k, feed in enumerate(widths)}
    feeders = {k: block for k, stage in enumerate(pipe.stages) if (block := stage.feeder)}
    readers: dict[Feed, str] = {}
    for k, feeds in enumerate(pipe.feeds):
        for feed, width in zip(feeds, blocks[k].inputs[: len(feeds)], strict=True):
            assert feed not in readers and width == widths[feed], (names[k], feed)
            readers[feed] = names[k]
    streams = [Stream(wires[f], width, None if f.stage is None else names[f.stage], readers.get(f), _words(pipe, f))
               for f, width in widths.items()]
    instances: list[Instance] = []
    for k, unit in enumerate(names):
        given = tuple(wires[f] for f in pipe.feeds[k])
        if k in feeders:
            feeder = _feeder(k, feeders[k], unit)
            words = pipe.stages[k].xs[0].pixels * feeders[k].round
            streams.append(Stream(feeder.outputs[0], feeders[k].outputs[0], feeder.name, unit, words))
            instances.append(feeder)
            given += feeder.outputs
        outputs = tuple(wires[Feed(k, p)] for p in range(pipe.stages[k].sinks))
        instances.append(Instance(unit, blocks[k], given, outputs))
    uneven = ragged(pipe)
    first = tuple(End(wires[f], n, f in uneven) for k, n in enumerate(pipe.in_words) for f in (Feed(None, k),))
    last = tuple(End(wires[f], pipe.at(f).words[1], f in uneven) for f in pipe.outputs)
    return Netlist(name, tuple(instances), tuple(streams), first, last)


def _words(pipe: Pipeline, feed: Feed) -> int:
    """Words a frame of a stream."""
    return pipe.in_words[feed.port] if feed.stage is None else pipe.at(feed).words[1]


def _feeder(k: int, block: Block, name: str) -> Instance:
    """What gives stage k its constants."""
    return Instance(f"u{k}_weights", block, (), (f"w{k}",), of=name)
