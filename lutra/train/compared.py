"""A plan's bits beside the same bits everywhere, by what the whole network does."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

import lutra.quant as q
from lutra.quant.search.costs import Bits
from lutra.quant.search.measured import ACCURACY, DIVERGENCE, Measured
from lutra.quant.search.plan import BitPlan
from lutra.quant.search.progress import Progress, Watch, unseen
from lutra.quant.still import still
from lutra.quant.zeroq.sensitivity import divergence, log_probabilities

UNIFORM = (8, 6, 4, 3)  # bits of weights that are shown
BATCH = 250  # images
Judge = Callable[[nn.Module], float]


def compared(net: nn.Module, plan: BitPlan, base: q.Recipe, images: Tensor, ranges: str, by: str, count: int,
             judge: Judge, watch: Watch = unseen) -> BitPlan:
    """The plan with what networks with its bits, and with uniform ones, do, all with points fitted to the same images.

    What it takes:
        net: in floating point, left as it was.
        images: (N, ...), to fit points to, by `ranges`. base: formats, whose bits are replaced.
        by, count: of the judge's figure, see `Measured`.
    """
    plans = [plan, *(replace(plan, bits=dict.fromkeys(plan.bits, bits)) for bits in uniform(plan))]

    def value(done: int, bits: BitPlan) -> float:
        tried = q.quantize(deepcopy(net).eval(), bits.recipe(base))
        q.calibrate(tried, [images], ranges)
        watch(Progress("compare", done, len(plans)))
        return judge(tried.eval())

    with still(net):
        floating = judge(net)
    chosen, *others = (value(done, bits) for done, bits in enumerate(plans, 1))
    return replace(plan, measured=Measured(by, count, floating, chosen,
                                           tuple(zip(uniform(plan), others, strict=True))))


def uniform(plan: BitPlan) -> list[Bits]:
    """Of what the plan compares itself with, choices of UNIFORM bits: of inputs as many, or the most there are."""
    known = {r.bits for r in plan.uniform}
    most = max((b.activations for b in known), default=0)
    found = [Bits(w, w) if Bits(w, w) in known else Bits(w, most) for w in UNIFORM]
    return [bits for bits in found if bits in known]


def unlabelled(net: nn.Module, images: Tensor) -> tuple[str, int, Judge]:
    """To compare by the divergence from a network as it is now, on these images."""
    with still(net), torch.no_grad():
        reference = log_probabilities(net(images))
    return DIVERGENCE, len(images), torch.no_grad()(partial(_diverging, images, reference))


def _diverging(images: Tensor, reference: Tensor, net: nn.Module) -> float:
    return divergence(net, images, reference)


def labelled(images: Tensor, labels: Tensor) -> tuple[str, int, Judge]:
    """To compare by accuracy on these images (N, ...), as the network takes them, and labels (N,)."""
    return ACCURACY, len(images), torch.no_grad()(partial(_right, images, labels))


def _right(images: Tensor, labels: Tensor, net: nn.Module) -> float:
    parts = zip(torch.split(images, BATCH), torch.split(labels, BATCH), strict=True)
    return sum(int((net(x).argmax(1) == wanted).sum()) for x, wanted in parts) / len(labels)
