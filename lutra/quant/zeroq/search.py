"""Images distilled, sensitivities measured on them, the best bits within limits."""

from __future__ import annotations

import io
import pickle
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from lutra.errors import LutraError
from lutra.files import written
from lutra.quant.kinds import Fixed
from lutra.quant.recipe import Recipe
from lutra.quant.search.choice import problem
from lutra.quant.search.costs import Bits, Cost, pairs, size
from lutra.quant.search.kept import Kept, digest, digest_of
from lutra.quant.search.layers import layers, same_input
from lutra.quant.search.plan import BitPlan
from lutra.quant.search.progress import Watch, unseen
from lutra.quant.zeroq.distil import distill
from lutra.quant.zeroq.prior import Prior
from lutra.quant.zeroq.sensitivity import Sensitivities, sensitivities

BASE = Recipe(Fixed(8, per_channel=True), Fixed(8), Fixed(8))


@dataclass(frozen=True)
class Options:
    """How it is searched.

    Its fields:
        weights, activations: bits that a layer may have.
        count, steps, statistic, batch, start: of distilled images, see `distill`.
        method: how ranges are found, "max", "percentile" or "mse".
        buckets: bound of the frontier's size; None: exact whatever its size.
    """

    weights: tuple[int, ...] = (2, 3, 4, 5, 6, 8)
    activations: tuple[int, ...] = (8,)
    count: int = 576
    steps: int = 50
    statistic: str = "batch"
    method: str = "mse"
    seed: int = 0
    buckets: int | None = 1 << 14
    batch: int = 96
    start: str = "scenes"

    def __post_init__(self) -> None:
        pairs(self.weights, self.activations)

    @property
    def choices(self) -> list[Bits]:
        """Of a layer."""
        return pairs(self.weights, self.activations)


@dataclass(frozen=True)
class Result:
    """A plan, with the images (N, ...) and the sensitivities that it comes from."""

    plan: BitPlan
    images: Tensor
    sensitivities: Sensitivities


def search(net: nn.Module, prior: Prior, limits: Mapping[str, float], cost: Cost = size, options: Options | None = None,
           base: Recipe = BASE, images: Tensor | None = None, ties: Iterable[Collection[str]] | None = None,
           keep: Path | None = None, watch: Watch = unseen) -> Result:
    """The bits of each layer that lose least within limits, as plan, with the whole trade-off.

    What it takes:
        net: in floating point, with BatchNorm unless images are given; left as it was.
        prior: what is known of its inputs.
        limits: by name of the costs that `cost` gives, each a sum over layers.
        base: formats, whose bits are replaced.
        images: real ones (N, ...) instead of distilled ones.
        ties: groups of layers that have the same bits; by default those that read the same tensor.
        keep: folder in which images and sensitivities are kept, and taken up again for the same network and options.

    Raises LutraError: what `distill`, `sensitivities` and `Problem.plan` refuse.
    """
    options = options or Options()
    found = layers(net, torch.zeros(1, *prior.shape).to(next((p.device for p in net.parameters()), "cpu")))
    if images is None:
        images = distilled(net, prior, options, keep, watch)
    kept = Kept(keep, digest(net, base, options.method, digest_of(images)))
    measured = sensitivities(net, images, [layer.path for layer in found], options.weights, options.activations, base,
                             options.method, kept, watch)
    made = problem(found, options.choices, measured.score, cost, same_input(found) if ties is None else ties)
    return Result(made.plan("zeroq", limits, options.seed, options.buckets), images, measured)


def distilled(net: nn.Module, prior: Prior, options: Options, keep: Path | None = None,
              watch: Watch = unseen) -> Tensor:
    """The images of `distill`, those that are kept in the folder if there are any."""
    own = {name: getattr(options, name) for name in ("count", "steps", "statistic", "seed", "batch", "start")}
    facts = (prior, "leaves, cosine", *own.values())
    path = keep / f"{digest(net, *facts)}.pt" if keep else None
    if path and path.exists():
        try:
            images = torch.load(path, map_location="cpu", weights_only=True)
            assert isinstance(images, Tensor)
            return images
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, AssertionError) as e:
            raise LutraError("what is kept there is damaged", str(path), "remove the file") from e
    images = distill(net, prior, **own, watch=watch).images
    if path:
        buffer = io.BytesIO()
        torch.save(images.cpu(), buffer)
        written(path, buffer.getvalue())
    return images
