"""Train a small network in fixed point and compile it, with no file in between: every bit is the network's own.

    python examples/train_fixed_point.py          # trains for some seconds, checks all test images, writes build/digits
    python examples/train_fixed_point.py --place        # and places and routes it

Data: the handwritten digits of 8 x 8 pixels that scikit-learn bundles. An ordinary PyTorch network and an ordinary
training loop; `lutra.quant` puts the casts in, `lutra.compile` takes the network itself.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lutra
import lutra.quant as q


class Net(nn.Module):
    """A residual network: (N, 1, 8, 8) to (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.fc = nn.Linear(8 * 16, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)) + x)
        return self.fc(F.avg_pool2d(x, 2).flatten(1))  # type: ignore[no-any-return]


def digits() -> tuple[Tensor, Tensor]:
    """Images (N, 1, 8, 8) in 0..1 and labels, shuffled."""
    from sklearn.datasets import load_digits

    found = load_digits()
    order = torch.randperm(len(found.target), generator=torch.Generator().manual_seed(0))
    x = torch.from_numpy(found.images).float().unsqueeze(1) / 16
    return x[order], torch.from_numpy(found.target)[order]


def train(net: nn.Module, x: Tensor, labels: Tensor, epochs: int) -> None:
    """The user's own loop."""
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    net.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            loss = F.cross_entropy(net(x[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    net.eval()


def trained(epochs: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A network trained in floating point, then in fixed point; images and labels that it has not seen."""
    torch.manual_seed(0)
    x, labels = digits()
    net = Net()
    train(net, x[:1400], labels[:1400], epochs)
    q.quantize(net, q.Recipe(weights=q.Fixed(4), activations=q.Fixed(4), elementwise=q.Fixed(8), first_last=8))
    q.calibrate(net, [x[:256]])
    train(net, x[:1400], labels[:1400], epochs)
    return net, x[1400:], labels[1400:]


def main() -> None:
    """Train, compile, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=5, help="of each of the two trainings")
    parser.add_argument("--place", action="store_true", help="place and route")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/digits"))
    args = parser.parse_args()
    net, x, labels = trained(args.epochs)
    acc = lutra.compile(net, x[:1], device="ecp5-85k", fps=50_000)
    y = acc.run(x)
    assert (y == net(x)).all()  # exactly
    print(f"{(y.argmax(1) == labels).float().mean():.1%} of {len(x)} images right, every output equal to the network's")
    print(f"{acc.verify(x[:20])} integers of the RTL equal, {acc.fps:,.0f} frames/s")
    if args.place:
        print(f"placed: {acc.place().fmax_mhz:.0f} MHz")
    print(f"wrote {acc.save(args.output)}")


if __name__ == "__main__":
    main()
