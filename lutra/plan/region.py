"""Region: neighbours in a pipeline that are functions of a word each, as one unit with no handshake between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from lutra.hw.circuit import Circuit
from lutra.hw.netlist import Block
from lutra.hw.pipelined import Pipelined
from lutra.hw.unrolled import module
from lutra.hw.unrolled_cpp import function
from lutra.ir import Array, Graph, Node, Tensor
from lutra.ops.base import Cost, Fold, Loop, Unit
from lutra.ops.cost import estimate
from lutra.ops.matmul.features import unrolled_features
from lutra.plan.names import Sink, hardware, origin, sinks

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Region(Unit):
    """Units in a row, each under its fold (see `Unit.circuit`), as one circuit: y = units[-1](... units[0](x))."""

    units: tuple[Unit, ...]
    inner: tuple[Fold, ...]

    def infer(self, *args: Tensor) -> Tensor:
        """What the last one gives."""
        (x,) = args
        for unit in self.units:
            x = unit.infer(x)
        return x

    def evaluate(self, *args: Array) -> Array:
        """One after the other."""
        (x,) = args
        for unit in self.units:
            x = unit.evaluate(x)
        return x

    def folds(self, x: Tensor) -> tuple[Fold, ...]:
        """One: all lanes at once."""
        return (Fold(self.infer(x).channels, x.channels),)

    def lanes(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        """All channels, in and out."""
        return x.channels, self.infer(x).channels

    def loop(self, fold: Fold, x: Tensor) -> Loop:
        """A word in and a word out in each slot."""
        return Loop(x.pixels, np.arange(1, x.pixels + 1), np.arange(x.pixels), 1 + laid(self, x).depth)

    def block(self, fold: Fold, x: Tensor) -> Block:
        """A module of its own."""
        y, made = self.infer(x), laid(self, x)
        name, text = module(made)
        return Block(name, {}, {}, (x.channels * x.range.bits,), (y.channels * y.range.bits,), text=text,
                     cpp=function(made, name))

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """Those of a graph of adders; roundings count as many bits as they have functions."""
        return unrolled_features(laid(self, x))

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """As fitted to graphs of adders, alone and in regions."""
        return estimate(family, "matmul_adders", self.features(fold, x, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Two or three small matrices with requantisers between them."""
        from lutra.plan.region_samples import nodes

        return nodes()


@lru_cache(maxsize=64)
def laid(region: Region, x: Tensor) -> Pipelined:
    """The whole of it as a circuit."""
    circuit = Circuit()
    lanes, of = circuit.ports(x.channels, x.range), x
    for unit, fold in zip(region.units, region.inner, strict=True):
        lay = unit.circuit(fold, of)
        assert lay is not None, unit
        lanes, of = lay(circuit, lanes), unit.infer(of)
    return Pipelined(circuit, x.channels, tuple(circuit.settled(lanes)), x.range, of.range)


def regions(graph: Graph, folds: Mapping[Node, Fold], depths: Mapping[Sink, int]) -> dict[Node, tuple[Node, ...]]:
    """Rows of nodes that become one unit, as long as they can be, by their last. A matrix product by adders is among
    each; nothing else reads a stream within, and none has a FIFO.
    """
    readers = sinks(graph)
    rows: dict[Node, tuple[Node, ...]] = {}
    for node in hardware(graph):
        if not _laid(node, folds[node]):
            continue
        (arg,) = node.args
        before = origin(arg)
        joins = before in rows and readers[before] == (Sink(node, 0),) and before.out.shape == arg.out.shape
        rows[node] = (*rows.pop(before), node) if joins and not depths.get(Sink(node, 0)) else (node,)
    return {last: row for last, row in rows.items() if len(row) > 1 and any(folds[n].mul == "adders" for n in row)}


def _laid(node: Node, fold: Fold) -> bool:
    return isinstance(node.op, Unit) and node.op.circuit(fold, node.args[0].out) is not None
