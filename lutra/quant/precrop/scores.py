"""What each weight of a network is worth before it is trained; the weights of greatest worth are kept.

SNIP (arXiv:1810.02340), GraSP (arXiv:2002.07376), SynFlow (arXiv:2006.05467).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lutra.errors import LutraError
from lutra.quant.search.calls import NORMS
from lutra.quant.search.following import tensors

Loss = Callable[[Any, Tensor], Tensor]
ROUNDS = 100


def snip(net: nn.Module, paths: Iterable[str], x: Any, labels: Tensor,
         loss: Loss = F.cross_entropy) -> dict[str, Tensor]:
    """|gradient * weight| with one batch: by how much the loss changes, to first order, without the weight.

    Batch normalisation has the statistics of the batch. The network is left as it is.

    Raises LutraError: a score is not finite.
    """
    net, weights = _copied(net, paths)
    value = loss(_run(net.train(), x), labels)
    gradients = torch.autograd.grad(value, list(weights.values()))
    return _checked({p: (g * w).abs().detach() for (p, w), g in zip(weights.items(), gradients, strict=True)})


def grasp(net: nn.Module, paths: Iterable[str], x: Any, labels: Tensor,
          loss: Loss = F.cross_entropy) -> dict[str, Tensor]:
    """Weight * (Hessian @ gradient) with one batch: half of what the squared norm of the gradient loses without it.

    GraSP's own score is this one negated, of which it keeps the lowest.

    Raises LutraError: a score is not finite.
    """
    net, weights = _copied(net, paths)
    value = loss(_run(net.train(), x), labels)
    gradients = torch.autograd.grad(value, list(weights.values()), create_graph=True)
    norm = sum(((g * g.detach()).sum() for g in gradients), torch.zeros(()).to(value))
    products = torch.autograd.grad(norm, list(weights.values()))
    return _checked({p: (h * w).detach() for (p, w), h in zip(weights.items(), products, strict=True)})


def synflow(net: nn.Module, paths: Iterable[str], example: Any, keep: float, rounds: int = ROUNDS) -> dict[str, Tensor]:
    """Synaptic flow of the weights that remain after `rounds` rounds, in the last of which a share `keep` is kept.

    R is the sum of the outputs for an input of ones, with absolute weights, no biases, and normalisation of unit
    statistics; a weight's score is its part in R, dR/dw * w. Double precision, as R is a product over all layers.
    Without data. What was pruned has the score 0.

    Raises LutraError: R or a score is not finite, or all are zero.
    """
    flow = Flow(net, paths, example)
    scores: dict[str, Tensor] = {}
    for k in range(1, rounds + 1):
        _, scores = flow.scores()
        kept = masks(scores, keep ** (k / rounds))
        flow.scale(kept)
    return {path: score * kept[path] for path, score in scores.items()}


class Flow:
    """Synaptic flow through a copy of a network: absolute weights in double precision, no biases, normalisation of unit
    statistics.
    """

    def __init__(self, net: nn.Module, paths: Iterable[str], example: Any) -> None:
        self.net, self.weights = _copied(net, paths)
        self.net.double().eval()
        _linear(self.net)
        self.ones = _ones(example)

    def scores(self) -> tuple[Tensor, dict[str, Tensor]]:
        """R, the sum of the outputs for an input of ones, and the part of each weight in it, dR/dw * w.

        Raises LutraError: R or a score is not finite, or all are zero.
        """
        out = tensors(_run(self.net, self.ones))
        flow = sum((t.sum() for t in out if t.is_floating_point()), torch.zeros(()).double())
        gradients = torch.autograd.grad(flow, list(self.weights.values()))
        scores = _checked({p: (g * w).detach() for (p, w), g in zip(self.weights.items(), gradients, strict=True)})
        if not any(bool((s > 0).any()) for s in scores.values()):
            raise LutraError("no weight has any synaptic flow", "the network", "leave a softmax at its end out")
        return flow.detach(), scores

    @torch.no_grad()
    def scale(self, by: Mapping[str, Tensor | float]) -> None:
        """Multiply the weights of layers."""
        for path, weight in self.weights.items():
            weight.mul_(by[path])


def masks(scores: Mapping[str, Tensor], keep: float) -> dict[str, Tensor]:
    """True for a share of all weights together, those of the greatest scores."""
    every = torch.cat([s.flatten() for s in scores.values()])
    kept = torch.zeros(len(every), dtype=torch.bool, device=every.device)
    kept[torch.topk(every, math.ceil(keep * len(every)), sorted=False).indices] = True
    parts = torch.split(kept, [s.numel() for s in scores.values()])
    return {p: part.view_as(s) for (p, s), part in zip(scores.items(), parts, strict=True)}


def densities(scores: Mapping[str, Tensor], keep: float) -> dict[str, float]:
    """The share of each layer's weights that is kept; one weight at least, so that no layer collapses."""
    return {p: max(float(m.double().mean()), 1 / m.numel()) for p, m in masks(scores, keep).items()}


def _copied(net: nn.Module, paths: Iterable[str]) -> tuple[nn.Module, dict[str, nn.Parameter]]:
    """A copy, and the weights of its layers."""
    net = copy.deepcopy(net)
    return net, {path: net.get_parameter(f"{path}.weight") for path in paths}


def _run(net: nn.Module, x: Any) -> Any:
    return net(*x) if isinstance(x, tuple) else net(x)


def _ones(example: Any) -> Any:
    """One frame of ones, in double precision."""
    if isinstance(example, tuple):
        return tuple(_ones(e) for e in example)
    return torch.ones_like(example[:1], dtype=torch.float64) if example.is_floating_point() else example[:1]


@torch.no_grad()
def _linear(net: nn.Module) -> None:
    """Absolute weights, no biases, unit statistics."""
    for module in net.modules():
        for name, parameter in module.named_parameters(recurse=False):
            parameter.copy_(torch.zeros_like(parameter) if name == "bias" else parameter.abs())
        if isinstance(module, NORMS) and getattr(module, "running_mean", None) is not None:
            module.reset_running_stats()  # type: ignore[operator]


def _checked(scores: dict[str, Tensor]) -> dict[str, Tensor]:
    for path, score in scores.items():
        if not bool(score.isfinite().all()):
            raise LutraError("a score is not finite", path, "look at the weights and the batch, or take synexp")
    return scores
