"""Images a second of `.run` on MNIST through TFC-W1A1, against the `qonnx` package's own execution in the same run.

    python bench/qonnx_peer.py

The peer is qonnx 1.0.0's `execute_onnx` with onnx 1.17.0 (with a newer onnx it does not execute), in an environment of
its own that the first run makes in the cache. Both get the same single-precision images, at batch 1000 and at batch 1;
the shortest of several runs counts on each side. Bars: 50 times the peer's rate at batch 1000, 500 times at batch 1.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import venv
from pathlib import Path

import numpy as np
from platformdirs import user_cache_dir
from shared import Board, best_of, mnist, parser

import lutra

PINNED = ("qonnx==1.0.0", "onnx==1.17.0")
BATCHES = {1000: (20, 50.0), 1: (200, 500.0)}  # times measured, least ratio

PEER = '''
import json, sys, time, warnings
import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes
warnings.simplefilter("ignore")
model, images, out, batches = sys.argv[1], np.load(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4])
result = {}
for batch, times in batches:
    m = ModelWrapper(model).transform(InferShapes())
    name = m.graph.input[0].name
    m.set_tensor_shape(name, [batch, *images.shape[1:]])
    def run():
        return execute_onnx(m, {name: images[:batch]})
    y = run()
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    result[batch] = min(seconds)
    np.save(f"{out}/{batch}.npy", next(iter(y.values())))
json.dump(result, open(f"{out}/seconds.json", "w"))
'''


def peer_python(cache: Path) -> Path:
    """The interpreter of an environment with the peer; made where there is none yet."""
    folder = cache / "peers" / "-".join(PINNED).replace("==", "_")
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PINNED], check=True)
        (folder / "ready").touch()
    return python


def peer(python: Path, model: Path, images: np.ndarray) -> tuple[dict[int, float], dict[int, np.ndarray]]:
    """Seconds and outputs of the peer for each batch size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "x.npy", images)
        batches = json.dumps([(b, max(10, times // 5)) for b, (times, _) in BATCHES.items()])
        command = [python, "-c", PEER, model, folder / "x.npy", folder, batches]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds = {int(b): s for b, s in json.loads((folder / "seconds.json").read_text()).items()}
        return seconds, {b: np.load(folder / f"{b}.npy") for b in BATCHES}


def main() -> None:
    """Both sides, one after the other."""
    args = parser(__doc__).parse_args()
    cache = Path(args.cache or user_cache_dir("lutra"))
    model = args.data / "models" / "qonnx_model_zoo" / "TFC_1W1A.onnx"
    pixels, _ = mnist(args.data)
    real = (pixels[:1000] / 255).astype(np.float32)
    acc = lutra.compile(model, "xc7z020", input_range=(0, 255), input_scale=1 / 255, cache=args.cache)

    seconds, outputs = peer(peer_python(cache), model, real)
    board = Board()
    for batch, (times, least) in BATCHES.items():
        same = np.allclose(acc.run(pixels[:batch]), outputs[batch], rtol=1e-4, atol=1e-4)
        board.bar(f"batch {batch}: outputs agree within single precision", float(same), least=1)
        ours = best_of(lambda b=batch: acc.run(pixels[:b]), times)
        board.show(f"batch {batch}: qonnx execute_onnx", batch / seconds[batch], "images/s")
        board.show(f"batch {batch}: lutra run", batch / ours, "images/s")
        board.bar(f"batch {batch}: ratio", seconds[batch] / ours, "times", least=least)
    board.end()


if __name__ == "__main__":
    main()
