"""FracBNN from pixels to logits: trained for a few steps by the zoo's recipe, compiled, and compared on CIFAR-10.

    python bench/fracbnn.py                     # the network of 8 layers and the paper's of 20
    python bench/fracbnn.py --network fracbnn --images 100

After so few steps the networks know little; what counts is that weights, statistics and gates are those of training.
The bars: the integer graph equals the network on every output of the test images; as many gates are open, layer by
layer; and the RTL of the smaller one equals both.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from shared import REPO, Board, parser

import lutra
from lutra.accelerator import Accelerator
from lutra.ops.gated.op import Gated
from lutra.train.data import Images
from lutra.train.stages import Run, Settings, right
from lutra.zoo.nets.fracbnn import FractionalConv
from lutra.zoo.trainable import trainable

sys.path.insert(0, str(REPO / "examples"))
from resnet20_qdq import cifar

BATCH, PART, COUNTED = 32, 100, 20  # images of a step; at once; of which gates are counted
DEVICE = "xczu3eg"  # the paper's


def trained(run: Run, board: Board) -> None:
    """All steps of a run: half of them in floating point."""
    begin = time.perf_counter()
    losses = [now.loss for now in run.train()]
    board.show(f"trained, {len(losses)} steps", time.perf_counter() - begin, "s")
    board.show("loss of the first and last of them", f"{losses[0]:.3f} {losses[-1]:.3f}")


def opened(net: torch.nn.Module, x: torch.Tensor) -> list[int]:
    """How many gates of each convolution are open, as the network itself computes them."""
    seen: list[tuple[FractionalConv, torch.Tensor]] = []
    hooks = [m.register_forward_hook(lambda m, args, _: seen.append((m, args[0]))) for m in net.modules()
             if isinstance(m, FractionalConv)]
    with torch.no_grad():
        net(x)
        for hook in hooks:
            hook.remove()
        sums = [(m, torch.nn.functional.conv2d(m.planes(y)[0], m.signs(), stride=m.stride, padding=1)) for m, y in seen]
        return [int(m.gate(s).sum()) for m, s in sums]


def gates(acc: Accelerator, x: torch.Tensor) -> tuple[list[int], float]:
    """The same of the integer graph, and the share of gates that are open."""
    graph = acc.lowered.graph
    values = graph.evaluate(acc.lowered.input.integers(x.numpy()))
    found = [n.op.gates(values[n.args[0]]) for n in graph.nodes if isinstance(n.op, Gated)]
    return [int(g.sum()) for g in found], float(np.mean([g.mean() for g in found]))


def main() -> None:
    """Train, compile, compare."""
    made = parser(__doc__)
    made.add_argument("--network", choices=("fracbnn_small", "fracbnn"), action="append", help="both by default")
    made.add_argument("--steps", type=int, default=20, help="of training, half of them in floating point")
    made.add_argument("--images", type=int, default=1000, help="test images")
    made.add_argument("--rtl", type=int, default=2, help="images through the RTL of the smaller network")
    made.add_argument("--fps", type=float, default=200, help="frames a second that are planned for")
    args = made.parse_args()
    half = max(args.steps // 2, 1) * BATCH
    found = Images(*cifar(args.data / "cifar10", "train_1", half), *cifar(args.data / "cifar10", "test"))
    board = Board()
    for name in args.network or ("fracbnn_small", "fracbnn"):
        plan = trainable(name)
        board.show(f"-- {name}", plan.about)
        run = Run(plan, Settings(plan.bits, (1, 1), BATCH, plan.rate), found)
        trained(run, board)
        x = run.pixels(torch.from_numpy(found.x_test[: args.images]))
        begin = time.perf_counter()
        acc = lutra.compile(run.net, x[:1], device=DEVICE, fps=args.fps, cache=args.cache)
        board.show("compiled", time.perf_counter() - begin, "s")
        board.show("units", len(acc.plan.stages))
        cost = acc.plan.cost
        board.show(f"estimated for {acc.plan.fps:.0f} frames a second",
                   f"{cost.lut:.0f} LUT, {cost.ff:.0f} FF, {cost.bram:.0f} BRAM18, {cost.dsp:.0f} DSP")
        with torch.no_grad():
            theirs = torch.cat([run.net(part) for part in x.split(PART)])
        ours = torch.cat([acc.run(part) for part in x.split(PART)])
        board.show("accuracy", 100 * right(ours, found.y_test), "%")
        board.bar(f"of {ours.numel()} outputs different from the network's", int((ours != theirs).sum()), most=0)
        counted, share = gates(acc, x[:COUNTED])
        board.show(f"gates open in {COUNTED} images", 100 * share, "%")
        theirs_open = opened(run.net, x[:COUNTED])
        board.bar(f"of {len(theirs_open)} layers with other counts of gates",
                  sum(a != b for a, b in zip(counted, theirs_open, strict=True)), most=0)
        if name == "fracbnn_small" and args.rtl:
            begin = time.perf_counter()
            different = int((torch.as_tensor(acc.simulate(x[: args.rtl])) != theirs[: args.rtl]).sum())
            board.bar(f"outputs of the RTL that differ, {args.rtl} images", different, most=0)
            board.show("simulated, with its build", time.perf_counter() - begin, "s")
    board.end()


if __name__ == "__main__":
    main()
