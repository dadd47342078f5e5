"""What the benchmarks share: where the data are, how a figure and its bar are printed, how time is taken."""

from __future__ import annotations

import argparse
import gzip
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

REPO = Path(__file__).resolve().parents[1]
Array = npt.NDArray[Any]


def parser(text: str | None) -> argparse.ArgumentParser:
    """A parser with --data and --cache."""
    made = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("LUTRA_DATA") or REPO.parent / "shared" / "data"
    made.add_argument("--data", type=Path, default=Path(data), help="folder of real data ($LUTRA_DATA)")
    made.add_argument("--cache", type=Path, default=os.environ.get("LUTRA_CACHE"),
                      help="folder for results of tools ($LUTRA_CACHE)")
    return made


def mnist(data: Path) -> tuple[Array, Array]:
    """The 10,000 MNIST test images, (N, 1, 28, 28) of 0..255, and their labels."""
    def idx(name: str, skip: int) -> Array:
        return np.frombuffer(gzip.decompress((data / "mnist" / name).read_bytes()), np.uint8, offset=skip)

    return (idx("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28), idx("t10k-labels-idx1-ubyte.gz", 8))


def best_of(work: Callable[[], Any], times: int) -> float:
    """The shortest of several runs, in seconds, after one that is not counted."""
    work()
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


@dataclass
class Board:
    """Prints each figure beside its bar, and remembers whether any missed."""

    missed: list[str] = field(default_factory=list)

    def show(self, what: str, value: object, unit: str = "") -> None:
        """A figure without a bar."""
        print(f"{what:58} {_text(value):>14} {unit}", flush=True)

    def bar(self, what: str, value: float, unit: str = "", *, least: float | None = None,
            most: float | None = None) -> None:
        """A figure that must be at least or at most something."""
        good = (least is None or value >= least) and (most is None or value <= most)
        limit = " and ".join([*([f">= {least:,.6g}"] if least is not None else []),
                              *([f"<= {most:,.6g}"] if most is not None else [])])
        said = f"bar {limit}: {'met' if good else 'MISSED'}" if limit else ""
        print(f"{what:58} {_text(value):>14} {unit:10} {said}".rstrip(), flush=True)
        if not good:
            self.missed.append(what)

    def end(self) -> None:
        """Exit with 1 if a bar was missed."""
        if self.missed:
            sys.exit(f"missed: {'; '.join(self.missed)}")


def _text(value: object) -> str:
    return f"{value:,.5g}" if isinstance(value, float) and abs(value) < 1e5 else (
        f"{value:,.0f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value))
