"""Inputs and outputs as the file declares them."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from lutra.errors import LutraError
from lutra.front.batch import KNOWING, POINTWISE
from lutra.front.model import Port
from lutra.front.place import shown
from lutra.front.tensors import STRING, integers
from lutra.ir import Range


def columns_first(graph: Any) -> frozenset[str]:
    """The inputs that are sequences (columns, batch, numbers): those that recurrent layers read as they are, or after
    operators that work on each number alone.
    """
    makers = {name: n for n in graph.node for name in n.output}
    found = set()
    for node in graph.node:
        if node.op_type in KNOWING and node.input and not any(a.name == "layout" and a.i for a in node.attribute):
            name = node.input[0]
            for _ in graph.node:  # a chain is no longer than that
                if (maker := makers.get(name)) is None or maker.op_type not in POINTWISE or not maker.input:
                    break
                name = maker.input[0]
            found.add(name)
    return frozenset(i.name for i in graph.input if i.name in found and _fixed(i))


def _fixed(value: Any) -> bool:
    """Whether a tensor of three axes says how many columns it has."""
    dims = value.type.tensor_type.shape.dim
    return len(dims) == 3 and dims[0].HasField("dim_value")


def input_ports(graph: Any, constants: set[str], columns: Set[str] = frozenset()) -> tuple[Port, ...]:
    """The inputs that are no initialisers; LutraError where there is none, or the size of one is open.

    Lengths of sequences (batch,) are one number a frame, (batch, 1). columns: those with axes (columns, batch,
    numbers); the port is (batch, columns, numbers), as all data are given.
    """
    read = [(name, n.op_type in ("LSTM", "GRU") and i == 4) for n in graph.node for i, name in enumerate(n.input)]
    lengths = {name for name, said in read if said} - {name for name, said in read if not said}
    found = tuple(_declared(i, i.name in lengths, int(i.name in columns))
                  for i in graph.input if i.name not in constants)
    if not found:
        raise LutraError("the model has no input", "model", "export the model with an input")
    names = [p.name for p in found]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise LutraError("it is declared twice", f"input {shown(twice)}", "export the model again")
    return found


def _declared(value: Any, lengths: bool, batch: int) -> Port:
    at = f"input {shown(value.name)}"
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or kind.elem_type == STRING:
        raise LutraError("it is not a tensor of numbers", at, "export the model with a float input")
    if not kind.HasField("shape"):
        raise LutraError("its shape is not declared", at, "export the model with a fixed input shape")
    dims = [d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in kind.shape.dim]
    if not dims:
        raise LutraError("it has no axes", at, "export the model with an input of shape (batch, ...)")
    if lengths and len(dims) == 1:
        return Port(value.name, (dims[0], 1))
    for axis, (size, dim) in enumerate(zip(dims, kind.shape.dim, strict=True)):
        if size is None and (axis != batch or len(dims) == 1):
            label = f" ({shown(dim.dim_param)})" if dim.dim_param else ""
            raise LutraError(f"axis {axis}{label} has no fixed size, its shape is {_shape(kind.shape.dim)}", at,
                             "only the batch axis may be dynamic: export the model with a fixed input size")
    return Port(value.name, (dims[batch], *dims[:batch], *dims[batch + 1 :]))


def _shape(dims: Sequence[Any]) -> str:
    sizes = [str(d.dim_value) if d.HasField("dim_value") and d.dim_value > 0 else d.dim_param[:20] or "?" for d in dims]
    return f"({', '.join(sizes)})"


def annotation(graph: Any, name: str) -> Range | None:
    """What FINN's `finn_datatype` says of an input, else its own integer data type of 16 bits or less; or None."""
    facts = {a.tensor_name: {p.key: p.value for p in a.quant_parameter_tensor_names}
             for a in graph.quantization_annotation}
    kind = facts.get(name, {}).get("finn_datatype", "")
    fixed = {"BIPOLAR": Range(-1, 1, 2), "BINARY": Range(0, 1), "TERNARY": Range(-1, 1)}
    if kind in fixed:
        return fixed[kind]
    for prefix, signed in (("UINT", False), ("INT", True)):
        digits = kind.removeprefix(prefix)
        if kind.startswith(prefix) and digits.isascii() and digits.isdecimal() and 1 <= int(digits) <= 64:
            half = 1 << (int(digits) - 1)
            return Range(-half, half - 1) if signed else Range(0, 2 * half - 1)
    declared = next((i.type.tensor_type.elem_type for i in graph.input if i.name == name), 0)
    bounds = integers(declared)
    return Range(*bounds) if bounds is not None and bounds[1] < 1 << 16 else None
