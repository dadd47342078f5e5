"""K-hot weights beside multipliers at equal accuracy: one network, trained with each kind of weights, and synthesised.

    python bench/khot_accuracy.py                  # about 20 minutes on 2 cores, the first time
    python bench/khot_accuracy.py --family ecp5

The small CNN on Fashion-MNIST, for each kind of weights trained for 150 steps from the same weights in floating point
(those of bench/fixed_point_accuracy.py), 8-bit inputs and element-wise layers. Then the two convolutions that do nine
tenths of its products as folded units of equal lanes, so that all have one throughput: K-hot weights by shifts and
additions, others by LUTs and by DSP blocks; weights lie in block memory. And the first layer with all weights as
constants. The bar: no DSP block (Xilinx) or MULT18X18D (ECP5) but in the units that ask for them. The order of LUTs is
a finding and no bar.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from fixed_point_accuracy import BATCH, RATE, float_weights
from platformdirs import user_cache_dir
from shared import REPO, Board, parser
from torch import nn

import lutra.quant as q
from lutra.front import load as read_network
from lutra.ir import Node
from lutra.ops.base import Fold
from lutra.ops.matmul.op import MatMul
from lutra.rules.lower import lower
from lutra.synth import synthesise_block
from lutra.tools.cache import Cache
from lutra.train.checkpoint import read, write
from lutra.train.data import Images, load
from lutra.train.stages import Run, Settings, right
from lutra.zoo.trainable import Bits, trainable

FAMILIES = ("ecp5", "xc7")
LAYERS = {"down": (1, Fold(4, 4, "block")), "block": (2, Fold(4, 8, "block"))}  # which matrix; its lanes
FIRST = 0  # the layer that is small enough to have all its weights as constants, used every cycle
FORMS: dict[str, tuple[q.Fixed | q.KHot, tuple[str, ...]]] = {
    "8 bits": (q.Fixed(8), ("lut", "dsp")), "4 bits": (q.Fixed(4), ("lut", "dsp")), "3 bits": (q.Fixed(3), ("lut",)),
    "2 ones of 8": (q.KHot(8, 2), ("shifts",)), "1 of 8": (q.KHot(8, 1), ("shifts",)),
    "1 of 4": (q.KHot(4, 1), ("shifts",)),
}


def trained(form: q.Fixed | q.KHot, weights: dict[str, torch.Tensor], found: Images, steps: int, seed: int, file: Path,
            ) -> tuple[nn.Module, float]:
    """The network with such weights and its accuracy on all test images in per cent; kept in a file."""
    plan = replace(trainable("small_cnn"), recipe=lambda _: q.Recipe(form, q.Fixed(8), q.Fixed(8), first_last=0))
    few = replace(found, x_train=found.x_train[: steps * BATCH], y_train=found.y_train[: steps * BATCH])
    run = Run(plan, Settings(Bits(0, 0), (0, 1), BATCH, RATE, method="mse", seed=seed), few)
    run.start(weights)
    if not file.exists():
        for _ in run.train():
            pass
        write(file, {"net": run.net.state_dict(), "accuracy": 100 * right(run.results(), found.y_test)})
    saved = read(file)
    run.net.load_state_dict(saved["net"])
    return run.net.eval(), saved["accuracy"]


def matrices(net: nn.Module, family: str) -> list[Node]:
    """The matrix units of the compiled network, in order."""
    graph = lower(read_network(net, torch.zeros(2, 1, 28, 28)).graph, None, family).graph
    return [n for n in graph.nodes if isinstance(n.op, MatMul)]


def main() -> None:
    """Train, synthesise, add up."""
    made = parser(__doc__)
    made.add_argument("--family", choices=FAMILIES, action="append", help="all of them by default")
    made.add_argument("--steps", type=int, default=150, help="of training for each kind of weights")
    made.add_argument("--seeds", type=int, default=1, help="accuracies are of so many; units are those of the first")
    args = made.parse_args()
    kept = Path(args.cache) if args.cache else REPO / ".cache"
    found = load(args.data / "fashion_mnist", trainable("small_cnn").frame)
    cache, board = Cache(Path(args.cache or user_cache_dir("lutra"))), Board()
    nets: dict[str, nn.Module] = {}
    for name, (form, _) in FORMS.items():
        rates = []
        for seed in range(args.seeds):
            weights = float_weights(found, seed, kept / "fixed_point_accuracy")["net"]
            file = kept / "khot_accuracy" / f"steps{args.steps}-seed{seed}-{name.replace(' ', '-')}.pt"
            net, rate = trained(form, weights, found, args.steps, seed, file)
            rates.append(rate)
            nets.setdefault(name, net)
        board.show(f"{name}: accuracy, mean of {args.seeds} seeds", float(np.mean(rates)), "%")
    for family in args.family or FAMILIES:
        for name, (_, ways) in FORMS.items():
            found_units = matrices(nets[name], family)
            for mul in ways:
                show(board, cache, f"{family}: {name} by {mul}", found_units, mul, family)
            unrolled(board, cache, f"{family}: {name}", found_units[FIRST], family)
    board.end()


def show(board: Board, cache: Cache, what: str, units: list[Node], mul: str, family: str) -> None:
    """The layers of one network with one kind of multiplier: what Yosys counts, each and together."""
    total = np.zeros(4)
    for layer, (place, lanes) in LAYERS.items():
        op, x = units[place].op, units[place].args[0].out
        assert isinstance(op, MatMul)
        fold = replace(lanes, mul=mul)
        one = synthesise_block(op.block(fold, x), family, cache)
        board.show(f"{what}: {layer}, {op.cycles(fold, x):,} cycles", f"{one.lut:.0f} LUT")
        total += (one.lut, one.ff, one.bram, one.dsp)
    lut, ff, bram, dsp = total
    board.show(f"{what}: both", f"{lut:.0f} LUT", f"{ff:.0f} FF, {bram:.0f} block memories")
    board.bar(f"{what}: DSP blocks", dsp, most=None if mul == "dsp" else 0)


def unrolled(board: Board, cache: Cache, what: str, unit: Node, family: str) -> None:
    """The first convolution with its weights as adders and shifts, a pixel a cycle."""
    op, x = unit.op, unit.args[0].out
    assert isinstance(op, MatMul)
    rows, columns = op.weights.shape
    found = synthesise_block(op.block(Fold(rows, columns, "auto", "adders"), x), family, cache)
    board.show(f"{what}: first layer, {op.weights.array.size} constants, {x.pixels} cycles", f"{found.lut:.0f} LUT",
               f"{found.ff:.0f} FF")
    board.bar(f"{what}: DSP blocks of it", found.dsp, most=0)


if __name__ == "__main__":
    main()
