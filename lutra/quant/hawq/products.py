"""Products of a loss's Hessian with vectors, for all layers at once, without the matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lutra.errors import LutraError

Loss = Callable[[Tensor, Any], Tensor]  # of outputs and labels, the mean over the batch
Batch = tuple[Tensor, Any]
Vectors = list[Tensor]


@dataclass(frozen=True)
class Curvature:
    """The Hessian of the loss of one batch with respect to some tensors; `weight`: images of the batch."""

    tensors: Vectors
    gradients: Vectors
    weight: int

    def product(self, vectors: Vectors) -> Vectors:
        """H v, in the blocks of the tensors; the graph is kept for the next one."""
        found = torch.autograd.grad(self.gradients, self.tensors, vectors, retain_graph=True, allow_unused=True,
                                    materialize_grads=True)
        return [h.detach() for h in found]


def of_weights(net: nn.Module, modules: Mapping[str, nn.Module], batches: Iterable[Batch], loss: Loss,
               ) -> Iterator[Curvature]:
    """Of the mean loss of each batch with respect to the layers' weights. LutraError: a loss that is not finite."""
    weights = [weight(path, m) for path, m in modules.items()]
    for x, labels in batches:
        value = _value(net, x, labels, loss)
        yield Curvature(weights, _gradients(value, weights), len(x))


def of_inputs(net: nn.Module, modules: Mapping[str, nn.Module], batches: Iterable[Batch], loss: Loss,
              ) -> Iterator[Curvature]:
    """Of the *summed* loss of each batch with respect to what each layer reads first (N, ...).

    In evaluation one image's loss does not depend on another's inputs, so the Hessian is block-diagonal over images.
    """
    for x, labels in batches:
        seen: dict[nn.Module, Tensor] = {}
        hooks = [m.register_forward_pre_hook(_reader(seen)) for m in modules.values()]
        try:
            value = _value(net, x, labels, loss) * len(x)
        finally:
            for hook in hooks:
                hook.remove()
        inputs = [seen[m] for m in modules.values()]
        yield Curvature(inputs, _gradients(value, inputs), len(x))


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


def _gradients(value: Tensor, tensors: Sequence[Tensor]) -> Vectors:
    return list(torch.autograd.grad(value, tensors, create_graph=True, allow_unused=True, materialize_grads=True))


def _value(net: nn.Module, x: Tensor, labels: Any, loss: Loss) -> Tensor:
    """The loss (). LutraError: it cannot be taken of these labels, is no mean, or is not finite."""
    out = net(x)
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
