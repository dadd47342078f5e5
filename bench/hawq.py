"""HAWQ-V2 on CIFAR-10 and the published ResNet-20: is Omega what a layer's quantisation costs, and is the mix better?

    python bench/hawq.py                        # traces, correlations
    python bench/hawq.py --steps 200            # and each plan fine-tuned for so many steps of 128 images, kept
    python bench/hawq.py --hessian              # and the paper's Omega, with Hutchinson's estimates, as many probes

Traces from 512 training images, 50 probes of all layers at once. Beside them the loss that each layer alone costs when
its weights are cast to 2, 3, 4 bits, on the same images, and two cheaper guesses: the size of the perturbation
|Q(W) - W|^2, and the top eigenvalue times it (HAWQ, arXiv 1905.03696). The bar is of 3 bits: to second order 2 bits are
too far off, where one layer's cast multiplies the loss, and at 4 bits many layers' losses are within the standard error
of those images. The mix is chosen at the size of 4-bit weights; reversed, the most sensitive layers have the fewest
bits at the same size, as near as can be.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from resnet20_fixed_point import BATCH, images, measured, prepared
from shared import REPO, Array, Board, parser
from torch import nn

import lutra.quant as q
from lutra.files import written
from lutra.quant import hawq
from lutra.quant.hawq.products import Batch
from lutra.quant.search.costs import Bits
from lutra.quant.search.plan import BitPlan
from lutra.quant.search.program import solve
from lutra.quant.still import still
from lutra.train.checkpoint import read
from lutra.train.data import Images
from lutra.zoo.nets.resnet import ResNet
from lutra.zoo.trainable import CIFAR

WIDTHS, ACTIVATIONS, IMAGES, PROBES, ITERATIONS = (2, 3, 4, 6, 8), 8, 512, 50, 8
CAST, BARRED = (2, 3, 4), 3  # bits at which layers are cast alone, and those that have a bar
OPTIONS = [Bits(w, ACTIVATIONS) for w in WIDTHS]


def spearman(a: Array, b: Array) -> float:
    """Correlation of ranks."""
    return float(np.corrcoef(*(np.argsort(np.argsort(v)) for v in (a, b)))[0, 1])


def loss_of(net: nn.Module, batches: list[Batch]) -> float:
    """The mean loss."""
    with torch.no_grad():
        return float(np.mean([F.cross_entropy(net(x), y).item() for x, y in batches]))


def alone(net: nn.Module, path: str, bits: int, batches: list[Batch]) -> float:
    """The loss with one layer's weights cast."""
    changed = copy.deepcopy(net)
    form = q.Recipe(overrides={path: q.Recipe(q.Fixed(bits, per_channel=True), first_last=0)}, first_last=0)
    quantised = q.quantize(changed, form)
    q.calibrate(quantised, [batches[0][0][:8]], "mse")
    return loss_of(quantised.eval(), batches)


def top_eigenvalues(net: nn.Module, modules: dict[str, nn.Module], batch: Batch) -> dict[str, float]:
    """Of each layer's block, by power iteration."""
    with still(net, gradients=True):
        curvature = next(iter(hawq.of_weights(net, modules, [batch], F.cross_entropy)))
        found = {}
        for k, path in enumerate(modules):
            v = [torch.zeros_like(t) for t in curvature.tensors]
            v[k] = torch.randn(v[k].shape, generator=torch.Generator().manual_seed(k))
            value = 0.0
            for _ in range(ITERATIONS):
                v[k] /= v[k].norm()
                product = curvature.product(v)[k]
                value, v[k] = float((v[k] * product).sum()), product
            found[path] = value
    return found


def plans(found: hawq.Found, size: float) -> dict[str, BitPlan]:
    """The mix, uniform 4 bits, and of all mixes of that size (-2 %) the one of which Omega expects the most loss."""
    posed = found.problem
    sizes = posed.costs["size"]
    worst = solve([[-s for s in options] for options in posed.scores],
                  {"size": sizes, "no less": [[-c for c in options] for options in sizes]},
                  {"size": size, "no less": -0.98 * size})
    bits = {path: options[k][0].bits for group, options, k in zip(posed.ties, posed.options, worst, strict=True)
            for path in group}
    uniform = dict.fromkeys(bits, Bits(4, ACTIVATIONS))
    return {"mix": found.plan, "uniform 4 bits": replace(found.plan, bits=uniform),
            "reversed": replace(found.plan, bits=bits)}


def correlations(net: nn.Module, found: hawq.Found, batches: list[Batch], board: Board,
                 hessian: dict[str, hawq.Trace]) -> None:
    """Of what is expected of each layer with what its cast costs."""
    modules = {layer.path: net.get_submodule(layer.path) for layer in found.problem.layers}
    base, top = loss_of(net, batches), top_eigenvalues(net, modules, batches[0])
    for bits in CAST:
        lost = np.array([alone(net, path, bits, batches) - base for path in modules])
        errors = np.array([found.omega.weight_errors[path][bits] for path in modules])
        rank, barred = spearman(eigenvalues(found.omega.weights) * errors, lost), bits == BARRED
        board.bar(f"Omega and the loss of each layer alone at {bits} bits, Spearman", rank,
                  least=0.7 if barred else None)
        for name, guess in (("|Q(W) - W|^2", errors),
                            ("top eigenvalue |Q(W) - W|^2", np.array([top[path] for path in modules]) * errors)):
            other = spearman(guess, lost)
            board.show(f"  {name} instead", other)
            board.bar("  Omega is above it by", rank - other, least=0 if barred else None)
        if hessian:
            board.show("  the paper's Omega, by Hutchinson's estimates", spearman(eigenvalues(hessian) * errors, lost))


def eigenvalues(traces: Mapping[str, hawq.Trace]) -> Array:
    """The mean one of each layer."""
    return np.array([t.eigenvalue for t in traces.values()])


def relative(traces: Mapping[str, hawq.Trace]) -> float:
    """The median over layers of a trace's standard error, in per cent of it."""
    return 100 * float(np.median([t.error / t.trace for t in traces.values() if t.trace > 0]))


def hutchinson(net: nn.Module, found: hawq.Found, batches: list[Batch], seed: int, board: Board,
               ) -> dict[str, hawq.Trace]:
    """The paper's estimates, with as many probes."""
    modules = {layer.path: net.get_submodule(layer.path) for layer in found.problem.layers}
    begin, busy = time.perf_counter(), time.process_time()
    traces = hawq.weight_traces(net, modules, batches, F.cross_entropy, PROBES, 0, seed)
    board.bar(f"{PROBES} of Hutchinson's probes of the Hessian", time.perf_counter() - begin, "s", most=300)
    board.show("  of processor time", time.process_time() - busy, "s")
    board.show("  standard error of a trace, median", relative(traces), "%")
    own = found.omega.weights
    board.bar("  greatest difference from ours, in standard errors of both",
              max(abs(t.trace - own[p].trace) / math.hypot(t.error, own[p].error) for p, t in traces.items()), most=4)
    return traces


def main() -> None:
    """Search, correlate, fine-tune what is missing, print all."""
    made = parser(__doc__)
    made.add_argument("--hessian", action="store_true", help="the paper's traces of the Hessian, too")
    made.add_argument("--steps", type=int, default=0, help="of fine-tuning for each plan")
    made.add_argument("--rate", type=float, default=5e-4, help="of Adam")
    made.add_argument("--seed", type=int, default=0)
    args = made.parse_args()
    saved = read(args.data / "models/resnet_cifar10/resnet20-12fca82f.th")["state_dict"]
    weights = {k.removeprefix("module."): v for k, v in saved.items()}
    net = ResNet(3).eval()
    net.load_state_dict(weights)
    folder = (Path(args.cache) if args.cache else REPO / ".cache") / "hawq"
    data = images(args.data, folder)
    batches = [normalised(data, k) for k in range(0, IMAGES, BATCH)]
    size = sum(m.weight.numel() for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)) / 2
    board = Board()
    begin, busy = time.perf_counter(), time.process_time()
    found = hawq.search(net, batches, OPTIONS, {"size": size}, probes=PROBES, tolerance=0, inputs=False, seed=args.seed)
    board.bar(f"{PROBES} probes of {IMAGES} images, all layers", time.perf_counter() - begin, "s", most=300)
    board.show("  of processor time", time.process_time() - busy, "s")
    board.show("standard error of a trace, median", relative(found.omega.weights), "%")
    board.show("mix", " ".join(str(b.weights) for b in found.plan.bits.values()), "bits")
    correlations(net, found, batches, board, hutchinson(net, found, batches, args.seed, board) if args.hessian else {})
    if args.steps:
        tuned(found, size, data, weights, args, folder, board)
    board.end()


def normalised(data: Images, first: int) -> Batch:
    """A batch of training images as the network takes them."""
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in CIFAR)
    x = torch.from_numpy(data.x_train[first : first + BATCH]).float()
    return (x - mean) / deviation, torch.from_numpy(data.y_train[first : first + BATCH]).long()


def tuned(found: hawq.Found, size: float, data: Images, weights: dict[str, torch.Tensor], args: argparse.Namespace,
          folder: Path, board: Board) -> None:
    """Accuracy of each plan before and after the same training, kept."""
    path = folder / f"steps{args.steps}-rate{args.rate:g}-seed{args.seed}.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for name, plan in plans(found, size).items():
        bits = "".join(str(b.weights) for b in plan.bits.values())
        if results.get(name, {}).get("bits") != bits:  # never, or of other traces
            recipe = plan.recipe(hawq.RECIPE)
            run = prepared(recipe, data, args.steps, args.rate, args.seed)
            results[name] = {**measured(name, recipe, run, weights, folder / f"{path.stem}-{bits}"), "bits": bits}
            written(path, json.dumps(results))
        board.show(f"{name}: post-training", results[name]["post-training"], "%")
        board.show(f"{name}: after {args.steps} steps", results[name]["trained"], "%")
    for other in ("uniform 4 bits", "reversed"):
        gain = results["mix"]["trained"] - results[other]["trained"]
        board.bar(f"the mix is above {other} by", gain, "points", least=0)


if __name__ == "__main__":
    main()
