"""`lutra demo`: the shipped digits network, from the model file to a bitstream, with every step checked."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import click
import numpy as np
from rich.console import Console

from lutra import Accelerator
from lutra import compile as compile_model
from lutra.cli import options
from lutra.cli.build import overview
from lutra.cli.console import emit, steps
from lutra.ir import Array

DEVICE, FPS = "ecp5-25k", 50_000


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("build/demo"), show_default=True,
              help="The build folder.")
@click.option("--device", default=DEVICE, show_default=True, help="A name of `lutra devices`.")
@click.option("--fps", type=float, default=FPS, show_default=True, help="Frames a second to reach.")
@click.option("--hardware/--no-hardware", default=True, help="Synthesise, place and route too.")
@options.cache
@options.as_json
def demo(output: Path, device: str, fps: float, hardware: bool, cache: Path | None, as_json: bool) -> None:
    """Compile the digits network that Lutra ships; simulate, synthesise, place and route it; write a bitstream."""
    x, labels = digits()
    with steps(6 if hardware else 4) as bar:
        with as_file(files("lutra.data") / "digits.onnx") as model:
            acc = bar.do("compile", lambda: compile_model(
                model, device, fps=fps, input_range=(0, 16), input_scale=1 / 16, cache=cache))
        bar.do(f"simulate {len(x)} images with stalls", lambda: acc.verify(x, stalls=0.2))
        bar.do("measure in RTL", acc.measure)
        if hardware:
            bar.do("synthesise", acc.synthesise)
            bar.do("place and route", acc.place)
        bar.do("write", lambda: acc.save(output))
    right = accuracy(acc, x, labels)

    def human(out: Console) -> None:
        out.print(f"{right:.2%} of {len(x)} images right; the RTL gave the same integers")
        overview(out, acc, output)

    emit({**acc.summary().data(), "folder": str(output), "accuracy": right}, as_json, human)


def digits() -> tuple[Array, Array]:
    """The 360 held-out digits, (N, 1, 8, 8) integers 0..16, and their labels."""
    with as_file(files("lutra.data") / "digits_test.npz") as path, np.load(path) as z:
        return z["images"][:, None].astype(np.int64), z["labels"]


def accuracy(acc: Accelerator, x: Array, labels: Array) -> float:
    """Share of frames whose greatest score is at their label."""
    return float((acc.run(x).argmax(1) == labels).mean())
