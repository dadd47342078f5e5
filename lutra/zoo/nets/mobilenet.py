"""A small MobileNet: depthwise separable convolutions (Howard et al. 2017, arXiv:1704.04861) for images of 32 x 32."""

from __future__ import annotations

from torch import Tensor, nn

from lutra.zoo.nets.parts import normed

LAYERS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1))  # channels and stride at width 1


class MobileNet(nn.Module):
    """Images (N, 3, 32, 32) of pixels / 256 to logits (N, 10); `width` multiplies all channels."""

    def __init__(self, width: float = 0.5) -> None:
        super().__init__()
        before = round(32 * width)
        layers: list[nn.Module] = [*normed(3, before, 3, 1, 1), nn.ReLU()]
        for channels, stride in LAYERS:
            wide = round(channels * width)
            layers += [*normed(before, before, 3, stride, 1, groups=before), nn.ReLU(),
                       *normed(before, wide, 1), nn.ReLU()]
            before = wide
        self.features, self.classifier = nn.Sequential(*layers), nn.Linear(before, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.classifier(self.features(x).mean((2, 3)))  # type: ignore[no-any-return]
