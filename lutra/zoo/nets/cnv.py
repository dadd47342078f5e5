"""CNV of FINN (Umuroglu et al. 2017, arXiv:1612.07119, table 2): a small VGG for CIFAR-10, without padding."""

from __future__ import annotations

from torch import Tensor, nn

from lutra.zoo.nets.parts import activation, normed

# channels, and whether a pool follows
CHANNELS = ((64, False), (64, True), (128, False), (128, True), (256, False), (256, False))
HIDDEN = 512


class CNV(nn.Module):
    """Images (N, 3, 32, 32) of pixels / 256 to logits (N, 10); `bits`: of activations, 1 is the sign."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for channels, pooled in CHANNELS:
            layers += [*normed(before, channels, 3), activation(bits), *([nn.MaxPool2d(2)] if pooled else [])]
            before = channels
        self.features = nn.Sequential(*layers)
        hidden: list[nn.Module] = []
        for _ in range(2):
            hidden += [nn.Linear(before, HIDDEN, bias=False), nn.BatchNorm1d(HIDDEN), activation(bits)]
            before = HIDDEN
        self.hidden = nn.Sequential(*hidden)
        self.out, self.norm = nn.Linear(HIDDEN, 10, bias=False), nn.BatchNorm1d(10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.norm(self.out(self.hidden(self.features(x).flatten(1))))  # type: ignore[no-any-return]
