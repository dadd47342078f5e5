"""CIFAR-10 accuracy of ResNet-20 in fixed point, every layer of it: W8A8, W4A4, and weights of two ones (K-hot).

    python bench/resnet20_fixed_point.py                    # what is not measured yet, then the table
    python bench/resnet20_fixed_point.py --steps 390        # an epoch of fine-tuning each
    python bench/resnet20_fixed_point.py --rate 1e-4        # at another rate

Starts from Y. Idelbayev's published float checkpoint (91.73 %). Points are fitted by least squares on 512 training
images (post-training), then weights and points are trained for --steps steps of 128 images, the last 15 % of them with
frozen points and statistics. Elementwise layers (BatchNorm, shortcuts, pooling) have 8 bits in each. Accuracy is of all
10,000 test images, in the exact arithmetic of evaluation. Results, and the training itself, are kept under --cache and
taken up again.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from shared import REPO, Board, parser

import lutra.quant as q
from lutra.files import written
from lutra.train.checkpoint import read, write
from lutra.train.data import Images
from lutra.train.stages import Run, Settings, right
from lutra.zoo.trainable import Bits, Trainable, trainable

sys.path.insert(0, str(REPO / "examples"))
from resnet20_qdq import cifar

BATCH, EVERY = 128, 50  # images, steps between checkpoints
CELLS = {  # least accuracy in per cent, if there is a bar
    "W8A8": (q.Recipe(q.Fixed(8, per_channel=True), q.Fixed(8), q.Fixed(8)), None),
    "W4A4": (q.Recipe(q.Fixed(4, per_channel=True), q.Fixed(4), q.Fixed(8)), 90.0),
    "K-hot, K = 2 of 8, A8": (q.Recipe(q.KHot(8, 2, per_channel=True), q.Fixed(8), q.Fixed(8),
                                       multipliers=q.KHot(8, 2)), None),
}


def images(data: Path, cache: Path) -> Images:
    """CIFAR-10 in its original order."""
    train = [cifar(data / "cifar10", f"train_{i}") for i in range(1, 6)]
    return Images(*(np.concatenate([t[k] for t in train]) for k in (0, 1)), *cifar(data / "cifar10", "test"))


def prepared(recipe: q.Recipe, found: Images, steps: int, rate: float, seed: int) -> Run:
    """A run of so many steps in fixed point, at Adam's rate, which `Settings` has three times for floating point."""
    plain = trainable("resnet20")
    plan = Trainable(plain.about, plain.make, lambda _: recipe, plain.frame, plain.bits, plain.epochs,
                     normalise=plain.normalise, flips=True)
    whole = max(len(found.x_train) // BATCH, 1)
    epochs = -(-steps // whole)
    part = BATCH * (-(-steps // epochs))
    few = Images(found.x_train[:part], found.y_train[:part], found.x_test, found.y_test)
    return Run(plan, Settings(Bits(0, 0, 0), (0, epochs), BATCH, 3 * rate, seed=seed), few)


def measured(name: str, recipe: q.Recipe, run: Run, weights: dict[str, torch.Tensor], folder: Path) -> dict[str, float]:
    """Accuracy in per cent before and after training; goes on from a checkpoint in the folder."""
    at = folder / "checkpoint.pt"
    labels = run.images.y_test
    result = json.loads((folder / "before.json").read_text()) if (folder / "before.json").exists() else {}
    if at.exists():
        run.load(read(at))
    else:
        run.start(weights)
        result = {"post-training": 100 * right(run.results(), labels)}
        written(folder / "before.json", json.dumps(result))
    begin = time.perf_counter()
    for step, now in enumerate(run.train(), 1):
        if step % EVERY == 0:
            write(at, run.state())
            print(f"  {name}: {now.stage} step {now.batch} of {now.batches}, loss {now.loss:.3f}, "
                  f"{(time.perf_counter() - begin) / step:.2f} s a step", flush=True)
    write(at, run.state())
    return {**result, "trained": 100 * right(run.results(), labels)}


def main() -> None:
    """Measure what is missing, print all."""
    made = parser(__doc__)
    made.add_argument("--steps", type=int, default=200, help="of fine-tuning for each cell")
    made.add_argument("--rate", type=float, default=5e-4, help="of Adam")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--only", choices=CELLS, help="one cell")
    args = made.parse_args()
    folder = (Path(args.cache) if args.cache else REPO / ".cache") / "resnet20_fixed_point"
    saved = read(args.data / "models/resnet_cifar10/resnet20-12fca82f.th")["state_dict"]
    weights = {k.removeprefix("module."): v for k, v in saved.items()}
    name = f"steps{args.steps}-rate{args.rate:g}-seed{args.seed}"
    path = folder / f"{name}.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    found = images(args.data, folder)
    board = Board()
    if "float" not in results:
        results["float"] = {"trained": float_accuracy(weights, found)}
        written(path, json.dumps(results))
    board.bar("float, published as 91.73", results["float"]["trained"], "%", least=91.7)
    for i, (cell, (recipe, bar)) in enumerate(CELLS.items()):
        if cell not in results and (not args.only or cell == args.only):
            run = prepared(recipe, found, args.steps, args.rate, args.seed)
            results[cell] = measured(cell, recipe, run, weights, folder / f"{name}-{i}")
            written(path, json.dumps(results))
        if cell in results:
            board.show(f"{cell}: post-training points", results[cell]["post-training"], "%")
            board.bar(f"{cell}: after {args.steps} steps", results[cell]["trained"], "%", least=bar)
    board.end()


def float_accuracy(weights: dict[str, torch.Tensor], found: Images) -> float:
    """Of the published network."""
    run = Run(trainable("resnet20"), Settings(Bits(0, 0, 0), (1, 0), BATCH), found)
    run.net.load_state_dict(weights)
    return 100 * right(run.results(), found.y_test)


if __name__ == "__main__":
    main()
