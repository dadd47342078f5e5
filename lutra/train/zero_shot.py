"""`quantize --zero-shot`: from a network in floating point, without data, to a quantised one and its plan."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

import lutra
import lutra.quant as q
from lutra.costing import hardware_cost
from lutra.errors import LutraError
from lutra.files import written
from lutra.quant import zeroq
from lutra.quant.search.choice import uniform
from lutra.quant.search.costs import Bits, bitops, size, together
from lutra.quant.search.layers import layers
from lutra.quant.search.plan import BitPlan
from lutra.quant.zeroq.distil import Progress, Watch
from lutra.report import bits_page
from lutra.train.checkpoint import write
from lutra.train.session import weights_of
from lutra.zoo.trainable import PLAIN, trainable

PLAN, REPORT, NETWORK, MODEL, KEPT = "plan.json", "report.html", "network.pt", "network.onnx", "search"
COST = together(size, bitops)
ROOMS = (1.0, 0.9, 0.8, 0.7, 0.6)  # shares of a device that are tried: FIFOs are known of whole plans only


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

    def of(self, net: nn.Module, prior: zeroq.Prior) -> dict[str, float]:
        """By the names of costs. LutraError: two sizes."""
        if self.bits is not None and self.size is not None:
            raise LutraError(f"a size of {self.bits} bits and one of {self.size:,.6g} bytes", "limits", "give one")
        own: dict[str, float] = {}
        if self.bits is not None:
            own = uniform(net, torch.zeros(1, *prior.shape), size, Bits(self.bits, 1))
        given = {"size": self.size, "bitops": self.bitops}
        return {**own, **{name: float(v) for name, v in given.items() if v is not None}}


@dataclass(frozen=True)
class Target:
    """A device, by its name, that runs the network at so many frames a second."""

    device: str
    fps: float
    clock_mhz: float = 100.0


@dataclass(frozen=True)
class Outcome:
    """The plan, and what was written; `refused`: why there is no model file, if there is none."""

    plan: BitPlan
    files: Mapping[str, Path]
    refused: str | None


def zoo_network(name: str, weights: Path) -> tuple[nn.Module, zeroq.Prior]:
    """A network of the zoo with the weights of a checkpoint, and what its recipe says of its inputs.

    Raises LutraError: no such network, no weights there, or those of another network.
    """
    plan = trainable(name)
    net = plan.make(plan.bits)
    try:
        net.load_state_dict(weights_of(weights))
    except RuntimeError as e:
        raise LutraError("these are not this network's weights: " + str(e).split("\n")[-1].strip(), str(weights),
                         f"take one that was saved from {name}, in floating point") from e
    prior = zeroq.Prior.normalised(plan.frame, *plan.normalise, top=255, standard=plan.normalise != PLAIN)
    return net, prior


def prior_of(example: Any, low: float, high: float, standard: bool) -> zeroq.Prior:
    """What is known of the inputs of a user's network. LutraError: the example is no tensor (N, channels, ...)."""
    if not isinstance(example, torch.Tensor) or example.ndim < 2 or not example.is_floating_point():
        raise LutraError("the example is no tensor (N, channels, ...) of floating point", "the network",
                         "return net, torch.zeros(1, 3, 32, 32)")
    return zeroq.Prior(tuple(example.shape[1:]), (low,), (high,), standard)


def zero_shot(net: nn.Module, prior: zeroq.Prior, out: Path, limits: Limits | None = None, plan: BitPlan | None = None,
              elementwise: int = 8, options: zeroq.Options | None = None, watch: Watch = lambda now: None,
              target: Target | None = None) -> Outcome:
    """Choose bits, quantise and calibrate without data, and write plan, report, state dict and QONNX into the
    folder `out`.

    What it takes:
        net: in floating point; it is quantised in place.
        limits: for the plan. plan: take this one instead of a search.
        elementwise: bits of normalisation, sums and means.
        target: what it must run on, and how fast; then its resources limit the plan, as the compiler prices them.

    What is found on the way is kept in the folder, and taken up again.

    Raises LutraError: what `zeroq.search` refuses, a plan of another network, no limit, a target that no choice meets.
    """
    options = options or zeroq.Options()
    base = replace(zeroq.BASE, elementwise=q.Fixed(elementwise))
    keep = out / KEPT
    if plan is None:
        found = _searched(net, prior, (limits or Limits()).of(net, prior), target, base, options, keep, watch)
        plan, images = found.plan, found.images
    else:
        plan.check({layer.path: layer for layer in layers(net, torch.zeros(1, *prior.shape))})
        plan, images = plan.rated(), zeroq.distilled(net, prior, options, keep, watch)
    q.calibrate(q.quantize(net, plan.recipe(base)), [images], options.method)
    net.eval()
    files = {"plan": written(out / PLAN, plan.to_json()), "report": written(out / REPORT, bits_page(plan.data())),
             "network": write(out / NETWORK, net.state_dict())}
    try:
        files["model"] = q.export(net, torch.zeros(1, *prior.shape), out / MODEL)
    except LutraError as e:
        return Outcome(plan, files, str(e))
    return Outcome(plan, files, None)


def _searched(net: nn.Module, prior: zeroq.Prior, limits: Mapping[str, float], target: Target | None, base: q.Recipe,
              options: zeroq.Options, keep: Path, watch: Watch) -> zeroq.Result:
    """The best plan within the limits, and if there is a target the best that it runs."""
    if target is None:
        if not limits:
            raise LutraError("nothing limits the plan", "limits",
                             "give --bits, --size, --max-bitops, or --device and --fps, or a --plan")
        return zeroq.search(net, prior, limits, COST, options, base, keep=keep, watch=watch)
    images = zeroq.distilled(net, prior, options, keep, watch)
    choices = [Bits(w, a) for w in options.weights for a in options.activations]
    cost = hardware_cost(net, images, target.device, target.fps, choices, base, target.clock_mhz,
                         lambda done, of: watch(Progress("price", done, of)))
    for room in ROOMS:
        within = {**cost.room(target.device, room), **limits}
        found = zeroq.search(net, prior, within, together(cost, COST), options, base, images, keep=keep, watch=watch)
        tried = q.quantize(deepcopy(net), found.plan.recipe(base))
        q.calibrate(tried, [images], options.method)
        try:
            lutra.compile(tried, images[:1], target.device, fps=target.fps, clock_mhz=target.clock_mhz)
            return found
        except LutraError as e:
            refused = e
    raise refused
