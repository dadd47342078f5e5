"""CNV-W1A1 of BNN-PYNQ on CIFAR-10: accuracy, rate, RTL, and what it takes beside the formula of FINN-R.

    python bench/cnv.py                    # accuracy, rate, RTL, intervals and synthesis for xc7z020
    python bench/cnv.py --no-synth         # without synthesis
    python bench/cnv.py --place            # and place and route on ECP5-85k: long

Two plans: the overlay's own folds (interval 32,768 cycles), and Lutra's for 3,000 images/s at 100 MHz. The estimate is
that of Blott et al., FINN-R (TRETS 2018), as its authors' compiler has it; it counts the matrix-vector units alone.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from shared import REPO, Array, Board, best_of, parser

import lutra
from lutra.ops.matmul.op import MatMul
from lutra.plan.stages import Stage

sys.path.insert(0, str(REPO / "examples"))
import cnv_bnn_pynq as example

RATES = (1000, 3000, 10_000, 30_000)  # images/s at 100 MHz
PIXELS = {"input_range": (0, 255), "input_scale": 1 / 255}


def estimate(stage: Stage, out_bits: int) -> tuple[float, int]:
    """LUT and RAMB18 of a matrix-vector unit by FINN-R; out_bits is 0 where no thresholds follow."""
    assert isinstance(stage.unit, MatMul)
    (rows, columns), p, q = stage.unit.weights.shape, stage.fold.pe, stage.fold.simd
    w, a = stage.unit.weights.range.bits, stage.x.range.bits
    both, folds, rounds = w + a, rows // p * (columns // q), rows // p
    product = q * (2 * math.ceil(both / 6) - 1) * both
    tree = both * (2 * q - 1)
    alpha = math.log2(columns) + both - 1 - (stage.x.range.lo < 0)
    acc = math.ceil(alpha + math.log2(1 + 2**-alpha) + 1)
    steps = 2**out_bits - 1
    logic = 300 + 1.1 * p * (product + tree + acc + steps * acc * math.ceil(rounds / 64) + steps * acc)
    if folds <= 128:
        return logic + p * q * w * math.ceil(folds / 64), 0
    return logic, ramb18(p * q * w, folds)


def ramb18(width: int, depth: int) -> int:
    """Block memories for words of `width` bits, by aspect ratio (FINN-R's table)."""
    for most, bits, words in ((1, 1, 16384), (2, 2, 8192), (4, 4, 4096), (9, 9, 2048)):
        if width <= most:
            return math.ceil(depth / words) * math.ceil(width / bits)
    if width <= 18 or depth > 512:
        return math.ceil(depth / 1024) * math.ceil(width / 18)
    return math.ceil(depth / 512) * math.ceil(width / 36)


def formula(acc: lutra.Accelerator) -> tuple[float, int]:
    """The estimate for all matrix-vector units of a plan."""
    units = [s for s in acc.plan.stages if isinstance(s.unit, MatMul)]
    parts = [estimate(s, 1 if s is not units[-1] else 0) for s in units]
    return sum(p[0] for p in parts), sum(p[1] for p in parts)


def numbers(acc: lutra.Accelerator, x: Array, labels: Array, board: Board) -> None:
    """Accuracy and rate of the integer reference."""
    right = int((acc.run(x).reshape(len(x), -1).argmax(1) == labels).sum())
    board.bar("accuracy on 10,000 images", right / 100, "%", least=79.36, most=79.36)
    batch = x[:1000]
    board.bar("lutra run", len(batch) / best_of(lambda: acc.run(batch), 3), "images/s", least=250)


def plan(name: str, acc: lutra.Accelerator, x: Array, args: object, board: Board) -> None:
    """One plan: interval, RTL, synthesis."""
    board.show(f"{name}: interval", acc.interval, f"cycles, {acc.fps:,.0f} images/s at {acc.plan.clock_mhz:g} MHz")
    begin = time.perf_counter()
    cycles = acc.measure(frames=4)
    board.bar(f"{name}: measured minus planned interval", cycles["interval"] - acc.interval, "cycles", least=0, most=0)
    words = acc.verify(x)
    seconds = time.perf_counter() - begin
    board.show(f"{name}: {len(x)} images through the RTL, all equal", words, f"integers, {seconds:.0f} s")
    lut, bram = formula(acc)
    board.show(f"{name}: LUT by FINN-R's formula (matrix units alone)", lut, f"LUT6, {bram} RAMB18")
    if args.synth:  # type: ignore[attr-defined]
        total = acc.synthesise().total
        board.show(f"{name}: LUT by Yosys, whole design", total.lut, f"LUT6, {total.bram} RAMB18, {total.ff} FF")
        units = [s.name for s in acc.plan.stages if isinstance(s.unit, MatMul)]
        own = acc.measured["synthesised"][acc.plan.device.name]["units"]
        board.show(f"{name}: of these the matrix units", sum(own[u]["lut"] for u in units),
                   f"LUT6, {sum(own[u]['bram'] for u in units)} RAMB18")
        board.show(f"{name}: LUT by Lutra's estimate", acc.plan.cost.lut, f"LUT6, {acc.plan.cost.bram:.0f} RAMB18")


def fits(model: Path, rate: int, args: object, board: Board) -> None:
    """What a rate takes of an ECP5-85k by the plan, or what there is too little of."""
    name = f"ECP5-85k, {rate:,} images/s"
    try:
        acc = lutra.compile(model, "ecp5-85k", fps=rate, cache=args.cache, **PIXELS)  # type: ignore[attr-defined]
    except lutra.LutraError as e:
        board.show(f"{name}: does not fit", 0, str(e))
    else:
        cost, device = acc.plan.cost, acc.plan.device
        board.show(f"{name}: fits", cost.lut, f"of {device.lut:,} LUT4, {cost.bram:.0f} of {device.bram} DP16KD")


def main() -> None:
    """Both plans, and what fits a small device."""
    made = parser(__doc__)
    made.add_argument("--images", type=int, default=50, help="through the RTL")
    made.add_argument("--no-synth", dest="synth", action="store_false", help="no synthesis")
    made.add_argument("--place", action="store_true", help="place and route on ECP5-85k")
    args = made.parse_args()
    board = Board()
    x, labels = example.images(args.data)
    x = np.ascontiguousarray(x)
    with tempfile.TemporaryDirectory() as name:
        model, folds = Path(name) / "cnv.onnx", Path(name) / "folding.toml"
        model.write_bytes(example.build(*example.parameters(args.data)).SerializeToString())
        folds.write_text(example.folding())
        overlay = lutra.compile(model, "xc7z020", folding=folds, cache=args.cache, **PIXELS)
        own = lutra.compile(model, "xc7z020", fps=3000, cache=args.cache, **PIXELS)
        numbers(own, x, labels, board)
        board.bar("overlay's folds: interval", overlay.interval, "cycles", least=32768, most=32768)
        plan("overlay's folds", overlay, x[: args.images], args, board)
        board.bar("own folds: rate", own.fps, "images/s", least=3000)
        plan("own folds", own, x[: args.images], args, board)
        for rate in RATES:
            fits(model, rate, args, board)
        if args.place:
            small = lutra.compile(model, "ecp5-85k", fps=min(RATES), cache=args.cache, **PIXELS)
            report = small.place()
            board.show("ECP5-85k: clock after place and route", report.fmax_mhz, "MHz")
    board.end()


if __name__ == "__main__":
    main()
