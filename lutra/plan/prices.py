"""What resources are worth on a device."""

from __future__ import annotations

import numpy as np

from lutra.ir import Array
from lutra.plan.candidates import RESOURCES
from lutra.plan.devices import Device

FF_WEIGHT = 0.1  # flip-flops come with their LUTs and are seldom what a device runs out of
ABSENT = 1e6  # price of what the device does not have


def prices(device: Device) -> Array:
    """What a unit of each resource costs, as a share of the device."""
    weights = {"ff": FF_WEIGHT}
    return np.array([weights.get(r, 1.0) / have if (have := getattr(device, r)) else ABSENT for r in RESOURCES])
