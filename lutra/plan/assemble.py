"""From a graph and its choices to a netlist: instances in order of the stream, and the streams between them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from lutra.errors import LutraError
from lutra.hw.netlist import Block, End, Instance, Netlist, Stream
from lutra.ir import Graph, Node, Tensor
from lutra.ops.base import Fold, Unit
from lutra.ops.fifo.op import Fifo
from lutra.plan.stages import Stage, stages

TOP = "lutra_top"


def assemble(graph: Graph, folds: Mapping[Node, Fold], depths: Mapping[Node, int], name: str = TOP) -> Netlist:
    """The hardware of an integer graph that is one chain, a fork or a join being a LutraError.

    `depths` is keyed by the node whose result a stream carries; what it lacks has no FIFO. The input's word has the
    lanes of the first unit, the output's those of the last. A graph without any unit is a FIFO of one lane.
    """
    if any(isinstance(n.op, Unit) for n in graph.nodes):
        return chain(stages(graph, folds, depths), name)
    node = graph.outputs[0]
    if len(graph.inputs) != 1 or graph.outputs[1:]:
        raise LutraError(f"the graph has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs")
    return chain((Stage("fifo", node, Fifo(2), Fold(), node.out),), name)


def chain(pipe: tuple[Stage, ...], name: str) -> Netlist:
    """Stages joined one after the other."""
    blocks = [stage.unit.block(stage.fold, stage.x) for stage in pipe]
    names = [f"u{k}_{stage.unit.kind}" for k, stage in enumerate(pipe)]
    instances = tuple(Instance(n, b, (f"s{k}",), (f"s{k + 1}",))
                      for k, (n, b) in enumerate(zip(names, blocks, strict=True)))
    ends = zip([None, *names], [*names, None], _widths(blocks), strict=True)
    streams = tuple(Stream(f"s{k}", width, source, sink) for k, (source, sink, width) in enumerate(ends))
    first, last = pipe[0], pipe[-1]
    in_words = _words(first.x, first.lanes[0])
    out_words = _words(last.unit.infer(last.x), last.lanes[1])
    return Netlist(name, instances, streams, (End(streams[0].name, in_words),), (End(streams[-1].name, out_words),))


def _widths(blocks: list[Block]) -> list[int]:
    """Width of each stream, on which the blocks at its two ends agree."""
    for before, after in pairwise(blocks):
        assert before.outputs == after.inputs, (before, after)
    return [*blocks[0].inputs, *(b.outputs[0] for b in blocks)]


def _words(x: Tensor, lanes: int) -> int:
    assert x.size % lanes == 0, (x, lanes)
    return x.size // lanes
