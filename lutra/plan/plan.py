"""Plan: what was chosen. Device, clock, a fold for each unit, a depth for each stream; all the rest is derived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from lutra.errors import LutraError
from lutra.ir import Graph, Node
from lutra.ops.base import SHARED, Cost, Fold
from lutra.ops.sequence import sequences_of
from lutra.ops.shared import shared_cost
from lutra.ops.weights import port_cost
from lutra.plan.devices import Device, device
from lutra.plan.memory import read_cycles
from lutra.plan.names import OUTPUT, Sink, layer_names, pipeline, sinks
from lutra.plan.pipeline import Pipeline, connect
from lutra.plan.schedule import latency
from lutra.plan.sharing import Pairs, check, shape
from lutra.plan.stages import Stage

RESOURCES = ("lut", "ff", "bram", "dsp", "uram")


@dataclass(frozen=True, eq=False)
class Plan:
    """Choices for a graph. `folds` has every unit and join, and may have the lanes of an input that several read;
    `depths` has the streams with a FIFO, by who reads them; `shared` the pairs of matrices whose weights lie in one
    memory, which are those of folds with `ram` SHARED.

    Frozen: `dataclasses.replace(plan, clock_mhz=150)` makes another one.
    """

    graph: Graph
    device: Device
    clock_mhz: float
    folds: Mapping[Node, Fold]
    depths: Mapping[Sink, int]
    shared: Pairs = ()

    def __post_init__(self) -> None:
        if not 0 < self.clock_mhz < float("inf"):
            raise LutraError(f"a clock of {self.clock_mhz} MHz", hint="give a positive number of megahertz")
        assert set(self.folds) - set(self.graph.inputs) == set(pipeline(self.graph)), "a fold for each unit"
        streams = {sink for readers in sinks(self.graph).values() for sink in readers}
        assert set(self.depths) <= streams and all(d > 0 for d in self.depths.values()), "depths are of streams"
        check(self.shared, self.folds)
        for field in ("folds", "depths"):
            object.__setattr__(self, field, MappingProxyType(dict(getattr(self, field))))

    def __repr__(self) -> str:
        return f"Plan({len(self.folds)} units on {self.device.name}, a frame every {self.interval} cycles)"

    @cached_property
    def names(self) -> Mapping[Node, str]:
        """The name of each unit."""
        return layer_names(self.graph)

    @cached_property
    def pipeline(self) -> Pipeline:
        """The stages and what feeds them."""
        return connect(self.graph, self.folds, self.depths)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Units, joins, forks, FIFOs and width converters, each after those that feed it."""
        return self.pipeline.stages

    @cached_property
    def cycles(self) -> Mapping[str, int]:
        """Cycles between frames of each stage by its name, were it alone."""
        return {s.name: s.cycles for s in self.stages}

    @cached_property
    def interval(self) -> int:
        """Cycles between frames of the whole pipeline in steady state: the slowest stage's, or in which off-chip memory
        gives what is read of it, where that is longer.
        """
        return max(*self.cycles.values(), read_cycles(sum(self.traffic.values()), self.device, self.clock_mhz))

    @cached_property
    def bottleneck(self) -> Stage:
        """The first of the slowest stages."""
        return max(self.stages, key=lambda s: self.cycles[s.name])

    @property
    def fps(self) -> float:
        """Frames of the model a second."""
        return self.interleave * self.clock_mhz * 1e6 / self.interval

    @cached_property
    def interleave(self) -> int:
        """How many of the model's frames one of the graph's is, all else being of these: sequences in turn."""
        return sequences_of(self.graph)

    @cached_property
    def traffic(self) -> Mapping[str, float]:
        """Bytes a frame that stages read of off-chip memory, by their names; of those alone that do."""
        return {s.name: s.traffic for s in self.stages if s.traffic}

    @property
    def bandwidth_gbs(self) -> float:
        """What is read of off-chip memory, in 10**9 bytes a second."""
        return sum(self.traffic.values()) * self.fps / self.interleave / 1e9

    @cached_property
    def latency(self) -> int:
        """Cycles on an empty pipeline from the first input word's taking to the last output word's being there."""
        return latency(self.pipeline)

    @cached_property
    def costs(self) -> Mapping[str, Cost]:
        """Estimated resources of each stage by its name; a memory that two share is with the first of them."""
        family = self.device.family
        memories = {a: shared_cost(shape(a, self.folds[a]), shape(b, self.folds[b]), family) for a, b in self.shared}
        return {s.name: s.cost(family) + (memories.get(s.node, Cost()) if s.unit is s.node.op else Cost())
                for s in self.stages}

    @cached_property
    def partners(self) -> Mapping[str, str]:
        """Of each layer whose weights lie in a memory that it shares, the other one, by their names."""
        pairs = [(self.names[a], self.names[b]) for a, b in self.shared]
        return {one: other for a, b in pairs for one, other in ((a, b), (b, a))}

    @cached_property
    def cost(self) -> Cost:
        """Estimated resources of the whole."""
        return sum(self.costs.values(), Cost()) + self.port_cost

    @cached_property
    def port_cost(self) -> Cost:
        """Estimated resources of the port through which weights are written, where any are."""
        return port_cost([s.addresses for s in self.stages if s.addresses], self.device.family)

    @property
    def share(self) -> Mapping[str, float]:
        """Estimated resources over what the device has, by resource; above 1 does not fit."""
        return shares(self.cost, self.device)

    def apart(self) -> Plan:
        """The plan in which each unit has its memories for itself, with the same streams."""
        inside = {n for pair in self.shared for n in pair}
        folds = {n: replace(f, ram="block") if n in inside else f for n, f in self.folds.items()}
        return replace(self, folds=folds, shared=())

    def refold(self, node: Node, fold: Fold) -> Plan:
        """The plan with another fold for one unit; whose weights shared a memory with its own has one for itself."""
        assert fold.ram != SHARED, fold
        left = [n for pair in self.shared if node in pair for n in pair]
        folds = {**self.folds, **{n: replace(self.folds[n], ram="block") for n in left}, node: fold}
        return replace(self, folds=folds, shared=tuple(pair for pair in self.shared if node not in pair))

    def to_json(self) -> dict[str, Any]:
        """As JSON data, without the graph; nodes by their index in `graph.nodes`, streams by the index of the node
        that reads them, or "output", and the number of the argument or output.
        """
        index = {n: str(i) for i, n in enumerate(self.graph.nodes)}
        folds = {index[n]: asdict(f) for n, f in self.folds.items()}
        depths = {f"{index[s.user] if s.user else OUTPUT}.{s.port}": d for s, d in self.depths.items()}
        shared = [[index[n] for n in pair] for pair in self.shared]
        return {"device": self.device.name, "clock_mhz": self.clock_mhz, "folds": folds, "depths": depths,
                "shared": shared}

    @staticmethod
    def from_json(data: Mapping[str, Any], graph: Graph) -> Plan:
        """The inverse of `to_json` for the same graph."""
        nodes = graph.nodes
        folds = {nodes[int(i)]: Fold(**f) for i, f in data["folds"].items()}
        depths = {}
        for stream, depth in data["depths"].items():
            user, port = stream.split(".")
            depths[Sink(None if user == OUTPUT else nodes[int(user)], int(port))] = int(depth)
        shared = tuple((nodes[int(a)], nodes[int(b)]) for a, b in data.get("shared", ()))  # before sharing: none
        return Plan(graph, device(data["device"]), data["clock_mhz"], folds, depths, shared)


def shares(cost: Cost, of: Device) -> dict[str, float]:
    """Each resource over the device's; infinite where it has none of what is needed."""
    return {r: _share(getattr(cost, r), getattr(of, r)) for r in RESOURCES}


def _share(need: float, have: float) -> float:
    return need / have if have else float("inf") if need else 0.0
