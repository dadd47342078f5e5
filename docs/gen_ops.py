"""mkdocs hook: the operator reference, made from `lutra.ops.units()` and their docstrings at every build."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lutra.ops import Unit, units

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

HEAD = """# Operators

The units that a network becomes. Each is one folder of `lutra/ops`: what it computes, how parallel it can be, its exact
schedule, its hardware, its cost, and samples from which the contract suite tests it.

"""


def section(unit: type[Unit]) -> str:
    """One operator: its docstring and fields by mkdocstrings, and its module of hardware."""
    folder = unit.__module__.split(".")[-2]
    sources = sorted(p.name for p in (Path(__file__).parents[1] / "lutra" / "ops" / folder).glob("*.sv"))
    hardware = f"Hardware: {', '.join(f'`lutra/ops/{folder}/{name}`' for name in sources)}.\n\n" if sources else ""
    members = "members: [infer, evaluate, folds, lanes, loop, cycles]"
    return (f"## {unit.__name__}\n\n{hardware}::: {unit.__module__}.{unit.__name__}\n    options:\n"
            f"      show_root_heading: false\n      show_bases: false\n      heading_level: 3\n      {members}\n")


def page() -> str:
    """The whole page, in Markdown."""
    return HEAD + "\n".join(section(u) for u in units())


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, "reference/operators.md", content=page()))
    return files
