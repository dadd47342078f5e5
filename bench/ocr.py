"""Fraktur lines read by a bidirectional LSTM at several precisions: characters right, hardware, and lines a second.

    python bench/ocr.py                       # trains what is not trained yet (an hour or two), then table and curve
    python bench/ocr.py --only W4A4 --lines 20
    python bench/ocr.py --device xczu7ev --fps 300

3,915 lines to train on, 427 to test; H = 96, CTC. The network in floating point is trained first, W8A8 and W4A4 start
from it, W2A4 and W2A2 from W4A4's weights, W1A2 from W2A2's, W1A1 from those. Accuracy is 1 - edit distance / length
over all test lines, as PyTorch computes it and through the integer graph of the compiled network. LUT and BRAM are the
plan's, of designs for one rate of lines of the greatest length; lines a second are those of the mean length. Runs are
kept under --cache.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from shared import Board, parser

import lutra.quant as q
from lutra.files import written
from lutra.train import lines
from lutra.train.checkpoint import read, write
from lutra.train.reading import Reading, compiled, plain, read_by
from lutra.train.stages import Settings
from lutra.zoo.nets.reader import Reader, recipe
from lutra.zoo.trainable import Bits, trainable

EVERY, BATCH, WIDTH = 40, 12, 640  # steps between checkpoints; lines of a step; pixels of the curve


@dataclass(frozen=True)
class Point:
    """Bits of weights and states, whose weights it starts from, epochs, and Adam's rate."""

    bits: tuple[int, int]
    start: str
    epochs: int
    rate: float


POINTS = {"W8A8": Point((8, 8), "float", 1, 5e-4), "W4A4": Point((4, 4), "float", 2, 1e-3),
          "W2A4": Point((2, 4), "W4A4", 2, 1e-3), "W2A2": Point((2, 2), "W4A4", 3, 2e-3),
          "W1A2": Point((1, 2), "W2A2", 4, 1.5e-3), "W1A1": Point((1, 1), "W1A2", 4, 1.5e-3)}


def trained(name: str, data: lines.Lines, folder: Path) -> dict[str, torch.Tensor]:
    """The state dict of a point, or of the network in floating point: kept, or trained, from a checkpoint on."""
    done, at = folder / f"{name}.pt", folder / f"{name}.checkpoint"
    if done.exists():
        found: dict[str, torch.Tensor] = read(done)
        return found
    point = POINTS.get(name)
    epochs = (11, 0) if point is None else (0, point.epochs)
    settings = Settings(Bits(*(point.bits if point else (4, 4)), 16), epochs, BATCH, 3 * point.rate if point else 4e-3)
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


def accuracy(net: Reader, data: lines.Lines, count: int) -> float:
    """Of the network in PyTorch, per cent."""
    run = Reading(trainable("ocr"), Settings(Bits(4, 4, 16), (0, 1)), data)
    run.net = net
    return 100 * run.accuracy(count)


def measured(name: str, data: lines.Lines, folder: Path, args: Any) -> dict[str, float]:
    """A point of the curve."""
    net = network(name, data, folder)
    found = {"torch": accuracy(net, data, args.lines)}
    if name not in POINTS:
        return found
    longest = int(data.test.lengths.max())
    acc = compiled(net, longest, args.device, fps=args.fps, cache=args.cache)
    said = read_by(acc, data, range(args.lines))
    cost, mean = acc.plan.cost, float(data.test.lengths.mean())
    return {**found, "integers": 100 * lines.right(said, data.test.texts[: args.lines]), "lut": cost.lut,
            "bram": cost.bram, "dsp": cost.dsp, "cycles": acc.interval * mean / longest,
            "lines a second": acc.fps * longest / mean}


def curve(found: dict[str, dict[str, float]]) -> str:
    """Characters right over LUTs, as an SVG."""
    points = sorted((r["lut"], r["integers"], n) for n, r in found.items() if n in POINTS)
    top, low = 100.0, min(y for _, y, _ in points) - 1
    right = max(x for x, _, _ in points) * 1.15

    def place(x: float, y: float) -> tuple[float, float]:
        return 60 + (WIDTH - 80) * x / right, 20 + 300 * (top - y) / (top - low)

    path = " ".join(f"{'ML'[i > 0]}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(place(a, b) for a, b, _ in points))
    level = place(0, found["float"]["torch"])[1] if "float" in found else None
    marks = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/><text x="{x + 7:.1f}" y="{y + 16:.1f}">{name}: {share:.2f} %, '
        f'{found[name]["lines a second"]:.0f} lines/s, {found[name]["bram"]:.0f} BRAM</text>'
        for (lut, share, name) in points for x, y in [place(lut, share)])
    whole = "" if level is None else (f'<path d="M60 {level:.1f}H{WIDTH - 20}" stroke-dasharray="4"/>'
                                      f'<text x="64" y="{level - 5:.1f}">float {found["float"]["torch"]:.2f} %</text>')
    ticks = "".join(f'<text x="{place(right * k / 4, low)[0]:.1f}" y="338">{right * k / 4 / 1000:.0f}k</text>'
                    for k in range(1, 5))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 160} 360" font-family="sans-serif" '
            f'font-size="12"><g fill="none" stroke="#27547d"><path d="M60 20V320H{WIDTH - 20}" stroke="#444"/>'
            f'<path d="{path}"/></g><g stroke="#27547d">{whole.split("<text")[0]}</g>'
            f'{"".join("<text" + t for t in whole.split("<text")[1:])}{marks}{ticks}'
            f'<text x="8" y="24">{top:.0f} %</text><text x="8" y="320">{low:.0f} %</text>'
            f'<text x="{WIDTH // 2}" y="356">LUT</text></svg>\n')


def main() -> None:
    """Print the table, write it as JSON and the curve as SVG beside the runs."""
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
    if args.only is None:
        board.bar("float: characters right", found["float"]["torch"], "%", least=95)
        board.bar("W4A4 below float", found["float"]["torch"] - found["W4A4"]["integers"], "points", most=1)
        written(folder / "ocr.json", json.dumps(found, indent=1))
        written(folder / "ocr.svg", curve(found))
    board.end()


if __name__ == "__main__":
    main()
