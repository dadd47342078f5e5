"""A small convolutional network for MNIST and Fashion-MNIST, to try formats on in minutes."""

from __future__ import annotations

from torch import Tensor, nn

from lutra.zoo.nets.parts import normed


class SmallCNN(nn.Module):
    """Images (N, 1, 28, 28) of pixels / 256 to logits (N, 10): two strided convolutions, a residual block, PReLU.

    Each elementwise layer of fixed-point networks occurs: normalisation, PReLU, a shortcut, average pooling.
    """

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.stem = nn.Sequential(*normed(1, channels, 5, 2, 2), nn.PReLU(channels))
        self.down = nn.Sequential(*normed(channels, 2 * channels, 3, 2, 1), nn.PReLU(2 * channels))
        self.block = nn.Sequential(*normed(2 * channels, 2 * channels, 3, 1, 1))
        self.act, self.pool = nn.PReLU(2 * channels), nn.AvgPool2d(3, 2)
        self.fc = nn.Linear(2 * channels * 9, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = self.down(self.stem(x))
        return self.fc(self.pool(self.act(self.block(x) + x)).flatten(1))  # type: ignore[no-any-return]
