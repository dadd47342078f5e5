"""What a quantised network may take: limits on sums over layers, and a device that must run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import lutra
import lutra.quant as q
from lutra.costing import hardware_cost
from lutra.errors import LutraError, TooSmallError
from lutra.quant.search.choice import uniform
from lutra.quant.search.costs import Bits, Cost, bitops, size, together
from lutra.quant.search.plan import BitPlan
from lutra.quant.search.progress import Progress, Watch

COST = together(size, bitops)
ROUTABLE = 0.8  # of a device's LUTs; with more of them, routing and timing become hard
TRIES = 8  # of plans that are compiled: what FIFOs take is known of whole plans only
SHARE = 0.95  # of the device, that is left to the next one where that does not help
Choose = Callable[[Mapping[str, float], Cost], BitPlan]  # the best plan within limits on sums of a cost


@dataclass(frozen=True)
class Limits:
    """What a plan may take; None: anything.

    Its fields:
        bits: the size of weights of so many bits in each layer.
        size: bytes of the weights.
        bitops: multiply-accumulates of a frame, each times the bits of both factors.
    """

    bits: int | None = None
    size: float | None = None
    bitops: float | None = None

    def __post_init__(self) -> None:
        if self.bits is not None and self.size is not None:
            raise LutraError(f"a size of {self.bits} bits and one of {self.size:,.6g} bytes", "limits", "give one")

    @property
    def none(self) -> bool:
        """Whether anything may be taken."""
        return self == Limits()

    def of(self, net: nn.Module, shape: Sequence[int]) -> dict[str, float]:
        """By the names of costs; `shape`: of one input."""
        own: dict[str, float] = {}
        if self.bits is not None:
            own = uniform(net, torch.zeros(1, *shape), size, Bits(self.bits, 1))
        given = {"size": self.size, "bitops": self.bitops}
        return {**own, **{name: float(v) for name, v in given.items() if v is not None}}


@dataclass(frozen=True)
class Target:
    """A device, by its name, that runs the network at so many frames a second."""

    device: str
    fps: float
    clock_mhz: float = 100.0


@dataclass(frozen=True)
class Way:
    """A method of choosing bits.

    Its fields:
        images: (N, ...) as the network takes them, that ranges are fitted to.
        choices: what each layer may have.
        base: formats, whose bits are replaced.
        ranges: how they are found, "max", "percentile" or "mse".
        choose: the search.
    """

    images: Tensor
    choices: Sequence[Bits]
    base: q.Recipe
    ranges: str
    choose: Choose


def within(net: nn.Module, way: Way, limits: Mapping[str, float], target: Target | None, watch: Watch) -> BitPlan:
    """The best plan within the limits, and if there is a target the best that it runs.

    Raises LutraError: limits, or a target, that no choice meets.
    """
    if target is None:
        return way.choose(limits, COST)
    cost = hardware_cost(net, way.images, target.device, target.fps, way.choices, way.base, target.clock_mhz,
                         lambda done, of: watch(Progress("price", done, of)))
    room, left, between = cost.room(target.device), 1.0, dict[str, float]()
    room["lut"] *= ROUTABLE
    found: dict[float, BitPlan] = {}  # plans that the device holds, by their share of its LUTs
    for _ in range(TRIES):
        free = {r: left * have - between.get(r, 0.0) for r, have in room.items()}
        try:
            plan = way.choose({**free, **limits}, together(cost, COST))
            tried = q.quantize(deepcopy(net), plan.recipe(way.base))
            q.calibrate(tried, [way.images], way.ranges)
            design = lutra.compile(tried, way.images[:1], target.device, fps=target.fps, clock_mhz=target.clock_mhz)
        except TooSmallError as e:
            refused: LutraError = e
            left = left * SHARE if between or not e.between else left
            between = e.between or between
        except LutraError as e:
            refused = e
            break
        else:
            found[design.plan.share["lut"]] = plan
            if min(found) <= ROUTABLE:
                break
            left *= SHARE
    if not found:
        raise refused
    return found[min(found)]
