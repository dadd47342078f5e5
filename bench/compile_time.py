"""From model file to written RTL: time and peak memory, each in a fresh process; and what `import lutra` takes.

    python bench/compile_time.py

Bars, on 2 cores: TFC-W1A1 in 3 s, CNV-W1A1 in 15 s, 1 GB at most, `import lutra` in 0.3 s. The time is the whole
process: start, imports, compiling, writing the build folder with RTL and report.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from shared import REPO, Board, parser

CODE = """
import lutra, sys
model, out, low, high, scale, device, cache = sys.argv[1:]
acc = lutra.compile(model, device, input_range=(int(low), int(high)), input_scale=float(scale), cache=cache or None)
acc.save(out)
"""


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds and peak megabytes of a process, which must succeed."""
    begin = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    if status:
        raise SystemExit(f"{command[:3]} failed")
    return seconds, usage.ru_maxrss / 1024


def main() -> None:
    """The three figures."""
    args = parser(__doc__).parse_args()
    board = Board()
    bare = min(measured([sys.executable, "-c", "pass"])[0] for _ in range(5))
    loaded = min(measured([sys.executable, "-c", "import lutra"])[0] for _ in range(5))
    board.bar("import lutra", loaded - bare, "s", most=0.3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        example = REPO / "examples" / "cnv_bnn_pynq.py"
        subprocess.run([sys.executable, example, "--data", args.data, "--out", folder], check=True,
                       stdout=subprocess.DEVNULL)
        zoo = args.data / "models" / "qonnx_model_zoo"
        for what, model, most in (("TFC-W1A1", zoo / "TFC_1W1A.onnx", 3), ("CNV-W1A1", folder / "cnv_w1a1.onnx", 15)):
            command = [sys.executable, "-c", CODE, str(model), str(folder / what), "0", "255", repr(1 / 255), "xc7z020",
                       str(args.cache or "")]
            seconds, megabytes = min(measured(command) for _ in range(2))
            board.bar(f"{what}: file to written RTL", seconds, "s", most=most)
            board.bar(f"{what}: peak memory", megabytes, "MB", most=1024)
    board.end()


if __name__ == "__main__":
    main()
