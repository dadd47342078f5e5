"""Branched and separable model files of other projects through the RTL, bit for bit.

python bench/model_files.py                    # all of them: images of up to 512 x 512 take their time
python bench/model_files.py residual separable
"""

from __future__ import annotations

import time

import numpy as np
from shared import Board, parser

import lutra

FILES = {  # what is fed where the file does not say it, and frames a second to plan for
    "residual": ("finn/residual_testcase.onnx", {"input_range": (-8, 7), "input_scale": 1.0}, 2500),
    "separable": ("hls4ml_example_models/onnx/separable_conv_model_ch_last.onnx", {}, 40),
    "branched": ("hls4ml_example_models/onnx/branched_model_ch_last.onnx", {}, 40),
    "espcn": ("qonnx/espcn_subpixel_quant.onnx", {"input_range": (0, 255), "input_scale": 1 / 256}, 40),
}


def main() -> None:
    """One after the other."""
    made = parser(__doc__)
    made.add_argument("names", nargs="*", default=list(FILES), choices=[*FILES, []], help="which of them")
    made.add_argument("--frames", type=int, default=1, help="through the RTL")
    args = made.parse_args()
    board = Board()
    for name in args.names:
        path, fed, fps = FILES[name]
        begin = time.perf_counter()
        acc = lutra.compile(args.data / "models" / path, "xcu280", fps=fps, cache=args.cache, **fed)
        board.show(f"{name}: compiled, interval {acc.interval:,} cycles", time.perf_counter() - begin, "s")
        end = acc.lowered.input
        codes = np.random.default_rng(0).integers(0, end.range.levels, (args.frames, *end.source_shape))
        x = end.scale.array * (end.range.lo + end.range.step * codes) + end.offset.array
        begin = time.perf_counter()
        words = acc.verify(x)
        board.show(f"{name}: {args.frames} frames through the RTL, all equal", words,
                   f"integers, {time.perf_counter() - begin:.0f} s")
        board.bar(f"{name}: integers equal double precision", float((acc.run(x) == acc.reference(x)).all()), least=1)
    board.end()


if __name__ == "__main__":
    main()
