"""Read lines of Fraktur with a bidirectional LSTM of 4-bit weights and states, as its hardware does.

    python examples/read_fraktur.py                            # a line of our own making
    python examples/read_fraktur.py --data folder --lines 5    # lines of a test set, with the characters that are right
    python examples/read_fraktur.py --simulate                 # through the RTL and the C++ for HLS, and compared

The network in examples/fraktur was trained on 3,915 lines of printed books (W4A4, H = 96; of 427 other lines 98.4 %
of the characters are right). The line beside it is no scan: it was found by gradient descent as one that it reads
as it does, so that the example runs without data. --data takes a folder with *_train.npz and *_test.npz of img4,
offsets and text, as `lutra train ocr --data`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

import lutra.quant as q
from lutra.train.checkpoint import read
from lutra.train.lines import LEVELS, Texts, load, right, said
from lutra.train.reading import compiled
from lutra.zoo.nets.reader import Reader, recipe

HERE = Path(__file__).parent / "fraktur"
DEVICE = "xc7z020"


def network() -> tuple[Reader, str]:
    """The trained reader and its alphabet."""
    kept = read(HERE / "w4a4.pt")
    net = Reader(len(kept["alphabet"]) + 1)
    q.quantize(net, recipe(*kept["bits"]))
    net.load_state_dict(kept["network"])
    return net.eval(), kept["alphabet"]


def own_line() -> Texts:
    """The line of our own making."""
    packed = np.load(HERE / "line.npy")
    return Texts([np.stack([packed >> 4, packed & 15], -1).reshape(len(packed), -1)], ["Lutra lie\u017ft Fraktur"])


def picture(image: np.ndarray) -> str:
    """Pixels as characters, four rows in one."""
    rows = image[:150].T.reshape(8, 4, -1).mean(1) / LEVELS
    return "\n".join("".join(" .:*#"[int(v * 4.99)] for v in row) for row in rows)


def main() -> None:
    """Compile, read, and say how much is right."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, help="folder of lines")
    options.add_argument("--lines", type=int, default=3, help="how many of them")
    options.add_argument("--fps", type=float, default=200, help="lines of the greatest length a second")
    options.add_argument("--device", default=DEVICE)
    options.add_argument("--simulate", action="store_true", help="through the RTL and the HLS form, too")
    options.add_argument("--cache", type=Path, help="folder for results of tools")
    args = options.parse_args()
    net, alphabet = network()
    texts = load(args.data).test if args.data else own_line()
    texts = Texts(texts.images[: args.lines], texts.texts[: args.lines])
    x, lengths = texts.tensor(range(len(texts.images)))
    acc = compiled(net, x.shape[1], args.device, fps=args.fps, cache=args.cache)
    fed = (x.numpy(), lengths[:, None].numpy())
    found = [said(alphabet, row) for row in acc.run(fed).astype(int).tolist()]
    print(picture(texts.images[0]))
    for ours, wanted in zip(found, texts.texts, strict=True):
        print(f"read:    {ours}\nprinted: {wanted}")
    cost = acc.plan.cost
    print(f"{100 * right(found, texts.texts):.2f} % of the characters right; {cost.lut:,.0f} LUTs, {cost.bram:.0f} "
          f"block memories, {acc.fps:,.0f} lines of {x.shape[1]} columns a second on {args.device}")
    if args.simulate:
        for backend in ("rtl", "hls"):
            begin = time.perf_counter()
            count = acc.verify(fed, backend=backend)
            print(f"{count} integers of the {backend.upper()} equal, compiled and simulated in "
                  f"{time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
