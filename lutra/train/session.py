"""`train`: a network of the zoo from a folder of images to a compiled accelerator, with checkpoints and logs."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lutra
from lutra.errors import LutraError
from lutra.quant import export
from lutra.train import lines
from lutra.train.checkpoint import read, write
from lutra.train.data import load
from lutra.train.reading import Reading, compiled, read_by
from lutra.train.stages import Progress, Run, Settings, right
from lutra.zoo.trainable import Bits, Trainable, trainable

CHECKPOINT, NETWORK, MODEL = "checkpoint.pt", "network.pt", "network.onnx"
EVERY, SECONDS = 200, 30.0  # steps and time between checkpoints, whichever is less
SEED = 1 << 20  # seeds and epochs lie below it
Watch = Callable[[Progress], None]


@dataclass(frozen=True)
class Options:
    """What the user may choose; None: as the network's own recipe says.

    Its fields:
        weights, activations, elementwise: bits.
        epochs: in fixed point; float_epochs: before, in floating point.
        rate: Adam's in floating point.
        start: a checkpoint of weights in floating point to begin with, instead of training them.
        resume: go on where the folder's checkpoint stands, if there is one.
        checked: test images whose results are compared with the compiled network's.
        device: that it is compiled for.
    """

    weights: int | None = None
    activations: int | None = None
    elementwise: int | None = None
    epochs: int | None = None
    float_epochs: int | None = None
    batch: int | None = None
    rate: float | None = None
    seed: int = 0
    start: Path | None = None
    resume: bool = False
    checked: int = 1000
    device: str = "ecp5-85k"


@dataclass(frozen=True)
class Outcome:
    """What came of it: shares of right answers, of all test images and, of the first `checked`, of both networks; how
    many of the outputs of those are equal; why the network was not compiled or exported, if it was not; the file of its
    state dict, and the command to go on with.
    """

    accuracy: float
    checked: int
    network: float
    integers: float | None
    outputs: int
    equal: int
    refused: str | None
    file: Path
    then: str | None


def train(name: str, folder: Path, out: Path, options: Options, watch: Watch = lambda now: None) -> Outcome:
    """Train the network of this name on the images of a folder; checkpoints and results lie in the folder `out`.

    watch: is told of every step.

    Raises LutraError: no such network, images that cannot be read or are of another size, options outside their range,
    a checkpoint that does not fit, a run that diverges.
    """
    plan, settings = trainable(name), settings_of(name, options)
    run = _run(plan, settings, folder)
    checkpoint = out / CHECKPOINT
    if options.resume and checkpoint.exists():
        run.load(read(checkpoint))
    elif checkpoint.exists():
        raise LutraError("a training lies there already", str(out), "go on with --resume, or choose another folder")
    elif options.start is not None:
        run.start(weights_of(options.start))
    with _logs(out) as log:
        kept = time.monotonic()
        for now in run.train():
            last = now.batch == now.batches
            if last:
                now = replace(now, accuracy=run.accuracy(options.checked))
            if last or now.batch % EVERY == 0 or time.monotonic() > kept + SECONDS:
                write(checkpoint, run.state())
                kept = time.monotonic()
            watch(now)
            log(now)
    write(checkpoint, run.state())
    return read_lines(run, out, options) if isinstance(run, Reading) else finished(run, out, options)


def _run(plan: Trainable, settings: Settings, folder: Path) -> Run:
    """On what the folder has of the plan's kind."""
    if plan.lines:
        return Reading(plan, settings, lines.load(folder))
    return Run(plan, settings, load(folder, plan.frame))


def settings_of(name: str, options: Options) -> Settings:
    """The options with what the network's own recipe says. Raises LutraError: one outside its range."""
    plan = trainable(name)
    own = plan.bits
    bits = Bits(*(getattr(own, k) if getattr(options, k) is None else getattr(options, k)
                  for k in ("weights", "activations", "elementwise")))
    before, after = options.float_epochs, options.epochs
    epochs = (plan.epochs[0] if before is None else before, plan.epochs[1] if after is None else after)
    if options.start is not None:
        epochs = (0, epochs[1])
    rate = plan.rate if options.rate is None else options.rate
    batch = plan.batch if options.batch is None else options.batch
    for what, value, least, most in (
        ("bits", min(bits.weights, bits.activations, bits.elementwise), 1, 24), ("epochs", epochs[1], 1, SEED - 1),
        ("epochs in floating point", epochs[0], 0, SEED - 1), ("batch", batch, 2, 1 << 16),
        ("rate", rate, 1e-9, 10), ("seed", options.seed, 0, SEED - 1),
        ("images to check", options.checked, 1, 1 << 30)):
        if not least <= value <= most:
            raise LutraError(f"{what}: {value}", "train", f"use {least} to {most}")
    return Settings(bits, epochs, batch, rate, seed=options.seed)


def weights_of(path: Path) -> dict[str, Any]:
    """A state dict in a file: by itself, or under "state_dict", with or without the prefix of DataParallel.

    Raises LutraError: none is there, or a number in it is not finite.
    """
    found = read(path)
    found = found.get("state_dict", found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not all(hasattr(v, "isfinite") for v in found.values()):
        raise LutraError("it holds no weights", str(path), "save net.state_dict() with torch.save")
    bad = next((k for k, v in found.items() if not bool(v.isfinite().all())), None)
    if bad is not None:
        raise LutraError(f"{bad!r} has a number that is not finite", str(path), "take a checkpoint from before")
    return {k.removeprefix("module."): v for k, v in found.items()}


def finished(run: Run, out: Path, options: Options) -> Outcome:
    """Compile the trained network, compare both, and write it: its state dict, and QONNX for `lutra build`."""
    import torch

    images, net = run.images, run.net.eval()
    results = run.results()
    file = write(out / NETWORK, net.state_dict())
    count = min(options.checked, len(results))
    x = run.pixels(torch.from_numpy(images.x_test[:count]))
    integers, equal, refused, then = None, 0, None, None
    try:
        small = lutra.compile(net, x[:2], device=options.device, fps=1)  # its integers are those of every plan
        compiled = torch.as_tensor(small.run(x))
        integers = right(compiled, images.y_test)
        equal = int((compiled == results[:count].to(compiled.dtype)).sum())
        then = f"lutra build {shlex.quote(str(export(net, x[:1], out / MODEL)))} --device {shlex.quote(options.device)}"
    except LutraError as e:
        refused = str(e)
    return Outcome(right(results, images.y_test), count, right(results[:count], images.y_test), integers,
                   results[:count].numel(), equal, refused, file, then)


def read_lines(run: Reading, out: Path, options: Options) -> Outcome:
    """Compile the trained reader, compare what both read, and write its state dict."""
    file, wanted = write(out / NETWORK, run.net.state_dict()), run.images.test.texts
    ours = run.read()
    count = min(options.checked, len(ours))
    integers, equal, refused = None, 0, None
    try:
        acc = compiled(run.net, int(run.images.test.lengths.max()), options.device)
        theirs = read_by(acc, run.images, range(count))
        integers, equal = lines.right(theirs, wanted[:count]), sum(map(str.__eq__, theirs, ours))
    except LutraError as e:
        refused = str(e)
    return Outcome(lines.right(ours, wanted), count, lines.right(ours[:count], wanted[:count]), integers, count, equal,
                   refused, file, None)


@contextmanager
def _logs(out: Path) -> Iterator[Watch]:
    """Write loss, rate and accuracy for TensorBoard, if it is installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        yield lambda now: None
        return
    writer = SummaryWriter(str(out / "logs"), max_queue=100)
    try:
        yield lambda now: _log(writer, now)
    finally:
        writer.close()


def _log(writer: Any, now: Progress) -> None:
    step = (now.epoch * now.batches) + now.batch
    writer.add_scalar(f"{now.stage}/loss", now.loss, step)
    writer.add_scalar(f"{now.stage}/rate", now.rate, step)
    if now.accuracy is not None:
        writer.add_scalar(f"{now.stage}/accuracy", now.accuracy, step)
