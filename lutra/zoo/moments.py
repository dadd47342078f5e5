"""Mean and variance of each channel of a tensor, followed through a network.

With them the scales of a network with random weights are as plausible as those of a trained one, without running it:
every quantiser uses its range, and batch normalisation sees the statistics that it normalises. Values are taken as
Gaussian, channels and places as independent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
LARGEST = {4: 1.03, 9: 1.49}  # mean of the largest of n standard Gaussians (order statistics)


@dataclass(frozen=True)
class Moments:
    """Mean and variance of each channel, both (C,)."""

    mean: Array
    var: Array

    @property
    def size(self) -> float:
        """Root mean square of all values."""
        return math.sqrt(float((self.var + self.mean**2).mean()))

    def top(self, deviations: float) -> float:
        """So many standard deviations above the mean, averaged over the channels."""
        return float((self.mean + deviations * np.sqrt(self.var)).mean())

    def linear(self, sums: Array, squares: Array) -> Moments:
        """Behind a convolution or product: weights and their squares, each summed over the kernel.

        Both (C', C), or (C',) of a depthwise convolution.
        """
        if sums.ndim == 1:
            return Moments(sums * self.mean, squares * self.var)
        return Moments(sums @ self.mean, squares @ self.var)

    def rectified(self) -> Moments:
        """Behind ReLU: the first two moments of a rectified Gaussian."""
        deviation = np.sqrt(self.var)
        ratio = self.mean / deviation
        above = np.array([0.5 * (1 + math.erf(r / math.sqrt(2))) for r in ratio])
        density = np.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
        mean = self.mean * above + deviation * density
        square = (self.mean**2 + self.var) * above + self.mean * deviation * density
        return Moments(mean, np.maximum(square - mean**2, 1e-6))

    def largest(self, window: int) -> Moments:
        """Behind maximum pooling over `window` values."""
        return Moments(self.mean + LARGEST.get(window, 1.0) * np.sqrt(self.var), self.var)

    def averaged(self, window: int) -> Moments:
        """Behind the mean of `window` values."""
        return Moments(self.mean, self.var / window)

    def joined(self, other: Moments) -> Moments:
        """Of two tensors side by side."""
        return Moments(np.concatenate([self.mean, other.mean]), np.concatenate([self.var, other.var]))

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.mean + other.mean, self.var + other.var)
