"""What a vendor's compiler refuses in C++, besides directives: each rule yields the places where it is broken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lutra.check.clang import Unit, text
from lutra.check.code import FUNCTIONS, Function, Place, fixed, is_constexpr, kind, walk

Fault = tuple[str, Any, str]  # the rule, a cursor, a sentence
MEMORY = {"CXX_NEW_EXPR": "new", "CXX_DELETE_EXPR": "delete"}
THROWN = {"CXX_THROW_EXPR": "throw", "CXX_TRY_STMT": "try", "CXX_DYNAMIC_CAST_EXPR": "dynamic_cast",
          "CXX_TYPEID_EXPR": "typeid"}
ALLOCATES = ("malloc", "calloc", "realloc", "free", "alloca", "aligned_alloc", "strdup")
CONTAINERS = re.compile(r"\bstd::(?:__\w+::)*(vector|deque|list|forward_list|map|set|multimap|multiset|unordered_\w+|"
                        r"basic_string|function|unique_ptr|shared_ptr|any|queue|stack|priority_queue)\b")
SYNTHESISED = {"memcpy", "memset", "memmove", "abs", "labs", "llabs", "sqrt", "exp", "log", "sin", "cos", "tanh", "pow",
               "floor", "ceil", "fabs", "round", "fmin", "fmax", "assert", "__assert_fail"}
SIZEOF = "CXX_UNARY_EXPR"
DECLARED = ("VAR_DECL", "PARM_DECL", "FIELD_DECL", "TYPEDEF_DECL", "TYPE_ALIAS_DECL")


def code_faults(unit: Unit, places: tuple[Place, ...], functions: tuple[Function, ...]) -> Iterator[Fault]:
    """All rules over all of our code."""
    for cursor, parents in places:
        yield from _memory(cursor)
        yield from _pointers(cursor)
        yield from _calls(unit, cursor)
        yield from _loops(cursor, parents)
        if kind(cursor) in THROWN:
            yield "exceptions", cursor, f"{THROWN[kind(cursor)]} cannot be synthesised"
        if kind(cursor) in FUNCTIONS and cursor.is_virtual_method():
            yield "virtual", cursor, f"{cursor.spelling} is virtual"
    yield from _recursion(functions)


def _memory(cursor: Any) -> Iterator[Fault]:
    if kind(cursor) in MEMORY:
        yield "memory", cursor, f"{MEMORY[kind(cursor)]} takes memory while the design runs"
    if kind(cursor) in DECLARED and (found := CONTAINERS.search(cursor.type.get_canonical().spelling)):
        yield "memory", cursor, f"std::{found[1]} takes memory while the design runs"


def _pointers(cursor: Any) -> Iterator[Fault]:
    if kind(cursor) not in DECLARED:
        return
    type_ = cursor.type.get_canonical()
    pointee = type_.get_pointee() if type_.kind.name in ("POINTER", "LVALUEREFERENCE") else None
    if type_.kind.name == "MEMBERPOINTER" or (pointee and pointee.kind.name in ("FUNCTIONPROTO", "FUNCTIONNOPROTO")):
        yield "pointers", cursor, f"{cursor.spelling} points to a function"
    elif pointee and type_.kind.name == "POINTER" and pointee.kind.name == "POINTER":
        yield "pointers", cursor, f"{cursor.spelling} points to a pointer"
    if kind(cursor) == "PARM_DECL" and re.fullmatch(r"(const )?hls::stream<.*>", type_.spelling):
        yield "streams", cursor, f"the stream {cursor.spelling} is passed by value"
    shown = cursor.type.kind.name
    initialised = kind(cursor) == "VAR_DECL" and shown == "INCOMPLETEARRAY" and any(
        kind(c) == "INIT_LIST_EXPR" for c in cursor.get_children())
    if shown in ("INCOMPLETEARRAY", "VARIABLEARRAY") and not initialised:
        yield "arrays", cursor, f"the array {cursor.spelling} has no size that is known"


def _calls(unit: Unit, cursor: Any) -> Iterator[Fault]:
    """Functions of the C library, which have extern "C" linkage."""
    if kind(cursor) != "CALL_EXPR" or (target := cursor.referenced) is None or kind(target) != "FUNCTION_DECL":
        return
    name = target.spelling
    if name in ALLOCATES:
        yield "memory", cursor, f"{name} takes memory while the design runs"
    elif (not unit.owns(target) and target.mangled_name == name and not name.startswith("__builtin")
          and name not in SYNTHESISED):
        yield "system", cursor, f"{name} is a call of the system"


def _loops(cursor: Any, parents: tuple[Any, ...]) -> Iterator[Fault]:
    """Bounds that are known when code is compiled; functions that are constexpr are worked out there."""
    what = kind(cursor)
    owner = next((p for p in reversed(parents) if kind(p) in FUNCTIONS), None)
    if owner is None or is_constexpr(owner):
        return
    if what in ("WHILE_STMT", "DO_STMT"):
        yield "loops", cursor, "a while loop has no bound that is known"
    if what == "FOR_STMT" and (said := _unbounded(cursor)):
        yield "loops", cursor, said


def _unbounded(loop: Any) -> str:
    """What is wrong with a for loop's bounds; "" for nothing."""
    first, condition, step, _ = _clauses(loop)
    if condition is None or step is None:
        return "a for loop lacks its condition or its step"
    moved = {c.referenced.get_usr() for c, _ in walk(step) if kind(c) == "DECL_REF_EXPR" and c.referenced is not None}
    for c, parents in walk(condition):
        counts = kind(c) in ("DECL_REF_EXPR", "MEMBER_REF_EXPR") and not any(kind(p) == SIZEOF for p in parents)
        target = c.referenced if counts else None
        if target is not None and target.get_usr() not in moved and not fixed(c):
            return f"the loop's bound is {target.spelling}, which is not known when it is compiled"
    declared = [c for c, _ in walk(first) if kind(c) == "VAR_DECL"] if first is not None else []
    begins = [child for c in declared for child in c.get_children() if kind(child) not in ("TYPE_REF", "TEMPLATE_REF")]
    if not all(fixed(b) for b in begins):
        return "the loop begins at a value that is not known when it is compiled"
    return ""


def _clauses(loop: Any) -> tuple[Any, Any, Any, Any]:
    """Init, condition, step and body of a for loop, None for those left out: libclang leaves them out, too."""
    children = list(loop.get_children())
    head = text(loop.extent, children[-1].extent.start.offset)
    depth, at, there = 0, 0, [False, False, False]
    for c in head[head.index("(") + 1 :]:
        depth += (c in "([{") - (c in ")]}")
        if depth < 0:
            break
        if c == ";" and depth == 0:
            at += 1
        elif not c.isspace():
            there[at] = True
    found = iter(children)
    first, condition, step = (next(found) if have else None for have in there)
    return first, condition, step, next(found, None)


def _recursion(functions: tuple[Function, ...]) -> Iterator[Fault]:
    """Functions that reach themselves. Templates that call others of their own name with arguments worked out of their
    parameters are other functions.
    """
    by_name: dict[str, list[Function]] = {}
    for f in functions:
        by_name.setdefault(f.name, []).append(f)
    calls = {f: {g for name in _called(f) for g in by_name.get(name, [])} for f in functions}
    for f in functions:
        seen, queue = set[Function](), [*calls[f]]
        while queue:
            g = queue.pop()
            if g not in seen:
                seen.add(g)
                queue += calls[g]
        if f in seen:
            yield "recursion", f.cursor, f"{f.name} calls itself" + ("" if f in calls[f] else " by way of others")


def _called(function: Function) -> set[str]:
    """Names of functions that it calls: by the tokens where a call depends on template parameters."""
    names = set()
    for cursor, _ in function.inside:
        if kind(cursor) == "CALL_EXPR":
            name = str(cursor.spelling) or _first_name(cursor)
            if not (name == function.name and _worked_out(cursor, name)):
                names.add(name)
    return names


def _first_name(call: Any) -> str:
    """What a call calls, where that is not resolved."""
    names: list[str] = re.findall(r"\w+", re.split(r"[(<]", text(call.extent), maxsplit=1)[0])
    return names[-1] if names else ""


def _worked_out(call: Any, name: str) -> bool:
    """Whether a call's explicit template arguments are expressions."""
    found = re.match(rf"[\w:\s]*{re.escape(name)}\s*<([^()]*)>\s*\(", text(call.extent))
    return bool(found and re.search(r"[-+*/0-9]", found[1]))
