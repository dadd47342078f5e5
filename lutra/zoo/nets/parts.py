"""What several networks are made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lutra.quant.scaled import binary


class Sign(nn.Module):
    """+1 where x >= 0, else -1; the gradient passes where |x| <= 1 (Hubara et al. 2016, arXiv:1602.02830)."""

    one: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("one", torch.tensor(1.0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Signs, of x's shape."""
        return binary(x, self.one)


def activation(bits: int) -> nn.Module:
    """Of a network whose activations have so many bits: signs for one, which no matrix product casts further."""
    return Sign() if bits == 1 else nn.ReLU()


def normed(c_in: int, c_out: int, kernel: int, stride: int = 1, padding: int = 0, groups: int = 1) -> list[nn.Module]:
    """A convolution without bias, and its normalisation."""
    return [nn.Conv2d(c_in, c_out, kernel, stride, padding, groups=groups, bias=False), nn.BatchNorm2d(c_out)]
