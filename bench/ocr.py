"""Fraktur lines read by a bidirectional LSTM at several precisions: characters right, hardware, and lines a second.

    python bench/ocr.py                       # trains what is not trained yet (an hour or two), then table and curve
    python bench/ocr.py --only W4A4 --lines 20
    python bench/ocr.py --device xczu7ev --fps 300

3,915 lines to train on, 427 to test; H = 96, CTC. The network in floating point is trained first, W8A8 and W4A4 start
from it, W2A4 and W2A2 from W4A4's weights, W1A2 from W2A2's, W1A1 from those. Accuracy is 1 - edit distance / length
over all test lines, through the integer graph of the compiled network, whose text has to be PyTorch's in every line.
Designs are those for one rate of lines of the greatest length; LUTs, flip-flops and memories are Yosys's, unit by unit,
beside the plan's estimates; cycles and lines a second are those of a line of the mean length at the plan's clock. Runs
and results are kept under --cache.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from ocr_figures import curve, table
from shared import Board, parser

import lutra.quant as q
from lutra.files import written
from lutra.train import lines
from lutra.train.checkpoint import read, write
from lutra.train.reading import Reading, compiled, plain, read_by
from lutra.train.stages import Settings
from lutra.zoo.nets.reader import Reader, recipe
from lutra.zoo.trainable import Bits, trainable

EVERY, BATCH = 40, 12  # steps between checkpoints; lines of a step


@dataclass(frozen=True)
class Point:
    """Bits of weights and states, whose weights it starts from, epochs, Adam's rate, and that of binary points: those
    of one-bit weights stay as they are fitted, as a point that moves by one doubles or halves all weights of a matrix.
    """

    bits: tuple[int, int]
    start: str
    epochs: int
    rate: float
    points: float = 1e-2


POINTS = {"W8A8": Point((8, 8), "float", 1, 5e-4), "W4A4": Point((4, 4), "float", 2, 1e-3),
          "W2A4": Point((2, 4), "W4A4", 2, 1e-3), "W2A2": Point((2, 2), "W4A4", 3, 2e-3),
          "W1A2": Point((1, 2), "W2A2", 4, 1.5e-3, 0), "W1A1": Point((1, 1), "W1A2", 4, 1.5e-3, 0)}


def trained(name: str, data: lines.Lines, folder: Path) -> dict[str, torch.Tensor]:
    """The state dict of a point, or of the network in floating point: kept, or trained, from a checkpoint on."""
    done, at = folder / f"{name}.pt", folder / f"{name}.checkpoint"
    if done.exists():
        found: dict[str, torch.Tensor] = read(done)
        return found
    point = POINTS.get(name)
    epochs = (11, 0) if point is None else (0, point.epochs)
    settings = Settings(Bits(4, 4, 16), epochs, BATCH, 4e-3) if point is None else Settings(
        Bits(*point.bits, 16), epochs, BATCH, 3 * point.rate, point.points)
    run = Reading(trainable("ocr"), settings, data)
    if at.exists():
        run.load(read(at))
    elif point is not None:
        run.start(plain(trained(point.start, data, folder)))
    for now in run.train():
        if now.batch % EVERY == 0:
            write(at, run.state())
            print(f"  {name}: epoch {now.epoch + 1}, step {now.batch} of {now.batches}, loss {now.loss:.3f}, "
                  f"{now.skipped} steps left out", flush=True)
        if point is None and (now.epoch + 1, now.batch) == (epochs[0], now.batches):
            break  # no stage in fixed point
    write(done, run.net.state_dict())
    return run.net.state_dict()


def network(name: str, data: lines.Lines, folder: Path) -> Reader:
    """A trained network in evaluation mode."""
    state = trained(name, data, folder)
    net = Reader(len(data.alphabet) + 1)
    if name in POINTS:
        q.quantize(net, recipe(*POINTS[name].bits))
    net.load_state_dict(state)
    return net.eval()


def said_by(net: Reader, data: lines.Lines, count: int) -> list[str]:
    """What the network in PyTorch makes of the first test lines."""
    run = Reading(trainable("ocr"), Settings(Bits(4, 4, 16), (0, 1)), data)
    run.net = net
    return run.read(count)


def measured(name: str, data: lines.Lines, folder: Path, args: Any) -> dict[str, float]:
    """A point of the curve."""
    net, wanted = network(name, data, folder), data.test.texts[: args.lines]
    said = said_by(net, data, args.lines)
    found = {"torch": 100 * lines.right(said, wanted)}
    if name not in POINTS:
        return found
    longest, mean = int(data.test.lengths.max()), float(data.test.lengths.mean())
    acc = compiled(net, longest, args.device, fps=args.fps, cache=args.cache)
    integers = read_by(acc, data, range(args.lines))
    made, planned = acc.synthesise().total, acc.plan.cost
    return {**found, "integers": 100 * lines.right(integers, wanted),
            "lines of equal text": sum(map(str.__eq__, said, integers)), "lut": made.lut, **asdict(made),
            "planned lut": planned.lut, "planned ff": planned.ff, "planned bram": planned.bram,
            "cycles": acc.interval * mean / longest, "lines a second": acc.fps * longest / mean}


def main() -> None:
    """Print the table, and write it and the curve beside the runs."""
    options = parser(__doc__)
    options.add_argument("--only", help="one point, for example W4A4")
    options.add_argument("--lines", type=int, default=427, help="how many test lines")
    options.add_argument("--device", default="xc7z045")
    options.add_argument("--fps", type=float, default=200, help="lines of the greatest length a second")
    args = options.parse_args()
    data = lines.load(args.data / "ocr")
    folder = Path(args.cache or "build") / "ocr"
    found, board = {}, Board()
    for name in [args.only] if args.only else ["float", *POINTS]:
        found[name] = measured(name, data, folder, args)
        for what, value in found[name].items():
            board.show(f"{name}: {what}", value)
        if name in POINTS:
            board.bar(f"{name}: lines of text equal to PyTorch's", found[name]["lines of equal text"], "lines",
                      least=min(args.lines, len(data.test.texts)))
    if args.only is None:
        board.bar("float: characters right", found["float"]["torch"], "%", least=95)
        board.bar("W4A4 below float", found["float"]["torch"] - found["W4A4"]["integers"], "points", most=1)
        written(folder / "ocr.json", json.dumps(found, indent=1))
        written(folder / "ocr.md", table(found))
        print(table(found), f"curve: {written(folder / 'ocr.svg', curve(found))}", sep="\n")
    board.end()


if __name__ == "__main__":
    main()
