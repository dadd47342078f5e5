"""FracBNN (Zhang et al. 2021, arXiv:2012.12206): a binary ResNet whose activations have 1.4 bits on average.

Weights are +1 or -1. An activation has two bits, q = 0..3 of value (2/3) q - 1, in planes of +1 and -1: of the higher
bit m and of the lower bit l, q's value being (2/3) m + (1/3) l. A convolution is that of the first plane; that of the
second is added only where the first exceeds a threshold of the output channel. Taps beyond the border count nothing.
Behind it BatchNorm, RPReLU (shift, PReLU, shift), the shortcut, BatchNorm: in fixed point, feature maps of
ap_fixed<16, 9>, factors and slopes of 12 bits with learned points (QFX, arXiv:2401.17544). The input is a thermometer
code, so that the first layer is binary too.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lutra.errors import LutraError
from lutra.quant import Fixed, Recipe, cast
from lutra.quant.scaled import binary

if TYPE_CHECKING:
    from lutra.zoo.trainable import Bits

STAGES = ((16, 1), (32, 2), (64, 2))  # channels at width 1, stride of the first block
PLANES, STEP = 32, 8  # of the thermometer for each colour; pixels between two of them
OPEN = 0.25  # standard deviations of a random sum above which its second plane counts: 40 % of a normal distribution
SLOPE = 0.1  # of the gate's sigmoid, whose derivative stands for the step's (as sums have deviations of 10 and more)


class Thermometer(nn.Module):
    """Pixels / 256 (N, C, H, W) to planes (N, 32 C, H, W): plane i of a colour is +1 where i < round(pixel / 8).

    Halves are rounded up; planes of one colour lie together.
    """

    levels: Tensor
    one: Tensor

    def __init__(self) -> None:
        super().__init__()
        levels = (STEP * torch.arange(PLANES) + STEP / 2) / 256
        self.register_buffer("levels", levels.view(1, 1, PLANES, 1, 1), persistent=False)
        self.register_buffer("one", torch.tensor(1.0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The planes."""
        x = cast(x, 8, 8, signed=False)
        return binary((x.unsqueeze(2) - self.levels).flatten(1, 2), self.one)


class BinaryConv(nn.Module):
    """A 3x3 convolution of +1 and -1 with weights of +1 and -1, but 0 beyond the border: (N, C, H, W) integers."""

    one: Tensor

    def __init__(self, c_in: int, c_out: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, 3, 3))
        nn.init.uniform_(self.weight, -0.1, 0.1)  # near the step, where signs may still change
        self.register_buffer("one", torch.tensor(1.0), persistent=False)

    def signs(self) -> Tensor:
        """The weights, +1 or -1."""
        return binary(self.weight, self.one)

    def forward(self, x: Tensor) -> Tensor:
        """Sums of products."""
        return F.conv2d(x, self.signs(), stride=self.stride, padding=1)


class FractionalConv(BinaryConv):
    """A convolution of two bit planes, the second gated by the first; its result is in thirds: 2 m + gate * l.

    `threshold` (channels, 1, 1) is in units of the first plane's sums: that of the paper times 3/2. A sum must exceed
    it. In training the step's gradient is that of a sigmoid.
    """

    def __init__(self, c_in: int, c_out: int, stride: int = 1) -> None:
        super().__init__(c_in, c_out, stride)
        self.threshold = nn.Parameter(torch.full((c_out, 1, 1), OPEN * math.sqrt(9 * c_in)))

    def planes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of an activation the planes m and l, +1 or -1: q rises at -2/3, 0 and 2/3."""
        m = binary(x, self.one)
        return m, binary(1.5 * x - m.detach(), self.one)  # exact, unlike 2/3

    def gate(self, sums: Tensor) -> Tensor:
        """1 where a sum of the first plane exceeds its channel's threshold, else 0."""
        hard: Tensor = (sums > self.threshold).to(sums.dtype)
        if not self.training:
            return hard
        soft = torch.sigmoid(SLOPE * (sums - self.threshold))
        return hard + (soft - soft.detach())

    def forward(self, x: Tensor) -> Tensor:
        """Thirds of the convolution's result, integers."""
        weight = self.signs()
        m, l = self.planes(x)  # noqa: E741
        first = F.conv2d(m, weight, stride=self.stride, padding=1)
        second = F.conv2d(l, weight, stride=self.stride, padding=1)
        thirds: Tensor = 2 * first + self.gate(first) * second
        return thirds


class RPReLU(nn.Module):
    """PReLU with a slope for each channel between two shifts (ReActNet, arXiv:2003.03488)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.before, self.after = (nn.Parameter(torch.zeros(channels, 1, 1)) for _ in range(2))
        self.prelu = nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Of x's shape."""
        return self.prelu(x - self.before) + self.after  # type: ignore[no-any-return]


class Block(nn.Module):
    """Convolution, BatchNorm, RPReLU, sum with the shortcut, BatchNorm.

    Where the shape changes the shortcut is the mean of 2 x 2 pixels, its channels taken twice.
    """

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.conv, self.bn1 = FractionalConv(c_in, c_out, stride), nn.BatchNorm2d(c_out)
        self.act, self.bn2 = RPReLU(c_out), nn.BatchNorm2d(c_out)
        self.stride, self.copies = stride, c_out // c_in

    def forward(self, x: Tensor) -> Tensor:
        """The feature map behind it."""
        y = self.act(self.bn1(self.conv(x)))
        if self.stride > 1:
            x = F.avg_pool2d(x, self.stride)
        if self.copies > 1:
            x = torch.cat([x] * self.copies, 1)
        return self.bn2(y + x)  # type: ignore[no-any-return]


class FracBNN(nn.Module):
    """Images (N, 3, 32, 32) of pixels / 256 to logits (N, 10).

    Twice `blocks` blocks in each of three stages: 3 is the paper's 20 layers, 1 a network of 8; `width` multiplies the
    channels.
    """

    def __init__(self, blocks: int = 3, width: float = 1.0) -> None:
        super().__init__()
        before = round(STAGES[0][0] * width)
        self.encoder, self.conv, self.bn = Thermometer(), BinaryConv(3 * PLANES, before), nn.BatchNorm2d(before)
        layers = []
        for channels, stride in STAGES:
            for k in range(2 * blocks):
                wide = round(channels * width)
                layers.append(Block(before, wide, stride if k == 0 else 1))
                before = wide
        self.blocks, self.linear = nn.Sequential(*layers), nn.Linear(before, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = self.blocks(self.bn(self.conv(self.encoder(x))))
        return self.linear(x.mean((2, 3)))  # type: ignore[no-any-return]


def recipe(bits: Bits) -> Recipe:
    """Formats of what is not binary: feature maps ap_fixed<16, 9> (other widths learn their point), the last layer 8.

    Raises LutraError: weights of other than one bit, or activations of other than two.
    """
    if (bits.weights, bits.activations) != (1, 2):
        raise LutraError(f"weights of {bits.weights} and activations of {bits.activations} bits", "fracbnn",
                         "FracBNN has 1 and 2; its elementwise layers may have others than 16")
    maps = Fixed(bits.elementwise, 7 if bits.elementwise == 16 else None, signed=True)
    return Recipe(Fixed(8), Fixed(8), maps, multipliers=Fixed(12),
                  overrides={"encoder": None, "conv": None, "*.conv": None})
