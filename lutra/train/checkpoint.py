"""Checkpoints as files, written whole or not at all."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

from lutra.errors import LutraError
from lutra.files import written


def write(path: Path, state: Any) -> Path:
    """Tensors, numbers, texts, lists and dictionaries of those, as a file."""
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)
    return written(path, buffer.getvalue())


def read(path: Path) -> Any:
    """What was written; nothing in the file is executed. Raises LutraError: no file, or not one of these."""
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as e:
        raise LutraError("there is no such file", str(path), "give the path of a checkpoint") from e
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile) as e:
        raise LutraError("it is not a checkpoint, or it is damaged", str(path), "start anew in another folder") from e
