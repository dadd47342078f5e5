"""A model on the command line: an ONNX file, or FILE.py:FUNCTION that gives a torch module and an example."""

from __future__ import annotations

import re
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any

import click

from lutra import LutraError

MADE = re.compile(r"(?P<file>.+\.py):(?P<function>[A-Za-z_]\w*)$")
argument = click.argument("model", type=click.Path(path_type=Path))


def read(model: Path) -> tuple[Any, Any]:
    """The model and the example that `lutra.compile` takes; of a file its path, and no example.

    A Python file is run, as Python itself would run it. LutraError where it fails, or gives something else.
    """
    found = MADE.match(str(model))
    if not found or model.is_file():
        return model, None
    path, name = Path(found["file"]), found["function"]
    if not path.is_file():
        raise LutraError("there is no such file", str(path), "check the path")
    made = _made(path, name)
    if not isinstance(made, tuple) or len(made) != 2:
        raise LutraError(f"{name}() gives a {type(made).__name__}, not a network and an example", str(path),
                         "return net, torch.zeros(1, 3, 32, 32)")
    return made


def _made(path: Path, name: str) -> Any:
    """What a function of a Python file returns; the file's folder is first among the places that it imports from."""
    before = list(sys.path)
    sys.path.insert(0, str(path.resolve().parent))
    try:
        make = runpy.run_path(str(path)).get(name)
        if not callable(make):
            raise LutraError(f"it has no function {name!r}", str(path), "write one that returns network and example")
        return make()
    except LutraError:
        raise
    except Exception as e:  # the user's own code
        lines = [f.lineno for f in traceback.extract_tb(e.__traceback__) if Path(f.filename) == path]
        at = f"{path}:{lines[-1]}" if lines else str(path)
        raise LutraError(f"{type(e).__name__}: {e}", at, "run it with python first") from e
    finally:
        sys.path[:] = before
