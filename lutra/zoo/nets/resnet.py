"""ResNets for CIFAR-10 (He et al. 2016, arXiv:1512.03385, section 4.2), 6 n + 2 layers of 16, 32 and 64 channels.

Shortcuts that change shape are of option A: every second pixel, channels padded with zeros on both sides, as many as
the two streams differ by; so the widths may be changed. Names are those of Y. Idelbayev's published checkpoints, which
load as they are.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

STAGES = ((16, 1), (32, 2), (64, 2))  # channels, stride of the first block


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out)
        self.conv2, self.bn2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False), nn.BatchNorm2d(c_out)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """ReLU of the sum of both."""
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        if more := y.shape[1] - x.shape[1]:
            x = F.pad(x, (0, 0, 0, 0, more // 2, more - more // 2))
        return F.relu(y + x)


class ResNet(nn.Module):
    """Images (N, 3, 32, 32), normalised, to logits (N, 10); `blocks` in each stage: 1 is ResNet-8, 3 is ResNet-20."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        before, stages = 16, []
        for channels, stride in STAGES:
            stage = [Block(before if k == 0 else channels, channels, stride if k == 0 else 1) for k in range(blocks)]
            stages.append(nn.Sequential(*stage))
            before = channels
        self.layer1, self.layer2, self.layer3 = stages
        self.linear = nn.Linear(64, 10)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.linear(x)  # type: ignore[no-any-return]
