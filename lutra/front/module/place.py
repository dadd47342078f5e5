"""Where an operation of an exported network is, in the user's own terms: the module and the line of its source."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lutra.front.place import shown

FRAME = re.compile(r'^\s*File "(?P<file>[^"\n]*)", line (?P<line>\d+), in (?P<function>\S+)', re.MULTILINE)
CAST = re.compile(r"(.*\.)?lutra_casts\.(?P<path>[^:]*):")  # where lutra.quant keeps the casts of streams
OWN = Path(__file__).resolve().parents[2]
ZOO = OWN / "zoo"  # networks, whose lines say something


def places(nodes: Iterable[Any], torch_folder: Path) -> dict[Any, str]:
    """A place for each of these nodes of an exported graph, for example: conv2d 'layer1.0.conv1' (resnet.py:35). No two
    are equal: what would be is numbered.
    """
    found: dict[Any, str] = {}
    count: dict[str, int] = {}
    for node in nodes:
        text = place(node, torch_folder)
        count[text] = count.get(text, 0) + 1
        found[node] = text if count[text] == 1 else f"{text} #{count[text]}"
    return found


def place(node: Any, torch_folder: Path) -> str:
    """The operator, the module that called it and the source line."""
    module = _module(node)
    line = source_line(node.meta.get("stack_trace") or "", torch_folder)
    return f"{operator(node)}{f' {shown(module)}' if module else ''}{f' ({line})' if line else ''}"


def operator(node: Any) -> str:
    """The operator's name without its namespace and what tells its variants apart."""
    name = node.target.name() if hasattr(node.target, "name") else getattr(node.target, "__name__", str(node.target))
    return str(name).split("::")[-1].split(".")[0]


def source_line(trace: str, torch_folder: Path) -> str:
    """file:line of the innermost call that is neither PyTorch's nor Lutra's; empty where there is none."""
    own = [m for m in FRAME.finditer(trace) if not _inside(m["file"], torch_folder)
           and (_inside(m["file"], ZOO) or not _inside(m["file"], OWN))]
    return f"{Path(own[-1]['file']).name}:{own[-1]['line']}" if own else ""


def _inside(file: str, folder: Path) -> bool:
    return file.startswith("<") or Path(file).is_relative_to(folder)


def _module(node: Any) -> str:
    """The qualified name of the innermost module; a parametrised weight's is its layer's, a cast's that of the module
    whose numbers it casts.
    """
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    name = str(stack[-1][0]) if stack else ""
    cast = CAST.match(name)
    return cast["path"].replace("/", ".") if cast else name.split(".parametrizations.")[0]
