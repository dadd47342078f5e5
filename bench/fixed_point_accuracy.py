"""Fashion-MNIST accuracy of a small CNN by the bits of its elementwise layers and weights, and by who sets the points.

    python bench/fixed_point_accuracy.py                 # what is not measured yet, then the table
    python bench/fixed_point_accuracy.py --seeds 1       # a quick look
    python bench/fixed_point_accuracy.py --measure 0     # the table alone

A float network is trained for each seed (2 epochs); from it post-training points by the greatest magnitude (max) and by
least squares (mse), without training, and learned points (QFX): weights and points trained for --steps steps of 128
images from the latter. K-hot weights (K ones of 8 bits) are trained likewise. Inputs of matrix products have 8 bits;
the first and last layer's weights as many as the others. BatchNorm, PReLU, the shortcut and average pooling have the
elementwise bits. All 10,000 test images, in exact arithmetic. Cells are kept under --cache; --measure is how many are
measured at most.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from shared import REPO, parser

import lutra.quant as q
from lutra.files import written
from lutra.train.checkpoint import read, write
from lutra.train.data import Images, load
from lutra.train.stages import Run, Settings, right
from lutra.zoo.trainable import Bits, trainable

BATCH, RATE = 128, 3e-3
ELEMENTWISE, WEIGHTS, ONES = (8, 6, 4), (8, 4, 3, 2), (1, 2, 3)
METHODS = ("max", "mse", "learned")
Cell = tuple[int, str, str]  # elementwise bits, weights, method


def cells() -> Iterator[Cell]:
    """All of the table, those that tell most first."""
    for weights in ("4", "2", "8", "3"):
        for bits in reversed(ELEMENTWISE):
            yield from ((bits, weights, method) for method in METHODS)
    for bits in ELEMENTWISE:
        yield from ((bits, f"{k}-hot", "learned") for k in ONES)


def recipe(bits: int, weights: str) -> q.Recipe:
    """The formats of a cell."""
    form: q.Fixed | q.KHot = q.KHot(8, int(weights[0])) if weights.endswith("hot") else q.Fixed(int(weights))
    return q.Recipe(form, q.Fixed(8), q.Fixed(bits), first_last=0)


def float_weights(found: Images, seed: int, folder: Path) -> dict[str, torch.Tensor]:
    """Of a trained network, and its accuracy under "accuracy"."""
    path = folder / f"float-{seed}.pt"
    if not path.exists():
        run = Run(trainable("small_cnn"), Settings(Bits(8, 8), (2, 0), BATCH, RATE, seed=seed), found)
        for _ in run.train():
            if run.stage == 0 and run.epoch == 1 and run.batch == run.batches:
                break
        write(path, {"net": run.net.state_dict(), "accuracy": right(run.results(), found.y_test)})
    return read(path)  # type: ignore[no-any-return]


def accuracy(cell: Cell, weights: dict[str, torch.Tensor], found: Images, steps: int, seed: int) -> float:
    """Of one cell, in per cent."""
    bits, form, method = cell
    plan = replace(trainable("small_cnn"), recipe=lambda _: recipe(bits, form))
    learned = method == "learned"
    few = replace(found, x_train=found.x_train[: steps * BATCH], y_train=found.y_train[: steps * BATCH])
    settings = Settings(Bits(0, 0), (0, 1), BATCH, RATE, method="mse" if learned else method, seed=seed)
    run = Run(plan, settings, few)
    run.start(weights)
    if learned:
        for _ in run.train():
            pass
    return 100 * right(run.results(), found.y_test)


def table(results: dict[str, dict[str, float]], floats: list[float]) -> None:
    """Mean and spread over the seeds; a cell that is not measured is a dash."""
    print(f"float {np.mean(floats):.2f} (spread {np.ptp(floats):.2f}, {len(floats)} seeds)")
    columns = (*map(str, WEIGHTS), *(f"{k}-hot" for k in ONES))
    print(f"{'elementwise':12}{'points':10}" + "".join(f"{'w ' + c:>18}" for c in columns))
    for bits in ELEMENTWISE:
        for method in METHODS:
            rows = [list(results.get(f"{bits} {c} {method}", {}).values()) for c in columns]
            text = [f"{np.mean(r):.2f} ±{np.ptp(r) / 2:.2f} ({len(r)})" if r else "–" for r in rows]
            print(f"{bits:<12}{method:10}" + "".join(f"{t:>18}" for t in text))


def main() -> None:
    """Measure what is missing, print all."""
    made = parser(__doc__)
    made.add_argument("--steps", type=int, default=150, help="of training with learned points")
    made.add_argument("--seeds", type=int, default=3)
    made.add_argument("--measure", type=int, default=10**6, help="cells to measure at most in this run")
    args = made.parse_args()
    folder = (Path(args.cache) if args.cache else REPO / ".cache") / "fixed_point_accuracy"
    path = folder / f"steps{args.steps}.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    found = load(args.data / "fashion_mnist", trainable("small_cnn").frame)
    floats, left = [], args.measure
    for seed in range(args.seeds):
        if left <= 0 and not (folder / f"float-{seed}.pt").exists():
            break
        saved = float_weights(found, seed, folder)
        floats.append(100 * saved["accuracy"])
        for cell in cells():
            known = results.setdefault(" ".join(map(str, cell)), {})
            if str(seed) not in known and left > 0:
                known[str(seed)] = accuracy(cell, saved["net"], found, args.steps, seed)
                print(f"seed {seed}, {' '.join(map(str, cell))}: {known[str(seed)]:.2f}", flush=True)
                written(path, json.dumps(results))
                left -= 1
    table(results, floats)


if __name__ == "__main__":
    main()
