"""Bits chosen against the compiler's LUTs and against bit-operations: what each plan takes, at equal accuracy.

    python bench/chip_bits.py            # what is not measured yet, then the table
    python bench/chip_bits.py --synth    # and Yosys on the pairs that are compared: half an hour
    python bench/chip_bits.py --steps 200 --synth    # the plans of fewest bits, trained in fixed point after the choice

ResNet-20 for CIFAR-10 as published, on DEVICE at FPS frames a second, in as few LUTs as can be (`least="lut"`): the
other resources of the chip are there to be used. Weights and inputs of every layer have 2 to 8 bits, chosen by
ZeroQ's sensitivities on distilled images, with no training but that of --steps. Both searches see the same scores;
one takes the fewest LUTs as the compiler reckons them (`lutra.costing`) with the multipliers and about half of the
memories that the device has, the other the fewest multiply-accumulates times the bits of both factors. Of each search
the cheapest plans of no greater scores than its LEVELS are taken. Accuracy is of all 10,000 test images in the exact
arithmetic of evaluation; each plan against LUTs is compared with the one against bit-operations whose accuracy is
nearest, where both differ by at most NEAR points. LUTs are those of the compiled designs, each unit synthesised by
Yosys. Results are kept under --cache and taken up again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import zeroq as base
from resnet20_fixed_point import images as cifar_images
from resnet20_fixed_point import measured, prepared
from shared import REPO, Board, parser
from torch import Tensor, nn

import lutra
from lutra.accelerator import Accelerator
from lutra.costing import HardwareCost, hardware_cost
from lutra.files import written
from lutra.plan.candidates import RESOURCES
from lutra.quant import zeroq
from lutra.quant.search.choice import Problem, problem
from lutra.quant.search.costs import Bits, bitops, size, together
from lutra.quant.search.layers import layers, same_input
from lutra.quant.search.plan import BitPlan
from lutra.train.checkpoint import read
from lutra.train.stages import Run

Found = tuple[BitPlan, float]  # and its accuracy, in per cent
Trained = tuple[nn.Module, float]

DEVICE, FPS = "ecp5-85k", 400.0
BITS = (2, 3, 4, 5, 6, 8)
OPTIONS = zeroq.Options(weights=BITS, activations=BITS)
# scores in nats, for each search
LEVELS = {"lut": (0.1, 0.2, 0.4, 0.6, 0.8), "bitops": (0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8)}
TRAINED = {"lut": (0.8,), "bitops": (0.8,)}  # those of the plans that are trained
RATE = 5e-4  # of Adam then
NEAR = 0.3  # points of accuracy
MEMORIES = 0.55  # of the device's, for weights and windows; the rest is for FIFOs, which are known of whole plans only
COUNTS = ("lut", "ff", "bram", "dsp")


@dataclass(frozen=True)
class Bench:
    """Where the data are, where results are kept, and for how many steps of 128 images plans are trained."""

    data: Path
    folder: Path
    steps: int = 0

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
    def hardware(self) -> HardwareCost:
        """Of the device at the rate."""
        def find() -> list[Any]:
            choices = [Bits(w, a) for w in BITS for a in BITS]
            found = hardware_cost(base.network(self.data), self.images, DEVICE, FPS, choices, zeroq.BASE,
                                  seen=lambda done, of: print(f"  priced {done} of {of}", flush=True))
            return [[path, *bits, ways] for (path, bits), ways in found.table.items()]

        table = {(path, Bits(w, a)): tuple(ways) for path, w, a, ways in self.kept(f"ways-{DEVICE}-{FPS:g}", find)}
        return HardwareCost(table, dict.fromkeys(RESOURCES, 0.0))

    @cached_property
    def problem(self) -> Problem:
        """The layers' scores and all costs."""
        net = base.network(self.data)
        found = zeroq.search(net, base.PRIOR, {"size": 1e15}, options=OPTIONS, images=self.images, keep=self.folder)
        chosen = layers(net, self.images[:1])
        return problem(chosen, OPTIONS.choices, found.sensitivities.score, together(self.hardware, bitops, size),
                       same_input(chosen))

    def cheapest(self, axis: str, level: float) -> BitPlan:
        """The plan of a score of at most `level` that takes least of the axis."""
        room = self.hardware.room(DEVICE)
        limits = {"bram": room["bram"] * MEMORIES, "dsp": room["dsp"]} if axis == "lut" else {}
        return self.problem.written("zeroq", self.problem.least(axis, level, limits), {}, axis, [], 0)

    def name(self, plan: BitPlan) -> str:
        """Of the network with these bits, in files."""
        return "".join(f"{w}{a}" for w, a in plan.bits.values()) + (f"-steps{self.steps}" if self.steps else "")

    def trained(self, plan: BitPlan) -> Trained:
        """The network and per cent of test images, kept."""
        recipe, folder = plan.recipe(zeroq.BASE), self.folder / self.name(plan)

        def run() -> Run:
            return prepared(recipe, cifar_images(self.data, self.folder), self.steps, RATE, 0)

        found = self.kept(f"trained-{self.name(plan)}", lambda: measured(
            self.name(plan), recipe, run(), base.network(self.data).state_dict(), folder))
        done = run()
        done.load(read(folder / "checkpoint.pt"))
        return done.net.eval(), float(found["trained"])

    def network(self, plan: BitPlan) -> nn.Module:
        """Quantised."""
        return self.trained(plan)[0] if self.steps else base.quantised(self.data, plan, self.images)

    def accuracy(self, plan: BitPlan) -> float:
        """Per cent of the test images."""
        if self.steps:
            return self.trained(plan)[1]
        return float(self.kept(f"accuracy-{self.name(plan)}", lambda: base.accuracy(
            self.network(plan), cifar_images(self.data, self.folder))))

    def compiled(self, plan: BitPlan) -> Accelerator:
        """The design."""
        return lutra.compile(self.network(plan), self.images[:1], DEVICE, fps=FPS, least="lut")

    def synthesised(self, plan: BitPlan) -> dict[str, float]:
        """What Yosys finds in the design, and its interval."""
        def find() -> dict[str, float]:
            design = self.compiled(plan)
            total = design.synthesise().total
            return {"interval": design.interval, "reckoned": design.plan.cost.lut,
                    **{of: getattr(total, of) for of in COUNTS}}

        return dict(self.kept(f"synthesised-least-{DEVICE}-{FPS:g}-{self.name(plan)}", find))


def pairs(found: Mapping[str, Sequence[Found]]) -> list[tuple[Found, Found]]:
    """For each plan against LUTs the one against bit-operations whose accuracy is nearest, where that is near."""
    nearest = [(ours, min(found["bitops"], key=lambda theirs: abs(theirs[1] - ours[1]))) for ours in found["lut"]]
    return [(ours, theirs) for ours, theirs in nearest if abs(ours[1] - theirs[1]) <= NEAR]


def compared(bench: Bench, ours: Found, theirs: Found, synth: bool, board: Board) -> None:
    """What both take."""
    for axis, (plan, right) in zip(LEVELS, (ours, theirs), strict=True):
        board.show(f"compared, by {axis}: accuracy", right, "%")
        board.show("  bits of weights", " ".join(str(b.weights) for b in plan.bits.values()))
        board.show("  bits of inputs", " ".join(str(b.activations) for b in plan.bits.values()))
    if not synth:
        costs = [bench.compiled(plan).plan.cost.lut for plan, _ in (ours, theirs)]
        board.show("LUTs of the first, of the second's, as reckoned", costs[0] / costs[1])
        return
    counts = [bench.synthesised(plan) for plan, _ in (ours, theirs)]
    for axis, count in zip(LEVELS, counts, strict=True):
        board.show(f"by {axis}, compiled: LUTs by Yosys", count["lut"],
                   " ".join(f"{of} {count[of]:,.0f}" for of in ("reckoned", "ff", "bram", "dsp", "interval")))
    board.bar("LUTs of the first, of the second's, by Yosys", counts[0]["lut"] / counts[1]["lut"], most=0.9)


def main() -> None:
    """Measure what is missing, print all."""
    made = parser(__doc__)
    made.add_argument("--synth", action="store_true")
    made.add_argument("--steps", type=int, default=0, help="of training in fixed point after the choice")
    args = made.parse_args()
    folder = (Path(args.cache) if args.cache else REPO / ".cache") / "chip_bits"
    folder.mkdir(parents=True, exist_ok=True)
    bench, board = Bench(args.data, folder, args.steps), Board()
    found: dict[str, list[Found]] = {axis: [] for axis in LEVELS}
    for axis, levels in (TRAINED if args.steps else LEVELS).items():
        for level in levels:
            plan = bench.cheapest(axis, level)
            found[axis].append((plan, bench.accuracy(plan)))
            cost = plan.cost
            board.show(f"score {level:g}, by {axis}: accuracy", found[axis][-1][1],
                       f"%; {cost['bitops'] / 1e6:,.0f} M bit-operations, {cost['size']:,.0f} bytes")
    near = pairs(found)
    assert near, "no two plans are equally accurate: other LEVELS are needed"
    for ours, theirs in near:
        compared(bench, ours, theirs, args.synth, board)
    board.end()


if __name__ == "__main__":
    main()
