"""The MLPs of FINN (Umuroglu et al. 2017, arXiv:1612.07119, table 2): TFC, SFC and LFC, three hidden layers."""

from __future__ import annotations

from torch import Tensor, nn

from lutra.zoo.nets.parts import activation


class MLP(nn.Module):
    """Images (N, 1, 28, 28) of pixels / 256 to logits (N, 10); hidden layers of `width`, BatchNorm behind each matrix.

    `bits`: of activations; 1 is the sign, +1 or -1, more are rectified.
    """

    def __init__(self, width: int, bits: int) -> None:
        super().__init__()
        self.features = nn.Sequential()
        before = 28 * 28
        for i in range(1, 4):
            self.features.add_module(f"fc{i}", nn.Linear(before, width, bias=False))
            self.features.add_module(f"bn{i}", nn.BatchNorm1d(width))
            self.features.add_module(f"act{i}", activation(bits))
            before = width
        self.out, self.norm = nn.Linear(width, 10, bias=False), nn.BatchNorm1d(10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.norm(self.out(self.features(x.flatten(1))))  # type: ignore[no-any-return]
