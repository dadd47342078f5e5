"""Reading an exported graph: which nodes there are, and what its placeholders hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lutra.errors import LutraError
from lutra.front.module.tensors import array

if TYPE_CHECKING:
    from torch.export import ExportedProgram

SHAPED = ("zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty")


def held(program: ExportedProgram) -> dict[str, Any]:
    """Parameters, buffers and lifted constants by the names of their placeholders."""
    signature = program.graph_signature
    named = {**signature.inputs_to_parameters, **signature.inputs_to_buffers,
             **signature.inputs_to_lifted_tensor_constants}
    everything = {**program.constants, **program.state_dict}
    return {name: everything[target] for name, target in named.items()}


def needed(nodes: Iterable[Any], ends: list[Any]) -> list[Any]:
    """The nodes on which these depend, in order."""
    found: set[Any] = set()
    stack = list(ends)
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack += node.all_input_nodes
    return [n for n in nodes if n in found]


def live(nodes: Iterable[Any], constant: dict[str, Any]) -> list[Any]:
    """Of these nodes those whose values depend on the network's input, in order; the inputs left out."""
    found: set[Any] = set()
    result = []
    for node in nodes:
        if node.op == "placeholder":
            found |= set() if node.name in constant else {node}
        elif key(node).split("::")[-1] not in SHAPED and not found.isdisjoint(node.all_input_nodes):
            found.add(node)
            result.append(node)
    return result


def outputs(program: ExportedProgram) -> list[Any]:
    """The nodes that forward returns; an input that it changes in place is none."""
    wanted = [s.arg.name for s in program.graph_signature.output_specs if s.kind.name == "USER_OUTPUT"]
    named = {n.name: n for n in program.graph.nodes}
    return [named[name] for name in wanted if name in named]


def is_node(value: Any) -> bool:
    """Whether an argument is a node and no plain value."""
    return hasattr(value, "all_input_nodes")


def key(node: Any) -> str:
    """namespace::operator of a call, without the overload; a Python function's name."""
    target = node.target
    return str(target.name() if hasattr(target, "name") else getattr(target, "__name__", target)).split(".")[0]


def shapes(node: Any) -> tuple[tuple[int, ...], ...]:
    """Of the results, as the example's run has them; () where one is no tensor. LutraError where the data decide it."""
    value = node.meta.get("val")
    many = value if isinstance(value, (list, tuple)) else (value,)
    sizes = [d for v in many if hasattr(v, "shape") for d in v.shape]
    if any(not isinstance(d, int) and d.node.maybe_as_int() is None for d in sizes):
        raise LutraError("the shape of its result depends on the values of the network's data",
                         hint="select by masks that multiply, not by indices that are computed")
    return tuple(tuple(int(d) for d in v.shape) if hasattr(v, "shape") else () for v in many)


def arguments(node: Any, args: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """A call's arguments by the names of the operator's schema, defaults filled in."""
    schema = node.target._schema.arguments
    named = {s.name: s.default_value if s.has_default_value() else None for s in schema}
    return named | dict(zip(named, args, strict=False)) | kwargs


def digest(nodes: list[Any], constant: dict[str, Any]) -> tuple[str, int]:
    """SHA-256 over operators and constants, and over how many bytes it is."""
    found, size = hashlib.sha256(), 0
    for node in nodes:
        parts = [f"{node.op} {node.name} {node.target} {node.args} {node.kwargs}\n".encode()]
        if hasattr(constant.get(node.name), "detach"):
            values = array(constant[node.name])
            parts += [f"{values.dtype} {values.shape}\n".encode(), values.tobytes()]
        for part in parts:
            found.update(part)
            size += len(part)
    return found.hexdigest(), size
