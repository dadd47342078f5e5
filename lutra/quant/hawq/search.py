"""The whole of it: traces, errors, the choice within limits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import nn

from lutra.errors import LutraError
from lutra.quant.hawq.omega import Omega, input_errors, weight_errors
from lutra.quant.hawq.products import Batch, Loss
from lutra.quant.hawq.traces import Watch, input_traces, weight_traces
from lutra.quant.kinds import Fixed
from lutra.quant.recipe import Recipe
from lutra.quant.search.choice import Problem, problem
from lutra.quant.search.costs import Bits, Cost, bitops, size, together
from lutra.quant.search.layers import layers, same_input
from lutra.quant.search.plan import BitPlan

RECIPE = Recipe(Fixed(8, per_channel=True), Fixed(8), Fixed(8), first_last=0)
COST = together(size, bitops)


@dataclass(frozen=True)
class Found:
    """A plan, and what it was chosen from."""

    plan: BitPlan
    omega: Omega
    problem: Problem


def search(
    net: nn.Module, batches: Sequence[Batch], options: Sequence[Bits], limits: Mapping[str, float], *,
    cost: Cost = COST, base: Recipe = RECIPE, ties: Iterable[Collection[str]] = (),
    loss: Loss = F.cross_entropy, inputs: bool = True, probes: int = 50, tolerance: float = 1e-3, seed: int = 0,
    watch: Watch = lambda done, of: None,
) -> Found:
    """The bits of each layer's weights and inputs for which the expected loss is least within the limits.

    What it takes:
        net: trained, in floating point; left as it was.
        batches: (inputs, labels), some hundred images.
        options: what each layer may have.
        limits: on sums of `cost` by name: of one the exact frontier is searched, of several an integer program solved.
        base: the recipe whose bits are chosen, for `plan.recipe(base)`.
        ties: layers that have the same bits; those that read one tensor are tied anyway.
        inputs: look at inputs too; their bits are those of the options either way.
        probes, tolerance, seed: of the traces.

    Raises LutraError: no limit, one that cannot be met (names the least), no batch, a loss that is not finite.
    """
    if not batches:
        raise LutraError("there is no batch", "the search", "pass (images, labels)")
    found = layers(net, batches[0][0][:1])
    named = dict(net.named_modules())
    modules = {layer.path: named[layer.path] for layer in found}
    budget = (net, modules, batches, loss, probes, tolerance, seed, watch)
    weights = weight_traces(*budget)
    read = input_traces(*budget) if inputs else {}
    omega = Omega(weights, read, weight_errors(modules, base, {o.weights for o in options}),
                  input_errors(net, modules, batches, base, {o.activations for o in options}) if inputs else {})
    posed = problem(found, options, omega, cost, [*ties, *same_input(found)])
    return Found(posed.plan("hawq", limits, seed), omega, posed)
