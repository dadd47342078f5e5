"""The networks of the QONNX model zoo, unchanged and whole: source = integers = RTL.

    python bench/zoo.py                 # all of it
    python bench/zoo.py --frames 500    # fewer frames through the RTL

TFC-W1A1 and -W1A2 on all 10,000 MNIST test images; UNSW-NB15 and the jet tagger on random inputs in their ranges. The
integer graph must give the order of every logit and the label of the source model read in double precision, and the
RTL every output integer of the integer graph. Bar: 60 s of simulation for 10,000 images, after building.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from shared import Array, Board, mnist, parser

import lutra


@dataclass(frozen=True)
class Case:
    """A model, the frames it gets, their labels where there are any, and the format of its input."""

    name: str
    file: str
    frames: Array
    labels: Array | None
    format: dict[str, object]


def cases(data: Path) -> list[Case]:
    """The four networks."""
    images, labels = mnist(data)
    pixels = {"input_range": (0, 255), "input_scale": 1 / 255}
    rng = np.random.default_rng(0)
    fixed = {"input_range": (-(2**15), 2**15 - 1), "input_scale": 2.0**-10}
    return [
        Case("TFC-W1A1", "TFC_1W1A", images, labels, pixels),
        Case("TFC-W1A2", "TFC_1W2A", images, labels, pixels),
        Case("UNSW-NB15 w2a2", "unsw_nb15-mlp-w2a2", rng.choice([-1.0, 1.0], (10_000, 600)), None, {}),
        Case("jet tagger", "qkeras_jettagging", rng.normal(0, 2**11, (10_000, 16)).astype(np.int64), None, fixed),
    ]


def orders(logits: Array) -> Array:
    """For each frame, how each pair of logits compares: -1, 0 or 1."""
    flat = logits.reshape(len(logits), -1)
    return np.sign(flat[:, :, None] - flat[:, None, :])


def check(case: Case, args: object, board: Board) -> None:
    """One network."""
    model = args.data / "models" / "qonnx_model_zoo" / f"{case.file}.onnx"  # type: ignore[attr-defined]
    acc = lutra.compile(model, "xc7z020", cache=args.cache, **case.format)  # type: ignore[attr-defined, arg-type]
    x = case.frames
    real, ours = acc.reference(x), acc.run(x)
    differing = int((orders(real) != orders(ours)).any((1, 2)).sum())
    board.bar(f"{case.name}: frames whose logits' order differs", differing, f"of {len(x)}", most=0)
    if case.labels is not None:
        for what, y in (("double precision", real), ("integers", ours)):
            right = float((y.reshape(len(x), -1).argmax(1) == case.labels).mean() * 100)
            board.show(f"{case.name}: accuracy, {what}", right, "%")
    cycles = acc.measure()  # builds the simulation, too
    late = cycles["interval"] - acc.interval
    board.bar(f"{case.name}: measured minus planned interval", late, "cycles", least=0, most=0)
    frames = x[: args.frames]  # type: ignore[attr-defined]
    begin = time.perf_counter()
    words = acc.verify(frames)
    seconds = time.perf_counter() - begin
    board.show(f"{case.name}: RTL output integers, all equal", words)
    board.bar(f"{case.name}: {len(frames)} frames through the RTL", seconds, "s", most=60)


def main() -> None:
    """All networks, or those named."""
    made = parser(__doc__)
    made.add_argument("--frames", type=int, default=10_000, help="through the RTL")
    made.add_argument("--only", default="", help="part of a network's name")
    args = made.parse_args()
    board = Board()
    for case in cases(args.data):
        if args.only.lower() in case.name.lower():
            check(case, args, board)
    board.end()


if __name__ == "__main__":
    main()
