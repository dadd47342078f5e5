"""Widths for a network before it is trained (PreCrop and PreConfig, arXiv:2203.02549).

How well a network that is pruned at initialisation trains depends on how many weights each layer keeps, not on which.
So the densities of the layers become widths, and a smaller dense network is trained.

>>> from lutra.quant import precrop                                                          # doctest: +SKIP
>>> plan = precrop.crop(net, example, parameters=0.2)                                        # doctest: +SKIP
>>> narrow = precrop.narrowed(net, example, plan.widths)                                     # doctest: +SKIP
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from lutra.errors import LutraError
from lutra.quant.precrop import crop as cropping
from lutra.quant.precrop import scores
from lutra.quant.precrop.closed import preconfig, synexp
from lutra.quant.precrop.crop import Limits, Rules
from lutra.quant.precrop.narrow import by_group, narrowed
from lutra.quant.precrop.paths import pathsum
from lutra.quant.precrop.plan import Count, Row, WidthPlan, read
from lutra.quant.precrop.plan import plan as planned
from lutra.quant.precrop.sizes import Sizes, sizes

__all__ = ["DATA", "METHODS", "Count", "Limits", "Row", "Rules", "WidthPlan", "crop", "given", "narrowed", "read"]

METHODS = ("synexp", "pathsum", "synflow", "snip", "grasp", "preconfig", "uniform")
DATA = ("snip", "grasp")


def crop(net: nn.Module, example: Any, parameters: float, *, operations: float | None = None, method: str = "synexp",
         batch: tuple[Any, Tensor] | None = None, rules: Rules | None = None) -> WidthPlan:
    """Choose widths for a network under a budget.

    net: as its initialisation left it; it is not changed.
    example: its input, or a tuple of them, with a batch axis.
    parameters: the budget, as a share of the network's own (a float up to 1) or as their number (an int).
    operations: a limit on multiply-accumulates of one frame, likewise.
    method: "synexp", the closed form under the budgets, each layer a factor; "pathsum", where branches are summed;
        "synflow", its iterations; "snip" and "grasp", which need a batch; "preconfig", under both budgets, where layers
        may widen; "uniform", the same share of every width.
    batch: inputs and labels for a cross-entropy loss.
    rules: what widths may be; by default multiples of 4, of at least 4, widening for preconfig alone.

    Raises LutraError: a budget that cannot be met (the nearest is named); a score that is not finite; no parameters,
        frozen ones or shared ones.
    """
    if method not in METHODS:
        raise LutraError(f"no method is called {method!r}", "method", f"one of {', '.join(METHODS)}")
    found = sizes(net, example)
    now = found.now
    rules = rules or Rules(widen=method == "preconfig")
    if method == "preconfig" and operations is None:
        operations = 1.0
    limits = Limits(_amount(parameters, found.parameters(now), "parameters"),
                    None if operations is None else _amount(operations, found.operations(now), "operations"))
    densities = _densities(net, example, found, limits, method, batch)
    return planned(found, cropping.crop(found, densities, limits, rules), method, densities)


def given(net: nn.Module, example: Any, widths: Mapping[str, int]) -> WidthPlan:
    """The plan of widths that are given by layer. Raises LutraError: as `narrowed`."""
    found = sizes(net, example)
    return planned(found, by_group(found, widths), "given")


def _amount(budget: float, whole: int, name: str) -> int:
    """A budget as a number."""
    count = budget if isinstance(budget, int) else int(budget * whole) if 0 < budget <= 1 else 0
    if count < 1:
        raise LutraError(f"a budget of {budget!r} {name}", "the budget",
                         "give a share, above 0 and up to 1.0, or a whole number")
    return count


def _densities(net: nn.Module, example: Any, found: Sizes, limits: Limits, method: str,
               batch: tuple[Any, Tensor] | None) -> dict[str, float] | None:
    """The share of each layer's weights that a method keeps."""
    paths = list(found.products)
    now = found.now
    weights = [float(layer.weight) for layer in found.products.values()]
    keep = min(limits.parameters / found.parameters(now), 1.0)
    match method:
        case "uniform":
            return None
        case "synexp" if limits.operations is None:
            return dict(zip(paths, synexp(weights, keep * sum(weights)), strict=True))
        case "pathsum":
            return pathsum(net, dict(zip(paths, weights, strict=True)), example, keep * sum(weights))
        case "synexp" | "preconfig":
            assert limits.operations is not None
            work = [float(layer.operations(now)) for layer in found.products.values()]
            found_both = preconfig(weights, work, keep * sum(weights), float(limits.operations),
                                   math.inf if method == "preconfig" else 1.0)
            return dict(zip(paths, found_both, strict=True))
        case "synflow":
            return scores.densities(scores.synflow(net, paths, example, keep), keep)
    if batch is None:
        raise LutraError(f"{method} needs a batch of inputs and labels", "method", "give one, or take synexp")
    score = scores.snip if method == "snip" else scores.grasp
    return scores.densities(score(net, paths, *batch), keep)
