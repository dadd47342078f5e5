"""A trained network that is kept here, compiled in seconds: no training, and no file format in between.

    python examples/trained_mnist.py                          # compile, compare on drawn images
    python examples/trained_mnist.py --data DIR --place       # accuracy on MNIST's test images; place and route

`mnist_small_cnn.pt` is the state dict that `lutra train small_cnn --data MNIST --float-epochs 1 --epochs 1` left: 4-bit
weights and activations, 8-bit element-wise layers, all in fixed point.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

import lutra
import lutra.quant as q
from lutra.train.checkpoint import read
from lutra.train.data import load
from lutra.zoo.trainable import trainable

CHECKPOINT = Path(__file__).with_name("mnist_small_cnn.pt")


def network() -> nn.Module:
    """The trained network: images (N, 1, 28, 28) of pixels / 256 to logits (N, 10)."""
    plan = trainable("small_cnn")
    net = q.quantize(plan.make(plan.bits), plan.recipe(plan.bits))
    net.load_state_dict(read(CHECKPOINT))  # reads tensors only, and runs nothing
    return net.eval()


def images(folder: Path | None) -> tuple[Tensor, Tensor | None]:
    """MNIST's test images and their labels; without a folder drawn pixels, which have none."""
    if folder is None:
        return torch.randint(0, 256, (200, 1, 28, 28), generator=torch.Generator().manual_seed(0)) / 256, None
    found = load(folder, (1, 28, 28))
    return torch.from_numpy(found.x_test) / 256, torch.from_numpy(found.y_test)


def main() -> None:
    """Load, compile, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of MNIST's idx files")
    parser.add_argument("--place", action="store_true", help="also place and route (Yosys, nextpnr)")
    args = parser.parse_args()
    net, (x, labels) = network(), images(args.data)
    acc = lutra.compile(net, x[:1], device="ecp5-85k", fps=1000)
    with torch.no_grad():
        expected, found = net(x), acc.run(x)
    assert torch.equal(found, expected)
    print(f"{found.numel()} outputs equal the network's")
    if labels is not None:
        print(f"{100 * (found.argmax(1) == labels).float().mean():.2f} % of {len(labels)} test images right")
    cost = acc.plan.cost
    print(f"{acc.fps:,.0f} frames/s, about {cost.lut:,.0f} LUTs, {cost.bram:.0f} block RAMs, {cost.dsp:.0f} DSP")
    if args.place:
        print(f"placed: {acc.place().fmax_mhz:.0f} MHz")


if __name__ == "__main__":
    main()
