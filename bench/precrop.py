"""ResNet-20 on CIFAR-10 with 20 % and 10 % of its parameters: PreCropping against one share of every width.

    python bench/precrop.py                        # what is not measured yet, then the tables
    python bench/precrop.py --steps 3900           # ten epochs for each cell
    python bench/precrop.py --seeds 3
    python bench/precrop.py --methods uniform synexp --shares 0.2
    python bench/precrop.py --methods uniform torch-pruning      # pip install torch-pruning

Each network is made anew by its seed and trained in floating point for --steps steps of 128 images (Adam at 3e-3, a
cosine to zero, images mirrored and shifted), all of them on the same images in the same order; accuracy is of all
10,000 test images. The bar: the mean over seeds of SynExp's and of SynFlow's widths is at least that of uniform widths.
Torch-Pruning is asked to remove groups of channels of the untrained network, those of least magnitude in all layers;
its widths, made anew, are trained as the others are. Whether the network that it leaves runs is said.
The hardware: the same networks with 4 bits (8 elsewhere; weights as they are before training), compiled for --fps
frames a second and for half of the device. Results and checkpoints are kept under --cache and taken up again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from shared import REPO, Board, parser
from torch import nn

import lutra
import lutra.quant as q
from lutra.files import written
from lutra.quant import precrop
from lutra.train.checkpoint import read, write
from lutra.train.data import Images
from lutra.train.stages import Run, Settings, right, settle
from lutra.zoo.nets.resnet import ResNet
from lutra.zoo.trainable import CIFAR, Bits, Trainable, trainable

sys.path.insert(0, str(REPO / "examples"))
from resnet20_qdq import cifar

BATCH, EVERY = 128, 50  # images, steps between checkpoints
METHODS, SHARES = ("uniform", "synexp", "synflow"), (0.2, 0.1)
PEER, ROUNDS = "torch-pruning", 400
EXAMPLE = torch.zeros(1, 3, 32, 32)
DEVICE, HALF = "xczu3eg", 0.5


def drawn(net: nn.Module) -> None:
    """The initialisation of the zoo's ResNet."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)


def whole(seed: int) -> ResNet:
    """ResNet-20 as its initialisation leaves it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ResNet(3)


def widths(folder: Path, method: str, share: float) -> precrop.WidthPlan:
    """The plan of a cell, made once; uniform widths need not be multiples of 4, so that they use the budget up."""
    path = folder / f"{method}-{share:g}.json"
    if path.exists():
        return precrop.given(whole(0), EXAMPLE, precrop.read(path))
    if method == PEER:
        plan = peer(share)
        written(path, plan.text())
        return plan
    rules = precrop.Rules(1, 1) if method == "uniform" else None
    plan = precrop.crop(whole(0), EXAMPLE, share, method=method, rules=rules)
    written(path, plan.text())
    return plan


def peer(share: float) -> precrop.WidthPlan:
    """The widths that Torch-Pruning's DepGraph leaves, in multiples of 4, once they are within the budget."""
    import torch_pruning

    net, most = whole(0), int(share * sum(p.numel() for p in whole(0).parameters()))
    begin = time.perf_counter()
    pruner = torch_pruning.pruner.BasePruner(
        net, EXAMPLE, importance=torch_pruning.importance.GroupMagnitudeImportance(p=2), global_pruning=True,
        pruning_ratio=1.0, iterative_steps=ROUNDS, ignored_layers=[net.linear], round_to=4, max_pruning_ratio=0.95)
    for _ in range(ROUNDS):
        pruner.step()
        left = {path: m.out_channels for path, m in net.named_modules() if isinstance(m, nn.Conv2d)}
        plan = precrop.given(whole(0), EXAMPLE, left)
        if plan.parameters.after <= most:
            break
    try:
        net.eval()(EXAMPLE)
        runs = "runs"
    except RuntimeError as e:
        runs = f"does not run: {e}"
    took = time.perf_counter() - begin
    print(f"  Torch-Pruning {torch_pruning.__version__}: {took:.1f} s; its network {runs}", flush=True)
    return plan


def trained(name: str, make: Callable[[], nn.Module], found: Images, steps: int, seed: int, folder: Path) -> float:
    """Accuracy in per cent behind so many steps; goes on from a checkpoint in the folder."""
    epochs = -(-steps // (len(found.x_train) // BATCH))
    part = BATCH * (-(-steps // epochs))
    few = Images(found.x_train[:part], found.y_train[:part], found.x_test, found.y_test)
    plain = trainable("resnet20")
    plan = Trainable(plain.about, lambda _: make(), plain.recipe, plain.frame, plain.bits, plain.epochs,
                     normalise=CIFAR, flips=True)
    run = Run(plan, Settings(Bits(0, 0, 0), (epochs, 0), BATCH, seed=seed), few)
    at = folder / "checkpoint.pt"
    if at.exists():
        run.load(read(at))
    done = run.epoch * run.batches + run.batch
    begin = time.perf_counter()
    for step, now in enumerate(islice(run.train(), run.batches * epochs - done), 1):
        if step % EVERY == 0 or now.batch == now.batches:
            write(at, run.state())
            print(f"  {name}: step {done + step} of {run.batches * epochs}, loss {now.loss:.3f}, "
                  f"{(time.perf_counter() - begin) / step:.2f} s a step", flush=True)
    return 100 * right(run.results(), found.y_test)


def hardware(net: nn.Module, fps: float) -> dict[str, float]:
    """LUTs and interval of the network with 4 bits, for a frame rate; frames a second for half of the device."""
    x = torch.rand(32, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    settle(net, [x])
    q.quantize(net, q.Recipe(q.Fixed(4, per_channel=True), q.Fixed(4), q.Fixed(8)))
    q.calibrate(net, [x])
    net.eval()
    slow, fast = (lutra.compile(net, EXAMPLE, DEVICE, input_range=(0, 255), input_scale=1 / 256, **limit).summary()
                  for limit in ({"fps": fps}, {"budget": HALF}))
    return {"lut": slow.uses[-1].used.lut, "bram": slow.uses[-1].used.bram, "interval": slow.throughput.interval,
            "fps": slow.throughput.fps, "fps in half the device": fast.throughput.fps,
            "interval in half the device": fast.throughput.interval}


def kept(path: Path, measure: Callable[[], Any]) -> Any:
    """A result, measured once."""
    if not path.exists():
        written(path, json.dumps(measure()))
    return json.loads(path.read_text())


def cells(args: argparse.Namespace) -> list[tuple[str, str, float]]:
    """Name, method and share of each network."""
    return [(f"{method} {share:.0%}", method, share) for share in args.shares for method in args.methods]


def accuracies(args: argparse.Namespace, folder: Path) -> dict[str, list[float]]:
    """Of each cell, for each seed."""
    train = [cifar(args.data / "cifar10", f"train_{i}") for i in range(1, 6)]
    found = Images(*(np.concatenate([t[k] for t in train]) for k in (0, 1)), *cifar(args.data / "cifar10", "test"))
    result: dict[str, list[float]] = {}
    for seed in range(args.seeds):
        for name, method, share in cells(args):
            plan = widths(folder, method, share)
            at = folder / f"steps{args.steps}-seed{seed}-{method}-{share:g}"

            def make(plan: precrop.WidthPlan = plan, seed: int = seed) -> nn.Module:
                net = precrop.narrowed(whole(seed), EXAMPLE, plan.widths, seed, drawn)
                return net.to(memory_format=torch.channels_last)  # trains in two thirds of the time

            found_here = kept(at / "result.json", lambda name=name, make=make, seed=seed, at=at: trained(
                f"{name}, seed {seed}", make, found, args.steps, seed, at))
            result.setdefault(name, []).append(found_here)
    return result


def main() -> None:
    """Measure what is missing, print all."""
    made = parser(__doc__)
    made.add_argument("--steps", type=int, default=200, help="of training for each cell")
    made.add_argument("--seeds", type=int, default=2)
    made.add_argument("--fps", type=float, default=500, help="frames a second that the hardware is compiled for")
    made.add_argument("--methods", nargs="+", choices=(*METHODS, PEER), default=METHODS)
    made.add_argument("--shares", nargs="+", type=float, default=SHARES, help="of the parameters")
    made.add_argument("--part", choices=("accuracy", "hardware"), help="only one of the two tables")
    args = made.parse_args()
    folder = (Path(args.cache) if args.cache else REPO / ".cache") / "precrop"
    board = Board()
    for name, method, share in cells(args):
        plan = widths(folder, method, share)
        board.bar(f"{name}: parameters", plan.parameters.after, most=int(share * plan.parameters.before))
        board.show(f"{name}: operations", f"{plan.operations.share:.1%}", "of the network's")
    if args.part != "hardware":
        compared(board, accuracies(args, folder), args.steps)
    if args.part != "accuracy":
        for name, method, share in [("all 100%", "", 1.0), *cells(args)]:
            net = whole(0) if not method else precrop.narrowed(whole(0), EXAMPLE, widths(folder, method, share).widths)
            facts = kept(folder / f"hardware-{args.fps:g}-{method or 'all'}-{share:g}.json",
                         lambda net=net: hardware(net, args.fps))
            for what, value in facts.items():
                board.show(f"{name}: {what}", float(value))
    board.end()


def compared(board: Board, found: dict[str, list[float]], steps: int) -> None:
    """The table of accuracies, each mean against that of uniform widths with as many parameters."""
    for name, values in found.items():
        mean = sum(values) / len(values)
        base = found.get("uniform " + name.partition(" ")[2])
        least = sum(base) / len(base) if base and not name.startswith("uniform") else None
        seeds = ", ".join(f"{v:.2f}" for v in values)
        board.bar(f"{name}: accuracy, {steps} steps ({seeds})", round(mean, 3), "%",
                  least=None if least is None or name.startswith(PEER) else round(least, 3))


if __name__ == "__main__":
    main()
