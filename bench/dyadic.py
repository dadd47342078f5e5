"""ResNet-20 with a mixed plan and real scales (HAWQ-V3, arXiv 2011.10680) as integers: m / 2**e, and nothing else.

    python bench/dyadic.py                      # integers of 1,000 test images against PyTorch's
    python bench/dyadic.py --frames 1           # and one of them through the RTL, simulated

Bits are chosen by HAWQ-V2 at the size of 4-bit weights (of inputs 8, of sums 8), scales fitted to training images, no
training. Every integer of the compiled network must be PyTorch's; outputs are compared within a hundredth of an
integer's worth, as PyTorch multiplies the last ones by their scale in single precision. Traces are kept under --cache.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from resnet20_fixed_point import images
from shared import REPO, Board, parser

import lutra
import lutra.quant as q
from lutra.ops.requant.op import Requant
from lutra.ops.rescale.op import Rescale
from lutra.ops.threshold.op import Threshold
from lutra.quant import hawq
from lutra.quant.search.costs import Bits
from lutra.train.batches import Pixels
from lutra.train.by_data import BATCH, drawn
from lutra.train.checkpoint import read
from lutra.zoo.nets.resnet import ResNet
from lutra.zoo.trainable import CIFAR

WIDTHS, PROBES, IMAGES, AT_ONCE, FPS = (2, 3, 4, 6, 8), 10, 256, 250, 1000


def main() -> None:
    """Search, quantise, compile, compare."""
    made = parser(__doc__)
    made.add_argument("--images", type=int, default=1000, help="of the test set")
    made.add_argument("--frames", type=int, default=0, help="through the RTL")
    args = made.parse_args()
    keep = (Path(args.cache) if args.cache else REPO / ".cache") / "dyadic"
    data = images(args.data, keep)
    saved = read(args.data / "models/resnet_cifar10/resnet20-12fca82f.th")["state_dict"]
    net = ResNet(3).eval()
    net.load_state_dict({k.removeprefix("module."): v for k, v in saved.items()})
    board = Board()
    x, labels = drawn(data, CIFAR, IMAGES, 0)
    size = sum(m.weight.numel() for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)) / 2
    batches = list(zip(torch.split(x, BATCH), torch.split(labels, BATCH), strict=True))
    plan = hawq.search(net, batches, [Bits(w, 8) for w in WIDTHS], {"size": size}, base=hawq.DYADIC, inputs=False,
                       probes=PROBES, keep=keep).plan
    board.show("bits", " ".join(str(b.weights) for b in plan.bits.values()))
    q.calibrate(q.quantize(net, plan.recipe(hawq.DYADIC)), [x], "mse")
    net.eval()
    acc = lutra.compile(net, x[:2], device="xcu280", fps=FPS, cache=args.cache)
    steps(board, acc)
    board.show(f"LUTs reckoned, {FPS} frames/s", float(acc.plan.cost.lut))
    compared(board, acc, net, Pixels(*CIFAR)(torch.from_numpy(data.x_test[: args.images])), data.y_test)
    if args.frames:
        frames = Pixels(*CIFAR)(torch.from_numpy(data.x_test[: args.frames]))
        board.bar("outputs of the RTL equal to the integers", acc.verify(frames.numpy()), least=args.frames * 10)
    board.end()


def steps(board: Board, acc: lutra.Accelerator) -> None:
    """What became of the scales."""
    ops = [n.op for n in acc.plan.graph.nodes]
    dyadic = [op for op in ops if isinstance(op, Rescale) and op.shift]
    bits = [int(np.abs(op.mul.array).max()).bit_length() for op in dyadic]
    board.show("steps of scales that are m / 2**e", len(dyadic))
    board.show("  bits of m, least and most", f"{min(bits)} {max(bits)}")
    board.show("  e, least and most", f"{min(op.shift for op in dyadic)} {max(op.shift for op in dyadic)}")
    board.show("  thresholds", sum(isinstance(op, Threshold) for op in ops))
    board.show("  shifts", sum(isinstance(op, Requant) for op in ops))


def compared(board: Board, acc: lutra.Accelerator, net: torch.nn.Module, x: torch.Tensor, labels: np.ndarray) -> None:
    """Integers of both, and how many images are right."""
    unit = float(acc.lowered.output.scale.array.min())
    wrong = right = 0
    for first in range(0, len(x), AT_ONCE):
        part = x[first : first + AT_ONCE]
        with torch.no_grad():
            expected = net(part).numpy()
        wrong += int((np.abs(acc.run(part.numpy()) - expected) > unit / 100).sum())
        right += int((expected.argmax(1) == labels[first : first + len(part)]).sum())
    board.bar(f"outputs of {len(x)} images that differ", wrong, most=0)
    board.show("right, without training", 100 * right / len(x), "%")


if __name__ == "__main__":
    main()
