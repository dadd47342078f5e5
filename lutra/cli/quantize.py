"""`lutra quantize`: a network in floating point becomes one of few bits, chosen layer by layer."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from lutra import LutraError
from lutra.cli import modules, options
from lutra.cli.console import emit, plain, say, table

if TYPE_CHECKING:
    from lutra.train.zero_shot import Outcome

BITS = click.IntRange(1, 24)
COUNT = click.IntRange(1)


def _list(_: click.Context, option: click.Parameter, text: str) -> tuple[int, ...]:
    """Callback: "2,3,4" as numbers."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as e:
        raise LutraError(f"{text!r} is no list of bits", f"--{option.name}", "write 2,3,4,8") from e


@click.command()
@click.argument("network", type=click.Path(path_type=Path))
@click.option("--net", "name", help="The network of the zoo whose checkpoint NETWORK is (see `lutra train`).")
@click.option("--zero-shot", is_flag=True, help="Choose bits and ranges without any data (ZeroQ).")
@click.option("--bits", type=BITS, help="At most the size of weights of so many bits in each layer.")
@click.option("--size", type=float, help="At most so many bytes of weights.")
@click.option("--max-bitops", "bitops", type=float, help="At most so many bit-operations a frame.")
@click.option("--device", help="A device that must hold it; see `lutra devices`. With --fps.")
@click.option("--fps", type=click.FloatRange(0, min_open=True), help="Frames a second that it must reach there.")
@click.option("--clock", type=click.FloatRange(0, min_open=True), default=100.0, show_default=True,
              help="Megahertz to plan for.")
@click.option("--plan", type=click.Path(path_type=Path), help="Take the bits of this plan.json instead of a search.")
@click.option("--weights", default="2,3,4,5,6,8", show_default=True, callback=_list,
              help="Bits that a layer's weights may have.")
@click.option("--activations", default="8", show_default=True, callback=_list,
              help="Bits that a layer's input may have.")
@click.option("--elementwise", type=BITS, default=8, show_default=True, help="Bits of normalisation, sums and means.")
@click.option("--range", "span", type=float, nargs=2, metavar="LO HI",
              help="Least and greatest number of an input of FILE.py:FUNCTION's network.")
@click.option("--standard", is_flag=True, help="Such inputs have mean 0 and deviation 1 in each channel.")
@click.option("--images", "count", type=COUNT, default=96, show_default=True, help="How many are distilled.")
@click.option("--steps", type=COUNT, default=300, show_default=True, help="Of distillation.")
@click.option("--ranges", "method", type=click.Choice(("max", "percentile", "mse")), default="mse", show_default=True,
              help="How the ranges of numbers are found.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("quantised"), show_default=True,
              help="The folder of plan.json, report.html, network.pt, network.onnx, and of what is found on the way.")
@options.as_json
def quantize(network: Path, name: str | None, zero_shot: bool, bits: int | None, size: float | None,
             bitops: float | None, plan: Path | None, elementwise: int, span: tuple[float, float] | None,
             standard: bool, device: str | None, fps: float | None, clock: float, output: Path, as_json: bool,
             **chosen: Any) -> None:
    """Quantise NETWORK, with bits for each layer that lose least within a limit.

    NETWORK is FILE.py:FUNCTION, where the function returns a torch module and an example of its input, or a checkpoint
    (.pt, .th) of a network of the zoo, whose name --net gives.
    """
    if not zero_shot:
        raise LutraError("no way of choosing bits is given", "quantize", "--zero-shot needs no data")
    try:
        import torch  # noqa: F401
    except ImportError as e:
        raise LutraError("quantising needs PyTorch", "quantize", "pip install 'lutra[search]'") from e
    from lutra.quant import zeroq
    from lutra.quant.search.plan import BitPlan
    from lutra.train.zero_shot import Limits, Target
    from lutra.train.zero_shot import zero_shot as run

    given = None if plan is None else BitPlan.read(plan)
    net, prior = _read(network, name, span, standard)
    if (device is None) != (fps is None):
        raise LutraError("a device and a frame rate belong together", "quantize", "give --device and --fps")
    target = None if device is None or fps is None else Target(device, fps, clock)
    limits, ways = Limits(bits, size, bitops), zeroq.Options(**chosen)
    with _bar() as watch:
        outcome = run(net, prior, output, limits, given, elementwise, ways, watch, target)
    emit(_data(outcome), as_json, lambda to: _say(to, outcome))


def _read(network: Path, name: str | None, span: tuple[float, float] | None, standard: bool) -> tuple[Any, Any]:
    """The network and what is known of its inputs."""
    from lutra.train.zero_shot import prior_of, zoo_network

    if name is not None:
        return zoo_network(name, network)
    net, example = modules.read(network)
    if example is None:
        raise LutraError("it is no network", str(network), "give FILE.py:FUNCTION, or a checkpoint and its --net NAME")
    if span is None:
        raise LutraError("nothing says what range its inputs have", "quantize", "give --range LO HI, such as 0 1")
    return net, prior_of(example, *span, standard)


@contextmanager
def _bar() -> Iterator[Callable[[Any], None]]:
    """A bar on stderr for each stage."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
               TextColumn("{task.fields[loss]}"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("prepare", total=None, loss="")

        def watch(now: Any) -> None:
            loss = "" if now.loss is None else f"loss {now.loss:.3g}"
            bar.update(task, description=now.stage, total=now.total, completed=now.done, loss=loss)

        yield watch


def _data(outcome: Outcome) -> dict[str, Any]:
    plan = outcome.plan
    return {"bits": {path: b._asdict() for path, b in plan.bits.items()}, "score": plan.score, "cost": dict(plan.cost),
            "limits": dict(plan.limits), "refused": outcome.refused, "next": _next(outcome),
            **{name: str(path) for name, path in outcome.files.items()}}


def _next(outcome: Outcome) -> str | None:
    return f"lutra build {shlex.quote(str(outcome.files['model']))}" if "model" in outcome.files else None


def _say(to: Console, outcome: Outcome) -> None:
    """The bits, what they cost beside uniform ones, and what comes next."""
    plan = outcome.plan
    to.print(table(("layer", "weights", "input"), [(p, b.weights, b.activations) for p, b in plan.bits.items()]))
    if plan.uniform:
        names = list(plan.cost)
        rows = [("chosen", *(f"{plan.cost[n]:,.6g}" for n in names), f"{plan.score:.3g}")]
        rows += [(f"{u.bits.weights} and {u.bits.activations} bits everywhere", *(f"{u.cost[n]:,.6g}" for n in names),
                  f"{u.score:.3g}") for u in plan.uniform]
        to.print()
        to.print(table(("", *names, "divergence"), rows))
    to.print(plain(f"written: {', '.join(map(str, outcome.files.values()))}"), markup=False, soft_wrap=True)
    if outcome.refused is not None:
        say(f"no model file: {outcome.refused}")
    if after := _next(outcome):
        to.print(plain(f"next: {after}"), markup=False, soft_wrap=True)
