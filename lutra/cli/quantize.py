"""`lutra quantize`: a network in floating point becomes one of few bits, chosen layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lutra import LutraError
from lutra.cli import bits as printed
from lutra.cli import modules, options
from lutra.cli.console import emit

if TYPE_CHECKING:
    from lutra.train.quantising import Asked, Outcome
    from lutra.train.subject import Subject

BITS = click.IntRange(1, 24)
COUNT = click.IntRange(1)
POSITIVE = click.FloatRange(0, min_open=True)
IMAGES = {"hawq": 512, "zeroq": 576}
DISTILLED = 50  # steps


def _numbers(kind: Callable[[str], Any], example: str) -> Callable[..., tuple[Any, ...]]:
    """A callback: "2,3,4" as numbers."""
    def read(_: click.Context, option: click.Parameter, text: str) -> tuple[Any, ...]:
        try:
            return tuple(kind(part) for part in text.split(",")) if text else ()
        except ValueError as e:
            raise LutraError(f"{text!r} is no list of {'bits' if kind is int else 'numbers'}", f"--{option.name}",
                             f"write {example}") from e
    return read


_bits, _floats = _numbers(int, "2,3,4,8"), _numbers(float, "0.485,0.456,0.406")


@click.command()
@click.argument("network", type=click.Path(path_type=Path))
@click.option("--net", "name", help="The network of the zoo whose checkpoint NETWORK is (see `lutra train`).")
@click.option("--zero-shot", is_flag=True, help="Without any data: the same as --method zeroq without --data.")
@click.option("--method", type=click.Choice(("hawq", "zeroq")),
              help="By the loss's curvature (HAWQ-V2, needs --data), or by what layers alone change of the answers.")
@click.option("--data", "folder", type=click.Path(path_type=Path), help="Folder of images, as `lutra train` takes it.")
@click.option("--bits", type=BITS, help="At most the size of weights of so many bits in each layer.")
@click.option("--size", type=float, help="At most so many bytes of weights.")
@click.option("--max-bitops", "bitops", type=float, help="At most so many bit-operations a frame.")
@click.option("--device", help="A device that must hold it; see `lutra devices`. With --fps.")
@click.option("--fps", type=POSITIVE, help="Frames a second that it must reach there.")
@click.option("--clock", type=POSITIVE, default=100.0, show_default=True, help="Megahertz to plan for.")
@click.option("--plan", type=click.Path(path_type=Path), help="Take the bits of this plan.json instead of a search.")
@click.option("--weights", default="2,3,4,5,6,8", show_default=True, callback=_bits,
              help="Bits that a layer's weights may have.")
@click.option("--activations", default="8", show_default=True, callback=_bits,
              help="Bits that a layer's input may have.")
@click.option("--elementwise", type=BITS, default=8, show_default=True, help="Bits of normalisation, sums and means.")
@click.option("--scales", type=click.Choice(("power", "real")), default="power", show_default=True,
              help="Powers of two, or real numbers, which hardware multiplies by as m / 2**e (HAWQ-V3).")
@click.option("--range", "span", type=float, nargs=2, metavar="LO HI",
              help="Least and greatest number of an input of FILE.py:FUNCTION's network, 0 1 with --data.")
@click.option("--standard", is_flag=True, help="Such inputs have mean 0 and deviation 1 in each channel.")
@click.option("--mean", default="", callback=_floats,
              help="Of pixels from 0 to 1, taken off before they are inputs; one for each channel, with --deviation.")
@click.option("--deviation", default="", callback=_floats, help="That they are divided by then.")
@click.option("--flips", is_flag=True, help="Mirror and shift images in training.")
@click.option("--images", "count", type=COUNT, help="How many are distilled, or drawn from --data: 576, for hawq 512.")
@click.option("--probes", type=click.IntRange(2), default=50, show_default=True, help="Of each trace, at most.")
@click.option("--epochs", type=click.IntRange(0), default=0, show_default=True,
              help="Of training in fixed point after the choice, on --data.")
@click.option("--steps", type=COUNT, help="Of that training, instead of epochs; without --data of distillation: 50.")
@click.option("--batch", type=click.IntRange(2), default=128, show_default=True, help="Images of a step of training.")
@click.option("--rate", type=POSITIVE, default=5e-4, show_default=True, help="Adam's in that training.")
@click.option("--check", "checked", type=COUNT, default=1000, show_default=True,
              help="Test images that accuracies are of.")
@click.option("--ranges", type=click.Choice(("max", "percentile", "mse")), default="mse", show_default=True,
              help="How the ranges of numbers are found.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("quantised"), show_default=True,
              help="The folder of plan.json, report.html, network.pt, network.onnx, and of what is found on the way.")
@options.as_json
def quantize(network: Path, name: str | None, zero_shot: bool, method: str | None, folder: Path | None, output: Path,
             as_json: bool, **chosen: Any) -> None:
    """Quantise NETWORK, with bits for each layer that lose least within a limit.

    NETWORK is FILE.py:FUNCTION, where the function returns a torch module and an example of its input, or a checkpoint
    (.pt, .th) of a network of the zoo, whose name --net gives.
    """
    method = _method(zero_shot, method, folder)
    try:
        import torch  # noqa: F401
    except ImportError as e:
        raise LutraError("quantising needs PyTorch", "quantize", "pip install 'lutra[search]'") from e
    asked = _asked(**{k: chosen[k] for k in ("bits", "size", "bitops", "plan", "device", "fps", "clock",
                                             "elementwise", "scales")})
    subject = _subject(network, name, **{k: chosen[k] for k in ("span", "standard", "mean", "deviation", "flips")})
    run = _without_data if folder is None else partial(_with_data, folder=folder, method=method)
    with printed.bar() as watch:
        outcome = run(subject, output, asked, watch, chosen)
    emit(printed.data(outcome), as_json, lambda to: printed.show(to, outcome))


def _method(zero_shot: bool, method: str | None, folder: Path | None) -> str:
    """The method's name. Raises LutraError where the options make no sense together."""
    if zero_shot and (folder is not None or method == "hawq"):
        raise LutraError("zero-shot is without data", "quantize", "leave --zero-shot out, or --data and --method hawq")
    if zero_shot or (method is None and folder is not None):
        return "zeroq" if zero_shot else "hawq"
    if method is None:
        raise LutraError("no way of choosing bits is given", "quantize",
                         "give --data FOLDER, or --zero-shot, which needs none")
    if method == "hawq" and folder is None:
        raise LutraError("hawq needs images with labels", "quantize", "give --data FOLDER, or take --zero-shot")
    return method


def _asked(bits: int | None, size: float | None, bitops: float | None, plan: Path | None, device: str | None,
           fps: float | None, clock: float, elementwise: int, scales: str) -> Asked:
    from lutra.quant.search.plan import BitPlan
    from lutra.train.limits import Limits, Target
    from lutra.train.quantising import Asked

    if (device is None) != (fps is None):
        raise LutraError("a device and a frame rate belong together", "quantize", "give --device and --fps")
    target = None if device is None or fps is None else Target(device, fps, clock)
    return Asked(Limits(bits, size, bitops), target, None if plan is None else BitPlan.read(plan), elementwise,
                 scales)


def _subject(network: Path, name: str | None, **known: Any) -> Subject:
    """The network and what is known of its inputs."""
    from lutra.train.subject import of_user, of_zoo

    if name is not None:
        return of_zoo(name, network)
    net, example = modules.read(network)
    if example is None:
        raise LutraError("it is no network", str(network), "give FILE.py:FUNCTION, or a checkpoint and its --net NAME")
    return of_user(net, example, **known)


def _without_data(subject: Subject, output: Path, asked: Asked, watch: Any, chosen: dict[str, Any]) -> Outcome:
    from lutra.quant import zeroq
    from lutra.train.zero_shot import zero_shot

    if chosen["epochs"]:
        raise LutraError(f"{chosen['epochs']} epochs without images to train on", "quantize",
                         "give their folder with --data")
    ways = zeroq.Options(chosen["weights"], chosen["activations"], chosen["count"] or IMAGES["zeroq"],
                         chosen["steps"] or DISTILLED, method=chosen["ranges"], seed=chosen["seed"])
    return zero_shot(subject, output, asked, ways, watch)


def _with_data(subject: Subject, output: Path, asked: Asked, watch: Any, chosen: dict[str, Any], folder: Path,
               method: str) -> Outcome:
    from lutra.train.by_data import Options, by_data
    from lutra.train.data import load
    from lutra.train.tuning import Tuning

    ways = Options(method, chosen["weights"], chosen["activations"], chosen["count"] or IMAGES[method],
                   chosen["probes"], chosen["seed"])
    tuning = Tuning(**{k: chosen[k] for k in ("epochs", "steps", "batch", "rate", "seed", "checked", "ranges")})
    return by_data(subject, load(folder, subject.shape), output, asked, ways, tuning, watch)
