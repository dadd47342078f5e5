"""Densities become widths: as many channels as the budget allows, in the proportions that the densities ask for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lutra.errors import LutraError
from lutra.quant.precrop.sizes import Sizes
from lutra.quant.search.axes import FIXED, Part

Combine = Literal["mean", "max"]
HALVINGS = 100
WIDEST = 4  # times its width that a group may have, where layers may widen


@dataclass(frozen=True)
class Rules:
    """What widths may be.

    Its fields:
        multiple: of what they are, as folding likes it; or the width that the network has.
        least: no less than that.
        widen: whether they may be more than the network's.
        combine: how layers that write (or read) one group agree: the mean of their densities, geometric, weighted by
            parameters; or the greatest.
    """

    multiple: int = 4
    least: int = 4
    widen: bool = False
    combine: Combine = "mean"

    def __post_init__(self) -> None:
        if self.multiple < 1 or self.least < 1:
            raise LutraError(f"widths of at least {self.least} and multiples of {self.multiple}",
                             hint="give at least 1 for both")
        if self.combine not in ("mean", "max"):
            raise LutraError(f"no way to combine densities is called {self.combine!r}", hint="mean or max")


@dataclass(frozen=True)
class Limits:
    """At most so many parameters, and multiply-accumulates of one frame if they are limited too."""

    parameters: int
    operations: int | None = None


def crop(found: Sizes, densities: Mapping[str, float] | None, limits: Limits, rules: Rules) -> list[int]:
    """The width of each group of channels. The multiplier of all densities is sought by bisection for which the widths,
    rounded down, are just within the limits; what is left is given to groups, those first that lack the greatest share,
    until no group can have one more step. Without densities all groups have the same share of their width.

    Raises LutraError: the limits cannot be met; names the nearest that can.
    """
    steps = [math.lcm(rules.multiple, g.multiple) for g in found.streams.groups]

    def wanted(t: float) -> list[float]:
        return shares(found, densities, t, rules)

    def widths(t: float) -> list[int]:
        return [_legal(found, i, share, steps[i], rules) for i, share in enumerate(wanted(t))]

    _reachable(found, widths(0), widths(math.inf), limits)
    low, high = -60.0, 60.0  # of the multiplier's logarithm
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _fits(found, widths(math.exp(middle)), limits) else (low, middle)
    return _filled(found, widths(math.exp(low)), wanted(math.exp(low)), limits, steps, rules)


def shares(found: Sizes, densities: Mapping[str, float] | None, t: float, rules: Rules) -> list[float]:
    """The share of its width that each group is to have if all densities are multiplied by t.

    A dense layer of which both sides are cropped has the product of their shares as its density, so it asks for the
    root on each; one of which only one side is free, or a depthwise one, asks for all of it there. Of what the layers
    that write a group and those that read it ask for, the less counts.
    """
    if densities is None:
        return [math.sqrt(t if rules.widen else min(1.0, t))] * len(found.streams.groups)
    asked: list[list[list[tuple[float, int]]]] = [[[], []] for _ in found.streams.groups]
    for path, layer in found.products.items():
        p = t * densities[path] if rules.widen else min(1.0, t * densities[path])
        free = [_free(found, layer.member.reads), _free(found, layer.member.writes)]
        share = math.sqrt(p) if all(free) and not layer.deep else p
        for side, groups in ((1, free[0]), (0, free[1])):
            for group in groups:
                asked[group][side].append((share, layer.weight))
    return [min((_agreed(side, rules.combine) for side in sides if side), default=1.0) for sides in asked]


def _free(found: Sizes, parts: Sequence[Part]) -> set[int]:
    """The groups of a layer's side that can be cropped."""
    return {p.group for p in parts if p.group != FIXED and not found.streams.groups[p.group].held}


def _agreed(asked: Sequence[tuple[float, int]], combine: Combine) -> float:
    """One share of several."""
    if combine == "max" or any(share in (0, math.inf) for share, _ in asked):
        return max(share for share, _ in asked)
    total = sum(weight for _, weight in asked)
    return math.exp(sum(weight * math.log(share) for share, weight in asked) / total)


def _legal(found: Sizes, i: int, share: float, step: int, rules: Rules) -> int:
    """The widest that is allowed and no wider than the share asks for; at least the least."""
    group = found.streams.groups[i]
    if group.held:
        return group.width
    least, most = _ends(group.width, step, rules)
    if share * group.width >= most:
        return most
    return max(least, math.floor(share * group.width / step + 1e-9) * step)


def _ends(width: int, step: int, rules: Rules) -> tuple[int, int]:
    """The least and greatest width of a group."""
    least = math.ceil(rules.least / step) * step
    return (least, max(WIDEST * width // step * step, least)) if rules.widen else (min(least, width), width)


def _filled(found: Sizes, widths: list[int], shares: Sequence[float], limits: Limits, steps: Sequence[int],
            rules: Rules) -> list[int]:
    """One step more, wherever one fits, for as long as one does."""
    groups = found.streams.groups
    while True:
        options = []
        for i, group in enumerate(groups):
            most = _ends(group.width, steps[i], rules)[1]
            if group.held or widths[i] >= most:
                continue
            more = [*widths[:i], min(widths[i] // steps[i] * steps[i] + steps[i], most), *widths[i + 1 :]]
            if _fits(found, more, limits):
                options.append((widths[i] / (shares[i] * group.width), i, more))
        if not options:
            return widths
        widths = min(options)[2]


def _fits(found: Sizes, widths: Sequence[int], limits: Limits) -> bool:
    return found.parameters(widths) <= limits.parameters and (
        limits.operations is None or found.operations(widths) <= limits.operations)


def _reachable(found: Sizes, least: Sequence[int], most: Sequence[int], limits: Limits) -> None:
    """Raises LutraError where no widths are within the limits, or all are far below."""
    pairs = [("parameters", limits.parameters, found.parameters), ("operations", limits.operations, found.operations)]
    for name, limit, count in pairs:
        if limit is not None and count(least) > limit:
            raise LutraError(f"{limit:,} {name} cannot be reached", "the budget",
                             f"the nearest is {count(least):,}, with every layer at its least width")
    if found.parameters(most) < limits.parameters and limits.operations is None:
        raise LutraError(f"{limits.parameters:,} parameters cannot be reached", "the budget",
                         f"the nearest is {found.parameters(most):,}, with every layer as wide as it may be")
