"""Inputs made from what a network's normalisation remembers of its training data (ZeroQ, arXiv 2001.00281, 3.2).

min over x of  sum over layers i of  |mean_i(x) - mu_i|^2 + |std_i(x) - sigma_i|^2,  the statistics of the input of
normalisation i under x against those it has stored, and of x itself where its own are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lutra.errors import LutraError
from lutra.quant.search.progress import Progress, Watch, unseen
from lutra.quant.still import still
from lutra.quant.zeroq.prior import Prior

EPSILON = 1e-6  # of variances, before the root
FEWEST = 2  # elements that statistics are taken of
STATISTICS = ("batch", "image")
LEAST_RATE = 1e-4


@dataclass(frozen=True)
class Distilled:
    """Images (N, *shape) whose loss, after so many `steps`, is `loss`; that of the noise they began as was `before`."""

    images: Tensor
    before: float
    loss: float
    steps: int
    seed: int


def distill(net: nn.Module, prior: Prior, count: int = 32, steps: int = 500, statistic: str = "batch",
            rate: float = 0.5, seed: int = 0, watch: Watch = unseen) -> Distilled:
    """Inputs under which the inputs of the network's BatchNorm layers have the statistics that these remember.

    What it takes:
        net: in floating point; left as it was.
        prior: shape, range and, where they are known, statistics of inputs; numbers are clamped to the range.
        count: of images.
        steps: of Adam at `rate`, which is lowered to a tenth where the loss has not fallen for a fifth of them.
        statistic: "batch", of each channel over all images and places, or "image", over the places of each image, its
            squared distances averaged. Variances are biased in both. Few places make the latter a poor statistic.

    Returns those of the least loss that was seen; the same ones for the same seed.

    Raises LutraError: the network calls no BatchNorm with statistics; statistics that are not finite; `statistic` is
    "image" and there is one place only.
    """
    if statistic not in STATISTICS:
        raise LutraError(f"no statistic is called {statistic!r}", "distill", f"one of {', '.join(STATISTICS)}")
    if count < 1 or steps < 1:
        raise LutraError(f"{count} images, {steps} steps", "distill", "at least one of each")
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    low, high = (t.to(device) for t in prior.edges())
    x = fast(prior.noise(count, seed).to(device)).requires_grad_()
    optimiser = torch.optim.Adam([x], rate)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, patience=max(steps // 5, 1), min_lr=LEAST_RATE)
    best, least, before = x.detach().clone(), float("inf"), float("nan")
    with still(net, gradients=False), _statistics(net, statistic == "image") as distances:
        for step in range(steps + 1):  # the last one only looks
            loss = _loss(net, x, distances, prior, statistic == "image")
            value = loss.item()
            before = value if step == 0 else before
            if value < least:
                best, least = x.detach().clone(), value
            if step < steps:
                x.grad, = torch.autograd.grad(loss, x)
                optimiser.step()
                schedule.step(value)
                with torch.no_grad():
                    x.clamp_(low, high)
                watch(Progress("distil", step + 1, steps, value))
    return Distilled(best, before, least, steps, seed)


def _loss(net: nn.Module, x: Tensor, distances: list[Tensor], prior: Prior, each: bool) -> Tensor:
    distances.clear()
    net(x)
    if not distances:
        raise LutraError("the network calls no BatchNorm with statistics", "the network",
                         "ZeroQ needs them: take some inputs and lutra.quant.calibrate, or a network that has them")
    if prior.standard:
        distances.append(_distance(x, torch.zeros(x.shape[1]).to(x), torch.ones(x.shape[1]).to(x), each))
    return torch.stack(distances).sum()


@contextmanager
def _statistics(net: nn.Module, each: bool) -> Iterator[list[Tensor]]:
    """While it lasts, a run of the network appends the squared distance of each BatchNorm's input to the list."""
    distances: list[Tensor] = []
    hooks = []
    for path, module in net.named_modules():
        if isinstance(module, _BatchNorm) and module.running_mean is not None:
            mean, variance = _remembered(module, path)
            deviation = (variance + EPSILON).sqrt()

            def see(_: nn.Module, args: tuple[Any, ...], path: str = path, mean: Tensor = mean,
                    deviation: Tensor = deviation) -> None:
                distances.append(_distance(args[0], mean, deviation, each, path))

            hooks.append(module.register_forward_pre_hook(see))
    try:
        yield distances
    finally:
        for hook in hooks:
            hook.remove()


def _remembered(module: _BatchNorm, path: str) -> tuple[Tensor, Tensor]:
    """A layer's running mean and variance. LutraError: not finite, or a variance below 0."""
    mean, variance = module.running_mean, module.running_var
    assert mean is not None and variance is not None
    if not bool(mean.isfinite().all() and variance.isfinite().all() and (variance >= 0).all()):
        raise LutraError("its statistics are not finite, or a variance is negative", path or "the network",
                         "take a checkpoint from before training diverged")
    return mean.detach(), variance.detach()


def _distance(x: Tensor, mean: Tensor, deviation: Tensor, each: bool, path: str = "the input") -> Tensor:
    """|mean(x) - mean|^2 + |std(x) - deviation|^2 over channels, (); `each`: of each image, averaged."""
    axes = list(range(2, x.ndim)) if each else [d for d in range(x.ndim) if d != 1]
    places = x.numel() // x.shape[1] // (len(x) if each else 1)
    if places < FEWEST or not axes:
        raise LutraError(f"statistics of {places} number of each channel", path,
                         'use statistic="batch"' if each else "distil more images at once")
    variance, own = torch.var_mean(x, axes, correction=0)
    distance = (own - mean).square() + ((variance + EPSILON).sqrt() - deviation).square()
    return distance.sum(-1).mean()


def fast(x: Tensor) -> Tensor:
    """The same images with channels last in memory, where convolutions on a CPU take a third of the time."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
