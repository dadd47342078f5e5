"""A quantised network's accuracy, and what training in fixed point makes of it, taken up again where it stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import lutra.quant as q
from lutra.errors import LutraError
from lutra.quant.search.kept import Kept, digest
from lutra.quant.search.progress import Progress, Watch
from lutra.train.batches import steps as steps_of
from lutra.train.checkpoint import read, write
from lutra.train.data import Images
from lutra.train.stages import Run, Settings
from lutra.train.subject import Subject
from lutra.zoo.trainable import Bits, Trainable

EVERY = 50  # steps between checkpoints
MOST = (1 << 20) - 1  # steps, epochs, seeds


@dataclass(frozen=True)
class Tuning:
    """Training in fixed point after bits were chosen.

    Its fields:
        epochs: none by default. steps: so many instead, of as few whole epochs as can be over the first images.
        batch: images of a step. rate: Adam's.
        checked: test images that accuracies are of.
        ranges: how points are fitted, as of `lutra.quant.calibrate`.
    """

    epochs: int = 0
    steps: int | None = None
    batch: int = 128
    rate: float = 5e-4
    seed: int = 0
    checked: int = 1000
    ranges: str = "mse"

    def __post_init__(self) -> None:
        for what, value, least, most in (("epochs", self.epochs, 0, MOST), ("steps", self.steps or 0, 0, MOST),
                                         ("batch", self.batch, 2, 1 << 16), ("rate", self.rate, 1e-9, 10),
                                         ("seed", self.seed, 0, MOST), ("images to check", self.checked, 1, 1 << 30)):
            if not least <= value <= most:
                raise LutraError(f"{what}: {value}", "training", f"use {least} to {most}")
        if self.epochs and self.steps:
            raise LutraError(f"{self.epochs} epochs and {self.steps} steps", "training", "give one")

    def run(self, subject: Subject, recipe: q.Recipe, images: Images) -> Run:
        """A run of the subject's network, which is quantised in place when it starts."""
        images, epochs = self._part(images)
        empty = Bits(0, 0, 0)
        channels, height, width = subject.shape
        plan = Trainable("", lambda _: subject.net, lambda _: recipe, (channels, height, width), empty, (0, epochs),
                         normalise=subject.normalise, flips=subject.flips)
        settings = Settings(empty, (0, epochs), self.batch, 3 * self.rate, method=self.ranges, seed=self.seed)
        return Run(plan, settings, images)

    def _part(self, images: Images) -> tuple[Images, int]:
        """The images to train on, and how often."""
        if not self.steps:
            return images, max(self.epochs, 1)
        epochs = -(-self.steps // steps_of(len(images.x_train), self.batch))
        part = self.batch * -(-self.steps // epochs)
        return replace(images, x_train=images.x_train[:part], y_train=images.y_train[:part]), epochs


def tuned(subject: Subject, recipe: q.Recipe, images: Images, tuning: Tuning, keep: Path, watch: Watch,
          ) -> Mapping[str, float]:
    """Quantise the subject's network in place, train it if that is asked for, and say how many test images are right.

    Returns shares: "float", "quantised" with points fitted to training images, and "trained" if it is.

    The accuracies and the training are kept in the folder, and taken up again.

    Raises LutraError: a loss that is not finite; what is kept is damaged.
    """
    key = _key(subject, recipe, images, tuning)
    kept, at = Kept(keep, key), keep / f"{key}.pt"
    run = tuning.run(subject, recipe, images)
    found = {"float": kept.get("float", lambda: run.accuracy(tuning.checked))}
    if at.exists() and "quantised" in kept.numbers:
        run.load(read(at))
    else:
        run.start(subject.net.state_dict())
    found["quantised"] = kept.get("quantised", lambda: run.accuracy(tuning.checked))
    if tuning.epochs or tuning.steps:
        for done, now in enumerate(run.train(), 1):
            watch(Progress(f"train, epoch {now.epoch + 1}", now.batch, now.batches, now.loss))
            if done % EVERY == 0:
                write(at, run.state())
        write(at, run.state())
        found["trained"] = kept.get("trained", lambda: run.accuracy(tuning.checked))
    subject.net.eval()
    return found


def _key(subject: Subject, recipe: q.Recipe, images: Images, tuning: Tuning) -> str:
    """What a run is of."""
    found = hashlib.sha256()
    for name in ("x_train", "y_train", "x_test", "y_test"):
        found.update(getattr(images, name).tobytes())
    return digest(subject.net, "tuned", recipe, tuning, subject.normalise, subject.flips, found.hexdigest())

