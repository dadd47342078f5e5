"""Whole plans within limits: folds chosen by the solver, and the FIFOs that they need."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lutra.ir import Array, Graph, Node
from lutra.ops.base import SHARED, Fold
from lutra.ops.fifo.op import Fifo
from lutra.plan.candidates import RESOURCES, Network, vector
from lutra.plan.depths import stream_depths
from lutra.plan.devices import Device
from lutra.plan.eased import eased
from lutra.plan.plan import Plan
from lutra.plan.prices import prices
from lutra.plan.search import Choice
from lutra.plan.sharing import left_alone, paired, settled
from lutra.plan.solve import cheapest, within

BRAM = RESOURCES.index("bram")
WHOLE_PLANS = 3  # made until one fits: in a large network the streams of each take many seconds
FASTER = (1 / 2, 1 / 4)  # of what a plan's FIFOs cost, that the folds of faster ones may cost more
SMALL = 1 << 18  # elements a frame of all streams, up to which a whole plan takes a small part of compiling


@dataclass(frozen=True, eq=False)
class Fitting:
    """Plans of a graph within `limits` (of each resource), the cheapest by `price`.

    What FIFOs cost is known only for whole plans. Where they push one over the limits, folds are chosen again within
    what the FIFOs of the plans so far leave. So choices that do not fit without any FIFO are refused at once, and what
    no such choice fits is refused though, rarely, one with fewer FIFOs might.

    Folds are chosen as if each unit had its memories for itself, and then two share one where that costs less. Where
    no folds fit so, they are chosen with halves of memories among what there is (`lutra.plan.sharing`).
    """

    graph: Graph
    device: Device
    clock_mhz: float
    choices: Network
    price: Array
    limits: Array

    def plan(self, pick: Callable[[Array], Choice | None]) -> tuple[Plan | None, Plan | None]:
        """A plan within the limits, or None; and the last one that was over them, if any. pick: chooses folds within
        limits.
        """
        over, more = None, np.zeros(len(self.limits))
        for _ in range(WHOLE_PLANS):
            choice = pick(self.limits - more)
            if choice is None:
                break
            plan = self._planned(choice)
            if self._fits(plan):
                return plan, over
            over, more = plan, np.maximum(more, np.array(vector(plan.cost)) - choice.cost)
        return None, over

    def cheapest(self, interval: int) -> Choice | None:
        """The cheapest choice with at most so many cycles."""
        return self._settled(lambda net: cheapest(net, interval, self.price))

    def within(self, interval: int, limits: Array) -> Choice | None:
        """A cheap choice with at most so many cycles that fits limits."""

        def pick(net: Network) -> Choice | None:
            found = within(net, interval, self.price, limits)
            return found and eased(net, interval, self.price, limits, found)

        return self._settled(pick)

    def _settled(self, pick: Callable[[Network], Choice | None]) -> Choice | None:
        """A choice without shared memories or, where there is none, with them."""
        choice = pick(self._apart)
        return self._halved(pick) if choice is None and self.limits[BRAM] else choice

    def _halved(self, pick: Callable[[Network], Choice | None]) -> Choice | None:
        """A choice with halves of memories that are shared; made again, where units find no other one for it, without
        theirs.
        """
        choice = pick(self.choices)
        if choice is None:
            return None
        folds = self.folds(choice)
        alone = left_alone(paired(self.graph, folds, self.device.family), folds)
        return pick(self.choices.without(SHARED, alone)) if alone else choice

    def cheapened(self, plan: Plan | None) -> Plan | None:
        """The cheapest that fits of this plan and, in a SMALL network, of one whose folds are chosen for memories that
        are shared, and of faster ones: folds are chosen without FIFOs, and a faster network may need fewer of them.
        """
        best = plan if plan and self._fits(plan) else None
        if plan is None or sum(n.out.size for n in self.graph.nodes) > SMALL:
            return best
        fifos, price = float(self.price @ self._fifos(plan)), self._price(plan)
        halved, below = self._halved(lambda net: cheapest(net, plan.interval, self.price)), float("inf")
        tried = [self._planned(halved)] if halved and SHARED in {f.ram for f in self.folds(halved).values()} else []
        for share in FASTER:
            choice = self._fastest_for(min(price - (1 - share) * fifos, below))
            if choice is None or self.bare(choice).interval >= plan.interval:
                break
            below = float(self.price @ choice.cost) * (1 - 1e-9)  # the next one is another one
            tried.append(self._planned(choice))
        return min((p for p in [best, *tried] if p and self._fits(p)), key=self._price, default=None)

    def _fastest_for(self, price: float) -> Choice | None:
        """The cheapest choice at the shortest interval at which one costs no more, without FIFOs."""

        def choice(k: int) -> Choice | None:
            return self.cheapest(int(self.choices.intervals[k]))

        def enough(k: int) -> bool:
            found = choice(k)
            return found is not None and float(self.price @ found.cost) <= price

        indices = range(len(self.choices.intervals))
        k = bisect_left(indices, True, key=enough)
        return choice(k) if k in indices else None

    @cached_property
    def _apart(self) -> Network:
        """The choices with no memory that is shared."""
        return self.choices.without(SHARED, set(self.choices.nodes))

    def _price(self, plan: Plan) -> float:
        return float(self.price @ vector(plan.cost))

    def _fits(self, plan: Plan) -> bool:
        return bool((np.array(vector(plan.cost)) <= self.limits).all())

    def fastest(self, limits: Array) -> Choice | None:
        """The cheapest of the fastest choices within limits; where off-chip memory is slower than that, the cheapest
        that waits for it.
        """
        index, choice = fastest_within(self._apart, self.price, limits)
        if choice is None:
            index, choice = fastest_within(self.choices, self.price, limits)
        if choice is None:
            return None
        bound = int(self.choices.intervals[index])
        if (interval := self.bare(choice).interval) != bound:
            bound = int(self.choices.intervals[np.searchsorted(self.choices.intervals, interval, "right") - 1])
        return self.within(bound, limits) or choice

    def _planned(self, choice: Choice) -> Plan:
        """The whole plan of a choice; with memories for each unit, where it fits only so."""
        folds = self.folds(choice)
        plan = planned(self.graph, self.device, self.clock_mhz, folds, price=self.price)
        if self._fits(plan) or any(f.ram == SHARED for f in folds.values()):
            return plan
        apart = replace(plan, folds=folds, shared=())
        return apart if self._fits(apart) else plan

    def bare(self, choice: Choice) -> Plan:
        """The plan of a choice without FIFOs."""
        folds, shared = settled(self.graph, self.folds(choice), self.device.family, self.price)
        return Plan(self.graph, self.device, self.clock_mhz, folds, {}, shared)

    def folds(self, choice: Choice) -> dict[Node, Fold]:
        """The folds of a choice."""
        layers = zip(self.choices.nodes, self.choices.layers, choice.picks, strict=True)
        return {n: layer.folds[p] for n, layer, p in layers}

    def _fifos(self, plan: Plan) -> Array:
        """What the FIFOs of a plan cost, and its port."""
        fifos = (plan.costs[s.name] for s in plan.stages if isinstance(s.unit, Fifo))
        return np.array(vector(sum(fifos, plan.port_cost)))


def planned(
    graph: Graph, device: Device, clock_mhz: float, folds: Mapping[Node, Fold], given: Set[Node] = frozenset(),
    price: Array | None = None,
) -> Plan:
    """The plan of these folds, with the stream depths that they need and the memories that units share. given: nodes
    whose memories stay where the folds say. price: of resources, by default as the device has them.
    """
    chosen, shared = settled(graph, folds, device.family, prices(device) if price is None else price, given)
    return Plan(graph, device, clock_mhz, chosen, stream_depths(graph, folds), shared)


def fastest_within(choices: Network, price: Array, limits: Array) -> tuple[int, Choice | None]:
    """The shortest interval at which a choice fits, by its index, and the cheapest such choice: by bisection, as what
    fits at one interval fits at every longer one.
    """
    found = within(choices, int(choices.intervals[-1]), price, limits)
    low, high = 0, len(choices.intervals) - 1
    if found is None:
        return high + 1, None
    while low < high:
        middle = (low + high) // 2
        choice = within(choices, int(choices.intervals[middle]), price, limits)
        if choice:
            found, high = choice, middle
        else:
            low = middle + 1
    return low, found
