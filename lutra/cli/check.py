"""`lutra check`: what a vendor's compiler would refuse in HLS code."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from lutra.cli import options
from lutra.cli.console import emit, plain


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--top", "tops", multiple=True, help="The top function, by default the file's name; once for each.")
@options.as_json
def check(path: Path, tops: tuple[str, ...], as_json: bool) -> int:
    """Check HLS code for what cannot be synthesised: recursion, memory that is taken while it runs, loops without a
    bound, directives that are malformed or misplaced, and the like.

    PATH is a C++ file, or a build folder with an HLS form. The exit code is 2 where something is found.
    """
    from lutra.check.hls import check as checked

    found = sorted((path / "hls").glob("*.cpp")) if path.is_dir() else [path]
    source = found[0] if found else path / "hls" / "lutra_top.cpp"
    result = checked(source, *(tops or (source.stem,)))
    data = {"file": str(source), "functions": result.functions, "directives": result.directives,
            "faults": [asdict(fault) for fault in result.faults]}
    said = [*map(str, result.faults), f"{result.functions} functions, {result.directives} directives, "
            f"{len(result.faults)} faults"]
    plain_lines = "\n".join(map(plain, said))
    emit(data, as_json, lambda out: out.print(plain_lines, markup=False, soft_wrap=True))
    return 2 if result.faults else 0
