"""`lutra explain`: what becomes of every operation of a model, before anything is built."""

from __future__ import annotations

from pathlib import Path

import click

from lutra import explain as explain_model
from lutra.cli import modules, options
from lutra.cli.console import emit, fail, table


@click.command()
@modules.argument
@options.device
@options.fed
@options.as_json
def explain(
    model: Path, device: str, input_range: tuple[int, int] | None, input_scale: float | None,
    formats: tuple[tuple[str, int, int, float], ...], tolerance: float | None, as_json: bool,
) -> int:
    """Say of each operation of MODEL what hardware it becomes, and how that is known to be exact.

    MODEL is an ONNX file, or FILE.py:FUNCTION, where the function returns a torch module and an example of its input.

    Where something stands in the way of a build, what comes before it is said, the error, and the exit code is 2.
    """
    found = explain_model(*modules.read(model), device, tolerance=tolerance,
                          **options.input_format(input_range, input_scale, formats))
    rows = [(r.at, r.operation, r.became, r.why) for r in found.rows]
    emit(found.data(), as_json, lambda out: out.print(table(("place", "operation", "became", "because"), rows, left=4)))
    if found.error:
        fail(found.error)
    return 2 if found.error else 0
