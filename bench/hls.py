"""HLS by C simulation: TFC-W1A1, CNV-W1A1, UNSW-NB15, the jet tagger and a reader of Fraktur, compiled and run, all
integers compared.

    python bench/hls.py                   # 100 frames each
    python bench/hls.py --frames 1000 --lines 40

The reader (bidirectional LSTM, CTC) has lines of 8 lengths, from the shortest of the test set to the longest.

The first time is that of the compiler, with nothing kept from earlier runs; the second that of one call with all
frames, reading and writing their words included. Beside the time on the clock, what processors spent on it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from shared import REPO, Array, Board, mnist, parser

import lutra

sys.path.insert(0, str(REPO / "examples"))
import cnv_bnn_pynq as example
import read_fraktur as fraktur

from lutra.train.lines import load
from lutra.train.reading import compiled

PIXELS = {"input_range": (0, 255), "input_scale": 1 / 255}
Frames = Array | tuple[Array, ...]
Made = tuple[str, Callable[[str], lutra.Accelerator], Frames]


def networks(data: Path, folder: Path) -> list[Made]:
    """Each network's name, how it is compiled with a cache of this name, and its frames."""
    zoo, rng = data / "models" / "qonnx_model_zoo", np.random.default_rng(0)
    cnv, folds = folder / "cnv.onnx", folder / "folding.toml"
    cnv.write_bytes(example.build(*example.parameters(data)).SerializeToString())
    folds.write_text(example.folding())
    fixed = {"input_range": (-(2**15), 2**15 - 1), "input_scale": 2**-10}
    return [
        ("TFC-W1A1", lambda cache: lutra.compile(
            zoo / "TFC_1W1A.onnx", "xc7z020", fps=1_562_500, cache=cache, **PIXELS), mnist(data)[0]),
        ("CNV-W1A1", lambda cache: lutra.compile(
            cnv, "xc7z020", folding=folds, cache=cache, **PIXELS), np.ascontiguousarray(example.images(data)[0])),
        ("UNSW-NB15", lambda cache: lutra.compile(
            zoo / "unsw_nb15-mlp-w2a2.onnx", fps=100_000, cache=cache), rng.choice([-1, 1], (10_000, 600))),
        ("jet tagger", lambda cache: lutra.compile(
            zoo / "qkeras_jettagging.onnx", "xc7z020", fps=200_000, cache=cache, **fixed),
         rng.integers(-4096, 4096, (10_000, 16))),
        ("jet tagger, a frame a cycle", lambda cache: lutra.compile(
            zoo / "qkeras_jettagging.onnx", "xcu250", fps=100_000_000, cache=cache, **fixed),
         rng.integers(-4096, 4096, (10_000, 16))),
    ]


def reader(data: Path, lines: int) -> Made:
    """The reader, and so many lines of the test set, from the shortest to the longest."""
    net, _ = fraktur.network()
    test = load(data / "ocr").test
    order = np.argsort(test.lengths, kind="stable")
    picked = order[np.linspace(0, len(order) - 1, lines).astype(int)]
    x, lengths = test.tensor(picked.tolist())
    return (f"Fraktur reader, lines of {lengths.min()} to {lengths.max()} columns",
            lambda cache: compiled(net, x.shape[1], "xc7z020", fps=200, cache=cache),
            (x.numpy(), lengths[:, None].numpy()))


def first(frames: Frames, count: int) -> Frames:
    """Some of them."""
    return tuple(x[:count] for x in frames) if isinstance(frames, tuple) else frames[:count]


def timed(work: Callable[[], Array]) -> tuple[Array, float, float]:
    """What it gives, seconds on the clock, and of processors in the programs that it calls."""
    def spent() -> float:
        t = os.times()
        return t.children_user + t.children_system

    begin, before = time.perf_counter(), spent()
    found = work()
    return found, time.perf_counter() - begin, spent() - before


def main() -> None:
    """Each network, from a cache that is empty."""
    made = parser(__doc__)
    made.add_argument("--frames", type=int, default=100, help="of each network")
    made.add_argument("--lines", type=int, default=8, help="of the reader")
    args = made.parse_args()
    board = Board()
    with tempfile.TemporaryDirectory() as place:
        for name, build, frames in [*networks(args.data, Path(place)), reader(args.data, args.lines)]:
            acc, x = build(str(Path(place) / "cache")), first(frames, args.frames)
            expected = acc.run(x, raw=True)
            one, took, spent = timed(lambda acc=acc, x=x: acc.simulate(first(x, 1), backend="hls", raw=True))
            board.show(f"{name}: compiled in", took, f"s, {spent:.3g} s of processors")
            y, run, spent = timed(lambda acc=acc, x=x: acc.simulate(x, backend="hls", raw=True))
            board.show(f"{name}: {len(y)} frames run in", run, f"s, {spent:.3g} s of processors")
            wrong = (y != expected).sum() + (one != expected[:1]).sum()
            board.bar(f"{name}: integers that differ", int(wrong), most=0)
    board.end()


if __name__ == "__main__":
    main()
