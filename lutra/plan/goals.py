"""Plans for a goal: a frame rate, or a budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial

import numpy as np

from lutra.errors import LutraError, TooSmallError
from lutra.ir import Array, Graph
from lutra.ops.base import Cost
from lutra.ops.fifo.op import Fifo
from lutra.ops.sequence import sequences_of
from lutra.ops.width.op import Width
from lutra.plan.candidates import RESOURCES, network, stream_places, vector
from lutra.plan.devices import Device
from lutra.plan.fitting import Fitting, fastest_within
from lutra.plan.memory import shortage
from lutra.plan.plan import Plan
from lutra.plan.prices import prices
from lutra.plan.search import Choice

BUDGET = 0.7  # of every resource: beyond it, routing and timing become hard
WHOLE = np.ones(len(RESOURCES))


def for_fps(
    graph: Graph, device: Device, clock_mhz: float, fps: float, weights: str = "auto", least: str | None = None,
) -> Plan:
    """The cheapest plan with at least `fps` frames a second that fits the whole device.

    Cheapest by the sum of the shares of LUTs, memories and multipliers (flip-flops a tenth), converters priced, FIFOs
    not: their depths depend on the whole (but see `Fitting.cheapened`). Exact where it fits; where a resource runs
    short, near it (see `eased`), and `Fitting` for where FIFOs push it over: then plans that spare what is short are
    tried, too. LutraError where no fold is that fast, or none that fast fits: it names the greatest frame rate that
    does; or off-chip memory is too slow. weights: see `stream_places`. least: the resource that is scarce, see
    `prices`.
    """
    if not 0 < fps < float("inf"):
        raise LutraError(f"a rate of {fps} frames a second", hint="give a positive number")
    choices = network(graph, device.family, stream_places(device, weights))
    fitting = Fitting(graph, device, clock_mhz, choices, prices(device, least), _capacity(device))
    cycles = sequences_of(graph) * clock_mhz * 1e6 / fps
    interval = int(cycles * (1 + 1e-12))  # a rate that was computed from a whole interval gives it back
    best = fitting.cheapest(interval)
    if best is None:
        raise _too_fast(fitting, fps, interval)
    plan, found = fitting.plan(lambda room: fitting.within(interval, room))
    if plan := fitting.cheapened(plan or (found and _sparing(fitting, interval, found)) or found):
        if short := shortage(plan, fps):
            raise short
        return plan
    fastest, _ = fitting.plan(fitting.fastest)
    if fastest is None or fastest.interval > interval:
        raise _too_small(best, found, device, WHOLE, f"{fps:g} frames/s", _what_fits(fastest))
    return fastest  # with fewer converters and FIFOs


def _sparing(fitting: Fitting, interval: int, over: Plan) -> Plan | None:
    """A plan that fits, in which one of the resources that this one takes too much of is what is scarce."""
    for scarce, share in over.share.items():
        if share > 1:
            other = replace(fitting, price=prices(fitting.device, scarce))
            if (plan := other.plan(partial(other.within, interval))[0]) is not None:
                return plan
    return None


def for_budget(
    graph: Graph, device: Device, clock_mhz: float, budget: float | Mapping[str, float] = BUDGET, weights: str = "auto",
    least: str | None = None,
) -> Plan:
    """The plan with the greatest frame rate within a budget, and the cheapest one at that rate.

    budget: a share of each of the device's resources, or shares by "lut", "ff", "bram", "dsp", "uram" (1 for one that
    is not named). The greatest rate is found by bisection over all intervals that exist, as what fits at one fits at
    every longer one; where FIFOs push the plan over, see `Fitting`. least: the resource that is scarce, see `prices`.
    LutraError where nothing fits.
    """
    share = _shares(budget)
    choices = network(graph, device.family, stream_places(device, weights))
    fitting = Fitting(graph, device, clock_mhz, choices, prices(device, least), _capacity(device) * share)
    plan, found = fitting.plan(fitting.fastest)
    if plan is not None:
        return plan
    smallest = fitting.cheapest(int(choices.intervals[-1]))
    assert smallest is not None
    raise _too_small(smallest, found, device, share, "the smallest fold of this model",
                     "choose a larger device or budget")


def _what_fits(plan: Plan | None) -> str:
    """A hint: the greatest rate that fits, and how."""
    if plan is None:
        return "no fold of this model fits; choose a larger device"
    folds = ", ".join(f"{plan.names[n]} {f}" for n, f in plan.folds.items() if n.op.kind == "matmul")
    return f"{plan.fps:.6g} frames/s fit" + (f", with {folds}" if folds else "")


def _capacity(device: Device) -> Array:
    return np.array(vector(device.capacity))


def _shares(budget: float | Mapping[str, float]) -> Array:
    named = dict.fromkeys(RESOURCES, budget) if isinstance(budget, int | float) else dict(budget)
    if wrong := sorted(set(named) - set(RESOURCES)):
        raise LutraError(f"a budget for {wrong[0]!r}", hint=f"there are {', '.join(RESOURCES)}")
    if bad := [(r, s) for r, s in named.items() if not 0 < s <= 1]:
        raise LutraError(f"a budget of {bad[0][1]} of the device's {bad[0][0]}", hint="give a share above 0, at most 1")
    return np.array([named.get(r, 1.0) for r in RESOURCES])


def _too_fast(fitting: Fitting, fps: float, interval: int) -> LutraError:
    _, fastest = fastest_within(fitting.choices, fitting.price, np.full(len(RESOURCES), np.inf))
    assert fastest is not None
    plan = fitting.bare(fastest)  # FIFOs keep the interval
    wanted = f"{fps:g} frames/s at {fitting.clock_mhz:g} MHz leave {interval} cycles a frame"
    slow = f"{plan.bottleneck.name} takes {plan.interval} however it is folded"
    most = f"at most {plan.fps:.6g} frames/s at this clock"
    return LutraError(f"{wanted}, and {slow}", plan.bottleneck.node.loc, most)


def _too_small(best: Choice, found: Plan | None, device: Device, share: Array, what: str, hint: str) -> LutraError:
    """How much is missing of each resource that is short: of what the cheapest choice costs or, if one fits, the plan
    that its FIFOs pushed over.
    """
    need, have = best.cost if found is None else np.array(vector(found.cost)), _capacity(device) * share
    short = [
        f"{n:.0f} {r.upper()} where {h:.0f} are allowed ({n - h:.0f} too many)"
        for r, n, h in zip(RESOURCES, need, have, strict=True) if n > h
    ]
    between = found and sum((found.costs[s.name] for s in found.stages if isinstance(s.unit, Fifo | Width)), Cost())
    return TooSmallError(f"{device.name} is too small for {what}: it needs {', '.join(short)}", hint=hint,
                         between=asdict(between) if between else None)
