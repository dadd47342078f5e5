"""The whole of it: traces, errors, the choice within limits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from lutra.errors import LutraError
from lutra.quant.hawq.data import facts, taken
from lutra.quant.hawq.omega import Errors, Omega, input_errors, weight_errors
from lutra.quant.hawq.products import Batch, Loss
from lutra.quant.hawq.traces import curvature_of, input_traces, weight_traces
from lutra.quant.kinds import Fixed, Scaled
from lutra.quant.recipe import Recipe
from lutra.quant.search.choice import Problem, problem
from lutra.quant.search.costs import Bits, Cost, bitops, size, together
from lutra.quant.search.kept import Kept, digest
from lutra.quant.search.layers import layers, same_input
from lutra.quant.search.plan import BitPlan
from lutra.quant.search.progress import Progress, Watch, unseen

RECIPE = Recipe(Fixed(8, per_channel=True), Fixed(8), Fixed(8), first_last=0)
DYADIC = Recipe(Scaled(8, per_channel=True), Scaled(8), Scaled(8), first_last=0)  # HAWQ-V3: any scale, m / 2**e
COST = together(size, bitops)


@dataclass(frozen=True)
class Found:
    """A plan, and what it was chosen from."""

    plan: BitPlan
    omega: Omega
    problem: Problem


def search(
    net: nn.Module, batches: Iterable[Batch], options: Sequence[Bits], limits: Mapping[str, float], *,
    cost: Cost = COST, base: Recipe = RECIPE, ties: Iterable[Collection[str]] = (),
    loss: Loss = F.cross_entropy, inputs: bool = True, probes: int = 50, tolerance: float = 1e-3, seed: int = 0,
    images: int = 512, curvature: str | None = None, keep: Path | None = None, watch: Watch = unseen,
) -> Found:
    """The bits of each layer's weights and inputs for which the expected loss is least within the limits.

    What it takes:
        net: trained, in floating point, on any device; left as it was. Frozen layers are looked at as any others.
        batches: (inputs, labels), such as a DataLoader; whole batches are taken until there are so many `images`.
        options: what each layer may have.
        limits: on sums of `cost` by name: of one the exact frontier is searched, of several an integer program solved.
        base: the recipe whose bits are chosen, for `plan.recipe(base)`.
        ties: layers that have the same bits; those that read one tensor are tied anyway.
        loss: of the network's outputs and the labels, the mean over the batch.
        inputs: look at inputs too; their bits are those of the options either way.
        probes, tolerance, seed: of the traces.
        curvature: "hessian", which is the paper's, or "gauss-newton", which is the same where the network is piecewise
            linear, takes a third of the time, and errs far less after as many probes; None: the latter if `loss` is
            torch.nn.functional.cross_entropy, for which alone it is known.
        keep: folder in which probes are kept, and taken up again for the same network, images and seed.

    Raises LutraError: no limit, one that cannot be met (names the least), no batch or no labels, a loss that is not
    finite, two modules that share a weight, a curvature that is not known of the loss.
    """
    if not options:
        raise LutraError("there are no bits to choose among", "the search", "pass options such as Bits(4, 8)")
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    data = taken(batches, images, device)
    found = layers(net, data[0][0][:1])
    named = dict(net.named_modules())
    modules = {layer.path: named[layer.path] for layer in found}
    key = (facts(data), getattr(loss, "__module__", ""), getattr(loss, "__qualname__", repr(loss)), seed)
    kept = Kept(keep, digest(net, "hawq", *key))
    rest = (modules, data, loss, probes, tolerance, seed)
    curvature = curvature or curvature_of(loss)
    weights = weight_traces(net, *rest, _told(watch, "traces of weights"), kept, curvature)
    read = input_traces(net, *rest, _told(watch, "traces of inputs"), kept, curvature) if inputs else {}
    errors = _input_errors(net, modules, data, base, {o.activations for o in options}, keep, key) if inputs else {}
    omega = Omega(weights, read, weight_errors(modules, base, {o.weights for o in options}), errors)
    posed = problem(found, options, omega, cost, [*ties, *same_input(found)])
    return Found(posed.plan("hawq", limits, seed), omega, posed)


def _told(watch: Watch, stage: str) -> Callable[[int, int], None]:
    return lambda done, of: watch(Progress(stage, done, of))


def _input_errors(net: nn.Module, modules: Mapping[str, nn.Module], data: Sequence[Batch], base: Recipe,
                  widths: Collection[int], keep: Path | None, key: tuple[Any, ...]) -> Errors:
    """Those of `input_errors`, kept."""
    kept = Kept(keep, digest(net, "hawq inputs", *key, base))
    wanted = sorted(widths)
    names = {(path, k): f"error {path} {k}" for path in modules for k in wanted}

    def find() -> list[float]:
        errors = input_errors(net, modules, data, base, wanted)
        return [errors[path][k] for path, k in names]

    values = dict(zip(names, kept.all(list(names.values()), find), strict=True))
    return {path: {k: values[path, k] for k in wanted} for path in modules}
