"""`lutra train`: a network of the zoo, trained in fixed point on a folder of images, or of lines of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from lutra import LutraError
from lutra.cli import options
from lutra.cli.console import emit, percent, plain, say, table

if TYPE_CHECKING:
    from lutra.train.session import Outcome
    from lutra.train.stages import Progress

BITS = click.IntRange(1, 24)


@click.command()
@click.argument("name", required=False)
@click.option("--data", "folder", type=click.Path(path_type=Path), help="Folder of images: idx files of MNIST, python "
              "batches of CIFAR-10, or one .npz of x_train, y_train, x_test and y_test; of lines of text: "
              "*_train.npz and *_test.npz of img4, offsets and text.")
@click.option("--weights", type=BITS, help="Bits of the weights.")
@click.option("--activations", type=BITS, help="Bits of the inputs of matrix products.")
@click.option("--elementwise", type=BITS, help="Bits of normalisation, sums and means.")
@click.option("--epochs", type=int, help="In fixed point.")
@click.option("--float-epochs", type=int, help="Before, in floating point.")
@click.option("--from", "start", type=click.Path(path_type=Path),
              help="A state dict in floating point to begin with, instead of training one.")
@click.option("--batch", type=int, help="Images or lines of a step.")
@click.option("--rate", type=float, help="Adam's learning rate in floating point; a third of it in fixed point.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--threads", type=click.IntRange(1), help="Of PyTorch.")
@click.option("--check", "checked", type=int, default=1000, show_default=True,
              help="Test images whose outputs are compared with the compiled network's.")
@options.device
@click.option("-o", "--out", type=click.Path(path_type=Path), help="The folder of checkpoints and results, by default "
              "runs/NAME.")
@click.option("--resume", is_flag=True, help="Go on where the folder's checkpoint stands.")
@options.as_json
def train(name: str | None, folder: Path | None, out: Path | None, threads: int | None, as_json: bool,
          **chosen: Any) -> None:
    """Train the network NAME in fixed point and compile it; without NAME, list what there is."""
    try:
        import torch
    except ImportError as e:
        raise LutraError("training needs PyTorch", "train", "pip install 'lutra[train]'") from e
    from lutra.train.session import Options
    from lutra.train.session import train as run
    from lutra.zoo.trainable import NETWORKS, trainable

    if name is None:
        head = ("name", "about", "weights", "activations", "elementwise")
        rows = [(n, t.about, t.bits.weights, t.bits.activations, t.bits.elementwise) for n, t in NETWORKS.items()]
        emit([dict(zip(head, r, strict=True)) for r in rows], as_json, lambda to: to.print(table(head, rows, left=2)))
        return
    trainable(name)
    if folder is None:
        raise LutraError("there are no images to train on", "train", "give their folder with --data")
    if threads:
        torch.set_num_threads(threads)
    with _bar() as watch:
        outcome = run(name, folder, out or Path("runs") / name, Options(**chosen), watch)
    emit(_data(outcome), as_json, lambda to: _say(to, outcome))


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    """A bar on stderr for each epoch; a line stays for each that is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
               TextColumn("loss {task.fields[loss]:.3f}"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("prepare", total=None, loss=0.0)

        def watch(now: Progress) -> None:
            what = f"{now.stage}, epoch {now.epoch + 1}"
            bar.update(task, description=what, total=now.batches, completed=now.batch, loss=now.loss)
            if now.batch == now.batches:
                left_out = f"; {now.skipped} steps left out, their gradients were not finite" if now.skipped else ""
                bar.console.print(f"{what}: loss {now.loss:.4f}, {percent(now.accuracy)} right{left_out}", style="dim")

        yield watch


def _data(outcome: Outcome) -> dict[str, Any]:
    return {"accuracy": outcome.accuracy, "checked": outcome.checked, "network": outcome.network,
            "integers": outcome.integers, "outputs": outcome.outputs, "equal": outcome.equal,
            "refused": outcome.refused, "file": str(outcome.file), "next": outcome.then}


def _say(to: Console, outcome: Outcome) -> None:
    """The accuracies, and what comes next."""
    rows = [("all test images", percent(outcome.accuracy), ""),
            (f"the first {outcome.checked:,}", percent(outcome.network), percent(outcome.integers))]
    to.print(table(("accuracy", "PyTorch", "compiled"), rows))
    if outcome.refused is not None:
        say(f"not compiled: {outcome.refused}")
    else:
        to.print(f"{outcome.equal:,} of {outcome.outputs:,} outputs equal")
    to.print(plain(f"written: {outcome.file}"), markup=False, soft_wrap=True)
    if outcome.then:
        to.print(plain(f"next: {outcome.then}"), markup=False, soft_wrap=True)
