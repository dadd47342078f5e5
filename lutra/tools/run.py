"""Run an external tool: its own process group, its output kept, a failure told in its own telling lines."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

from lutra.errors import LutraError

TELLING = re.compile(r"error|%Warning|fatal|fail|abort|assert|cannot|killed|no space|not found", re.IGNORECASE)
SHOWN = 6  # lines of a failed tool's output that an error quotes
T = TypeVar("T")
_group = threading.local()  # the processes of the `parallel` that this thread works for


def run(
    cmd: Sequence[str], cwd: Path | None = None, timeout_s: float | None = None, env: Mapping[str, str] | None = None,
    name: str = "",
) -> str:
    """Run `cmd` (no shell) and return what it printed, both streams together.

    `env` is added to the environment; `name` is what errors call the tool. LutraError where the tool is missing, fails
    or runs past `timeout_s` seconds. Nothing of its process group outlives the call, not even on an interrupt.
    """
    name = name or Path(cmd[0]).name
    try:
        process = subprocess.Popen(
            list(cmd), cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
    except OSError as e:
        raise LutraError(f"{name} does not start: {e.strerror}", hint="see `lutra doctor`") from e
    mine: set[subprocess.Popen[str]] = getattr(_group, "live", set())
    mine.add(process)
    try:
        output, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as e:
        _end(process)
        raise LutraError(f"{name} ran past its limit of {timeout_s:g} s") from e
    except BaseException:
        _end(process)
        raise
    finally:
        mine.discard(process)
    if process.returncode:
        raise LutraError(f"{name} failed ({_status(process.returncode)}): {telling(output)}")
    return output


def parallel(jobs: Iterable[Callable[[], T]], at_once: int) -> Iterator[T]:
    """The jobs' results in their order, `at_once` of them at work. Where one fails, or on an interrupt, no further job
    starts, the tools that the others run through `run` are ended at once, and that error is raised.
    """
    live: set[subprocess.Popen[str]] = set()
    errors: list[Exception] = []

    def one(job: Callable[[], T]) -> T:
        if errors:
            raise CancelledError
        _group.live = live
        try:
            return job()
        except Exception as e:
            errors.append(e)
            _end(*live)
            raise

    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(one, job) for job in jobs]
        try:
            for future in futures:
                yield future.result()
        except BaseException as e:
            while not all(f.cancel() or f.done() for f in futures):
                _end(*live)
                wait(futures, timeout=0.05)
            if errors and isinstance(e, Exception):
                raise errors[0] from None
            raise


def telling(output: str) -> str:
    """The last lines that say what went wrong, on one line; the very last ones where none does."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    chosen = [line for line in lines if TELLING.search(line)] or lines
    return " | ".join(chosen[-SHOWN:]) or "it printed nothing"


def _status(code: int) -> str:
    return f"exit status {code}" if code > 0 else f"signal {signal.Signals(-code).name}"


def _end(*processes: subprocess.Popen[str]) -> None:
    """End the processes and all that they started."""
    for process in processes:
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
