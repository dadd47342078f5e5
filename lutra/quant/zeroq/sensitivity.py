"""What is lost by quantising one layer alone (ZeroQ, arXiv 2001.00281, 3.1).

Omega_i(k) = 1/N sum over x of KL(net(x) || net with layer i in k bits(x)), between the softmax distributions of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lutra.errors import LutraError
from lutra.quant.casts import Observer
from lutra.quant.fitting import fit_weight
from lutra.quant.recipe import Recipe
from lutra.quant.search.costs import Bits
from lutra.quant.search.kept import Kept
from lutra.quant.search.layers import Layer
from lutra.quant.search.plan import layer_recipe
from lutra.quant.search.progress import Progress, Watch, unseen
from lutra.quant.sites import Site
from lutra.quant.still import still
from lutra.quant.zeroq.distil import fast

BATCH = 96  # images at a time: with many more, a processor waits for memory


@dataclass(frozen=True)
class Sensitivities:
    """Divergences by path and bits, in nats; `activations` is of a layer's input."""

    weights: Mapping[str, Mapping[int, float]]
    activations: Mapping[str, Mapping[int, float]]

    def score(self, layer: Layer, bits: Bits) -> float:
        """What a layer loses by a choice: that of its weights and that of its input, as if they did not meet."""
        return self.weights[layer.path][bits.weights] + self.activations[layer.path][bits.activations]


def sensitivities(net: nn.Module, images: Tensor, paths: Sequence[str], weights: Sequence[int],
                  activations: Sequence[int], base: Recipe, method: str = "mse", kept: Kept | None = None,
                  watch: Watch = unseen) -> Sensitivities:
    """The divergence for each layer and number of bits, of its weights alone and of its input alone.

    What it takes:
        net: in floating point; its output is one tensor of logits, classes along dimension 1.
        images: (N, ...), on any device.
        paths: of the layers; weights, activations: bits that are tried.
        base: formats whose bits are changed. Where it leaves inputs as they are, theirs is 0.
        method: how ranges are found, as of `lutra.quant.calibrate`: "max", "percentile" or "mse".

    Raises LutraError: the output is something else, or not finite; a layer whose bits cannot be chosen.
    """
    kept = kept or Kept(None, "")
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    x = fast(images.to(device))
    found: tuple[dict[str, dict[int, float]], ...] = ({}, {})
    jobs = [(side, path, k) for path in paths for side, ks in enumerate((weights, activations)) for k in ks]
    with still(net), torch.no_grad():
        reference = torch.cat([log_probabilities(net(part)) for part in torch.split(x, BATCH)])

        def find(side: int, path: str, k: int) -> float:
            with (_input if side else _weight)(net, path, layer_recipe(base, path, Bits(k, k)), method):
                return divergence(net, x, reference, len(x) if side else BATCH)  # an input's range is that of all

        for done, (side, path, k) in enumerate(jobs, 1):
            name = f"{path} {'input' if side else 'weight'} {k}"
            found[side].setdefault(path, {})[k] = kept.get(name, partial(find, side, path, k))
            watch(Progress("sensitivity", done, len(jobs)))
    return Sensitivities(*found)


def divergence(net: nn.Module, x: Tensor, reference: Tensor, batch: int = BATCH) -> float:
    """Mean over images x of the divergence of a network's answers from these, of `log_probabilities`; in nats."""
    other = torch.cat([log_probabilities(net(part)) for part in torch.split(x, batch)])
    return max(float((reference.exp() * (reference - other)).sum(1).mean()), 0.0)


def log_probabilities(out: Any) -> Tensor:
    """Of logits (N, classes, ...), in double precision."""
    if not isinstance(out, Tensor) or out.ndim < 2 or out.shape[1] < 2:
        shape = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise LutraError(f"the network gives {shape}, not logits (N, classes)", "the network",
                         "wrap it in a module that returns them")
    if not bool(out.isfinite().all()):
        raise LutraError("its outputs are not finite", "the network", "its parameters have diverged")
    return out.double().log_softmax(1)


@contextmanager
def _weight(net: nn.Module, path: str, recipe: Recipe, method: str) -> Iterator[None]:
    """A layer's weight cast, while it lasts."""
    module = net.get_submodule(path)
    assert recipe.weights is not None and isinstance(module.weight, nn.Parameter)
    site = Site(path, "weight", recipe.weights).to(module.weight.device)
    fit_weight(site, module, method)
    before = module.weight.data
    module.weight.data = site(before)
    try:
        yield
    finally:
        module.weight.data = before


@contextmanager
def _input(net: nn.Module, path: str, recipe: Recipe, method: str) -> Iterator[None]:
    """A layer's input cast, while it lasts, with the range of what comes; nothing where the recipe casts none."""
    form = recipe.activations

    def cast(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        assert form is not None
        observer = Observer(Site(path, "input", form).to(args[0].device))
        observer.see(args[0])
        observer.fit(method)
        return (observer.site(args[0]), *args[1:])

    hook = net.get_submodule(path).register_forward_pre_hook(cast) if form is not None else None
    try:
        yield
    finally:
        if hook is not None:
            hook.remove()
