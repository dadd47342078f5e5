"""How places of the user's model are shown. Names from a file are data: escaped, shortened, and nothing else."""

from __future__ import annotations

from typing import Any

LONGEST = 60


def shown(name: str) -> str:
    """A name of the file, quoted, control characters escaped, at most about LONGEST characters."""
    return repr(name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}...")


def place(node: Any, index: int, total: int) -> str:
    """Where a node of an ONNX graph is, for example: Conv 'conv1' (node 7 of 31)."""
    name = f" {shown(node.name)}" if node.name else ""
    kind = node.op_type if node.op_type.isidentifier() else shown(node.op_type)
    return f"{kind[:LONGEST]}{name} (node {index + 1} of {total})"
