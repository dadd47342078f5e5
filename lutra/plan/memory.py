"""Off-chip memory as a plan reckons with it: what the units read of it, and what there is."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from lutra.errors import LutraError
from lutra.plan.devices import Device

if TYPE_CHECKING:
    from lutra.plan.plan import Plan

EFFICIENCY = 0.8  # of a memory's peak, for long bursts: the rest is refresh, turns of the bus, rows that open and close


def available_gbs(device: Device) -> float:
    """What the device's memory gives in practice, in 10**9 bytes a second."""
    return EFFICIENCY * device.bandwidth_gbs


def bytes_a_cycle(device: Device, clock_mhz: float) -> float:
    """The same in each cycle of a clock."""
    return available_gbs(device) * 1e3 / clock_mhz


def read_cycles(size: float, device: Device, clock_mhz: float) -> int:
    """Cycles in which so many bytes are read."""
    return ceil(size / bytes_a_cycle(device, clock_mhz) * (1 - 1e-12))


def shortage(plan: Plan, fps: float) -> LutraError | None:
    """What is wrong where the units would read more than the memory gives at a frame rate."""
    total, have = sum(plan.traffic.values()), available_gbs(plan.device)
    need = total * fps / 1e9
    if need <= have:
        return None
    most = max(plan.traffic, key=lambda name: plan.traffic[name])
    chip = f"{EFFICIENCY:.0%} of the {plan.device.bandwidth_gbs:g} GB/s of {plan.device.name}'s"
    reads = f"{fps:g} frames/s read {total:,.0f} bytes of weights each, most of them {most}"
    return LutraError(f"off-chip memory needs to give {need:.3g} GB/s where {have:.3g} are there ({chip}): {reads}",
                      hint=f"at most {have * 1e9 / total:.6g} frames/s, or fewer layers with ram='offchip'")
