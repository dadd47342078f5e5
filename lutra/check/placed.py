"""Directives in their places: which body each stands in, and whether what it names can be seen there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lutra.check.clang import Unit, resolved
from lutra.check.code import Body, Function, is_array, is_constant, is_stream, kind, walk
from lutra.check.pragmas import ARRAY, CONSTANTS, FUNCTION, LOOP, STREAM, TOP, Pragma, parse

LINE = re.compile(r"^[ \t]*#[ \t]*pragma[ \t]+HLS\b(?P<text>(?:\\\n|[^\n])*)", re.MULTILINE | re.IGNORECASE)
RETURN = "return"


@dataclass(frozen=True)
class Written:
    """A directive in a file, the body around it (None outside of functions) and where it begins."""

    pragma: Pragma
    path: Path
    line: int
    at: int
    body: Body | None


def directives(unit: Unit, functions: tuple[Function, ...]) -> tuple[Written, ...]:
    """All that are not left out by conditions."""
    bodies = [b for f in functions for b in f.bodies]
    found = []
    for path in unit.own:
        skipped = unit.left_out(path)
        text = path.read_bytes().decode("latin-1")  # libclang counts bytes
        mine = [b for b in bodies if resolved(b.file) == path]
        for m in LINE.finditer(text):
            line = text.count("\n", 0, m.start()) + 1
            if not any(first <= line <= last for first, last in skipped):
                said = m["text"].replace("\\\n", " ").split("//")[0]
                around = [b for b in mine if b.start < m.start() < b.end]
                inner = max(around, key=lambda b: b.start, default=None)
                found.append(Written(parse(said.strip()), path, line, m.start(), inner))
    return tuple(found)


def directive_faults(unit: Unit, written: tuple[Written, ...], tops: tuple[str, ...], globals_: dict[str, Any]
                     ) -> Iterator[tuple[str, Written, str]]:
    """The rule, the directive, and a sentence, for each that is malformed, misplaced, or names what it must not."""
    for w in written:
        yield from (("pragma", w, fault) for fault in w.pragma.faults)
        if w.pragma.known is None:
            continue
        if w.body is None:
            yield "place", w, f"{w.pragma.directive} stands outside of functions"
            continue
        yield from (("place", w, said) for said in _places(w, w.body, tops))
        yield from (("variable", w, said) for said in _named(w, w.body.function, globals_))
    yield from _together(written)


def _places(w: Written, body: Body, tops: tuple[str, ...]) -> Iterator[str]:
    directive = w.pragma.known
    assert directive is not None
    name, wanted = w.pragma.directive, directive.places
    if TOP in wanted:
        if body.place != FUNCTION or body.function.name not in tops:
            yield f"{name} stands in {body.function.name}, it belongs to the top function {' or '.join(tops)}"
    elif body.place not in wanted:
        where = " or ".join("a loop's body" if p == LOOP else "a function's body" for p in wanted)
        yield f"{name} belongs directly into {where}"
    if directive.first and any(at < w.at for at in body.statements):
        yield f"{name} stands after a statement"


def _named(w: Written, function: Function, globals_: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the variable and the numbers that a directive names."""
    directive = w.pragma.known
    assert directive is not None
    seen = {**globals_, **function.members,
            **{name: c for name, c, begin, end in function.variables if begin <= w.at < end}}
    name = w.pragma.variable
    if name and name != RETURN:
        if name not in seen:
            yield f"there is no variable {name} here"
        elif directive.of == ARRAY and not is_array(seen[name]):
            yield f"{name} is no array"
        elif (directive.of == STREAM or _fifo(w.pragma)) and not (is_stream(seen[name]) or is_array(seen[name])):
            yield f"{name} is no stream"
    for key in CONSTANTS:
        for word in re.findall(r"[A-Za-z_]\w*", w.pragma.options.get(key, "")):
            known = word in function.templates or (word in seen and is_constant(seen[word]))
            if not known and word not in ("sizeof", "int"):
                yield f"{key} names {word}, which is no constant here"


def dataflow_faults(written: tuple[Written, ...]) -> Iterator[tuple[str, Any, str]]:
    """In a function whose calls run at once: declarations and calls alone, and each stream between two of them."""
    for w in written:
        if w.pragma.directive == "dataflow" and w.body is not None and w.body.place == FUNCTION:
            yield from (("dataflow", cursor, said) for cursor, said in _tasks(w.body.function))


def _tasks(function: Function) -> Iterator[tuple[Any, str]]:
    own = next(c for c in function.cursor.get_children() if kind(c) == "COMPOUND_STMT")
    tasks = [s for s in own.get_children() if kind(s) != "DECL_STMT"]
    uses: dict[str, list[Any]] = {}
    for task in tasks:
        if kind(task) not in ("CALL_EXPR", "UNEXPOSED_EXPR", "NULL_STMT"):
            yield task, "a statement among those that run at once is no call"
        for name in {c.spelling for c, _ in walk(task) if kind(c) == "DECL_REF_EXPR"}:
            uses.setdefault(name, []).append(task)
    for name, cursor, _, _ in function.variables:
        ends = 1 if kind(cursor) == "PARM_DECL" else 2
        if is_stream(cursor) and not is_array(cursor) and len(uses.get(name, [])) != ends:
            yield cursor, f"the stream {name} is used by {len(uses.get(name, []))} calls, not by {ends}"


def _fifo(pragma: Pragma) -> bool:
    return pragma.options.get("type", "").lower() == "fifo"


def _together(written: tuple[Written, ...]) -> Iterator[tuple[str, Written, str]]:
    """Directives that may not stand in one body, and ports of which something is said twice."""
    bodies: dict[tuple[Path, int], dict[str, Written]] = {}
    for w in written:
        if w.body is None or w.pragma.known is None:
            continue
        there = bodies.setdefault((w.path, w.body.start), {})
        key = f"{w.pragma.directive} {w.pragma.variable}".strip()
        if w.pragma.directive in ("pipeline", "dataflow", "inline", "unroll", "interface", "stream") and key in there:
            yield "place", w, f"{key} is said twice"
        pair = {"pipeline": "dataflow", "dataflow": "pipeline"}.get(w.pragma.directive)
        if pair in there:
            yield "place", w, "pipeline and dataflow stand in one body"
        there[key] = w
