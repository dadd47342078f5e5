"""`lutra zoo`: networks of the literature as model files, to try things on."""

from __future__ import annotations

from pathlib import Path

import click

from lutra.cli import options
from lutra.cli.console import emit, plain, table
from lutra.files import written
from lutra.zoo import MOST_BITS, NETWORKS, build

BITS = click.IntRange(1, MOST_BITS)


@click.command()
@click.argument("name", required=False)
@click.option("--weights", type=BITS, default=4, show_default=True, help="Bits of the weights; 1 is bipolar.")
@click.option("--activations", type=BITS, default=4, show_default=True, help="Bits of the activations; 1 is bipolar.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the random weights.")
@click.option("--size", type=int, help="Length of the input's sides, by default the paper's.")
@click.option("--width", type=float, default=1.0, show_default=True, help="Multiplies the channels of all layers.")
@click.option("--classes", type=click.IntRange(1), help="Outputs, by default the paper's.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file, by default NAME.onnx.")
@options.as_json
def zoo(
    name: str | None, weights: int, activations: int, seed: int, size: int | None, width: float, classes: int | None,
    output: Path | None, as_json: bool,
) -> None:
    """Write the network NAME as a QONNX model with random weights; without NAME, list what there is."""
    if name is None:
        head = ("name", "size", "classes", "about")
        rows = [(n, net.size, net.classes, net.about) for n, net in NETWORKS.items()]
        data = [dict(zip(head, row, strict=True)) for row in rows]
        emit(data, as_json, lambda out: out.print(table(head, rows)))
        return
    model = build(name, (weights, activations), seed, size=size, width=width, classes=classes).SerializeToString()
    path = written(output or Path(f"{name}.onnx"), model)
    emit({"file": str(path), "bytes": len(model)}, as_json, lambda out: out.print(plain(str(path)), markup=False))
