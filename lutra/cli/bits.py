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
    from rich.table import Table

    from lutra.quant.search.plan import BitPlan
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


def _beside(plan: BitPlan) -> Table:
    """Costs and scores of the plan and of uniform bits, and what was measured of them."""
    from lutra.report.bits import choices, percent, short

    uniform, measured = plan.uniform, plan.measured
    names = [n for n in plan.cost if plan.cost[n] or any(u.cost[n] for u in uniform)]
    labelled = measured is not None and measured.by == "accuracy"
    figure = percent if labelled else short
    rows = []
    for row in choices(plan.data()):
        name = "chosen" if row["chosen"] else "W{weights}A{activations}".format(**row["bits"])
        own = () if measured is None else ("–" if row["measured"] is None else figure(row["measured"]),)
        rows.append((name, *(_count(row["cost"][n]) for n in names), *own, f"{row['score']:.3g}"))
    score = SCORES.get(plan.method, "score")
    found = () if measured is None else ("accuracy" if labelled else f"{score}, whole",)
    return table(("", *names, *found, f"{score}, sum"), rows)


def _count(value: float) -> str:
    """As short as a column of a terminal needs it."""
    return f"{value / 1e6:,.0f} M" if value >= 1e8 else f"{value:,.0f}"


def _next(outcome: Outcome) -> str | None:
    if "model" not in outcome.files:
        return None
    target = outcome.target
    to = f" --device {shlex.quote(target.device)} --fps {target.fps:g} --clock {target.clock_mhz:g}" if target else ""
    return f"lutra build {shlex.quote(str(outcome.files['model']))}{to}"


def show(to: Console, outcome: Outcome) -> None:
    """The bits, what they cost beside uniform ones, how many answers are right, and what comes next."""
    plan = outcome.plan
    to.print(table(("layer", "weights", "input"), [(p, b.weights, b.activations) for p, b in plan.bits.items()]))
    if plan.uniform:
        to.print()
        to.print(_beside(plan))
        to.print(plain("W4A8: weights of 4 bits and inputs of 8 in every layer"), style="dim")
    if outcome.accuracy:
        to.print()
        to.print(table((f"of {outcome.checked:,} test images", "right"),
                       [(ACCURACIES[name], percent(share)) for name, share in outcome.accuracy.items()]))
    to.print(plain(f"written: {', '.join(map(str, outcome.files.values()))}"), markup=False, soft_wrap=True)
    if outcome.refused is not None:
        say(f"no model file: {outcome.refused}")
    if after := _next(outcome):
        to.print(plain(f"next: {after}"), markup=False, soft_wrap=True)
