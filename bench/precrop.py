"""ResNet-20 on CIFAR-10 with 20 % and 10 % of its parameters: PreCropping against one share of every width.

    python bench/precrop.py                        # what is not measured yet, then the tables
    python bench/precrop.py --steps 3900           # ten epochs for each cell, not six
    python bench/precrop.py --seeds 3
    python bench/precrop.py --methods uniform synexp --shares 0.2
    python bench/precrop.py --methods synflow unstructured shuffled --part accuracy
    python bench/precrop.py --methods uniform torch-pruning      # pip install torch-pruning
    python bench/precrop.py --shortcuts projection --methods uniform synexp torch-pruning

Each network is made anew by its seed and trained in floating point for --steps steps of 128 images (Adam at 3e-3, a
cosine to zero, images mirrored and shifted), all of them on the same images in the same order; accuracy is of all
10,000 test images. The bar: the mean over seeds of SynExp's and of SynFlow's widths is at least that of uniform widths.
"unstructured" is the whole network with SynFlow's mask and as many parameters, which no dense hardware gains from;
"shuffled" has as many weights left in each layer, but others.
Torch-Pruning is asked to remove groups of channels of the untrained network, those of least magnitude in all layers.
The network that it leaves runs where shortcuts are projections, and is then trained as it is, its weights those of the
initialisation that remain; where shortcuts pad channels it does not run, and its widths, made anew, are trained.
The hardware: the same networks with 4 bits (8 elsewhere; weights as they are before training), compiled for --fps
frames a second and for half of the device. Results and checkpoints are kept under --cache and taken up again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from precrop_nets import EXAMPLE, MASKED, PEER, drawn, masked, peer, whole
from shared import REPO, Board, parser
from torch import nn

import lutra
import lutra.quant as q
from lutra.files import written
from lutra.quant import precrop
from lutra.train.checkpoint import read, write
from lutra.train.data import Images
from lutra.train.stages import Run, Settings, right, settle
from lutra.zoo.trainable import CIFAR, Bits, Trainable, trainable

sys.path.insert(0, str(REPO / "examples"))
from resnet20_qdq import cifar

BATCH, EVERY = 128, 50  # images, steps between checkpoints
METHODS, SHARES = ("uniform", "synexp", "synflow"), (0.2, 0.1)
DEVICE, HALF = "xczu3eg", 0.5


@dataclass(frozen=True)
class Cell:
    """One network: how and to which share of the parameters it was narrowed, and of which shortcuts it is."""

    method: str
    share: float
    projection: bool
    folder: Path

    @property
    def name(self) -> str:
        """In the tables."""
        return f"{self.method} {self.share:.0%}"

    def facts(self) -> dict[str, Any]:
        """The plan of widths and the seconds that it took, made once; uniform widths need not be multiples of 4, so
        that they use the budget up.
        """
        return kept(self.folder / f"{self.method}-{self.share:g}.json", self._chosen)

    def _chosen(self) -> dict[str, Any]:
        net, begin = whole(0, self.projection), time.perf_counter()
        if self.method == PEER:
            left = peer(0, self.share, self.projection)
            seconds = time.perf_counter() - begin
            return {**precrop.given(net, EXAMPLE, left.widths).data(), "seconds": seconds,
                    "its network": left.broken or "runs"}
        rules = precrop.Rules(1, 1) if self.method == "uniform" else None
        plan = precrop.crop(net, EXAMPLE, self.share, method=self.method, rules=rules)
        return {**plan.data(), "seconds": time.perf_counter() - begin}

    def made(self, seed: int) -> nn.Module:
        """The network, untrained."""
        if self.method in MASKED:
            return masked(seed, self.share, self.projection, self.method == "shuffled")
        if self.method == PEER and self.projection:
            return peer(seed, self.share, self.projection).net
        return precrop.narrowed(whole(seed, self.projection), EXAMPLE, self.facts()["widths"], seed, drawn)


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
        written(path, json.dumps(measure(), indent=1))
    return json.loads(path.read_text())


def accuracies(cells: list[Cell], args: argparse.Namespace) -> dict[str, list[float]]:
    """Of each cell, for each seed."""
    train = [cifar(args.data / "cifar10", f"train_{i}") for i in range(1, 6)]
    found = Images(*(np.concatenate([t[k] for t in train]) for k in (0, 1)), *cifar(args.data / "cifar10", "test"))
    result: dict[str, list[float]] = {}
    for seed in range(args.seeds):
        for cell in cells:
            at = cell.folder / f"steps{args.steps}-seed{seed}-{cell.method}-{cell.share:g}"

            def make(cell: Cell = cell, seed: int = seed) -> nn.Module:
                return cell.made(seed).to(memory_format=torch.channels_last)  # trains in two thirds of the time

            found_here = kept(at / "result.json", lambda cell=cell, make=make, seed=seed, at=at: trained(
                f"{cell.name}, seed {seed}", make, found, args.steps, seed, at))
            result.setdefault(cell.name, []).append(found_here)
    return result


def sizes(board: Board, cells: list[Cell]) -> None:
    """The table of parameters, operations, and what it took to find the widths."""
    for cell in cells:
        facts = cell.facts()
        parameters, operations = facts["parameters"], facts["operations"]
        board.bar(f"{cell.name}: parameters", parameters["after"], most=int(cell.share * parameters["before"]))
        board.show(f"{cell.name}: operations", f"{operations['after'] / operations['before']:.1%}", "of the network's")
        if "seconds" in facts:
            board.show(f"{cell.name}: time to find widths", facts["seconds"], "s")
        if "its network" in facts:
            board.show(f"{cell.name}: its own network", "", facts["its network"])


def main() -> None:
    """Measure what is missing, print all."""
    made = parser(__doc__)
    made.add_argument("--steps", type=int, default=2000, help="of training for each cell")
    made.add_argument("--seeds", type=int, default=2)
    made.add_argument("--fps", type=float, default=500, help="frames a second that the hardware is compiled for")
    made.add_argument("--methods", nargs="+", choices=(*METHODS, "pathsum", *MASKED, PEER), default=METHODS)
    made.add_argument("--shares", nargs="+", type=float, default=SHARES, help="of the parameters")
    made.add_argument("--shortcuts", choices=("pad", "projection"), default="pad", help="that change shape")
    made.add_argument("--part", choices=("accuracy", "hardware"), help="only one of the two tables")
    args = made.parse_args()
    folder = (Path(args.cache) if args.cache else REPO / ".cache") / "precrop"
    projection = args.shortcuts == "projection"
    folder = folder / "projection" if projection else folder
    cells = [Cell(method, share, projection, folder) for share in args.shares for method in args.methods]
    dense = [cell for cell in cells if cell.method not in MASKED]
    board = Board()
    sizes(board, dense)
    if args.part != "hardware":
        compared(board, accuracies(cells, args), args.steps)
    if args.part != "accuracy":
        facts = kept(folder / f"hardware-{args.fps:g}-all-1.json", lambda: hardware(whole(0, projection), args.fps))
        shown(board, "all 100%", facts, None)
        for cell in dense:
            path = folder / f"hardware-{args.fps:g}-{cell.method}-{cell.share:g}.json"
            shown(board, cell.name, kept(path, lambda cell=cell: hardware(cell.made(0), args.fps)), facts)
    board.end()


def shown(board: Board, name: str, facts: dict[str, float], whole: dict[str, float] | None) -> None:
    """Figures of hardware, beside their share of the whole network's."""
    for what, value in facts.items():
        board.show(f"{name}: {what}", float(value), f"{value / whole[what]:.1%} of all" if whole else "")


def compared(board: Board, found: dict[str, list[float]], steps: int) -> None:
    """The table of accuracies, each mean against that of uniform widths with as many parameters."""
    for name, values in found.items():
        mean = sum(values) / len(values)
        base = found.get("uniform " + name.partition(" ")[2])
        barred = name.startswith(("synexp", "synflow"))
        least = sum(base) / len(base) if base and barred else None
        seeds = ", ".join(f"{v:.2f}" for v in values)
        board.bar(f"{name}: accuracy, {steps} steps ({seeds})", round(mean, 3), "%",
                  least=None if least is None else round(least, 3))


if __name__ == "__main__":
    main()
