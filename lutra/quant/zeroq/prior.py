"""What is known of a network's inputs without having any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lutra.errors import LutraError


@dataclass(frozen=True)
class Prior:
    """One input's shape and range.

    Its fields:
        shape: (channels, ...) of one input.
        low, high: the least and greatest number, one for each channel or one for all.
        standard: whether each channel has mean 0 and deviation 1, as normalised images do, which then is one more
            condition on distilled images.
    """

    shape: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    standard: bool = False

    def __post_init__(self) -> None:
        channels = self.shape[0] if self.shape else 0
        if not self.shape or min(self.shape) < 1:
            raise LutraError(f"inputs of shape {self.shape}", "prior", "(channels, height, width) of one input")
        for name, values in (("low", self.low), ("high", self.high)):
            if len(values) not in (1, channels):
                raise LutraError(f"{len(values)} numbers of {name} for {channels} channels", "prior",
                                 "give one, or one for each")
        if not bool((self.edges()[0] < self.edges()[1]).all()):
            raise LutraError(f"a range from {self.low} to {self.high}", "prior", "low lies below high")

    @staticmethod
    def normalised(shape: Sequence[int], mean: Sequence[float], deviation: Sequence[float], top: float = 1.0,
                   standard: bool = True) -> Prior:
        """Of inputs (pixel - mean) / deviation, pixels being 0 to `top`."""
        low = tuple((0 - m) / d for m, d in zip(mean, deviation, strict=True))
        high = tuple((top - m) / d for m, d in zip(mean, deviation, strict=True))
        return Prior(tuple(shape), low, high, standard)

    def edges(self) -> tuple[Tensor, Tensor]:
        """Least and greatest number, each (channels or 1, 1, ...), to broadcast with inputs (N, channels, ...)."""
        low, high = (torch.tensor(v).view(-1, *[1] * (len(self.shape) - 1)) for v in (self.low, self.high))
        return low, high

    def noise(self, count: int, seed: int) -> Tensor:
        """Gaussian inputs (count, *shape) within the range: of mean 0 and deviation 1 if that is what inputs have, else
        about the range's middle with a quarter of it as deviation.
        """
        x = torch.randn(count, *self.shape, generator=torch.Generator().manual_seed(seed))
        low, high = self.edges()
        if not self.standard:
            x = (low + high) / 2 + x * (high - low) / 4
        return x.clamp_(low, high)
