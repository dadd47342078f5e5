"""Inputs made from what a network's normalisation remembers of its training data (ZeroQ, arXiv 2001.00281, 3.2).

min over x of  sum over layers i of  |mean_i(x) - mu_i|^2 + |std_i(x) - sigma_i|^2,  the statistics of the input of
normalisation i under x against those it has stored, and of x itself where its own are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
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
STARTS = ("scenes", "noise")


@dataclass(frozen=True)
class Distilled:
    """Images (N, *shape) whose loss, after so many `steps`, is `loss`; that of those they began as was `before`. Of
    several batches, the means.
    """

    images: Tensor
    before: float
    loss: float
    steps: int
    seed: int


def distill(net: nn.Module, prior: Prior, count: int = 32, steps: int = 50, statistic: str = "batch",
            rate: float = 0.2, seed: int = 0, watch: Watch = unseen, batch: int = 96, start: str = "scenes",
            ) -> Distilled:
    """Inputs under which the inputs of the network's BatchNorm layers have the statistics that these remember.

    What it takes:
        net: in floating point; left as it was.
        prior: shape, range and, where they are known, statistics of inputs; numbers are clamped to the range.
        count: of images.
        steps: of Adam at `rate`, in deviations of the inputs, which falls along half a cosine.
        statistic: "batch", of each channel over all images and places, or "image", over the places of each image, its
            squared distances averaged. Variances are biased in both. Few places make the latter a poor statistic.
        batch: at most so many images together, of as equal batches as can be, one after the other: as memory allows.
        start: what images begin as, "scenes" (`Prior.scenes`) or "noise", which is white, as the paper has it. Batches'
            statistics say nothing of how images differ, nor of frequencies behind the first layers: what those begin
            with, they keep.

    Returns those of the least loss that was seen; the same ones for the same seed.

    Raises LutraError: the network calls no BatchNorm with statistics; statistics that are not finite; `statistic` is
    "image" and there is one place only.
    """
    if statistic not in STATISTICS:
        raise LutraError(f"no statistic is called {statistic!r}", "distill", f"one of {', '.join(STATISTICS)}")
    if start not in STARTS:
        raise LutraError(f"images do not begin as {start!r}", "distill", f"one of {', '.join(STARTS)}")
    if count < 1 or steps < 1 or batch < 1:
        raise LutraError(f"{count} images, batches of {batch}, {steps} steps", "distill", "at least one of each")
    begun = (prior.scenes if start == "scenes" else prior.noise)(count, seed)
    parts = begun.tensor_split(-(-count // batch))

    def told(before: int, done: int, value: float) -> None:
        watch(Progress("distil", before + done, steps * len(parts), value))

    found = [_batch(net, prior, part, steps, statistic, rate, partial(told, k * steps)) for k, part in enumerate(parts)]
    shares = [len(part) / count for part in parts]
    return Distilled(torch.cat([x for x, _, _ in found]),
                     sum(s * before for s, (_, before, _) in zip(shares, found, strict=True)),
                     sum(s * loss for s, (_, _, loss) in zip(shares, found, strict=True)), steps, seed)


def _batch(net: nn.Module, prior: Prior, begun: Tensor, steps: int, statistic: str, rate: float,
           told: Callable[[int, float], None]) -> tuple[Tensor, float, float]:
    """Images of the least loss, the loss of those they began as, and theirs."""
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    low, high = (t.to(device) for t in prior.edges())
    x = fast(begun.to(device)).requires_grad_()
    optimiser = torch.optim.Adam([x], rate * prior.deviation)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
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
                schedule.step()
                with torch.no_grad():
                    x.clamp_(low, high)
                told(step + 1, value)
    return best, before, least


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
