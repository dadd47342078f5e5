"""ZeroQ on the published ResNet-20: bits chosen and ranges calibrated without any data, against 1,000 real images.

    python bench/zeroq.py             # what is not measured yet, then the table
    python bench/zeroq.py --seed 1    # with other noise to begin with

The mixed plan has the size of weights of 4 bits in every layer, the first and last included, and 8 bits of activations
and elementwise layers; all points are powers of two, of weights one for each channel. Ranges are found by least squares
on the same images that the bits were chosen on. Accuracy is of all 10,000 test images in the exact arithmetic of
evaluation, with no training. Time is of distillation, sensitivities, the plan, and the calibrated network, in a process
of its own of --threads threads, by default two for two cores; its processor time is shown beside: with one thread
that is what an idle core takes, whatever else a busy machine does. Results are kept under --cache. What ranks can agree
at best is shown by the next 1,000 real images: near-equal layers change places with the images that are drawn.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from resnet20_fixed_point import images as cifar_images
from scipy.stats import spearmanr
from shared import REPO, Board, parser
from torch import Tensor, nn

import lutra.quant as q
from lutra.files import written
from lutra.quant import zeroq
from lutra.quant.search.choice import uniform
from lutra.quant.search.costs import Bits, size
from lutra.quant.search.plan import BitPlan
from lutra.train.batches import Pixels
from lutra.train.data import Images
from lutra.train.session import weights_of
from lutra.train.stages import right
from lutra.zoo.trainable import trainable

FLOAT = 91.73  # per cent of the test images, as published; bench/resnet20_fixed_point.py measures it
REAL = 1000  # images of the training set
OWN = zeroq.Options()
PLAN = trainable("resnet20")
PRIOR = zeroq.Prior.normalised(PLAN.frame, *PLAN.normalise, top=255)
COMPARED = (2, 3, 4, 5, 6)  # bits whose sensitivities are ranked; those of 8 are next to nothing


def network(data: Path) -> nn.Module:
    """The published one, in floating point."""
    net = PLAN.make(PLAN.bits)
    net.load_state_dict(weights_of(data / "models/resnet_cifar10/resnet20-12fca82f.th"))
    return net.eval()


def limit(data: Path) -> dict[str, float]:
    """The size of weights of 4 bits."""
    return uniform(network(data), torch.zeros(1, *PRIOR.shape), size, Bits(4, 8))


def quantised(data: Path, plan: BitPlan, x: Tensor) -> nn.Module:
    """The network with the plan's bits, its ranges from these images."""
    net = q.quantize(network(data), plan.recipe(zeroq.BASE))
    q.calibrate(net, [x], OWN.method)
    return net.eval()


def alone(data: Path, seed: int, folder: Path, threads: int) -> None:
    """The whole process without data, timed: what `--alone` does."""
    torch.set_num_threads(threads)
    with TemporaryDirectory() as empty:
        begin, used = time.perf_counter(), time.process_time()
        found = zeroq.search(network(data), PRIOR, limit(data), options=replace(OWN, seed=seed), keep=Path(empty))
        quantised(data, found.plan, found.images)
        taken = {"seconds": time.perf_counter() - begin, "processor": time.process_time() - used,
                 "threads": threads}
        shutil.copytree(empty, folder / "distilled", dirs_exist_ok=True)
    torch.save(found.images, folder / "distilled.pt")
    written(folder / "time.json", json.dumps(taken))


def searched(data: Path, seed: int, folder: Path, name: str, x: Tensor) -> zeroq.Result:
    """The same search on given images, kept; real ones are the same for each seed."""
    return zeroq.search(network(data), PRIOR, limit(data), options=replace(OWN, seed=seed), images=x,
                        keep=(folder.parent if name in ("real", "other") else folder) / name)


def everywhere(plan: BitPlan, weights: int) -> BitPlan:
    """These bits in each layer, activations of 8."""
    return BitPlan("uniform", dict.fromkeys(plan.bits, Bits(weights, 8)), 0, {})


@torch.no_grad()
def accuracy(net: nn.Module, found: Images) -> float:
    """Per cent of the test images."""
    pixels = Pixels(*PLAN.normalise)
    x = torch.from_numpy(found.x_test)
    return 100 * right(torch.cat([net(pixels(part)) for part in torch.split(x, 250)]), found.y_test)


def kept(path: Path, results: dict[str, Any], name: str, find: Callable[[], float]) -> float:
    """A figure, found and written down if it is not there."""
    if name not in results:
        results[name] = find()
        written(path, json.dumps(results, indent=1))
    return float(results[name])


def ranks(a: zeroq.Sensitivities, b: zeroq.Sensitivities, bits: int) -> float:
    """Spearman's correlation of the layers' sensitivities of weights of so many bits."""
    return float(spearmanr(*([s.weights[p][bits] for p in s.weights] for s in (a, b))).statistic)


def main() -> None:
    """Measure what is missing, print all."""
    made = parser(__doc__)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--threads", type=int, default=2, help="of the timed part")
    made.add_argument("--alone", action="store_true", help="only the timed part")
    args = made.parse_args()
    cache = Path(args.cache) if args.cache else REPO / ".cache"
    folder = cache / "zeroq" / f"seed{args.seed}-{OWN.start}-{OWN.count}x{OWN.steps}"
    folder.mkdir(parents=True, exist_ok=True)
    if args.alone:
        return alone(args.data, args.seed, folder, args.threads)
    if not (folder / "time.json").exists():
        subprocess.run([sys.executable, __file__, "--alone", "--seed", str(args.seed), "--data", str(args.data),
                        "--threads", str(args.threads), "--cache", str(cache)], check=True)
    taken = json.loads((folder / "time.json").read_text())
    board = Board()
    board.bar(f"whole process without data, {taken['threads']} threads", taken["seconds"], "s", most=120.0)
    board.show("processor time of it", taken["processor"], "s")
    data = cifar_images(args.data, folder)
    first, second = (Pixels(*PLAN.normalise)(torch.from_numpy(data.x_train[k : k + REAL])) for k in (0, REAL))
    inputs = {"distilled": torch.load(folder / "distilled.pt", weights_only=True), "real": first, "other": second,
              "noise": PRIOR.noise(OWN.count, args.seed)}
    found = {name: searched(args.data, args.seed, folder, name, x) for name, x in inputs.items()}
    for bits in COMPARED:
        board.bar(f"Spearman with {REAL:,} real images, {bits} bits: distilled",
                  ranks(found["distilled"].sensitivities, found["real"].sensitivities, bits), least=0.9)
        for name, what in (("other", f"the next {REAL:,} real images"), ("noise", "Gaussian noise")):
            board.show(f"    {what}", ranks(found[name].sensitivities, found["real"].sensitivities, bits))
    show_accuracy(board, args.data, folder, found, data)
    board.end()


def show_accuracy(board: Board, data: Path, folder: Path, found: dict[str, zeroq.Result], images: Images) -> None:
    """Of the mixed plans and of uniform bits."""
    path = folder / "accuracy.json"
    results = json.loads(path.read_text()) if path.exists() else {}

    def of(name: str, plan: BitPlan, source: str) -> float:
        return kept(path, results, name, lambda: accuracy(quantised(data, plan, found[source].images), images))

    plan = found["distilled"].plan
    uniform4 = of("W4A8 distilled", everywhere(plan, 4), "distilled")
    real = of("mixed real", found["real"].plan, "real")
    board.bar("W8A8, ranges without data", of("W8A8 distilled", everywhere(plan, 8), "distilled"), "%",
              least=FLOAT - 0.3)
    board.show("W4A8 in every layer, ranges without data", uniform4, "%")
    board.show(f"mixed, bits and ranges of {REAL:,} real images", real, "%")
    board.show("mixed, bits and ranges of Gaussian noise", of("mixed noise", found["noise"].plan, "noise"), "%")
    board.bar("mixed, no data, of the size of W4", of("mixed distilled", plan, "distilled"), "%",
              least=max(uniform4 + 1, real - 2))
    board.show("  its size", plan.cost["size"], "bytes")
    board.show("  bits of its weights", " ".join(str(b.weights) for b in plan.bits.values()))


if __name__ == "__main__":
    main()
