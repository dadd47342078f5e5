"""Random networks, by the thousand: the source's meaning, the integer graph and the RTL agree on every output.

    python bench/random_networks.py --count 2000 --rtl 100      # every night
    python bench/random_networks.py --first 1234 --count 1      # one again
    python bench/random_networks.py --recurrent --count 500     # with LSTM and GRU layers, from PyTorch

Networks are drawn by tests/props/drawn.py: chains, residuals, branches; 1 to 8 bits, any scales, kernels, strides; or
by drawn_recurrent.py: recurrent layers in any formats, sequences of several lengths. Folds are random. For the RTL,
values with and without stalls, the interval and the latency must be as planned.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "tests" / "props"))

import drawn  # noqa: E402
import drawn_recurrent  # noqa: E402
from shared import Board, parser  # noqa: E402

from lutra.errors import LutraError  # noqa: E402
from lutra.hw.netlist import Netlist  # noqa: E402
from lutra.ir import Array, Graph, Node  # noqa: E402
from lutra.ops.base import Hardware, Unit  # noqa: E402
from lutra.ops.sequence import lengths_of  # noqa: E402
from lutra.plan.assemble import assemble  # noqa: E402
from lutra.plan.depths import stream_depths  # noqa: E402
from lutra.plan.devices import device  # noqa: E402
from lutra.plan.plan import Plan  # noqa: E402
from lutra.rules.lower import Given, Lowered, lower  # noqa: E402
from lutra.sim.job import Received, RtlRun, Stimulus  # noqa: E402
from lutra.sim.rtl import RtlModel, from_words, to_words  # noqa: E402
from lutra.sim.sequences import inside, spread  # noqa: E402
from lutra.tools.cache import Cache  # noqa: E402

FRAMES = 6
LONGEST = 6000  # cycles a frame of a network that is simulated
TOGETHER = 8  # networks in one simulation


class Refused(Exception):
    """The network is beyond what hardware there is; the message says where."""


@dataclass(frozen=True)
class Case:
    """A lowered network, frames for each of its inputs, and what its source gives for them at each of its outputs."""

    low: Lowered
    frames: tuple[Array, ...]
    wanted: tuple[Array, ...]

    @property
    def longest(self) -> tuple[Array, ...]:
        """The frames, as sequences of the greatest length where they are sequences."""
        lengths = set(lengths_of(self.low.graph).values())
        return tuple(np.full_like(x, n.out.range.hi) if n in lengths else x
                     for n, x in zip(self.low.graph.inputs, self.frames, strict=True))


Draw = Callable[[int], Case]


def static(seed: int) -> Case:
    """A network without sequences."""
    graph, given = drawn.network(seed)
    low = _lowered(graph, given)
    (end,) = low.inputs
    rng = np.random.default_rng(seed)
    x = rng.integers(end.range.lo, end.range.hi + 1, (FRAMES, *end.source_shape))
    x[:2] = rng.choice([end.range.lo, end.range.hi], x[:2].shape)
    values = graph.evaluate(end.real(x))
    return Case(low, (end.integers(x),), tuple(values[n] for n in graph.outputs))


def recurrent(seed: int) -> Case:
    """A network with recurrent layers, and what PyTorch makes of its frames."""
    import torch

    from lutra.front import load

    net, x, lengths = drawn_recurrent.network(seed)
    low = _lowered(load(net, x[:1]).graph, None)
    with torch.no_grad():
        y = net(x, lengths).double().numpy()
    fed = (x.numpy(), lengths[:, None].numpy())
    return Case(low, tuple(end.integers(v) for end, v in zip(low.inputs, fed, strict=True)), (y,))


def _lowered(graph: Graph, given: Given) -> Lowered:
    try:
        return lower(graph, given, "ecp5")
    except LutraError as e:
        raise Refused(str(e)) from e


def same_integers(seed: int, draw: Draw = static) -> Lowered:
    """AssertionError unless the integer graph gives what the source does, every value in its range."""
    case = draw(seed)
    graph, sequences = case.low.graph, lengths_of(case.low.graph)
    values = graph.evaluate(*case.frames)
    for node in graph:
        assert node.out.range.holds(values[node]), (seed, node)
    for end, node, wanted in zip(case.low.outputs, graph.outputs, case.wanted, strict=True):
        found = end.real(values[node])
        if node in sequences and found.ndim > 2:  # behind a sequence's end there are no columns
            found, wanted = (inside(y, values[sequences[node]]) for y in (found, wanted))
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12, err_msg=f"network {seed}")
    return case.low


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


def same_rtl(seeds: Iterable[int], cache: Path, draw: Draw = static) -> int:
    """AssertionError unless the RTL of these networks, in one simulation, gives the integer graphs' outputs, and for
    frames of the greatest length at the planned interval and latency; how many networks there were.
    """
    cases = []
    for seed in seeds:
        try:
            case = draw(seed)
        except Refused:
            continue
        graph = case.low.graph
        if all(isinstance(n.op, Hardware) or n in graph.inputs or n.op.kind == "reshape" for n in graph.nodes):
            cases.append((seed, case, random_plan(graph, seed)))
    model = RtlModel.build_many([_netlist(p) for _, _, p in cases], Cache(cache), fast=False)
    for stalls in (0.0, 0.3):
        fed = [case.frames if stalls else case.longest for _, case, _ in cases]
        runs = model.run_many([Stimulus(_words(_netlist(p), p.graph, x), stalls, seed)
                               for (seed, _, p), x in zip(cases, fed, strict=True)])
        for (seed, _, plan), x, run in zip(cases, fed, runs, strict=True):
            _check(seed, x, plan, run, timed=not stalls)
    return len(cases)


def _netlist(plan: Plan) -> Netlist:
    return assemble(plan.graph, plan.folds, plan.depths, shared=plan.shared)


def _words(netlist: Netlist, graph: Graph, frames: tuple[Array, ...]) -> tuple[Array, ...]:
    found, sequences = [], lengths_of(graph)
    for end, node, x in zip(netlist.inputs, graph.inputs, frames, strict=True):
        if node in sequences:
            x = inside(x, frames[graph.inputs.index(sequences[node])])
        codes = node.out.range.encode(x).reshape(-1, netlist.width(end.stream) // node.out.range.bits)
        found.append(to_words(codes, node.out.range.bits))
    return tuple(found)


def _frames(of: Node, got: Received, lanes: int, graph: Graph) -> Array:
    """What came of an output."""
    values = of.out.range.decode(from_words(got.words, lanes, of.out.range.bits))
    return spread(values, got.ends, of) if of in lengths_of(graph) else values.reshape(-1, *of.out.shape)


def _check(seed: int, frames: tuple[Array, ...], plan: Plan, run: RtlRun, timed: bool) -> None:
    graph, netlist = plan.graph, _netlist(plan)
    values = graph.evaluate(*frames)
    for got, end, node in zip(run.received, netlist.outputs, graph.outputs, strict=True):
        y = _frames(node, got, netlist.width(end.stream) // node.out.range.bits, graph)
        assert np.array_equal(y, values[node]), f"network {seed}: the RTL gives other integers"
    if timed:
        timing = run.timing(len(frames[0]))
        assert timing.latency == plan.latency, f"network {seed}: latency {timing.latency}, planned {plan.latency}"
        assert timing.interval == plan.interval, f"network {seed}: interval {timing.interval}, planned {plan.interval}"


def main() -> None:
    """All of them, one after the other."""
    made = parser(__doc__)
    made.add_argument("--first", type=int, default=0, help="seed of the first network")
    made.add_argument("--count", type=int, default=2000, help="networks through the integer graph")
    made.add_argument("--rtl", type=int, default=0, help="of these, through the RTL")
    made.add_argument("--recurrent", action="store_true", help="networks with recurrent layers")
    args = made.parse_args()
    draw = recurrent if args.recurrent else static
    board, refusals, kinds, wrong = Board(), Counter[str](), Counter[str](), 0
    for seed in range(args.first, args.first + args.count):
        try:
            kinds.update(n.op.kind for n in same_integers(seed, draw).graph.nodes)
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
        done += same_rtl(seeds, Path(args.cache or REPO / ".cache"), draw)
    board.show("networks: RTL equals the integers, interval and latency as planned", done)
    board.end()


if __name__ == "__main__":
    main()
