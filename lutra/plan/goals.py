"""Plans for a goal: a frame rate, or a budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Graph, Node
from lutra.ops.base import Cost, Fold
from lutra.plan.candidates import RESOURCES, Network, network, vector
from lutra.plan.depths import stream_depths
from lutra.plan.devices import Device
from lutra.plan.plan import Plan
from lutra.plan.search import Choice
from lutra.plan.solve import cheapest, within

BUDGET = 0.7  # of every resource: beyond it, routing and timing become hard
FF_WEIGHT = 0.1  # flip-flops come with their LUTs and are seldom what a device runs out of
ABSENT = 1e6  # price of what the device does not have
WHOLE = np.ones(len(RESOURCES))


def for_fps(graph: Graph, device: Device, clock_mhz: float, fps: float) -> Plan:
    """The cheapest plan with at least `fps` frames a second that fits the whole device.

    Cheapest by the sum of the shares of LUTs, memories and multipliers (flip-flops a tenth), converters priced, FIFOs
    not: their depths depend on the whole. Exact where it fits; see `solve.within` for where a resource runs short.
    LutraError where no fold is that fast, or none that fast fits: it names the greatest frame rate that does.
    """
    if not 0 < fps < float("inf"):
        raise LutraError(f"a rate of {fps} frames a second", hint="give a positive number")
    choices = network(graph, device.family)
    interval = int(clock_mhz * 1e6 / fps * (1 + 1e-12))  # a rate that was computed from a whole interval gives it back
    best = cheapest(choices, interval, prices(device))
    if best is None:
        raise _too_fast(graph, device, choices, clock_mhz, fps, interval)
    found = within(choices, interval, prices(device), _capacity(device)) or best
    plan = _plan_of(graph, device, clock_mhz, choices, found)
    if max(plan.share.values()) > 1:
        raise _too_small(plan.cost, device, WHOLE, f"{fps:g} frames/s", _what_fits(graph, device, clock_mhz))
    return plan


def for_budget(graph: Graph, device: Device, clock_mhz: float, budget: float | Mapping[str, float] = BUDGET) -> Plan:
    """The plan with the greatest frame rate within a budget, and the cheapest one at that rate.

    budget: a share of each of the device's resources, or shares by "lut", "ff", "bram", "dsp" (1 for one that is not
    named). The greatest rate is found by bisection over all intervals that exist, as what fits at one fits at every
    longer one. What FIFOs cost is known only for whole plans: where they push a plan over, longer intervals are
    searched. LutraError where nothing fits.
    """
    share = _shares(budget)
    choices = network(graph, device.family)
    room = _capacity(device) * share

    def fitting(index: int) -> Plan | None:
        found = within(choices, int(choices.intervals[index]), prices(device), room)
        plan = _plan_of(graph, device, clock_mhz, choices, found) if found else None
        return plan if plan and (np.array(vector(plan.cost)) <= room).all() else None

    plan = _first(fitting, _fastest_within(choices, prices(device), room)[0], len(choices.intervals))
    if plan is not None:
        return plan
    smallest = cheapest(choices, int(choices.intervals[-1]), prices(device))
    assert smallest is not None
    need = _plan_of(graph, device, clock_mhz, choices, smallest).cost
    raise _too_small(need, device, share, "the smallest fold of this model", "choose a larger device or budget")


def _first(fitting: Callable[[int], Plan | None], start: int, stop: int) -> Plan | None:
    """The plan of the first index from `start` on that fits: by steps that double, then by bisection between."""
    low, step, found = start - 1, 1, None
    high = start
    while high < stop and (found := fitting(high)) is None:
        low, high, step = high, min(high + step, stop - 1) if high < stop - 1 else stop, 2 * step
    while found is not None and high - low > 1:
        middle = (low + high) // 2
        plan = fitting(middle)
        low, high, found = (middle, high, found) if plan is None else (low, middle, plan)
    return found


def _what_fits(graph: Graph, device: Device, clock_mhz: float) -> str:
    try:
        plan = for_budget(graph, device, clock_mhz, 1.0)
    except LutraError:
        return "no fold of this model fits; choose a larger device"
    folds = ", ".join(f"{plan.names[n]} {f}" for n, f in plan.folds.items() if n.op.kind == "matmul")
    return f"{plan.fps:.6g} frames/s fit" + (f", with {folds}" if folds else "")


def planned(graph: Graph, device: Device, clock_mhz: float, folds: Mapping[Node, Fold]) -> Plan:
    """The plan of these folds, with the stream depths that they need."""
    return Plan(graph, device, clock_mhz, folds, stream_depths(graph, folds))


def prices(device: Device) -> Array:
    """What a unit of each resource costs, as a share of the device."""
    weights = {"ff": FF_WEIGHT}
    return np.array([weights.get(r, 1.0) / have if (have := getattr(device, r)) else ABSENT for r in RESOURCES])


def _capacity(device: Device) -> Array:
    return np.array(vector(device.capacity))


def _shares(budget: float | Mapping[str, float]) -> Array:
    named = dict.fromkeys(RESOURCES, budget) if isinstance(budget, int | float) else dict(budget)
    if wrong := sorted(set(named) - set(RESOURCES)):
        raise LutraError(f"a budget for {wrong[0]!r}", hint=f"there are {', '.join(RESOURCES)}")
    if bad := [(r, s) for r, s in named.items() if not 0 < s <= 1]:
        raise LutraError(f"a budget of {bad[0][1]} of the device's {bad[0][0]}", hint="give a share above 0, at most 1")
    return np.array([named.get(r, 1.0) for r in RESOURCES])


def _fastest_within(choices: Network, price: Array, room: Array) -> tuple[int, Choice | None]:
    """The shortest interval at which a choice fits, by its index, and the cheapest such choice."""
    found: Choice | None = None
    low, high = 0, len(choices.intervals)
    while low < high:
        middle = (low + high) // 2
        choice = within(choices, int(choices.intervals[middle]), price, room)
        if choice:
            found, high = choice, middle
        else:
            low = middle + 1
    return low, found


def _plan_of(graph: Graph, device: Device, clock_mhz: float, choices: Network, choice: Choice) -> Plan:
    layers = zip(choices.nodes, choices.layers, choice.picks, strict=True)
    return planned(graph, device, clock_mhz, {n: layer.folds[p] for n, layer, p in layers})


def _too_fast(
    graph: Graph, device: Device, choices: Network, clock_mhz: float, fps: float, interval: int
) -> LutraError:
    _, fastest = _fastest_within(choices, prices(device), np.full(len(RESOURCES), np.inf))
    assert fastest is not None
    plan = _plan_of(graph, device, clock_mhz, choices, fastest)
    wanted = f"{fps:g} frames/s at {clock_mhz:g} MHz leave {interval} cycles a frame"
    slow = f"{plan.bottleneck.name} takes {plan.interval} however it is folded"
    most = f"at most {plan.fps:.6g} frames/s at this clock"
    return LutraError(f"{wanted}, and {slow}", plan.bottleneck.node.loc, most)


def _too_small(need: Cost, device: Device, share: Array, what: str, hint: str) -> LutraError:
    """How much is missing of each resource that is short."""
    have = _capacity(device) * share
    short = [
        f"{n:.0f} {r.upper()} where {h:.0f} are allowed ({n - h:.0f} too many)"
        for r, n, h in zip(RESOURCES, vector(need), have, strict=True) if n > h
    ]
    return LutraError(f"{device.name} is too small for {what}: it needs {', '.join(short)}", hint=hint)
