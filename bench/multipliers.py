"""Multipliers of a matrix-vector unit of 16 x 16 lanes: LUTs, DSP blocks, and exactness at the extremes.

    python bench/multipliers.py            # 20 minutes on 2 cores
    python bench/multipliers.py --no-rtl   # counts alone

Weights are in block memory, so that these are counted apart. LUTs of a multiply-accumulate are all others of the unit,
the adder trees, accumulators and the input's buffer among them, over its 256 lanes. LUT6 of Xilinx and LUT4 of ECP5
are different things.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from platformdirs import user_cache_dir
from shared import Board, parser

from lutra.ir import Constant, Graph, Input, Node, Range, Tensor
from lutra.ops.base import Fold
from lutra.ops.matmul.op import MatMul
from lutra.plan.assemble import assemble
from lutra.sim.rtl import RtlModel, from_words, to_words
from lutra.synth import synthesise_block
from lutra.tools.cache import Cache

LANES, SIZE = 16, 64
CASES = [("xc7", "lut", 8), ("xc7", "dsp", 8), ("xc7", "dsp2", 8), ("xcup", "dsp2", 8), ("ecp5", "dsp", 8),
         ("xc7", "lut", 4), ("ecp5", "lut", 4)]
BARS = {("xc7", "lut", 8): 60.0}  # LUT6 for a multiply-accumulate
BLOCKS = {("xc7", "dsp", 8): 256, ("xc7", "dsp2", 8): 128, ("xcup", "dsp2", 8): 128, ("ecp5", "dsp", 8): 256}


def unit(bits: int) -> tuple[Node, Node]:
    """The input and the product, all of signed integers of so many bits, the extremes among the weights."""
    half = 1 << (bits - 1)
    x = Node(Input("x", Tensor((SIZE,), Range(-half, half - 1))))
    weights = np.random.default_rng(0).integers(-half, half, (SIZE, SIZE))
    weights[:4] = np.array([[-half], [half - 1], [-half], [-half]])
    return x, Node(MatMul(Constant(weights)), (x,))


def exact(mul: str, cache: Cache) -> int:
    """Pairs of a weight and an input of 8 bits, and of two weights at the ends with each input, whose product RTL gave
    otherwise than it is; all 65536 pairs are taken.
    """
    values = np.arange(-128, 128)
    weights = np.stack([values, np.tile([-128, 127], 128), values[::-1], np.tile([-128, -128, 127, 127], 64)], axis=1)
    x = Node(Input("x", Tensor((1,), Range(-128, 127))))
    node = Node(MatMul(Constant(weights.reshape(-1, 1))), (x,))
    design = assemble(Graph((x,), (node,)), {node: Fold(4, 1, "block", mul)}, {})
    run = RtlModel.build(design, cache).run(to_words(x.out.range.encode(values).reshape(-1, 1), 8))
    bits = node.out.range.bits
    found = node.out.range.decode(from_words(run.words, 4, bits)).reshape(256, -1)
    return int((found != node.op.evaluate(values[:, None])).sum())


def main() -> None:
    """Counts, then exactness."""
    made = parser(__doc__)
    made.add_argument("--no-rtl", dest="rtl", action="store_false", help="counts alone")
    args = made.parse_args()
    cache, board = Cache(Path(args.cache or user_cache_dir("lutra"))), Board()
    for family, mul, bits in CASES:
        x, node = unit(bits)
        fold = Fold(LANES, LANES, "block", mul)
        found = synthesise_block(node.op.block(fold, x.out), family, cache)
        what, guess = f"{family}: {bits} x {bits} bits by {mul}", node.op.cost(fold, x.out, family)
        size = "LUT4" if family == "ecp5" else "LUT6"
        board.bar(f"{what}: {size} a multiply-accumulate", found.lut / LANES**2, most=BARS.get((family, mul, bits)))
        board.show(f"{what}: estimated", guess.lut / LANES**2)
        want = BLOCKS.get((family, mul, bits), 0)
        board.bar(f"{what}: DSP blocks", found.dsp, least=want, most=want)
    if args.rtl:
        for mul in ("lut", "dsp", "dsp2"):
            board.bar(f"int8 by {mul}: products of all pairs that differ", exact(mul, cache), most=0)
    board.end()


if __name__ == "__main__":
    main()
