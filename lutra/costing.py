"""What a layer's bits take on a device: the compiler's own cost, for searches over bits (`lutra.quant.search`).

Linear prices a bit, as searches for GPUs use, are wrong on an FPGA: memories are steps, multipliers pack, thresholds
double with each bit. Here every candidate is lowered, folded for the frame rate and priced as a build would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Constant, Graph, Node, rewrite
from lutra.ops import source as src
from lutra.ops.depthwise.op import Depthwise
from lutra.ops.gated.op import Gated
from lutra.ops.matmul.op import MatMul
from lutra.plan.candidates import RESOURCES, layer
from lutra.plan.devices import Device, device
from lutra.plan.names import hardware, sinks
from lutra.plan.prices import prices

if TYPE_CHECKING:
    from torch import nn

    from lutra.quant import Recipe
    from lutra.quant.search.costs import Bits
    from lutra.quant.search.layers import Layer

Ways = tuple[Mapping[str, float], ...]  # by resource
WEIGHTED = (MatMul, Depthwise, Gated)
WIDEST = 8  # bits of inputs as the network is traced; fewer are put into the traced graph


@dataclass(frozen=True)
class HardwareCost:
    """A `lutra.quant.search.Cost`: LUTs, flip-flops, memories, multipliers of a layer and of what stands before it, by
    its bits, in each way to build it that no other beats, the cheapest for the device first; `rest` is what belongs to
    no layer.

    Widths between units and FIFOs depend on the whole and are no part of it; a plan's own figures have them.
    """

    table: Mapping[tuple[str, Bits], Ways]
    rest: Mapping[str, float]

    def room(self, target: str) -> dict[str, float]:
        """What a device has of each resource that any choice needs, less what belongs to no layer."""
        have = device(target)
        return {r: getattr(have, r) - self.rest[r] for r in RESOURCES
                if any(way[r] for ways in self.table.values() for way in ways)}

    def __call__(self, layer: Layer, bits: Bits) -> Ways:
        """LutraError for bits that were not priced."""
        try:
            return self.table[layer.path, bits]
        except KeyError:
            known = sorted({b for path, b in self.table if path == layer.path})
            raise LutraError(f"{bits} was not priced", layer.path,
                             f"priced are {', '.join(map(str, known))}") from None


def hardware_cost(
    net: nn.Module, images: Any, target: str, fps: float, choices: Iterable[Bits], recipe: Recipe,
    clock_mhz: float = 100.0, seen: Callable[[int, int], None] = lambda done, of: None,
) -> HardwareCost:
    """Price every layer of a network with each of `choices` for its weights and its inputs.

    net: in floating point, left as it is. images: (N, ...) a batch to calibrate with. recipe: the formats whose widths
    are chosen. seen: told how many of the choices are done. LutraError: a layer that no fold makes fast enough.
    """
    chip, wanted = device(target), sorted(set(choices))
    interval = int(clock_mhz * 1e6 / fps)
    table: dict[tuple[str, Bits], Ways] = {}
    rest: Mapping[str, float] = {}
    for done, bits in enumerate(wanted):
        if not done or wanted[done - 1].weights != bits.weights:
            traced, paths = _traced(net, images, recipe, bits.weights)
        graph = _lowered(rewrite(traced, (_narrowed(bits.activations),)), chip)
        spent = priced(graph, chip, interval, paths)
        rest = spent.pop("", (dict.fromkeys(RESOURCES, 0.0),))[0]
        table |= {(path, bits): ways for path, ways in spent.items()}
        seen(done + 1, len(wanted))
    return HardwareCost(table, rest)


def _traced(net: nn.Module, images: Any, recipe: Recipe, weights: int) -> tuple[Graph, Sequence[str]]:
    """The source graph with weights of so many bits and inputs of WIDEST, and the paths of its layers."""
    import lutra.quant as q
    from lutra.front import load
    from lutra.quant.search.layers import layers

    paths = [found.path for found in layers(net, images[:1])]
    if not isinstance(recipe.weights, q.Fixed) or not isinstance(recipe.activations, q.Fixed):
        raise LutraError(f"weights {recipe.weights} and inputs {recipe.activations}", "the recipe",
                         "lutra.quant.Fixed has bits to choose")
    formats = replace(recipe, weights=replace(recipe.weights, width=weights),
                      activations=replace(recipe.activations, width=WIDEST), first_last=0)
    quantised = q.quantize(deepcopy(net).eval(), formats)
    q.calibrate(quantised, [images], "mse")
    return load(quantised, images[:1]).graph, paths


def _narrowed(width: int) -> Callable[[Node], Node | None]:
    """A rule: the casts that layers read have so many bits, the greatest number staying what it is."""
    def rule(node: Node) -> Node | None:
        if not isinstance(node.op, src.MatMul | src.Conv | src.ConvTranspose):
            return None
        (x,) = node.args
        if not isinstance(x.op, src.Cast) or x.op.width == width:
            return None
        fraction = Constant(x.op.fraction.array - (x.op.width - width))
        return Node(node.op, (Node(replace(x.op, fraction=fraction, width=width), x.args, x.loc),), node.loc)

    return rule


def _lowered(source: Graph, chip: Device) -> Graph:
    from lutra.build import lowering
    from lutra.rules.lower import lower

    return lower(source, None, chip.family, lowering(chip.family, None)).graph


def priced(graph: Graph, chip: Device, interval: int, paths: Sequence[str]) -> dict[str, Ways]:
    """What each layer takes with the folds that keep the interval: by path, "" for what no layer reads."""
    readers, price = sinks(graph), prices(chip)
    spent: dict[str, Array] = {}
    for node in hardware(graph):
        found = layer(node, chip.family, len(readers[node]))
        fast = np.flatnonzero(found.cycles <= interval)
        if not len(fast):
            raise LutraError(f"{interval} cycles a frame are too few: it takes {found.cycles.min()} however it is "
                             "folded", node.loc, "ask for fewer frames/s")
        owner = _owner(node, graph, paths)
        others = spent.get(owner, np.zeros((1, len(RESOURCES))))
        own = _useful(found.costs[fast], price)
        spent[owner] = _useful((others[:, None] + own).reshape(-1, len(RESOURCES)), price)
    return {path: tuple(dict(zip(RESOURCES, map(float, cost), strict=True)) for cost in costs)
            for path, costs in spent.items()}


def _useful(costs: Array, price: Array) -> Array:
    """Those that no other is cheaper than with no more of anything but flip-flops, of which no device runs short first;
    the cheapest first.
    """
    from lutra.quant.search.frontier import undominated_rows

    worth = costs @ price
    kept = undominated_rows(np.column_stack([worth, np.delete(costs, RESOURCES.index("ff"), axis=1)]))
    return costs[kept[np.argsort(worth[kept], kind="stable")]]


def _owner(node: Node, graph: Graph, paths: Sequence[str]) -> str:
    """The layer that a unit belongs to: its own, or the first that reads what it gives."""
    while not isinstance(node.op, WEIGHTED):
        users = graph.users[node]
        if not users:
            return ""
        node = users[0]
    from lutra.front.place import shown

    return next((path for path in paths if f" {shown(path)} " in f" {node.loc} "), "")
