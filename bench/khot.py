"""K-hot weights without a multiplier: LUTs and DSP blocks beside those of multipliers, in one run.

    python bench/khot.py            # about 10 minutes on 2 cores
    python bench/khot.py --family xc7

Weights are normal integers of 8 bits, of which the nearest with K ones is taken (QFX, arXiv:2401.17544); inputs have 8
bits. A folded unit has 8 x 8 lanes and its weights in block memory, so that these are counted apart; LUTs are those of
the whole unit over its 64 lanes. An unrolled one has all 16 x 16 weights as constants, used every cycle. No form but
"dsp" may have a DSP block (of Xilinx) or a MULT18X18D (of ECP5).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from platformdirs import user_cache_dir
from shared import Array, Board, parser

from lutra.ir import Constant, Range, Tensor
from lutra.ops.base import Fold
from lutra.ops.matmul.op import MatMul
from lutra.synth import synthesise_block
from lutra.tools.cache import Cache

FAMILIES = ("xc7", "ecp5")
FOLDED, LANES, UNROLLED = 64, 8, 16
X = Range(-128, 127)


def drawn(size: int, bits: int) -> Array:
    """A square matrix of integers of so many bits."""
    half = 1 << (bits - 1)
    values = np.rint(np.random.default_rng(0).normal(0, half / 2.5, (size, size)))
    return np.clip(values, 1 - half, half - 1).astype(np.int64)


def hot(weights: Array, ones: int) -> Array:
    """The nearest integers of 7 bits with so many ones, ties to the smaller magnitude."""
    words = np.array([n for n in range(128) if n.bit_count() <= ones])
    nearest = words[np.abs(np.abs(weights)[..., None] - words).argmin(axis=-1)]
    return np.sign(weights) * nearest


def cases(size: int, without: str) -> list[tuple[str, Array, str]]:
    """What a matrix is called, its weights, how it is multiplied: `without` for those that need no multiplier."""
    whole, narrow = drawn(size, 8), drawn(size, 4)
    return [(f"K = {k}", hot(whole, k), without) for k in (1, 2, 3)] + [
        ("8 bits", whole, "lut"), ("8 bits", whole, "dsp"), ("4 bits", narrow, "lut"), ("4 bits", narrow, "dsp")]


def main() -> None:
    """The folded unit, then the unrolled one."""
    made = parser(__doc__)
    made.add_argument("--family", choices=FAMILIES, action="append", help="all of them by default")
    args = made.parse_args()
    cache, board = Cache(Path(args.cache or user_cache_dir("lutra"))), Board()
    for family in args.family or FAMILIES:
        for name, weights, mul in cases(FOLDED, "shifts"):
            show(board, cache, f"{family}: folded, {name} by {mul}", weights, Fold(LANES, LANES, "block", mul), family)
        constants = [("8 bits", drawn(UNROLLED, 8), "adders"), ("4 bits", drawn(UNROLLED, 4), "adders")]
        for name, weights, mul in cases(UNROLLED, "adders") + constants:
            fold = Fold(UNROLLED, UNROLLED, "auto", mul)
            show(board, cache, f"{family}: unrolled, {name} by {mul}", weights, fold, family)
    board.end()


def show(board: Board, cache: Cache, what: str, weights: Array, fold: Fold, family: str) -> None:
    """One unit: measured, estimated, and its DSP blocks."""
    op, x = MatMul(Constant(weights)), Tensor((weights.shape[1],), X)
    found, guess = synthesise_block(op.block(fold, x), family, cache), op.cost(fold, x, family)
    lanes = fold.pe * fold.simd
    board.show(f"{what}: {'LUT4' if family == 'ecp5' else 'LUT6'} for a weight and cycle", found.lut / lanes)
    board.show(f"{what}: estimated", guess.lut / lanes)
    board.show(f"{what}: flip-flops", found.ff / lanes)
    board.bar(f"{what}: DSP blocks", found.dsp, most=None if fold.mul == "dsp" else 0)


if __name__ == "__main__":
    main()
