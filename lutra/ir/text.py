"""The text form of a graph: one line a node, constants by digest at the end. Written and read back exactly.

    lutra graph 1
    %0 = Input(name="x", tensor=[784] -1..1/2) : [784] -1..1/2
    %1 = MatMul(weights=$5f0c1d20ab34)(%0) : [64] -784..784/2 @ "MatMul 'fc1' (node 3 of 9)"
    inputs %0
    outputs %1
    $5f0c1d20ab34 = <i8 [64,784] eJzt...

Nothing in it is executed: values are numbers, strings, tuples, ranges, tensors and references. A constant is its type,
its shape and its bytes, compressed by zlib, in base64.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields
from typing import Any

import numpy as np

from lutra.errors import LutraError
from lutra.ir.node import Constant, Graph, Input, Node, Op, Tensor
from lutra.ir.parse import Line
from lutra.ir.range import Range

HEADER = "lutra graph 1"
SHORT = 12  # hexadecimal digits of a digest that are shown where they tell constants apart
DTYPES = ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")
MOST = 1 << 31  # bytes of one constant
PROBLEMS = (TypeError, ValueError, AttributeError, IndexError, AssertionError)


def tag(op: type[Op]) -> str:
    """The operator's name in text: its class, after `source.` where it is one of a source graph."""
    return f"source.{op.__name__}" if ".source." in op.__module__ else op.__name__


def to_text(graph: Graph) -> str:
    """The graph as text; `from_text` gives an equal one back."""
    ids = {node: i for i, node in enumerate(graph.nodes)}
    constants = {c.digest: c for node in graph.nodes for c in _constants(node.op)}
    length = SHORT if len({d[:SHORT] for d in constants}) == len(constants) else 64
    lines = [HEADER]
    for node, i in ids.items():
        written = ", ".join(f"{f.name}={_value(getattr(node.op, f.name), length)}" for f in _fields(node.op))
        args = f"({', '.join(f'%{ids[a]}' for a in node.args)})" if node.args else ""
        loc = f" @ {json.dumps(node.loc)}" if node.loc else ""
        lines.append(f"%{i} = {tag(type(node.op))}({written}){args} : {node.out}{loc}")
    for side, nodes in (("inputs", graph.inputs), ("outputs", graph.outputs)):
        lines.append(" ".join([side, *(f"%{ids[n]}" for n in nodes)]))
    lines += [f"${digest[:length]} = {_packed(constants[digest])}" for digest in sorted(constants)]
    return "\n".join(lines) + "\n"


def _fields(op: Op | type[Op]) -> tuple[Any, ...]:
    return fields(op)  # type: ignore[arg-type]


def _constants(op: Op) -> Iterator[Constant]:
    stack = [getattr(op, f.name) for f in _fields(op)]
    while stack:
        match stack.pop():
            case Constant() as c:
                yield c
            case tuple() as t:
                stack.extend(t)


def _value(value: Any, length: int) -> str:
    match value:
        case None:
            return "none"
        case bool() | np.bool_():
            return "true" if value else "false"
        case int() | np.integer():
            return str(int(value))
        case float() | np.floating():
            return repr(float(value))
        case str():
            return json.dumps(value)
        case Range() | Tensor():
            return str(value)
        case Constant():
            return f"${value.digest[:length]}"
        case tuple():
            inner = ", ".join(_value(v, length) for v in value)
            return f"({inner},)" if len(value) == 1 else f"({inner})"
    raise AssertionError(f"no text form for a {type(value).__name__}")


def _packed(constant: Constant) -> str:
    array = constant.array
    assert array.dtype.str in DTYPES, array.dtype
    shape = ",".join(map(str, array.shape))
    return f"{array.dtype.str} [{shape}] {base64.b64encode(zlib.compress(array.tobytes(), 6)).decode()}"


def from_text(text: str, ops: Iterable[type[Op]]) -> Graph:
    """The graph of a text, whose operators are `Input` and those of `ops`; LutraError with the line that is wrong."""
    lines = text.splitlines()
    if not lines or lines[0] != HEADER:
        raise LutraError("this is not the text of a graph of this version", "line 1", f"it begins with {HEADER!r}")
    numbered = [(i, line) for i, line in enumerate(lines, 1) if i > 1 and line]
    constants = dict(_located(i, _constant, line) for i, line in numbered if line.startswith("$"))
    classes: list[type[Op]] = [Input, *ops]
    known = {tag(op): op for op in classes}
    nodes: list[Node] = []
    ends: dict[str, tuple[Node, ...]] = {}
    for i, line in numbered:
        if line.startswith("%"):
            nodes.append(_located(i, _node, line, nodes, known, constants))
        elif not line.startswith("$"):
            side, found = _located(i, _ends, line, nodes)
            ends[side] = found
    if set(ends) != {"inputs", "outputs"}:
        raise LutraError("the inputs or the outputs are not named", "the end of the text", "the text is cut off")
    if not all(isinstance(n.op, Input) for n in ends["inputs"]):
        raise LutraError("an input of the graph is not an Input", "inputs", "name Input nodes only")
    return Graph(ends["inputs"], ends["outputs"])


def _located(number: int, read: Any, line: str, *rest: Any) -> Any:
    try:
        return read(line, *rest)
    except LutraError as e:
        raise LutraError(e.what, f"line {number}", e.hint or "the text is damaged") from e
    except PROBLEMS as e:  # an operator that is built from values of the wrong type
        raise LutraError(f"its values do not fit its operator: {str(e)[:80]}", f"line {number}",
                         "the text is damaged") from e


def _constant(text: str) -> tuple[str, Constant]:
    line = Line(text)
    name = line.take("reference")[1:]
    line.expect("=")
    dtype, shape, packed = line.take("dtype"), line.shape(), line.rest()
    if dtype not in DTYPES:
        raise LutraError(f"constants of type {dtype} are not known")
    size = np.dtype(dtype).itemsize
    for d in shape:
        size *= d
    if size > MOST:
        raise LutraError(f"a constant of {size} bytes is too large")
    try:
        data = zlib.decompressobj().decompress(base64.b64decode(packed, validate=True), size + 1)
    except (ValueError, zlib.error) as e:
        raise LutraError(f"constant ${name} is not compressed base64") from e
    if len(data) != size:
        raise LutraError(f"constant ${name} does not have {size} bytes")
    constant = Constant(np.frombuffer(data, dtype).reshape(shape))
    if not constant.digest.startswith(name):
        raise LutraError(f"constant ${name} is not what its digest says")
    return name, constant


def _node(text: str, nodes: list[Node], known: dict[str, type[Op]], constants: dict[str, Constant]) -> Node:
    line = Line(text)
    if line.take("node") != f"%{len(nodes)}":
        raise LutraError(f"node %{len(nodes)} is expected here")
    line.expect("=")
    name = line.take("name")
    if name not in known:
        raise LutraError(f"operator {name[:60]!r} is not known", hint="it was written by another version of Lutra")
    values = line.fields(constants)
    op = known[name]
    wanted = [f.name for f in _fields(op) if f.default is MISSING or f.name in values]
    if list(values) != wanted:  # those with a default may be missing: they are younger than the text
        raise LutraError(f"{name} has the fields {', '.join(wanted) or 'none'}, not {', '.join(values) or 'none'}")
    args = line.references(nodes) if line.peek() == "(" else ()
    line.expect(":")
    out = line.tensor()
    loc = json.loads(line.take("string")) if line.skip("@") else ""
    line.end()
    node = Node(op(**values), args, loc)
    if node.out != out:
        raise LutraError(f"{name} gives {node.out}, the text says {out}")
    return node


def _ends(text: str, nodes: list[Node]) -> tuple[str, tuple[Node, ...]]:
    side, *names = text.split()
    if side not in ("inputs", "outputs"):
        raise LutraError(f"a line begins with {side[:40]!r}")
    table = {f"%{i}": n for i, n in enumerate(nodes)}
    missing = next((n for n in names if n not in table), None)
    if missing is not None:
        raise LutraError(f"there is no node {missing[:40]!r}")
    return side, tuple(table[n] for n in names)
