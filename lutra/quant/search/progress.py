"""What a search says of how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Where a search stands: what is being done, how much of it is done, and the loss where there is one."""

    stage: str
    done: int
    total: int
    loss: float | None = None


Watch = Callable[[Progress], None]


def unseen(now: Progress) -> None:
    """A `Watch` that nobody looks at."""
