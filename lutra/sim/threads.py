"""Work on parts of a batch, side by side on this machine's cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

P = TypeVar("P")
R = TypeVar("R")


def side_by_side(work: Callable[[P], R], parts: Sequence[P]) -> list[R]:
    """The work on each part, on every core, and on one alone inside a matrix product: threads that share one product
    wait for each other, and where cores are busy they wait long. The caller works too, from the end.
    """
    with _libraries().limit(limits=1, user_api="blas"):
        waiting = [_threads().submit(work, p) for p in parts]
        own = []
        for part, job in zip(reversed(parts), reversed(waiting), strict=True):
            if not job.cancel():
                break
            own.append(work(part))
        return [job.result() for job in waiting[: len(parts) - len(own)]] + own[::-1]


def cores() -> int:
    """How many cores there are for this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, cores() - 1), thread_name_prefix="lutra")


@cache
def _libraries() -> ThreadpoolController:
    """The process's numeric libraries; finding them takes milliseconds, so once."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
