"""Functions of a translation unit: their bodies, what they can see, whom they call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from lutra.check.clang import COMMENT, Unit

FUNCTIONS = ("FUNCTION_DECL", "FUNCTION_TEMPLATE", "CXX_METHOD", "CONSTRUCTOR", "DESTRUCTOR", "CONVERSION_FUNCTION")
LOOPS = ("FOR_STMT", "WHILE_STMT", "DO_STMT", "CXX_FOR_RANGE_STMT")
CONSTANTS = ("TEMPLATE_NON_TYPE_PARAMETER", "ENUM_CONSTANT_DECL")
ARRAYS = ("CONSTANTARRAY", "DEPENDENTSIZEDARRAY", "INCOMPLETEARRAY", "VARIABLEARRAY")


def kind(cursor: Any) -> str:
    """Its kind's name; "" for one that this libclang's bindings do not know."""
    try:
        return str(cursor.kind.name)
    except ValueError:
        return ""


Place = tuple[Any, tuple[Any, ...]]  # a cursor and what it is in, the innermost last


def walk(cursor: Any, parents: tuple[Any, ...] = ()) -> Iterator[Place]:
    """A cursor and all below it."""
    yield cursor, parents
    for child in cursor.get_children():
        yield from walk(child, (*parents, cursor))


def ours(unit: Unit) -> tuple[Place, ...]:
    """Everything in our files."""
    found: list[Place] = []
    for top in unit.tree.cursor.get_children():
        if unit.owns(top):  # a variable outside of functions is a memory, with many words
            found += [(top, ())] if kind(top) == "VAR_DECL" else walk(top)
    return tuple(found)


@dataclass(frozen=True)
class Body:
    """A compound statement. place: "function" or "loop", "" for what is neither's own body."""

    file: str
    start: int  # offsets in the file
    end: int
    place: str
    statements: tuple[int, ...]  # where those directly in it begin
    function: Function


@dataclass(frozen=True, eq=False)
class Function:
    """A function with a body, in our files. parents: what its definition is in."""

    cursor: Any
    parents: tuple[Any, ...]

    @property
    def name(self) -> str:
        """As it is called, without its scope."""
        return str(self.cursor.spelling).split("<")[0]

    @cached_property
    def inside(self) -> tuple[tuple[Any, tuple[Any, ...]], ...]:
        """Everything below it."""
        return tuple(walk(self.cursor))[1:]

    @cached_property
    def constexpr(self) -> bool:
        """Whether a compiler may work it out."""
        return is_constexpr(self.cursor)

    @cached_property
    def bodies(self) -> tuple[Body, ...]:
        """Its own body and all in it."""
        found = []
        for cursor, parents in self.inside:
            if kind(cursor) == "COMPOUND_STMT":
                above = kind(parents[-1])
                place = "function" if above in FUNCTIONS else "loop" if above in LOOPS else ""
                begin, end = cursor.extent.start, cursor.extent.end
                statements = tuple(c.extent.start.offset for c in cursor.get_children())
                found.append(Body(begin.file.name, begin.offset, end.offset, place, statements, self))
        return tuple(found)

    @cached_property
    def templates(self) -> frozenset[str]:
        """Names of template parameters, its own and those of the classes around it."""
        inner = (c for scope in (self.cursor, *self.parents) for c in scope.get_children())
        return frozenset(c.spelling for c in inner if kind(c) == "TEMPLATE_NON_TYPE_PARAMETER")

    @cached_property
    def variables(self) -> tuple[tuple[str, Any, int, int], ...]:
        """Parameters and variables: name, cursor, and from where to where it is seen."""
        found = []
        for cursor, parents in self.inside:
            if kind(cursor) in ("VAR_DECL", "PARM_DECL"):
                scope = next((p for p in reversed(parents) if kind(p) == "COMPOUND_STMT"), self.cursor)
                found.append((cursor.spelling, cursor, cursor.extent.end.offset, scope.extent.end.offset))
        return tuple(found)

    @cached_property
    def members(self) -> dict[str, Any]:
        """Fields and static members of the classes around it."""
        return {c.spelling: c for p in self.parents for c in p.get_children() if kind(c) in ("FIELD_DECL", "VAR_DECL")}


def functions(places: tuple[Place, ...]) -> tuple[Function, ...]:
    """All functions with a body."""
    return tuple(Function(c, parents) for c, parents in places if kind(c) in FUNCTIONS and c.is_definition())


def globals_of(unit: Unit) -> dict[str, Any]:
    """Variables outside of functions in our files."""
    return {c.spelling: c for c in unit.tree.cursor.get_children() if kind(c) == "VAR_DECL" and unit.owns(c)}


def bare(type_: Any) -> Any:
    """A type without a reference to it."""
    found = type_.get_canonical()
    return found.get_pointee() if found.kind.name in ("LVALUEREFERENCE", "RVALUEREFERENCE") else found


def is_array(cursor: Any) -> bool:
    """Whether a variable is an array, or a reference to one."""
    return bare(cursor.type).kind.name in ARRAYS


def is_stream(cursor: Any) -> bool:
    """Whether a variable is an hls::stream, an array of them, or a reference to one."""
    return "stream<" in bare(cursor.type).spelling


def is_constant(cursor: Any) -> bool:
    """Whether a reference's target is known when code is compiled."""
    if kind(cursor) in CONSTANTS:
        return True
    if kind(cursor) != "VAR_DECL" or not cursor.type.is_const_qualified():
        return False
    made = [c for c in cursor.get_children() if kind(c) not in ("TYPE_REF", "NAMESPACE_REF", "TEMPLATE_REF")]
    return bool(made) and all(fixed(c) for c in made)


def fixed(cursor: Any) -> bool:
    """Whether an expression is made of constants alone."""
    for below, parents in walk(cursor):
        if kind(below) not in ("DECL_REF_EXPR", "MEMBER_REF_EXPR"):
            continue
        target = below.referenced
        if target is None or kind(target) == "OVERLOADED_DECL_REF":
            continue
        if kind(target) in ("FUNCTION_DECL", "FUNCTION_TEMPLATE", "CXX_METHOD"):
            if not is_constexpr(target):
                return False
        elif not is_constant(target) and not (parents and kind(parents[-1]) == "SIZE_OF_PACK_EXPR"):
            return False
    return True


@cache
def _before_body(file: str, start: int, end: int) -> str:
    raw = Path(file).read_bytes()[start:end].decode("latin-1")
    return COMMENT.sub(" ", raw).partition("{")[0]


def is_constexpr(function: Any) -> bool:
    """Whether a function is declared so."""
    extent = function.extent
    file = extent.start.file
    return file is not None and "constexpr" in _before_body(file.name, extent.start.offset, extent.end.offset).split()
