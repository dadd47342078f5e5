"""What resources are worth on a device."""

from __future__ import annotations

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array
from lutra.plan.candidates import RESOURCES
from lutra.plan.devices import Device

FF_WEIGHT = 0.1  # flip-flops come with their LUTs and are seldom what a device runs out of
PLENTY = 1e-3  # weight of a resource that does not matter, but to choose among what is alike otherwise
ABSENT = 1e6  # price of what the device does not have


def prices(device: Device, least: str | None = None) -> Array:
    """What a unit of each resource costs, as a share of the device. least: one that is scarce: the others cost next to
    nothing beside it.

    LutraError: there is no such resource.
    """
    if least is not None and least not in RESOURCES:
        raise LutraError(f"least={least!r} is no resource", "options", f"one of {', '.join(RESOURCES)}")
    weights = {"ff": FF_WEIGHT, **({r: PLENTY for r in RESOURCES if r != least} if least else {})}
    return np.array([weights.get(r, 1.0) / have if (have := getattr(device, r)) else ABSENT for r in RESOURCES])
