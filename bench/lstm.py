"""The LSTM of FINN-L (arXiv 1807.04093): its published rows by a cycle model, and our engine at their folds.

    python bench/lstm.py                   # the model, and our plans' intervals
    python bench/lstm.py --simulate        # and what RTL simulation measures: minutes
    python bench/lstm.py --synth xcup      # and what Yosys makes of each
    python bench/lstm.py --fill xczu7ev    # and as many engines side by side, each with its own lines, as fit

Lines of 520 columns of 32 pixels, 128 neurons, 82 classes, weights drawn from a seed: Turn, the cell, Unturn, scores,
arg-max, CTC. Published are milliseconds on a PYNQ-Z1 at 100 MHz.

Then one direction of 32 neurons in steps of so few cycles that the drain shows, alone and with lines in turn.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lutra.hw.netlist import Netlist
from lutra.ir import Constant, Graph, Input, Node, Range, Tensor, rewrite
from lutra.ops.argmax.op import ArgMax
from lutra.ops.collapse.op import Collapse
from lutra.ops.mark.op import Mark
from lutra.ops.matmul.op import MatMul
from lutra.ops.recurrent.op import Lstm
from lutra.ops.requant.format import Format
from lutra.ops.reshape.op import Reshape
from lutra.ops.turn.op import Turn, Unturn
from lutra.plan.assemble import assemble
from lutra.plan.devices import Device, device
from lutra.plan.goals import BUDGET
from lutra.plan.hand import by_hand
from lutra.plan.plan import Plan
from lutra.rules.interleave import interleaved
from lutra.rules.simplify import RULES
from lutra.sim.rtl import RtlModel, from_words, to_words
from lutra.synth import Resources, synthesise_block
from lutra.tools.cache import Cache

DEVICE = "xc7z020"  # of the PYNQ-Z1
COLUMNS, INPUTS, HIDDEN, CLASSES, CLOCK_MHZ = 520, 32, 128, 82, 100.0
WITHIN = 0.01  # of what was published
IN_TURN = 1, 2, 4  # lines of a group
SMALL, FOLD = 32, {"pe": 8, "simd": 32, "simd_r": 32}  # neurons; four cycles a step
GROUPS = 3  # of lines, that are simulated
CACHE = Path(__file__).resolve().parents[1] / ".cache" / "lstm"


@dataclass(frozen=True)
class Row:
    """A published design: bits of weights and activations, folds, milliseconds a line, and the drain that its extra
    cycles are, a column and direction; what it takes.
    """

    weights: int
    activations: int
    pe: int
    simd: int
    simd_r: int
    ms: float
    drain: int
    used: str  # LUT / FF / RAMB18 / DSP

    @property
    def cycles(self) -> int:
        """By the model."""
        return finn_l(COLUMNS, HIDDEN, INPUTS, CLASSES, self.pe, self.simd, self.simd_r, self.drain)

    def __str__(self) -> str:
        return f"W{self.weights}A{self.activations}"


ROWS = (Row(2, 2, 2, 32, 128, 1.2936, 42, "26,423 / 39,703 / 239 / 180"),
        Row(2, 4, 1, 16, 64, 2.9668, 29, "26,173 / 24,649 / 167 / 7"),
        Row(4, 4, 1, 16, 64, 2.9580, 28, "38,260 / 26,618 / 207 / 7"),
        Row(4, 8, 1, 4, 16, 11.0899, 42, "41,895 / 41,588 / 210 / 7"))


def finn_l(columns: int, hidden: int, inputs: int, classes: int, pe: int, simd: int, simd_r: int, drain: int) -> int:
    """Cycles a line: for each column of each direction the slower of the hidden layer and of the output layer, which
    takes a class a cycle, and the hidden layer's pipeline running empty.
    """
    hidden_layer = hidden // pe * max(inputs // simd, hidden // simd_r)
    return 2 * columns * (max(hidden_layer, classes) + drain)


def sequence(activations: int) -> tuple[Node, Node]:
    """Lines and their lengths."""
    a = 1 << (activations - 1)
    x = Node(Input("x", Tensor((COLUMNS, INPUTS), Range(-a, a - 1))))
    return x, Node(Input("lengths", Tensor((1,), Range(1, COLUMNS))))


def cell(rng: np.random.Generator, row: Row, directions: int, hidden: int) -> Lstm:
    """Formats as released: sums of 16 bits, c of 16, tables of 256 entries and 8 bits; c casts to nearest even."""
    w = 1 << (row.weights - 1)
    up = 8 - (row.weights - 1) - (row.activations - 1)  # sums have 8 bits behind the point
    scale = max(up, 0)
    index = Format(3, 8, True, "TRN", "SAT")
    steps = np.arange(-128, 128) / 32 * 1.25
    sigmoid, tanh = (Constant(np.rint(64 * v).astype(np.int64)) for v in (1 / (1 + np.exp(-steps)), np.tanh(steps)))
    return Lstm(
        Constant(rng.integers(-w, w, (directions, 4, hidden, INPUTS))),
        Constant(rng.integers(-w, w, (directions, 4, hidden, hidden))),
        Constant(rng.integers(-128, 128, (directions, 4, hidden))), None, (scale, scale, 0, 0, 0),
        Format(max(-up, 0), 16, True, "TRN", "WRAP"), (index, index), sigmoid, tanh,
        Format(6, 16, True, "RND_CONV", "SAT"), Format(1, 8, True, "TRN", "SAT"), tanh,
        Format(13 - row.activations, row.activations, True, "RND_CONV", "SAT"))


def network(row: Row) -> Graph:
    """Both directions, a score for each class, what the best ones spell."""
    rng = np.random.default_rng(row.weights * 10 + row.activations)
    w = 1 << (row.weights - 1)
    x, lengths = sequence(row.activations)
    h = Node(cell(rng, row, 2, HIDDEN), (Node(Turn(), (x, lengths)), lengths))
    scores = Node(MatMul(Constant(rng.integers(-w, w, (CLASSES, 2 * HIDDEN)))), (Node(Unturn(), (h, lengths)),))
    return Graph((x, lengths), (Node(Collapse(0), (Node(ArgMax(), (scores,)), lengths)),))


def in_turn(lines: int) -> Plan:
    """One direction of few neurons, W2A2, with so many lines in turn."""
    x, lengths = sequence(2)
    each = Node(Reshape((COLUMNS, 1, INPUTS)), (x,))
    h = Node(cell(np.random.default_rng(0), ROWS[0], 1, SMALL), (each, lengths))
    graph = Graph((x, lengths), (Node(Mark(), (Node(Reshape((COLUMNS, SMALL)), (h,)), lengths)),))
    return by_hand(rewrite(interleaved(graph, lines), RULES), device(DEVICE), CLOCK_MHZ, {"lstm0": FOLD})


def planned(row: Row) -> Plan:
    """The row's folds for the cell; all others no slower."""
    return by_hand(network(row), device(DEVICE), CLOCK_MHZ,
                   {"lstm0": {"pe": row.pe, "simd": row.simd, "simd_r": row.simd_r}})


def measured(plan: Plan, netlist: Netlist) -> tuple[int, bool]:
    """Cycles a group of lines in RTL simulation of whole lines, and whether all that comes is the integers'."""
    rng = np.random.default_rng(1)
    x, lengths = plan.graph.inputs
    (out,) = plan.graph.outputs
    lines = rng.integers(x.out.range.lo, x.out.range.hi + 1, (GROUPS, *x.out.shape))
    counts = np.full((GROUPS, lengths.out.size), COLUMNS)
    lanes, given = (netlist.width(ends[0].stream) // n.out.range.bits
                    for ends, n in ((netlist.inputs, x), (netlist.outputs, out)))
    words = (to_words(x.out.range.encode(lines).reshape(-1, lanes), x.out.range.bits),
             to_words(lengths.out.range.encode(counts).reshape(-1, 1), lengths.out.range.bits))
    run = RtlModel.build(netlist, Cache(CACHE)).run(words, patience=4 * plan.interval)  # a group in, a group out
    (end,) = run.received
    wanted = plan.graph.evaluate(lines, counts)[out].reshape(len(end.ends), -1)
    found = np.split(out.out.range.decode(from_words(end.words, given, out.out.range.bits)), end.ends[:-1])
    return run.timing(GROUPS).interval, all(np.array_equal(f.ravel(), w[: f.size])
                                            for f, w in zip(found, wanted, strict=True))


def show_in_turn(simulate: bool) -> None:
    """Cycles a line with lines in turn."""
    for lines in IN_TURN:
        plan = in_turn(lines)
        (stage,) = [s for s in plan.stages if s.unit.kind == "lstm"]
        rest = stage.unit.rest(stage.fold, stage.xs[0])
        print(f"{lines} in turn: {plan.interval / lines:,g} cycles a line, bound by {plan.bottleneck.name}; {rest} "
              f"cycles a column not hidden; {plan.cost.lut:,.0f} LUT, {plan.cost.bram:g} block memories", flush=True)
        if simulate:
            cycles, equal = measured(plan, assemble(plan.graph, plan.folds, plan.depths))
            print(f"  simulated {cycles / lines:,g}, states {'equal' if equal else 'DIFFER'}", flush=True)


def filled(one: Resources, chip: Device, interval: int) -> str:
    """How many engines of these resources fill a chip but for what plans leave free, and the lines that they read."""
    share = one.share(chip)
    count = int(BUDGET / max(share.values()))
    used = ", ".join(f"{count * getattr(one, r):,} {r.upper()} ({count * s:.0%})" for r, s in share.items() if s)
    return f"{count} engines on {chip.name}: {used}; {count * CLOCK_MHZ * 1e6 / interval:,.0f} lines a second"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulate", action="store_true")
    parser.add_argument("--synth", metavar="FAMILY", choices=("xc7", "xcup", "ecp5"))
    parser.add_argument("--fill", metavar="DEVICE", type=device)
    parser.add_argument("--rows", nargs="*", default=[str(r) for r in ROWS])
    chosen = parser.parse_args()
    for row in (r for r in ROWS if str(r) in chosen.rows):
        published = row.ms * CLOCK_MHZ * 1e3
        off = row.cycles / published - 1
        print(f"{row}: published {published:,.0f} cycles a line, model {row.cycles:,} ({off:+.2%}, drain {row.drain})")
        assert abs(off) < WITHIN, row
        plan = planned(row)
        ours = plan.interval
        (cell,) = [s for s in plan.stages if s.unit.kind == "lstm"]
        drain = cell.unit.depth(cell.fold, cell.xs[0].range) + cell.unit.drain()
        print(f"  ours {ours:,} ({published / ours:.2f} times as fast), bound by {plan.bottleneck.name}; "
              f"drain {drain} of which {cell.unit.drain()} behind the products, "
              f"{cell.unit.rest(cell.fold, cell.xs[0])} cycles a column not hidden", flush=True)
        netlist = assemble(plan.graph, plan.folds, plan.depths)
        if chosen.simulate:
            cycles, equal = measured(plan, netlist)
            print(f"  simulated {cycles:,} cycles a line, labels {'equal' if equal else 'DIFFER'}", flush=True)
        if family := chosen.fill.family if chosen.fill else chosen.synth:
            found = {s.name: synthesise_block(s.block, family, Cache(CACHE)) for s in plan.stages}
            for name, r in found.items():
                print(f"  {name}: {r}")
            one = sum(found.values(), Resources())
            print(f"  LUT / FF / RAMB18 / DSP {one.lut:,} / {one.ff:,} / {one.bram} / {one.dsp} on {family}, "
                  f"published on {DEVICE} {row.used}")
            if chosen.fill:
                print("  " + filled(one, chosen.fill, ours), flush=True)
    show_in_turn(chosen.simulate)


if __name__ == "__main__":
    main()
