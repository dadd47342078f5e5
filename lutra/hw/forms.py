"""The library of HLS forms: headers beside the RTL's modules, and what each function's header says of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lutra.errors import LutraError
from lutra.hw.netlist import Instance
from lutra.hw.verilog import COMMENT

LIBRARY = Path(__file__).resolve().parents[1]  # headers lie beside their operators' modules and in hw/hls
SHARED = LIBRARY / "hw" / "hls"
SIMULATED = SHARED / "sim"  # what stands for a vendor's headers in C simulation
COUNT, LENGTHS, UNIT = "COUNT", "LENGTHS", "UNIT"  # words a frame of a unit's first output, and of its last input; the
# number of the instance
FUNCTION = re.compile(r"template <([^>]*)>\s*void (lutra_\w+)\(([^{;]*)\) \{")
PARAMETER = re.compile(r"^(?:int|class\.\.\.) (\w+)(?: = (-?\d+))?$")
ARRAY = re.compile(r"const lutra_limb \(&(\w+)\)\[(\w+)\]\[(\w+)\]")
INCLUDES = re.compile(r'#include "(\w+\.hpp)"')


@dataclass(frozen=True)
class Form:
    """An HLS function: the name of its file, its integer parameters with their defaults, the memories it takes."""

    file: str
    params: Mapping[str, int | None]
    memories: tuple[str, ...]


@cache
def library() -> dict[str, Path]:
    """The library's headers by name."""
    paths = sorted([*LIBRARY.glob("ops/*/*.hpp"), *SHARED.glob("*.hpp")])
    assert len({p.name for p in paths}) == len(paths), "two headers of one name"
    return {p.name: p for p in paths}


def included(names: Iterable[str]) -> dict[str, str]:
    """File name -> text of these headers of the library and of all that they include."""
    chosen: dict[str, str] = {}

    def need(name: str) -> None:
        if name not in chosen:
            chosen[name] = library()[name].read_text(encoding="utf-8")
            for more in INCLUDES.findall(chosen[name]):
                need(more)

    for name in names:
        need(name)
    return chosen


@cache
def forms() -> dict[str, Form]:
    """Every HLS function of the library, by the module whose form it is."""
    table: dict[str, Form] = {}
    for file, path in library().items():
        for declared, name, arguments in FUNCTION.findall(COMMENT.sub(" ", path.read_text(encoding="utf-8"))):
            assert name not in table, (name, file, table[name])
            arrays = ARRAY.findall(arguments)
            deduced = {size for _, *sizes in arrays for size in sizes}
            found = [PARAMETER.match(" ".join(p.split())) for p in declared.split(",")]
            assert all(found), (name, declared)
            params = {p[1]: int(p[2]) if p[2] else None for p in found if p and "class" not in p[0]}
            own = {k: v for k, v in params.items() if k not in deduced}
            table[name] = Form(file, own, tuple(a for a, *_ in arrays))
    return table


def form(instance: Instance) -> Form:
    """The HLS form of an instance's module; LutraError where it has none."""
    block = instance.block
    if block.text and block.cpp:
        return Form(f"{block.module}.hpp", {COUNT: None}, ())
    if block.text or block.module not in forms():
        raise LutraError(f"{block.module.removeprefix('lutra_')} has no HLS form", f"unit {instance.name}",
                         "use the RTL back-end")
    return forms()[block.module]
