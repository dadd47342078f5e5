"""Check HLS code: rules of the language and of directives, over a file and what it includes of the same folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lutra.check.clang import parse
from lutra.check.code import functions, globals_of, ours
from lutra.check.placed import dataflow_faults, directive_faults, directives
from lutra.check.rules import code_faults
from lutra.errors import LutraError
from lutra.hw.forms import LIBRARY, SHARED, SIMULATED
from lutra.tools.find import ap_types


@dataclass(frozen=True, order=True)
class Fault:
    """What a vendor's compiler would refuse: where, by which rule, in a sentence."""

    file: str
    line: int
    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what} [{self.rule}]"


@dataclass(frozen=True)
class Checked:
    """What was looked at, functions and directives counted, and what was found, in order of places."""

    files: tuple[Path, ...]
    functions: int
    directives: int
    faults: tuple[Fault, ...]


def check(source: Path, *tops: str) -> Checked:
    """Check a C++ file as a vendor's compiler sees it, with the headers of its folder and of the library.

    The vendor's headers are stood for by those of C simulation, and are not checked. LutraError where libclang, the
    headers or the file are missing, or there is no function of the name of a top.
    """
    if not source.is_file():
        raise LutraError("there is no such file", str(source), "give a C++ file, or a build folder with an HLS form")
    here = source.resolve().parent
    unit = parse(source, [here, SHARED, *LIBRARY.glob("ops/*")], [SIMULATED, ap_types()])
    places = ours(unit)
    found = functions(places)
    missing = [top for top in tops if top not in {f.name for f in found}]
    if missing or not tops:
        raise LutraError(f"it has no function {missing[0] if missing else ''}", str(source), "name the top function")
    written = directives(unit, found)
    faults = {Fault(_shown(file), line, "language", text) for file, line, text in unit.complaints}
    faults |= {Fault(_shown(c.location.file.name), c.location.line, rule, what)
               for rule, c, what in (*code_faults(unit, places, found), *dataflow_faults(written))}
    faults |= {Fault(w.path.name, w.line, rule, what)
               for rule, w, what in directive_faults(unit, written, tops, globals_of(unit))}
    return Checked(unit.own, len(found), len(written), tuple(sorted(faults)))


def _shown(file: str) -> str:
    return Path(file).name or "the code"
