"""Numbers that are dear to find, kept in a folder, so that a search goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lutra.errors import LutraError
from lutra.files import written


def digest(net: nn.Module, *facts: Any) -> str:
    """A name for a network's class, parameters and buffers, and for facts that have a `repr` of their own."""
    found = hashlib.sha256(repr((type(net).__qualname__, str(net), facts)).encode())
    for name, value in sorted(net.state_dict().items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        found.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()[:24]


def digest_of(x: Tensor) -> str:
    """The same of one tensor."""
    return hashlib.sha256(x.detach().cpu().contiguous().numpy().tobytes()).hexdigest()[:24]


class Kept:
    """Numbers by name in one file, `KEY.json` of the folder; of this process only where the folder is None."""

    def __init__(self, folder: Path | None, key: str) -> None:
        self.path = folder / f"{key}.json" if folder else None
        self.numbers: dict[str, float] = {}
        if self.path and self.path.exists():
            self.numbers = self._read(self.path)

    def get(self, name: str, find: Callable[[], float]) -> float:
        """The number of this name, found and written down if it is not there."""
        return self.all([name], lambda: [find()])[0]

    def all(self, names: Sequence[str], find: Callable[[], Sequence[float]]) -> list[float]:
        """The numbers of these names, found together and written down if not all are there."""
        if not all(name in self.numbers for name in names):
            self.numbers |= zip(names, find(), strict=True)
            if self.path:
                written(self.path, json.dumps(self.numbers, indent=1) + "\n")
        return [self.numbers[name] for name in names]

    @staticmethod
    def _read(path: Path) -> dict[str, float]:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return {str(k): float(v) for k, v in data.items()}
        except (OSError, ValueError, TypeError, AttributeError) as e:
            raise LutraError(f"what is kept there is damaged: {e}", str(path), "remove the file") from e
