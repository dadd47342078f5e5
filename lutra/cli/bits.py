"""What `lutra quantize` prints."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from lutra.cli.console import percent, plain, say, table

if TYPE_CHECKING:
    from lutra.train.quantising import Outcome

SCORES = {"zeroq": "divergence", "hawq": "loss expected"}
ACCURACIES = {"float": "in floating point", "quantised": "quantised", "trained": "after training"}


@contextmanager
def bar() -> Iterator[Callable[[Any], None]]:
    """A bar on stderr for each stage of a search."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
               TextColumn("{task.fields[loss]}"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as made:
        task = made.add_task("prepare", total=None, loss="")

        def watch(now: Any) -> None:
            loss = "" if now.loss is None else f"loss {now.loss:.3g}"
            made.update(task, description=now.stage, total=now.total, completed=now.done, loss=loss)

        yield watch


def data(outcome: Outcome) -> dict[str, Any]:
    """Of --json."""
    plan = outcome.plan
    return {"bits": {path: b._asdict() for path, b in plan.bits.items()}, "score": plan.score, "cost": dict(plan.cost),
            "limits": dict(plan.limits), "accuracy": dict(outcome.accuracy), "checked": outcome.checked,
            "refused": outcome.refused, "next": _next(outcome),
            **{name: str(path) for name, path in outcome.files.items()}}


def _next(outcome: Outcome) -> str | None:
    return f"lutra build {shlex.quote(str(outcome.files['model']))}" if "model" in outcome.files else None


def show(to: Console, outcome: Outcome) -> None:
    """The bits, what they cost beside uniform ones, how many answers are right, and what comes next."""
    plan = outcome.plan
    to.print(table(("layer", "weights", "input"), [(p, b.weights, b.activations) for p, b in plan.bits.items()]))
    if plan.uniform:
        names = list(plan.cost)
        rows = [("chosen", *(f"{plan.cost[n]:,.6g}" for n in names), f"{plan.score:.3g}")]
        rows += [(f"{u.bits.weights} and {u.bits.activations} bits everywhere", *(f"{u.cost[n]:,.6g}" for n in names),
                  f"{u.score:.3g}") for u in plan.uniform]
        to.print()
        to.print(table(("", *names, SCORES.get(plan.method, "score")), rows))
    if outcome.accuracy:
        to.print()
        to.print(table((f"of {outcome.checked:,} test images", "right"),
                       [(ACCURACIES[name], percent(share)) for name, share in outcome.accuracy.items()]))
    to.print(plain(f"written: {', '.join(map(str, outcome.files.values()))}"), markup=False, soft_wrap=True)
    if outcome.refused is not None:
        say(f"no model file: {outcome.refused}")
    if after := _next(outcome):
        to.print(plain(f"next: {after}"), markup=False, soft_wrap=True)
