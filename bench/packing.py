"""Block memories that two layers share: how many a network takes with and without, at the same frame rate.

    python bench/packing.py                  # by estimate, a minute
    python bench/packing.py --synth          # and what Yosys finds, of the units that share, in the first network

Each network is planned at the least cost for the rate on the device; "without" is the same plan with each matrix'
weights in the cheapest place of their own. Block memories are all of the design, line buffers and FIFOs among them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from platformdirs import user_cache_dir
from shared import Board, parser

import lutra
from lutra.ir import Node
from lutra.ops.base import SHARED, Fold
from lutra.ops.shared import saved_blocks
from lutra.plan.assemble import assemble
from lutra.plan.candidates import RAMS, vector
from lutra.plan.plan import Plan
from lutra.plan.prices import prices
from lutra.plan.sharing import shape
from lutra.plan.stages import placed
from lutra.synth import synthesise_block
from lutra.tools.cache import Cache

CLOCK_MHZ = 100.0
ZOO = "models/qonnx_model_zoo"


@dataclass(frozen=True)
class Case:
    """A network, of the zoo with bits or a model file; the device and the frame rate."""

    name: str
    device: str
    fps: float
    bits: tuple[int, int] | None = None

    @property
    def title(self) -> str:
        """What it is."""
        bits = f" w{self.bits[0]}a{self.bits[1]}" if self.bits else ""
        return f"{Path(self.name).stem}{bits} on {self.device}, {self.fps:,.0f} fps"


CASES = (
    Case(f"{ZOO}/unsw_nb15-mlp-w2a2.onnx", "ecp5-25k", 10_000),
    Case("resnet20", "ecp5-85k", 100, (2, 2)),
    Case("resnet20", "ecp5-85k", 100, (3, 3)),
    Case("resnet20", "xc7z020", 100, (2, 4)),
    Case("inception", "ecp5-85k", 100, (4, 4)),
    Case("mobilenet_v1", "xcu280", 100, (4, 4)),
)


def made_for(case: Case, data: Path) -> Plan:
    """The cheapest plan for the rate."""
    from lutra.zoo import build

    model = build(case.name, case.bits).SerializeToString() if case.bits else data / case.name
    return lutra.compile(model, case.device, fps=case.fps, clock_mhz=CLOCK_MHZ).plan


def apart(plan: Plan) -> Plan:
    """The plan of the same folds in which nothing is shared, each matrix' weights in the cheapest place."""
    worth, family = prices(plan.device), plan.device.family

    def alone(node: Node, fold: Fold) -> Fold:
        places = [replace(fold, ram=ram) for ram in RAMS]
        return min(places, key=lambda f: float(worth @ vector(placed("", node, f).cost(family))))

    folds = {n: alone(n, f) if f.ram == SHARED else f for n, f in plan.folds.items()}
    return replace(plan, folds=folds, shared=())


def synthesised(plan: Plan, cache: Cache) -> tuple[int, int]:
    """Block memories of the units that share, by Yosys: each with one of its own, and as they are."""
    family, nodes = plan.device.family, [n for pair in plan.shared for n in pair]
    own = [placed("", n, replace(plan.folds[n], ram="block")).block for n in nodes]
    names = {n: s.block for s in plan.stages for n in nodes if s.unit is n.op}
    memories = [i.block for i in assemble(plan.graph, plan.folds, plan.depths, shared=plan.shared).instances
                if i.block.module == "lutra_shared"]
    return (sum(synthesise_block(b, family, cache).bram for b in own),
            sum(synthesise_block(b, family, cache).bram for b in [*names.values(), *memories]))


def main() -> None:
    """Every case; of the first one, the counts by synthesis."""
    made = parser(__doc__)
    made.add_argument("--synth", action="store_true")
    args = made.parse_args()
    board, cache = Board(), Cache(Path(args.cache or user_cache_dir("lutra")))
    for case in CASES:
        plan = made_for(case, args.data)
        alone, on = apart(plan), plan.device
        own = plan.cost.bram + sum(saved_blocks(shape(a, plan.folds[a]), shape(b, plan.folds[b]), on.family)
                                   for a, b in plan.shared)
        board.show(f"{case.title}: block memories, {len(plan.shared)} shared", f"{plan.cost.bram:.0f}",
                   f"of {own:.0f} with the same in one each, {plan.cost.bram / own:.3f}")
        board.show(f"{case.title}: LUTs", f"{plan.cost.lut:,.0f}",
                   f"without: {alone.cost.lut:,.0f}, and {alone.cost.bram:.0f} block memories")
        price = [float(prices(on) @ vector(p.cost)) for p in (alone, plan)]
        board.bar(f"{case.title}: cost, of that without", price[1] / price[0], most=1.0)
        if args.synth and case is CASES[0]:
            own, found = synthesised(plan, cache)
            board.show(f"{case.title}: those of the {2 * len(plan.shared)} that share", f"{own}", "without, by Yosys")
            board.bar(f"{case.title}: the same with", found, most=own - len(plan.shared))
    board.end()


if __name__ == "__main__":
    main()
