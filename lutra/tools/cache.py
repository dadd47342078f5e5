"""Results of tools, kept by the content of what went in. A folder is whole or it is not there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lutra.errors import LutraError

Part = str | bytes | int | float | bool | None


@dataclass(frozen=True)
class Cache:
    """Folders under `root`, named by a hash of their key. Safe with several processes at once and with an interrupt."""

    root: Path

    def folder(self, key: Iterable[Part], make: Callable[[Path], None]) -> Path:
        """The folder of this key. Where there is none, `make` fills a new one, which takes its place when whole.

        If two processes make the same one, the first to finish wins. LutraError where the disk is full or read-only.
        """
        place = self.root / digest(key)
        if place.is_dir():
            return place
        with writing(self.root):
            self._make(place, make)
        return place

    def _make(self, place: Path, make: Callable[[Path], None]) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{place.name[:12]}-", dir=self.root))
        try:
            make(draft)
            draft.chmod(0o755)
            draft.rename(place)
        except OSError as e:
            if not (e.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES) and place.is_dir()):
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)


@contextlib.contextmanager
def writing(place: Path) -> Iterator[None]:
    """What is written in this block goes to `place`: a full or forbidden disk there is a LutraError."""
    try:
        yield
    except OSError as e:
        if e.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        hint = "free some space or choose another folder"
        raise LutraError(f"cannot write to {place}: {e.strerror}", hint=hint) from e


def digest(key: Iterable[Part]) -> str:
    """A name for a list of values: equal lists of the same types give equal names, others do not."""
    state = hashlib.sha256()
    for part in key:
        data = part if isinstance(part, bytes) else repr(part).encode()
        state.update(f"{type(part).__name__}{len(data)}:".encode() + data)
    return state.hexdigest()[:32]
