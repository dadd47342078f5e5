"""A binary matrix-vector unit with thresholds: LUTs for each lane on 7-series, and clock on ECP5.

    python bench/matvec.py                 # 10 minutes on 2 cores, most of it placement
    python bench/matvec.py --no-place      # LUTs alone

The unit: W1A1, PE 16 x SIMD 32 = 512 synapse lanes, 128 x 256 weights, and a threshold for each row. LUTs are counted
with the weights in block memory, so that these are counted apart; the clock is that with the weights in LUTs.
Published designs take 3.65 to 4.4 LUT6 a lane (Umuroglu et al., FINN, FPGA 2017). LUT6 of 7-series and LUT4 of ECP5 are
different things and are never compared here. Then TFC-W1A1 whole, at an interval of 64 cycles.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from platformdirs import user_cache_dir
from shared import Board, parser

import lutra
from lutra.hw.netlist import Netlist
from lutra.ir import Constant, Graph, Input, Node, Range, Tensor
from lutra.ops.base import Fold
from lutra.ops.matmul.op import MatMul
from lutra.ops.threshold.op import Threshold
from lutra.plan.assemble import assemble
from lutra.plan.devices import device
from lutra.synth import place, synthesise
from lutra.tools.cache import Cache

PE, SIMD, ROWS, COLUMNS = 16, 32, 128, 256


def unit(ram: str) -> Netlist:
    """The unit with random weights, in memories of this kind, and thresholds."""
    rng = np.random.default_rng(0)
    x = Node(Input("x", Tensor((COLUMNS,), Range(-1, 1, 2))))
    product = Node(MatMul(Constant(rng.choice([-1, 1], (ROWS, COLUMNS)))), (x,))
    levels = 2 * rng.integers(-20, 20, (ROWS, 1))
    sign = Node(Threshold(Constant(levels), -1, 2, Constant(np.zeros(ROWS, bool))), (product,))
    return assemble(Graph((x,), (sign,)), {product: Fold(PE, SIMD, ram), sign: Fold(PE, PE)}, {})


def main() -> None:
    """LUTs, then clocks."""
    made = parser(__doc__)
    made.add_argument("--no-place", dest="place", action="store_false", help="LUTs alone")
    args = made.parse_args()
    cache = Cache(Path(args.cache or user_cache_dir("lutra")))
    board, lanes = Board(), PE * SIMD
    report = synthesise(unit("block"), device("xc7z020"), cache)
    for name, found in report.units.items():
        board.show(f"xc7: {name}", found.lut, f"LUT6, {found.lut_memory} of them memory; {found.bram} RAMB18")
    board.bar("xc7: LUT6 a synapse lane, thresholds included", report.total.lut / lanes, most=2.5)
    if args.place:
        placed = place(unit("lut"), device("ecp5-85k"), 200.0, cache)
        board.bar("ECP5-85k, speed grade 6: clock of the unit", placed.fmax_mhz, "MHz", least=150)
        tfc = args.data / "models" / "qonnx_model_zoo" / "TFC_1W1A.onnx"
        acc = lutra.compile(tfc, "ecp5-85k", fps=125e6 / 64, clock_mhz=125, cache=args.cache, input_range=(0, 255),
                            input_scale=1 / 255)
        board.bar("TFC-W1A1: interval", acc.interval, "cycles", most=64)
        board.bar("ECP5-85k: clock of TFC-W1A1", acc.place().fmax_mhz, "MHz", least=125)
    board.end()


if __name__ == "__main__":
    main()
