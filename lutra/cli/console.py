"""What the commands share: steps with a bar on stderr, results on stdout, text from models made harmless."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

T = TypeVar("T")


@dataclass
class Steps:
    """A bar that moves on with each step; a line stays for each one that is done."""

    progress: Progress
    task: TaskID

    def do(self, what: str, work: Callable[[], T]) -> T:
        """Do one step under its name."""
        self.progress.update(self.task, description=plain(what))
        begin = time.monotonic()
        result = work()
        self.progress.console.print(Text(f"  {plain(what)}: {time.monotonic() - begin:.1f} s", style="dim"))
        self.progress.advance(self.task)
        return result


@contextmanager
def steps(total: int) -> Iterator[Steps]:
    """A progress bar of `total` steps on stderr; plain lines where that is no terminal."""
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Steps(progress, progress.add_task("", total=total))


def emit(data: Mapping[str, Any] | Sequence[Any], as_json: bool, human: Callable[[Console], None]) -> None:
    """The result on stdout: JSON for machines, else as `human` prints it."""
    if as_json:
        click.echo(json.dumps(data, indent=1, ensure_ascii=False))
    else:
        human(Console(highlight=False))


def table(head: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1) -> Table:
    """A plain table; the first `left` columns flush left, the others right. Cells are text, never markup."""
    made = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 3, 0, 0))
    for i, name in enumerate(head):
        made.add_column(name, justify="left" if i < left else "right", overflow="fold")
    for row in rows:
        made.add_row(*(Text(plain(str(cell))) for cell in row))
    return made


def plain(text: str) -> str:
    """Text from outside with control characters written out, so that a name cannot drive the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def say(text: str) -> None:
    """A line on stderr."""
    click.echo(plain(text), err=True)


def fail(text: str) -> None:
    """An error, in one line on stderr."""
    click.echo(click.style("error: ", fg="red", bold=True) + plain(text), err=True)


def percent(share: float | None) -> str:
    """A share in per cent, or a dash where it is not known."""
    return "–" if share is None else f"{share:.1%}"
