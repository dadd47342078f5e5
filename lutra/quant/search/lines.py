"""JSON for people: what fits into a line stands in one."""

from __future__ import annotations

import json
from typing import Any

WIDTH = 120


def lines(value: Any, indent: int = 0) -> str:
    """The JSON of a value, with each part in one line where it fits, and each member of it in lines of its own else."""
    short = json.dumps(value)
    if not isinstance(value, dict | list | tuple) or len(short) + indent <= WIDTH:
        return short
    pad = "\n" + " " * (indent + 1)
    if isinstance(value, dict):
        parts = [f"{json.dumps(str(name))}: {lines(part, indent + 1)}" for name, part in value.items()]
        return "{" + pad + ("," + pad).join(parts) + pad[:-1] + "}"
    return "[" + pad + ("," + pad).join(lines(part, indent + 1) for part in value) + pad[:-1] + "]"
