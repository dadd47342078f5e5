"""A network in evaluation for a while, and then as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def still(net: nn.Module, gradients: bool | None = None) -> Iterator[None]:
    """All modules in evaluation, so that one frame's results do not depend on the others'; as they were afterwards.

    gradients: whether parameters have them meanwhile; None: as they do.
    """
    training = {m: m.training for m in net.modules()}
    learned = {} if gradients is None else {p: p.requires_grad for p in net.parameters()}
    nn.Module.train(net, False)  # a quantised network's own would fit its normalisation
    for p in learned:
        p.requires_grad_(bool(gradients))
    try:
        yield
    finally:
        for p, was in learned.items():
            p.requires_grad_(was)
        for module, mode in training.items():
            module.training = mode
