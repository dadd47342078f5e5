"""The stages of a quantised network's training: calibrated, its points learned, then frozen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from lutra.errors import LutraError
from lutra.quant.casts import Casts
from lutra.quant.fitting import fit_normalisation, fit_weight, weight_cast
from lutra.quant.network import casts_of, inner, set_stage, sites
from lutra.quant.still import still


@contextmanager
def _observing(net: nn.Module, casts: Casts) -> Iterator[None]:
    casts.observers = {}
    for site in sites(net):
        site.bypass = True
    try:
        with still(net), torch.no_grad():
            yield
    finally:
        casts.observers = None
        for site in sites(net):
            site.bypass = False


def calibrate(net: nn.Module, loader: Iterable[Any], method: str = "max", batches: int = 4) -> None:
    """Run some batches in floating point and set the point of every cast from the numbers seen.

    What it takes:
        net: quantised.
        loader: of batches; of a tuple or list the first is the network's input.
        method: "max" magnitude, its 99.9th "percentile", or "mse", the least squared error about that. Points of
            normalisation's factor and term always have the least squared error.
        batches: how many are taken.

    Raises LutraError: no batch, no such method, or a number that is not finite, with the layer's name.
    """
    casts = casts_of(net)
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    seen = 0
    with _observing(net, casts):
        for _, batch in zip(range(batches), loader, strict=False):
            x = batch[0] if isinstance(batch, tuple | list) else batch
            net(x.to(device))
            seen += 1
        assert casts.observers is not None
        if not seen:
            raise LutraError("the loader has no batch", hint="pass an iterable of inputs, or of (input, label)")
        for observer in casts.observers.values():
            observer.fit(method)
            observer.site.to(device)
    for module in net.modules():
        if (site := weight_cast(module)) is not None:
            fit_weight(site, module, method)


def freeze(net: nn.Module, points: bool = True, statistics: bool = True) -> None:
    """The last stage of training: points are no longer learned, and normalisation takes its inference form, with its
    statistics as they are, in training too. With `points=False` the points of its factor and term are learned as well.
    """
    casts = casts_of(net)
    if statistics:
        fit_normalisation(inner(net), casts)
    set_stage(net, casts.points_frozen or points, casts.statistics_frozen or statistics)


def parameters(net: nn.Module, lr: float = 1e-2) -> list[dict[str, Any]]:
    """Groups for an optimiser: the network's own parameters, with the optimiser's own settings, and the points, with a
    rate of their own and no weight decay. A learned scale is given the rate that moves its base-2 logarithm as fast.

    >>> torch.optim.Adam(parameters(net, lr=1e-2), lr=1e-3)                  # doctest: +SKIP
    """
    points = [s.point for s in sites(net) if s.shift]
    scales = [s.point for s in sites(net) if not s.shift]
    own = {id(p) for p in points + scales}
    rates = [lr * math.log(2) * float(s.detach().abs().mean()) for s in scales]
    return [{"params": [p for p in net.parameters() if id(p) not in own]},
            {"params": points, "lr": lr, "weight_decay": 0.0},
            *({"params": [s], "lr": rate, "weight_decay": 0.0} for s, rate in zip(scales, rates, strict=True))]


class Schedule:
    """Freezes a network for the last part of its training, so that points stop swinging between neighbours.

    What it takes:
        net: quantised.
        steps: of the optimiser in all.
        last: the share of them that is run frozen, 0.1 to 0.2 as a rule.
    """

    def __init__(self, net: nn.Module, steps: int, last: float = 0.15) -> None:
        if not 0 <= last <= 1:
            raise LutraError(f"a share of {last}", hint="0 to 1")
        self.net, self.at, self.done = net, max(round(steps * (1 - last)), 1), 0

    def step(self) -> None:
        """Call it after each step of the optimiser."""
        self.done += 1
        if self.done == self.at:
            freeze(self.net)

    def state_dict(self) -> dict[str, int]:
        """How far training has come, for a checkpoint."""
        return {"done": self.done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from a checkpoint; the frozen stage itself is in the network's state dict."""
        self.done = state["done"]
