"""libclang: C++ as a tree, and the lines that its preprocessor leaves out."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lutra.errors import LutraError
from lutra.tools.find import compiler

STANDARD = ("-std=c++14", "-pedantic", "-Wno-everything", "-Wc++17-extensions", "-Wc++20-extensions", "-Wvla-extension")
SEARCHED = re.compile(r"#include <\.\.\.> search starts here:\n(.*?)End of search list", re.DOTALL)
ERROR, WARNING = 3, 2  # severities


COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


@cache
def _bytes(file: str) -> bytes:
    return Path(file).read_bytes()


@cache
def resolved(file: str) -> Path:
    """A file's real path."""
    return Path(file).resolve()


def text(extent: Any, end: int | None = None) -> str:
    """What stands in an extent of a file, or from its start to an offset, without comments; bytes as characters."""
    file = extent.start.file
    if file is None:
        return ""
    found = _bytes(file.name)[extent.start.offset : extent.end.offset if end is None else end]
    return COMMENT.sub(" ", found.decode("latin-1"))


@dataclass(frozen=True)
class Unit:
    """A translation unit; `own`: files whose code is checked, all others are the vendor's or the system's."""

    tree: Any
    own: tuple[Path, ...]

    def owns(self, cursor: Any) -> bool:
        """Whether a place is in one of our files."""
        file = cursor.location.file
        return file is not None and resolved(file.name) in self.own

    @property
    def complaints(self) -> Iterator[tuple[str, int, str]]:
        """File, line and text of what the compiler says."""
        for d in self.tree.diagnostics:
            if d.severity >= WARNING:
                yield d.location.file.name if d.location.file else "", d.location.line, d.spelling

    def left_out(self, path: Path) -> list[tuple[int, int]]:
        """First and last lines of what conditions leave out of a file."""
        library = _clang().conf.lib
        file = self.tree.get_file(str(path))
        library.clang_getSkippedRanges.restype = ctypes.POINTER(_Ranges)
        ranges = library.clang_getSkippedRanges(self.tree, file)
        try:
            found = [ranges.contents.ranges[k] for k in range(ranges.contents.count)]
            return [(r.start.line, r.end.line) for r in found]
        finally:
            library.clang_disposeSourceRangeList(ranges)


class _Ranges(ctypes.Structure):
    """CXSourceRangeList."""


def parse(source: Path, include: Sequence[Path], system: Sequence[Path]) -> Unit:
    """The tree of a file, as C++14; its own are what it includes of the folders `include`. LutraError where libclang is
    missing or cannot read it at all.
    """
    cindex = _clang()
    flags = [*STANDARD, *(f"-I{p}" for p in include), *(f"-isystem{p}" for p in (*system, *_search()))]
    options = cindex.TranslationUnit.PARSE_DETAILED_PROCESSING_RECORD
    try:
        tree = cindex.Index.create().parse(str(source), args=["-x", "c++", *flags], options=options)
    except cindex.TranslationUnitLoadError as e:
        raise LutraError("it cannot be read as C++", str(source), "check the path") from e
    _bytes.cache_clear()
    folders = {p.resolve() for p in include}
    named = {Path(i.include.name).resolve() for i in tree.get_includes()}
    return Unit(tree, (source.resolve(), *sorted(p for p in named if p.parent in folders)))


@cache
def _clang() -> Any:
    try:
        import clang.cindex as cindex
    except ImportError as e:
        raise LutraError("checking HLS code needs libclang", hint='pip install "lutra[check]"') from e
    if not hasattr(_Ranges, "_fields_"):  # they are for good
        _Ranges._fields_ = [("count", ctypes.c_uint), ("ranges", ctypes.POINTER(cindex.SourceRange))]
    return cindex


@cache
def _search() -> tuple[Path, ...]:
    """Where the system's compiler finds its own headers, which libclang does not bring."""
    text = compiler()("-std=c++14", "-E", "-v", "-x", "c++", "/dev/null")
    found = SEARCHED.search(text)
    assert found, text
    return tuple(Path(line.strip().split(" (")[0]) for line in found[1].splitlines())
