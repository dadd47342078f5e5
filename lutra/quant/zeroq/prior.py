"""What is known of a network's inputs without having any."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lutra.errors import LutraError

LEAVES = 60  # of a scene
LEAST = 1 / 32  # radius of a leaf, of the greatest one
COMMON = 0.8  # share of the variance that channels have in common, in photographs about that


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

    @property
    def deviation(self) -> float:
        """That inputs begin with: 1 if that is what they have, else a quarter of the range, the mean over channels."""
        low, high = self.edges()
        return 1.0 if self.standard else float((high - low).mean()) / 4

    def noise(self, count: int, seed: int) -> Tensor:
        """Gaussian inputs (count, *shape) within the range: of mean 0 and deviation 1 if that is what inputs have, else
        about the range's middle with a quarter of it as deviation.
        """
        return self._placed(torch.randn(count, *self.shape, generator=torch.Generator().manual_seed(seed)))

    def scenes(self, count: int, seed: int) -> Tensor:
        """Inputs (count, *shape) of the same mean and deviation that differ from place to place and from one to the
        other as photographs do: discs of one colour each, one upon the other, with radii r of density 1/r^3, the model
        of dead leaves (Lee, Mumford and Huang, IJCV 41, 2001). `noise` where there are no places.
        """
        places = self.shape[1:]
        if not places or max(places) == 1:
            return self.noise(count, seed)
        random = torch.Generator().manual_seed(seed)
        x = self._colours(count, random).expand(count, *self.shape)
        for _ in range(LEAVES):
            share = torch.rand(count, *[1] * len(places), generator=random)
            radius = max(places) * (LEAST**-2 - share * (LEAST**-2 - 1)) ** -0.5
            distance = torch.zeros(count, *places)
            for axis, extent in enumerate(places):
                centre = extent * torch.rand(share.shape, generator=random)
                line = torch.arange(extent).view(-1, *[1] * (len(places) - 1 - axis))
                distance = distance + (line - centre).square()
            x = torch.where((distance <= radius.square()).unsqueeze(1), self._colours(count, random), x)
        variance, mean = torch.var_mean(x, (0, *range(2, x.ndim)), correction=0, keepdim=True)
        return self._placed((x - mean) / variance.sqrt())

    def _colours(self, count: int, random: torch.Generator) -> Tensor:
        """Gaussian numbers (count, channels, 1, ...) of deviation 1 of which channels have a share in common."""
        ones = [1] * (len(self.shape) - 1)
        common, own = (torch.randn(count, channels, *ones, generator=random) for channels in (1, self.shape[0]))
        return common * math.sqrt(COMMON) + own * math.sqrt(1 - COMMON)

    def _placed(self, x: Tensor) -> Tensor:
        """Numbers of mean 0 and deviation 1 as inputs."""
        low, high = self.edges()
        if not self.standard:
            x = (low + high) / 2 + x * (high - low) / 4
        return x.clamp(low, high)
