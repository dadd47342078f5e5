"""Random networks, by the thousand: the source's meaning, the integer graph and the RTL agree on every output.

    python bench/random_networks.py --count 2000 --rtl 100      # every night
    python bench/random_networks.py --first 1234 --count 1      # one again

Networks are drawn by tests/props/drawn.py: chains, residuals, branches; 1 to 8 bits, any scales, kernels, strides.
Folds are random. For the RTL, values with and without stalls, the interval and the latency must be as planned.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "tests" / "props"))

from drawn import network  # noqa: E402
from shared import Board, parser  # noqa: E402

from lutra.errors import LutraError  # noqa: E402
from lutra.hw.netlist import Netlist  # noqa: E402
from lutra.ir import Array, Graph  # noqa: E402
from lutra.ops.base import Hardware, Unit  # noqa: E402
from lutra.plan.assemble import assemble  # noqa: E402
from lutra.plan.depths import stream_depths  # noqa: E402
from lutra.plan.devices import device  # noqa: E402
from lutra.plan.plan import Plan  # noqa: E402
from lutra.rules.lower import Lowered, lower  # noqa: E402
from lutra.sim.job import RtlRun, Stimulus  # noqa: E402
from lutra.sim.rtl import RtlModel, from_words, to_words  # noqa: E402
from lutra.tools.cache import Cache  # noqa: E402

FRAMES = 6
LONGEST = 6000  # cycles a frame of a network that is simulated
TOGETHER = 8  # networks in one simulation


class Refused(Exception):
    """The network is beyond what hardware there is; the message says where."""


def compiled(seed: int) -> tuple[Lowered, Graph, Array]:
    """The network of a seed, lowered, and frames for it."""
    graph, given = network(seed)
    try:
        low = lower(graph, given, "ecp5")
    except LutraError as e:
        raise Refused(str(e)) from e
    (end,) = low.inputs
    rng = np.random.default_rng(seed)
    x = rng.integers(end.range.lo, end.range.hi + 1, (FRAMES, *end.source_shape))
    x[:2] = rng.choice([end.range.lo, end.range.hi], x[:2].shape)
    return low, graph, x


def same_integers(seed: int) -> Lowered:
    """AssertionError unless the integer graph gives what the source does, every value in its range."""
    low, graph, x = compiled(seed)
    wanted, values = graph.evaluate(low.inputs[0].real(x)), low.graph.evaluate(low.inputs[0].integers(x))
    for node in low.graph:
        assert node.out.range.holds(values[node]), (seed, node)
    for end, node, source in zip(low.outputs, low.graph.outputs, graph.outputs, strict=True):
        np.testing.assert_allclose(end.real(values[node]), wanted[source], rtol=1e-12, atol=1e-12,
                                   err_msg=f"network {seed}")
    return low


def random_plan(graph: Graph, seed: int) -> Plan:
    """Any folds, of those that take at most LONGEST cycles where there are such."""
    rng, folds = np.random.default_rng(seed), {}
    for node in graph.nodes:
        if isinstance(node.op, Hardware):
            xs = tuple(a.out for a in node.args)
            legal = node.op.folds(xs[0]) if isinstance(node.op, Unit) else node.op.folds(xs)
            cycles = [node.op.cycles(f, xs[0]) if isinstance(node.op, Unit) else node.op.cycles(f, xs) for f in legal]
            quick = [f for f, c in zip(legal, cycles, strict=True) if c <= LONGEST] or [legal[int(np.argmin(cycles))]]
            folds[node] = quick[rng.integers(len(quick))]
    return Plan(graph, device("ecp5-85k"), 100.0, folds, stream_depths(graph, folds))


def same_rtl(seeds: Iterable[int], cache: Path) -> int:
    """AssertionError unless the RTL of these networks, in one simulation, gives the integer graphs' outputs at the
    planned interval and latency; how many networks there were.
    """
    cases = []
    for seed in seeds:
        try:
            low, _, x = compiled(seed)
        except Refused:
            continue
        if all(isinstance(n.op, Hardware) or n in low.graph.inputs or n.op.kind == "reshape" for n in low.graph.nodes):
            cases.append((seed, low, low.inputs[0].integers(x), random_plan(low.graph, seed)))
    model = RtlModel.build_many([_netlist(p) for _, _, _, p in cases], Cache(cache), fast=False)
    for stalls in (0.0, 0.3):
        runs = model.run_many([Stimulus(_words(_netlist(p), low, x), stalls, seed) for seed, low, x, p in cases])
        for (seed, low, x, plan), run in zip(cases, runs, strict=True):
            _check(seed, low, x, plan, run, timed=not stalls)
    return len(cases)


def _netlist(plan: Plan) -> Netlist:
    return assemble(plan.graph, plan.folds, plan.depths, shared=plan.shared)


def _words(netlist: Netlist, low: Lowered, x: Array) -> Array:
    (end,), (node,) = netlist.inputs, low.graph.inputs
    lanes = node.out.size // end.words
    return to_words(node.out.range.encode(x).reshape(-1, lanes), node.out.range.bits)


def _check(seed: int, low: Lowered, x: Array, plan: Plan, run: RtlRun, timed: bool) -> None:
    values = low.graph.evaluate(x)
    for got, end, node in zip(run.received, _netlist(plan).outputs, low.graph.outputs, strict=True):
        codes = from_words(got.words, node.out.size // end.words, node.out.range.bits)
        y = node.out.range.decode(codes).reshape(len(x), *node.out.shape)
        assert np.array_equal(y, values[node]), f"network {seed}: the RTL gives other integers"
    if timed:
        timing = run.timing(len(x))
        assert timing.latency == plan.latency, f"network {seed}: latency {timing.latency}, planned {plan.latency}"
        assert timing.interval == plan.interval, f"network {seed}: interval {timing.interval}, planned {plan.interval}"


def main() -> None:
    """All of them, one after the other."""
    made = parser(__doc__)
    made.add_argument("--first", type=int, default=0, help="seed of the first network")
    made.add_argument("--count", type=int, default=2000, help="networks through the integer graph")
    made.add_argument("--rtl", type=int, default=0, help="of these, through the RTL")
    args = made.parse_args()
    board, refusals, kinds, wrong = Board(), Counter[str](), Counter[str](), 0
    for seed in range(args.first, args.first + args.count):
        try:
            kinds.update(n.op.kind for n in same_integers(seed).graph.nodes)
        except Refused as e:
            refusals[str(e).split(": ", 1)[-1][:60]] += 1
        except AssertionError as e:
            board.show(f"network {seed} DIFFERS", str(e).strip().splitlines()[0][:80])
            wrong += 1
    board.show("networks: integers equal the source", args.count - refusals.total() - wrong)
    board.bar("networks: integers differ from the source", wrong, most=0)
    for reason, count in refusals.most_common():
        board.show(f"refused: {reason}", count)
    board.show("nodes", ", ".join(f"{k} {n}" for k, n in kinds.most_common()))
    done = 0
    for first in range(args.first, args.first + args.rtl, TOGETHER):
        seeds = range(first, min(first + TOGETHER, args.first + args.rtl))
        done += same_rtl(seeds, Path(args.cache or REPO / ".cache"))
    board.show("networks: RTL equals the integers, interval and latency as planned", done)
    board.end()


if __name__ == "__main__":
    main()
