"""Products of a loss's Hessian with vectors, for all layers at once, without the matrix; and what is run for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lutra.errors import LutraError

Loss = Callable[[Tensor, Any], Tensor]  # of outputs and labels, the mean over the batch
Batch = tuple[Tensor, Any]
Vectors = list[Tensor]


@dataclass(frozen=True)
class Ran:
    """One batch of so many `images` through the network, its graph kept.

    Its fields:
        tensors: that curvature is asked of, one for each layer.
        outputs, labels: of the network, and what the loss takes beside them.
        loss: the mean over the batch, ().
        times: this many means are the loss whose curvature is asked: 1, or as many as images for their sum.
    """

    tensors: Vectors
    outputs: Tensor
    labels: Any
    loss: Tensor
    times: int
    images: int


@dataclass(frozen=True)
class Curvature:
    """The Hessian of the loss of one batch with respect to some tensors; `weight`: images of the batch."""

    tensors: Vectors
    gradients: Vectors
    weight: int

    @staticmethod
    def of(ran: Ran) -> Curvature:
        """Of what was run."""
        found = torch.autograd.grad(ran.loss * ran.times, ran.tensors, create_graph=True, allow_unused=True,
                                    materialize_grads=True)
        return Curvature(ran.tensors, list(found), ran.images)

    def product(self, vectors: Vectors) -> Vectors:
        """H v, in the blocks of the tensors; the graph is kept for the next one."""
        found = torch.autograd.grad(self.gradients, self.tensors, vectors, retain_graph=True, allow_unused=True,
                                    materialize_grads=True)
        return [h.detach() for h in found]

    def estimate(self, random: torch.Generator) -> Tensor:
        """Hutchinson's z' H z of each tensor's block, (tensors,): its trace, in the mean over z of +1 and -1."""
        z = [torch.randint(0, 2, t.shape, generator=random).to(t) * 2 - 1 for t in self.tensors]
        return torch.stack([(a * b).sum().double().cpu() for a, b in zip(z, self.product(z), strict=True)])


def of_weights(net: nn.Module, modules: Mapping[str, nn.Module], batches: Iterable[Batch], loss: Loss,
               ) -> Iterator[Curvature]:
    """Of the mean loss of each batch with respect to the layers' weights. LutraError: a loss that is not finite."""
    return map(Curvature.of, weight_runs(net, modules, batches, loss))


def of_inputs(net: nn.Module, modules: Mapping[str, nn.Module], batches: Iterable[Batch], loss: Loss,
              ) -> Iterator[Curvature]:
    """Of the *summed* loss of each batch with respect to what each layer reads first (N, ...).

    In evaluation one image's loss does not depend on another's inputs, so the Hessian is block-diagonal over images.
    """
    return map(Curvature.of, input_runs(net, modules, batches, loss))


def weight_runs(net: nn.Module, modules: Mapping[str, nn.Module], batches: Iterable[Batch], loss: Loss,
                ) -> Iterator[Ran]:
    """Each batch's mean loss, by the layers' weights. LutraError: a loss that is not finite."""
    weights = [weight(path, m) for path, m in modules.items()]
    for x, labels in batches:
        out = net(x)
        yield Ran(weights, out, labels, _value(out, labels, loss), 1, len(x))


def input_runs(net: nn.Module, modules: Mapping[str, nn.Module], batches: Iterable[Batch], loss: Loss,
               ) -> Iterator[Ran]:
    """Each batch's summed loss, by what each layer reads first (N, ...)."""
    for x, labels in batches:
        seen: dict[nn.Module, Tensor] = {}
        hooks = [m.register_forward_pre_hook(_reader(seen)) for m in modules.values()]
        try:
            out = net(x)
        finally:
            for hook in hooks:
                hook.remove()
        yield Ran([seen[m] for m in modules.values()], out, labels, _value(out, labels, loss), len(x), len(x))


def weight(path: str, module: nn.Module) -> Tensor:
    """A module's weight. LutraError: it has none."""
    found = getattr(module, "weight", None)
    if not isinstance(found, Tensor):
        raise LutraError(f"{type(module).__name__} has no weight", path, "name convolutions and linear layers")
    return found


def _reader(seen: dict[nn.Module, Tensor]) -> Callable[[nn.Module, tuple[Any, ...]], Any]:
    """A hook that keeps a layer's first input, as a tensor of its own where it is none of the graph."""
    def read(module: nn.Module, args: tuple[Any, ...]) -> Any:
        if module in seen:
            return None
        x = args[0] if args[0].requires_grad else args[0].detach().clone().requires_grad_()
        seen[module] = x
        return (x, *args[1:])

    return read


def _value(out: Tensor, labels: Any, loss: Loss) -> Tensor:
    """The loss (). LutraError: it cannot be taken of these labels, is no mean, or is not finite."""
    try:
        value = loss(out, labels)
    except (IndexError, RuntimeError, TypeError, ValueError) as e:
        raise LutraError(f"the loss refuses these labels: {e}", "the search",
                         "labels are what the loss takes beside the network's outputs") from e
    if value.numel() != 1:
        raise LutraError(f"the loss has shape {tuple(value.shape)}", "the search", "take its mean over the batch")
    if not bool(value.detach().isfinite().all()):
        raise LutraError(f"the loss is {value.item()}", "the network", "take a checkpoint from before it diverged")
    return value.reshape(())
