"""Off-chip memory as a plan reckons with it: what the units read of it, and what there is."""

from __future__ import annotations

from lutra.errors import LutraError
from lutra.plan.devices import Device
from lutra.plan.plan import Plan

EFFICIENCY = 0.8  # of a memory's peak, for long bursts: the rest is refresh, turns of the bus, rows that open and close


def available_gbs(device: Device) -> float:
    """What the device's memory gives in practice, in 10**9 bytes a second."""
    return EFFICIENCY * device.bandwidth_gbs


def bytes_a_cycle(device: Device, clock_mhz: float) -> float:
    """The same in each cycle of a clock."""
    return available_gbs(device) * 1e3 / clock_mhz


def shortage(plan: Plan) -> LutraError | None:
    """What is wrong where the units read more than the memory gives."""
    have = available_gbs(plan.device)
    if plan.bandwidth_gbs <= have:
        return None
    most = max(plan.traffic, key=lambda name: plan.traffic[name])
    total = sum(plan.traffic.values())
    reads = f"{plan.fps:.6g} frames/s of {total / 1e6:.4g} MB of weights, most for {most}"
    chip = f"{EFFICIENCY:.0%} of the {plan.device.bandwidth_gbs:g} GB/s of {plan.device.name}'s memory"
    what = f"off-chip memory needs {plan.bandwidth_gbs:.3g} GB/s where {have:.3g} are there ({chip}): {reads}"
    return LutraError(what, hint=f"at most {have * 1e9 / total:.6g} frames/s, or fewer layers with ram='offchip'")
