"""`lutra crop`: widths for a network before it is trained, and the network of these widths as a Python file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from lutra import LutraError
from lutra.cli import modules, options
from lutra.cli.console import emit, percent, plain, steps, table
from lutra.files import written
from lutra.report import widths_page

if TYPE_CHECKING:
    from torch import Tensor

    from lutra.quant.precrop import WidthPlan

METHODS = ("synexp", "pathsum", "synflow", "snip", "grasp", "preconfig", "uniform")
SCRIPT = '''"""A network with widths by `lutra crop`. They may be edited; layers of one stream need the same."""

import runpy
import sys
from pathlib import Path

from lutra.quant import precrop

SOURCE = Path(__file__).resolve().parent / {source}
WIDTHS = {{
{widths}
}}


def make():
    """The network with fresh parameters, and an example of its input."""
    sys.path.insert(0, str(SOURCE.parent))
    net, example = runpy.run_path(str(SOURCE))[{function}]()
    return precrop.narrowed(net, example, WIDTHS, seed={seed}), example
'''


@click.command()
@modules.argument
@click.option("--parameters", type=float, help="The budget: a share of the network's own up to 1, or their number.")
@click.option("--operations", type=float, help="A limit on multiply-accumulates of one frame, likewise.")
@click.option("--method", type=click.Choice(METHODS), default="synexp", show_default=True,
              help="How much of each layer is kept: synexp in closed form, pathsum with branches summed, synflow by "
                   "iteration, snip and grasp with --data, preconfig under both budgets with layers that may widen, "
                   "uniform the same of each.")
@click.option("--data", "folder", type=click.Path(path_type=Path), help="Folder of images, as `lutra train` takes it.")
@click.option("--batch", type=click.IntRange(1), default=128, show_default=True, help="Images for snip and grasp.")
@click.option("--multiple", type=click.IntRange(1), default=4, show_default=True, help="What widths are multiples of.")
@click.option("--least", type=click.IntRange(1), default=4, show_default=True, help="The least width.")
@click.option("--widths", "given", type=click.Path(path_type=Path),
              help="Take the widths of this JSON, as `lutra crop` writes it, instead of choosing.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the fresh parameters, and of the batch.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("narrow.py"), show_default=True,
              help="The Python file to write; the widths go beside it, as .json, and their picture as .html.")
@options.as_json
def crop(model: Path, parameters: float | None, operations: float | None, method: str, folder: Path | None, batch: int,
         multiple: int, least: int, given: Path | None, seed: int, output: Path, as_json: bool) -> None:
    """Choose widths for the network of MODEL under a budget, before it is trained.

    MODEL is FILE.py:FUNCTION, where the function returns a torch module and an example of its input. The file written
    has a function `make` that does the same with the narrower network.
    """
    try:
        from lutra.quant import precrop
    except ImportError as e:
        raise LutraError("cropping needs PyTorch", "crop", "pip install 'lutra[quant]'") from e
    place = _checked(model, parameters, given, output)
    with steps(3) as bar:
        net, example = bar.do("read the network", lambda: modules.read(model))
        if given is not None:
            plan = bar.do("look at the widths", lambda: precrop.given(net, example, precrop.read(given)))
        else:
            data = _batch(folder, example, batch, seed) if method in precrop.DATA else None
            rules = precrop.Rules(multiple, least, widen=method == "preconfig")
            plan = bar.do(f"choose widths by {method}", lambda: precrop.crop(
                net, example, _amount(parameters), operations=_amount(operations), method=method, batch=data,
                rules=rules))
        bar.do("make the network", lambda: precrop.narrowed(net, example, plan.widths, seed))
    written(output, _script(plan, place, output, seed))
    written(output.with_suffix(".json"), plan.text())
    written(output.with_suffix(".html"), widths_page(plan.data()))
    emit({**plan.data(), "file": str(output)}, as_json, lambda to: _say(to, plan, output))


def _checked(model: Path, parameters: float | None, given: Path | None, output: Path) -> tuple[Path, str]:
    """The Python file and its function. Raises LutraError where the options make no sense together."""
    found = modules.MADE.match(str(model))
    if found is None:
        raise LutraError("it is no Python file and function", str(model), "give FILE.py:FUNCTION")
    if (parameters is None) == (given is None):
        raise LutraError("a budget and widths are both given" if given else "there is no budget", "crop",
                         "give --parameters, or --widths")
    if output.suffix != ".py":
        raise LutraError("it is no Python file", str(output), "give --output NAME.py")
    if output.resolve() == Path(found["file"]).resolve():
        raise LutraError("the network itself would be overwritten", str(output), "choose another name")
    return Path(found["file"]), found["function"]


def _amount(budget: float | None) -> Any:
    """Numbers beyond 1 are counts."""
    return int(budget) if budget is not None and 1 < budget < float("inf") else budget


def _batch(folder: Path | None, example: Any, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Images of a folder, 0 to 1, and their labels."""
    import torch

    from lutra.train.data import load

    if folder is None:
        raise LutraError("there are no images for this method", "crop", "give their folder with --data")
    if not isinstance(example, torch.Tensor):
        raise LutraError("the network has several inputs", "crop", "take synexp or synflow, which need no data")
    images = load(folder, tuple(example.shape[1:]))
    chosen = torch.randperm(len(images.x_train), generator=torch.Generator().manual_seed(seed))[:count].numpy()
    return (torch.from_numpy(images.x_train[chosen]).to(example.dtype) / 255,
            torch.from_numpy(images.y_train[chosen]).long())


def _script(plan: WidthPlan, place: tuple[Path, str], output: Path, seed: int) -> str:
    """The Python file; names are literals in it, whatever they hold."""
    source = os.path.relpath(place[0].resolve(), output.resolve().parent)
    widths = "\n".join(f"    {path!a}: {width}," for path, width in plan.widths.items())
    return SCRIPT.format(source=ascii(source), widths=widths, function=ascii(place[1]), seed=seed)


def _say(to: Console, plan: WidthPlan, output: Path) -> None:
    """The widths of each layer, and what they come to."""
    rows = [(r.path, r.before, r.after, percent(r.density), percent(r.realised)) for r in plan.rows]
    to.print(table(("layer", "channels", "now", "density asked", "density"), rows))
    counts = [(name, f"{c.before:,}", f"{c.after:,}", percent(c.share))
              for name, c in (("parameters", plan.parameters), ("operations", plan.operations))]
    to.print(table(("", "before", "after", "share"), counts))
    files = (output, output.with_suffix(".json"), output.with_suffix(".html"))
    to.print(plain(f"written: {', '.join(map(str, files))}"), markup=False, soft_wrap=True)
