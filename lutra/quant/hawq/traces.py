"""Traces of the blocks of a loss's Hessian by random probes (HAWQ-V2, arXiv 1911.03852, section 3.1).

Hutchinson: for z of independent +1 and -1, E[z' H z] = Tr H. All layers are probed with one product: cross terms of two
blocks have mean 0, so that every block's estimate stays unbiased.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lutra.errors import LutraError
from lutra.quant.hawq.products import Batch, Curvature, Loss, of_inputs, of_weights
from lutra.quant.still import still

FEWEST = 4  # probes before it is looked whether they are enough
Watch = Callable[[int, int], None]


@dataclass(frozen=True)
class Trace:
    """Of one layer's block.

    Its fields:
        elements: rows of the block; for inputs, of one image's.
        trace: the estimate; for inputs the mean over images.
        error: its standard error over the probes.
        probes: that it was made of.
    """

    elements: int
    trace: float
    error: float
    probes: int

    @property
    def eigenvalue(self) -> float:
        """The mean eigenvalue, 0 where the estimate is negative, as it may be where training has not converged."""
        return max(self.trace, 0.0) / self.elements


def weight_traces(
    net: nn.Module, modules: Mapping[str, nn.Module], batches: Iterable[Batch], loss: Loss, probes: int = 50,
    tolerance: float = 1e-3, seed: int = 0, watch: Watch = lambda done, of: None,
) -> dict[str, Trace]:
    """Traces of the Hessian of the mean loss over all batches, for the weights of each module.

    probes: at most; fewer where the last one changed no layer's estimate by more than this share. watch: is told how
    many products are done, of how many at most. LutraError: a loss that is not finite, a module without weights.
    """
    with still(net, gradients=True):
        curvatures = list(of_weights(net, modules, batches, loss))
        return _probed(list(modules), curvatures, 1, probes, tolerance, seed, watch)


def input_traces(
    net: nn.Module, modules: Mapping[str, nn.Module], batches: Iterable[Batch], loss: Loss, probes: int = 50,
    tolerance: float = 1e-3, seed: int = 0, watch: Watch = lambda done, of: None,
) -> dict[str, Trace]:
    """The same for what each module reads, of one image's loss and inputs, the mean over images."""
    with still(net, gradients=True):
        curvatures = list(of_inputs(net, modules, batches, loss))
        return _probed(list(modules), curvatures, 0, probes, tolerance, seed, watch)


def _probed(paths: list[str], curvatures: list[Curvature], mean: int, probes: int, tolerance: float, seed: int,
            watch: Watch) -> dict[str, Trace]:
    """mean: 1 where a curvature is of the mean over its batch, 0 where of the sum."""
    if not curvatures:
        raise LutraError("there is no batch", "the traces", "pass (images, labels)")
    if probes < 2:
        raise LutraError(f"{probes} probes", "the traces", "a standard error needs two at least")
    images = sum(c.weight for c in curvatures)
    random = torch.Generator().manual_seed(seed)
    found: list[Tensor] = []  # of each probe (layers,)
    for count in range(1, probes + 1):
        parts = torch.zeros(len(paths), dtype=torch.float64)
        for k, c in enumerate(curvatures):
            z = [torch.randint(0, 2, t.shape, generator=random).to(t) * 2 - 1 for t in c.tensors]
            share = c.weight / images if mean else 1 / images
            parts += share * torch.stack([(a * b).sum().double().cpu() for a, b in zip(z, c.product(z), strict=True)])
            watch((count - 1) * len(curvatures) + k + 1, probes * len(curvatures))
        found.append(parts)
        if count > FEWEST and _settled(torch.stack(found), tolerance):
            break
    values = torch.stack(found)
    errors = values.std(0) / math.sqrt(len(values))
    sizes = [t.numel() if mean else t[0].numel() for t in curvatures[0].tensors]
    return {path: Trace(n, float(t), float(e), len(values))
            for path, n, t, e in zip(paths, sizes, values.mean(0), errors, strict=True)}


def _settled(values: Tensor, tolerance: float) -> bool:
    now, before = values.mean(0), values[:-1].mean(0)
    return bool(((now - before).abs() <= tolerance * before.abs()).all())
