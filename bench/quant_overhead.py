"""What fake quantisation costs in training: forward and backward of ResNet-20 for CIFAR-10, batch 128, on this CPU.

    python bench/quant_overhead.py

Beside the float network, and beside Brevitas with the same recipe: 4-bit weights and activations, 8-bit results of
normalisation and additions, first and last layer 8 bits, power-of-two scales, those of activations learned. That is
written out by hand, as Brevitas takes layers of its own. They run in turn, so that a busy machine disturbs them alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import brevitas.nn as qnn
import torch
import torch.nn.functional as F
from brevitas.quant import Int8ActPerTensorFixedPoint, Int8WeightPerTensorFixedPoint, Uint8ActPerTensorFixedPoint
from shared import Board, parser
from torch import Tensor, nn

import lutra.quant as q

RECIPE = q.Recipe(weights=q.Fixed(4), activations=q.Fixed(4), elementwise=q.Fixed(8), first_last=8)
Make = Callable[..., nn.Module]


def nothing(bits: int, signed: bool = True) -> nn.Module:
    """No cast."""
    return nn.Identity()


def brevitas_cast(bits: int, signed: bool = True) -> nn.Module:
    """A cast of Brevitas: its scale is learned from the second step on."""
    kind = Int8ActPerTensorFixedPoint if signed else Uint8ActPerTensorFixedPoint
    return qnn.QuantIdentity(act_quant=kind, bit_width=bits, collect_stats_steps=1)


def brevitas_conv(*args: int, bits: int) -> nn.Module:
    """A convolution of Brevitas."""
    return qnn.QuantConv2d(*args, bias=False, weight_quant=Int8WeightPerTensorFixedPoint, weight_bit_width=bits)


def plain_conv(*args: int, bits: int) -> nn.Module:
    """A convolution of PyTorch."""
    return nn.Conv2d(*args, bias=False)


class Block(nn.Module):
    """Two convolutions and a shortcut that drops pixels and adds empty channels (He et al. 2015, option A)."""

    def __init__(self, before: int, after: int, cast: Make, conv: Make) -> None:
        super().__init__()
        self.stride, self.more = after // before, (after - before) // 2
        self.casts = nn.ModuleList([cast(4, False), cast(8), cast(4, False), cast(8), cast(8)])
        self.conv1, self.bn1 = conv(before, after, 3, self.stride, 1, bits=4), nn.BatchNorm2d(after)
        self.conv2, self.bn2 = conv(after, after, 3, 1, 1, bits=4), nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        """Of (N, C, H, W)."""
        y = F.relu(self.casts[1](self.bn1(self.conv1(self.casts[0](x)))))
        y = self.casts[3](self.bn2(self.conv2(self.casts[2](y))))
        if self.more:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more, self.more))
        return F.relu(self.casts[4](y + x))


class ResNet20(nn.Module):
    """The network, with what casts at the places of the recipe; plain if these are `nothing`."""

    def __init__(self, cast: Make = nothing, conv: Make = plain_conv) -> None:
        super().__init__()
        self.casts = nn.ModuleList([cast(8), cast(8), cast(8, False), cast(8, False)])
        self.conv, self.bn = conv(3, 16, 3, 1, 1, bits=8), nn.BatchNorm2d(16)
        widths = [16, *[w for w in (16, 32, 64) for _ in range(3)]]
        self.blocks = nn.Sequential(*[Block(a, b, cast, conv) for a, b in pairwise(widths)])
        self.last = nn.Linear(64, 10)
        if conv is brevitas_conv:
            self.last = qnn.QuantLinear(64, 10, True, weight_quant=Int8WeightPerTensorFixedPoint, weight_bit_width=8)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, 10) of images (N, 3, 32, 32)."""
        x = self.blocks(F.relu(self.casts[1](self.bn(self.conv(self.casts[0](x))))))
        return self.last(self.casts[3](self.casts[2](F.avg_pool2d(x, 8)).flatten(1)))  # type: ignore[no-any-return]


def main() -> None:
    """Measure."""
    made = parser(__doc__)
    made.add_argument("--batch", type=int, default=128)
    made.add_argument("--times", type=int, default=7)
    arguments = made.parse_args()
    torch.manual_seed(0)
    x, y = torch.randn(arguments.batch, 3, 32, 32), torch.randint(10, (arguments.batch,))
    nets = {"float": ResNet20(), "lutra": ResNet20(), "lutra, frozen": ResNet20(),
            "brevitas": ResNet20(brevitas_cast, brevitas_conv)}
    for name in ("lutra", "lutra, frozen"):
        q.calibrate(q.quantize(nets[name], RECIPE), [x])
    q.freeze(nets["lutra, frozen"])
    best = dict.fromkeys(nets, float("inf"))
    for _ in range(2 + arguments.times):
        for name, net in nets.items():
            net.zero_grad()
            begin = time.perf_counter()
            F.cross_entropy(net(x), y).backward()
            best[name] = min(best[name], time.perf_counter() - begin)
    board = Board()
    for name, seconds in best.items():
        board.show(f"forward and backward, {name}", f"{seconds:.3f}", "s")
    board.bar("lutra against float", best["lutra"] / best["float"], "times", most=2.5)
    board.bar("lutra against Brevitas", best["lutra"] / best["brevitas"], "times", most=1.0)
    board.end()


if __name__ == "__main__":
    main()
