"""Bits chosen against the compiler's LUTs and against bit-operations: what each plan takes, at equal accuracy.

    python bench/chip_bits.py            # what is not measured yet, then the table
    python bench/chip_bits.py --synth    # and Yosys on the pair that is compared: an hour on two cores

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
from functools import cache
from pathlib import Path
from typing import Any

import torch
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

DEVICE, FPS = "ecp5-85k", 1000.0
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

    @cache  # noqa: B019
    def images(self) -> Tensor:
        """Distilled ones, (N, 3, 32, 32)."""
        return zeroq.distilled(base.network(self.data), base.PRIOR, OPTIONS, self.folder)

    @cache  # noqa: B019
    def cost(self) -> Cost:
        """Of the device at the rate, of bit-operations and of bytes."""
        def find() -> list[Any]:
            choices = [Bits(w, a) for w in BITS for a in BITS]
            found = hardware_cost(base.network(self.data), self.images(), DEVICE, FPS, choices, zeroq.BASE,
                                  seen=lambda done, of: print(f"  priced {done} of {of}", flush=True))
            return [[path, *bits, cost] for (path, bits), cost in found.table.items()]

        table = {(path, Bits(w, a)): cost for path, w, a, cost in self.kept(f"prices-{DEVICE}-{FPS:g}", find)}
        return together(HardwareCost(table, {}), bitops, size)

    def searched(self, limits: dict[str, float]) -> BitPlan:
        """The best plan within limits."""
        return zeroq.search(base.network(self.data), base.PRIOR, limits, self.cost(), OPTIONS, images=self.images(),
                            keep=self.folder).plan

    def cheapest(self, axis: str, level: float) -> BitPlan:
        """The plan of a score of at most `level` that takes least of the axis."""
        every = self.searched({axis: 1e15}).frontier
        return self.searched({axis: next(cost for cost, score in every if score <= level)})

    def accuracy(self, plan: BitPlan) -> float:
        """Per cent of the test images."""
        name = "accuracy-" + "".join(f"{w}{a}" for w, a in plan.bits.values())
        return float(self.kept(name, lambda: base.accuracy(
            base.quantised(self.data, plan, self.images()), cifar_images(self.data, self.folder))))

    def compiled(self, plan: BitPlan) -> Accelerator:
        """The design."""
        return lutra.compile(base.quantised(self.data, plan, self.images()), self.images()[:1], DEVICE, fps=FPS)
