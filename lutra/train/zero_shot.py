"""`quantize --zero-shot`: from a network in floating point, without data, to a quantised one and its plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

import lutra.quant as q
from lutra.errors import LutraError
from lutra.files import written
from lutra.quant import zeroq
from lutra.quant.search.choice import uniform
from lutra.quant.search.costs import Bits, bitops, size, together
from lutra.quant.search.layers import layers
from lutra.quant.search.plan import BitPlan
from lutra.quant.zeroq.distil import Watch
from lutra.train.checkpoint import write
from lutra.train.session import weights_of
from lutra.zoo.trainable import PLAIN, trainable

PLAN, NETWORK, MODEL, KEPT = "plan.json", "network.pt", "network.onnx", "search"
COST = together(size, bitops)


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
        """By the names of costs. LutraError: two sizes, or no limit."""
        if self.bits is not None and self.size is not None:
            raise LutraError(f"a size of {self.bits} bits and one of {self.size:,.6g} bytes", "limits", "give one")
        own: dict[str, float] = {}
        if self.bits is not None:
            own = uniform(net, torch.zeros(1, *prior.shape), size, Bits(self.bits, 1))
        given = {"size": self.size, "bitops": self.bitops}
        found = {**own, **{name: float(v) for name, v in given.items() if v is not None}}
        if not found:
            raise LutraError("nothing limits the plan", "limits", "give --bits, --size or --max-bitops, or a --plan")
        return found


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
              elementwise: int = 8, options: zeroq.Options | None = None, watch: Watch = lambda now: None) -> Outcome:
    """Choose bits, quantise and calibrate without data, and write plan, state dict and QONNX into the folder `out`.

    What it takes:
        net: in floating point; it is quantised in place.
        limits: for the plan. plan: take this one instead of a search.
        elementwise: bits of normalisation, sums and means.

    What is found on the way is kept in the folder, and taken up again.

    Raises LutraError: what `zeroq.search` refuses, or a plan of another network.
    """
    options = options or zeroq.Options()
    base = replace(zeroq.BASE, elementwise=q.Fixed(elementwise))
    keep = out / KEPT
    if plan is None:
        found = zeroq.search(net, prior, (limits or Limits()).of(net, prior), COST, options, base, keep=keep,
                             watch=watch)
        plan, images = found.plan, found.images
    else:
        plan.check({layer.path: layer for layer in layers(net, torch.zeros(1, *prior.shape))})
        images = zeroq.distilled(net, prior, options, keep, watch)
    q.calibrate(q.quantize(net, plan.recipe(base)), [images], options.method)
    net.eval()
    files = {"plan": written(out / PLAN, plan.to_json()), "network": write(out / NETWORK, net.state_dict())}
    try:
        files["model"] = q.export(net, torch.zeros(1, *prior.shape), out / MODEL)
    except LutraError as e:
        return Outcome(plan, files, str(e))
    return Outcome(plan, files, None)
