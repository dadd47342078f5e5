"""Networks trained in fixed point with lutra.quant, compiled as they are: PyTorch, integers and RTL, all equal.

    python bench/fixed_point.py                      # an MNIST CNN and a CIFAR-10 ResNet-20, on all test images
    python bench/fixed_point.py --network mnist      # one of them
    python bench/fixed_point.py --images 1000 --rtl 5

Both have 4-bit weights and activations (8 bits in the first and last layer) and every element-wise layer in 8-bit
fixed point. The CNN is trained for an epoch; the ResNet-20 is Y. Idelbayev's published float network (option A
shortcuts) with calibrated binary points, or a state dict of this very network (--state). The bar is equality on every
output.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from shared import REPO, Array, Board, mnist, parser
from torch import Tensor, nn

import lutra
import lutra.quant as q

sys.path.insert(0, str(REPO / "examples"))
from resnet20_qdq import cifar as cifar_pixels

RECIPE = q.Recipe(weights=q.Fixed(4), activations=q.Fixed(4), elementwise=q.Fixed(8), first_last=8)
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
BATCH = 250


class Cnn(nn.Module):
    """Two convolutions, a hidden layer: (N, 1, 28, 28) to (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.prelu = nn.PReLU(16)
        self.fc1, self.fc2 = nn.Linear(16 * 49, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.avg_pool2d(self.prelu(self.bn2(self.conv2(x))), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Two convolutions beside a shortcut of every second pixel, more channels filled with zeros."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.more = (width - before) // 2

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) to (N, width, H / stride, W / stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more, self.more)) if self.more else x
        return F.relu(y)


class ResNet20(nn.Module):
    """He et al., "Deep Residual Learning", CVPR 2016, section 4.2; (N, 3, 32, 32) to (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(Block(16, 16, 1) for _ in range(3)))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(F.adaptive_avg_pool2d(x, 1).flatten(1))  # type: ignore[no-any-return]


def trained_cnn(data: Path) -> nn.Module:
    """An epoch in floating point, then one with casts whose points are learned."""
    import gzip

    def idx(name: str, skip: int) -> Array:
        return np.frombuffer(gzip.decompress((data / "mnist" / name).read_bytes()), np.uint8, offset=skip)

    x = torch.from_numpy(idx("train-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28) / np.float32(255))[:20_000]
    labels = torch.from_numpy(idx("train-labels-idx1-ubyte.gz", 8).astype(np.int64))[:20_000]
    torch.manual_seed(0)
    net = Cnn()
    for stage in range(2):
        if stage:
            q.quantize(net, RECIPE)
            q.calibrate(net, [x[:500]])
        optimiser = torch.optim.Adam(net.parameters(), 1e-3)
        net.train()
        for batch in torch.randperm(len(x)).split(100):
            loss = F.cross_entropy(net(x[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return net.eval()


def calibrated_resnet(data: Path, state: Path | None) -> nn.Module:
    """The published network with casts; or one that was trained on, from its state dict."""
    net = ResNet20()
    saved = torch.load(data / "models/resnet_cifar10/resnet20-12fca82f.th", map_location="cpu", weights_only=True)
    net.load_state_dict({k.removeprefix("module."): v for k, v in saved["state_dict"].items()})
    q.quantize(net.eval(), RECIPE)
    if state:
        net.load_state_dict(torch.load(state, map_location="cpu", weights_only=True))
    else:
        q.calibrate(net, [cifar(data, "train_1", 500)[0]], method="mse")
    return net.eval()


def cifar(data: Path, part: str, count: int | None = None) -> tuple[Tensor, Array]:
    """Normalised images (N, 3, 32, 32) and labels."""
    x, labels = cifar_pixels(data / "cifar10", part, count)
    return (torch.from_numpy(x / np.float32(255)) - MEAN.view(3, 1, 1)) / STD.view(3, 1, 1), labels


def compare(name: str, net: nn.Module, x: Tensor, labels: Array, fps: float, rtl: int, cache: Path | None,
            board: Board) -> None:
    """The network's own outputs against the integer graph's, and those against the RTL's."""
    begin = time.perf_counter()
    acc = lutra.compile(net, x[:1], device="xcu280", fps=fps, cache=cache)
    board.show(f"{name}: compiled", time.perf_counter() - begin, "s")
    begin = time.perf_counter()
    with torch.no_grad():
        theirs = torch.cat([net(part) for part in x.split(BATCH)])
    board.show(f"{name}: PyTorch", time.perf_counter() - begin, "s")
    begin = time.perf_counter()
    ours = torch.cat([acc.run(part) for part in x.split(BATCH)])
    board.show(f"{name}: integers", time.perf_counter() - begin, "s")
    board.show(f"{name}: accuracy", float((ours.argmax(1).numpy() == labels).mean() * 100), "%")
    board.bar(f"{name}: of {ours.numel()} outputs different from PyTorch's", int((ours != theirs).sum()), most=0)
    if rtl:
        begin = time.perf_counter()
        board.show(f"{name}: {rtl} images through the RTL, all equal", acc.verify(x[:rtl]), "integers")
        board.show(f"{name}: simulated in", time.perf_counter() - begin, "s")


def main() -> None:
    """Train or load, compile, compare."""
    made = parser(__doc__)
    made.add_argument("--network", choices=("mnist", "resnet20"), help="only this one")
    made.add_argument("--images", type=int, help="test images instead of all")
    made.add_argument("--rtl", type=int, help="images through the RTL instead of 500 and 20")
    made.add_argument("--state", type=Path, help="state dict of the quantised ResNet-20")
    args = made.parse_args()
    board = Board()
    if args.network in (None, "mnist"):
        pixels, labels = mnist(args.data)
        x = torch.from_numpy(pixels / np.float32(255))[: args.images]
        compare("CNN", trained_cnn(args.data), x, labels[: len(x)], 2000, 500 if args.rtl is None else args.rtl,
                args.cache, board)
    if args.network in (None, "resnet20"):
        x, labels = cifar(args.data, "test", args.images)
        compare("ResNet-20", calibrated_resnet(args.data, args.state), x, labels, 200,
                20 if args.rtl is None else args.rtl, args.cache, board)
    board.end()


if __name__ == "__main__":
    main()
