"""A unit of the HLS library by itself: compiled with the compiler at hand, its test bench run.

    python examples/hls_kernel/run.py --headers hls

copies the library's headers into a folder as well, for Vitis HLS.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from lutra.hw.forms import library
from lutra.sim.csim import alone
from lutra.tools.run import run

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Compile, run, copy."""
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--headers", type=Path, help="copy the library's headers into this folder")
    folder = args.parse_args().headers
    with tempfile.TemporaryDirectory() as place:
        program = alone([HERE / "kernel.cpp", HERE / "testbench.cpp"], Path(place) / "kernel")
        print(run([str(program)]), end="")
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        for path in library().values():
            shutil.copy(path, folder)


if __name__ == "__main__":
    main()
