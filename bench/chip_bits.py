"""Bits chosen against the compiler's LUTs and against bit-operations: what each plan takes, at equal accuracy.

    python bench/chip_bits.py            # what is not measured yet, then the table
    python bench/chip_bits.py --synth    # and Yosys on the pair that is compared: ten minutes on two cores

ResNet-20 for CIFAR-10 as published, on DEVICE at FPS frames a second. Weights and inputs of every layer have 2 to 8
bits, chosen by ZeroQ's sensitivities on distilled images with no training. Both searches see the same scores; one has
LUTs as the compiler reckons them (`lutra.costing`) for its cost, the other multiply-accumulates times the bits of both
factors. For each of LEVELS both plans are the cheapest of no greater score. Accuracy is of all 10,000 test images in
the exact arithmetic of evaluation; a pair is compared whose accuracies differ by at most NEAR points. LUTs are those
of the compiled designs, each unit synthesised by Yosys. Results are kept under --cache and taken up again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import zeroq as base
from resnet20_fixed_point import images as cifar_images
from shared import REPO, Board, parser
from torch import Tensor

import lutra
from lutra.accelerator import Accelerator
from lutra.costing import HardwareCost, hardware_cost
from lutra.files import written
from lutra.quant import zeroq
from lutra.quant.search.costs import Bits, Cost, bitops, size, together
from lutra.quant.search.plan import BitPlan

DEVICE, FPS = "ecp5-85k", 400.0
BITS = (2, 3, 4, 5, 6, 8)
OPTIONS = zeroq.Options(weights=BITS, activations=BITS)
LEVELS = (0.05, 0.1, 0.2, 0.4)  # of the score, in nats
AXES = ("lut", "bitops")
NEAR = 0.3  # points of accuracy
COUNTS = ("lut", "ff", "bram", "dsp")


@dataclass(frozen=True)
class Bench:
    """Where the data are, and where results are kept."""

    data: Path
    folder: Path

    def kept(self, name: str, find: Callable[[], Any]) -> Any:
        """A JSON value, found and written down if it is not there."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            written(path, json.dumps(find(), indent=1))
        return json.loads(path.read_text())

    @cached_property
    def images(self) -> Tensor:
        """Distilled ones, (N, 3, 32, 32)."""
        return zeroq.distilled(base.network(self.data), base.PRIOR, OPTIONS, self.folder)

    @cached_property
    def cost(self) -> Cost:
        """Of the device at the rate, of bit-operations and of bytes."""
        def find() -> list[Any]:
            choices = [Bits(w, a) for w in BITS for a in BITS]
            found = hardware_cost(base.network(self.data), self.images, DEVICE, FPS, choices, zeroq.BASE,
                                  seen=lambda done, of: print(f"  priced {done} of {of}", flush=True))
            return [[path, *bits, cost] for (path, bits), cost in found.table.items()]

        table = {(path, Bits(w, a)): cost for path, w, a, cost in self.kept(f"prices-{DEVICE}-{FPS:g}", find)}
        return together(HardwareCost(table, {}), bitops, size)

    def searched(self, limits: dict[str, float]) -> BitPlan:
        """The best plan within limits."""
        return zeroq.search(base.network(self.data), base.PRIOR, limits, self.cost, OPTIONS, images=self.images,
                            keep=self.folder).plan

    def cheapest(self, axis: str, level: float) -> BitPlan:
        """The plan of a score of at most `level` that takes least of the axis."""
        every = self.searched({axis: 1e15}).frontier
        return self.searched({axis: next(cost for cost, score in every if score <= level)})

    def accuracy(self, plan: BitPlan) -> float:
        """Per cent of the test images."""
        name = "accuracy-" + "".join(f"{w}{a}" for w, a in plan.bits.values())
        return float(self.kept(name, lambda: base.accuracy(
            base.quantised(self.data, plan, self.images), cifar_images(self.data, self.folder))))

    def compiled(self, plan: BitPlan) -> Accelerator:
        """The design."""
        return lutra.compile(base.quantised(self.data, plan, self.images), self.images[:1], DEVICE, fps=FPS)

    def synthesised(self, name: str, plan: BitPlan) -> dict[str, float]:
        """What Yosys finds in the design, and its interval."""
        def find() -> dict[str, float]:
            design = self.compiled(plan)
            total = design.synthesise().total
            return {"interval": design.interval, "reckoned": design.plan.cost.lut,
                    **{of: getattr(total, of) for of in COUNTS}}

        bits = "".join(f"{w}{a}" for w, a in plan.bits.values())
        return dict(self.kept(f"synthesised-{name}-{DEVICE}-{FPS:g}-{bits}", find))


def pair(found: dict[str, list[tuple[BitPlan, float]]]) -> tuple[tuple[BitPlan, float], tuple[BitPlan, float]]:
    """A plan of each search, of all pairs those whose accuracies differ least."""
    ours, theirs = min(product(found["lut"], found["bitops"]), key=lambda ab: abs(ab[0][1] - ab[1][1]))
    assert abs(ours[1] - theirs[1]) <= NEAR, "no two plans are equally accurate: other LEVELS are needed"
    return ours, theirs


def main() -> None:
    """Measure what is missing, print all."""
    made = parser(__doc__)
    made.add_argument("--synth", action="store_true")
    args = made.parse_args()
    folder = (Path(args.cache) if args.cache else REPO / ".cache") / "chip_bits"
    folder.mkdir(parents=True, exist_ok=True)
    bench, board = Bench(args.data, folder), Board()
    found: dict[str, list[tuple[BitPlan, float]]] = {axis: [] for axis in AXES}
    for level in LEVELS:
        for axis in AXES:
            plan = bench.cheapest(axis, level)
            found[axis].append((plan, bench.accuracy(plan)))
            cost = plan.cost
            board.show(f"score {level:g}, by {axis}: accuracy", found[axis][-1][1],
                       f"%; reckoned {cost['lut']:,.0f} LUTs, {cost['bram']:.0f} memories, "
                       f"{cost['bitops'] / 1e6:,.0f} M bit-operations, {cost['size']:,.0f} bytes")
    ours, theirs = pair(found)
    for axis, (plan, right) in zip(AXES, (ours, theirs), strict=True):
        board.show(f"compared, by {axis}: accuracy", right, "%")
        board.show("  bits of weights", " ".join(str(b.weights) for b in plan.bits.values()))
        board.show("  bits of inputs", " ".join(str(b.activations) for b in plan.bits.values()))
    board.show("LUTs of the first, of the second's, as reckoned", ours[0].cost["lut"] / theirs[0].cost["lut"])
    if args.synth:
        counts = [bench.synthesised(axis, plan) for axis, (plan, _) in zip(AXES, (ours, theirs), strict=True)]
        for axis, count in zip(AXES, counts, strict=True):
            board.show(f"by {axis}, compiled: LUTs by Yosys", count["lut"],
                       " ".join(f"{of} {count[of]:,.0f}" for of in ("reckoned", "ff", "bram", "dsp", "interval")))
        board.bar("LUTs of the first, of the second's, by Yosys", counts[0]["lut"] / counts[1]["lut"], most=0.9)
    board.end()


if __name__ == "__main__":
    main()
