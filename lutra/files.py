"""Files and folders written whole or not at all."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from lutra.errors import LutraError


def whole(folder: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write a new folder beside `folder`, and put it in its place when it is complete."""
    folder = folder.absolute()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            fill(draft)
            draft.chmod(0o755)
            _swap(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as e:
        raise _unwritable(folder, e) from e


def written(path: Path, content: str | bytes) -> Path:
    """The file, written whole: a draft beside it takes its place."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("wb", dir=path.parent, delete=False) as draft:
            try:
                draft.write(content.encode() if isinstance(content, str) else content)
                draft.flush()
                Path(draft.name).chmod(0o644)
                Path(draft.name).replace(path)
            finally:
                Path(draft.name).unlink(missing_ok=True)
    except OSError as e:
        raise _unwritable(path, e) from e
    return path


def _unwritable(path: Path, error: OSError) -> LutraError:
    reasons = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}
    reason = reasons.get(error.errno or 0, error.strerror or str(error))
    return LutraError(f"cannot write: {reason}", str(path), "free some space or choose another folder")


def _swap(draft: Path, folder: Path) -> None:
    if not folder.exists():
        draft.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    folder.rename(old / "was")
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
