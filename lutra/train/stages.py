"""One training run: a network in floating point, then in fixed point with learned points, its last part frozen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lutra.quant as q
from lutra.errors import LutraError
from lutra.train.batches import Pixels, epoch, steps
from lutra.train.data import Bytes, Images
from lutra.zoo.trainable import Bits, Trainable

STAGES = ("float", "fixed")
EVALUATED = 500  # images at once, when they are only looked at
CALIBRATED = 4  # batches
FROZEN = 0.15  # share of the fixed-point steps in which points stand still
PATIENCE = 50  # steps in a row that may be left out


@dataclass(frozen=True)
class Settings:
    """What a run is, apart from its network and data; a checkpoint resumes only under the same.

    epochs: in floating point and in fixed point; batch: images of a step; rate: Adam's in floating point, a third of it
    in fixed point; points: that of binary points; method: how they are calibrated.
    """

    bits: Bits
    epochs: tuple[int, int]
    batch: int = 128
    rate: float = 3e-3
    points: float = 1e-2
    method: str = "mse"
    seed: int = 0


@dataclass(frozen=True)
class Progress:
    """Where a run stands: the stage, the epoch in it, the batch in that, the loss of the last step, and, behind an
    epoch, the share of test images that are right. skipped: steps of the epoch, since it began or went on, whose
    gradients were not finite; they changed nothing.
    """

    stage: str
    epoch: int
    batch: int
    batches: int
    loss: float
    rate: float
    skipped: int = 0
    accuracy: float | None = None


@dataclass
class Run:
    """A network in training; `state` and `load` carry all of it, so that a run goes on exactly as if not interrupted.

    Its fields:
        plan, settings, images: what is trained, how, on what.
        part: which of how many processes this is; each takes its share of every batch.
        wrap: what the network is put into for its steps, such as DistributedDataParallel.
    """

    plan: Trainable
    settings: Settings
    images: Images
    part: tuple[int, int] = (0, 1)
    wrap: Callable[[nn.Module], nn.Module] = field(default=lambda net: net)

    STEEPEST: ClassVar[float] = math.inf  # norm of a gradient that is let through
    WARMED: ClassVar[int] = 1  # steps until the learning rate is whole

    def __post_init__(self) -> None:
        torch.manual_seed(self.settings.seed)
        self.pixels = Pixels(*self.plan.normalise)
        self.net = self.made()
        self.stage, self.epoch, self.batch = 0, 0, 0
        self.left_out = 0  # steps in a row
        self.fresh = not self.settings.epochs[0]  # no training in floating point
        self.schedule: q.Schedule | None = None
        self._optimise()

    def made(self) -> nn.Module:
        """The untrained network."""
        return self.plan.make(self.settings.bits)

    @property
    def batches(self) -> int:
        """Of an epoch."""
        return steps(len(self.images.x_train), self.settings.batch)

    def start(self, weights: dict[str, Tensor]) -> None:
        """Begin with a trained network in floating point, whose stage is left out.

        Raises LutraError: the weights are those of another network.
        """
        try:
            self.net.load_state_dict(weights)
        except (RuntimeError, AttributeError, TypeError) as e:
            raise LutraError("these are not this network's weights: " + str(e).split("\n")[-1].strip(), "checkpoint",
                             "take one that was saved from a network of the same name") from e
        self.stage, self.fresh = 1, False
        self._enter()

    def train(self) -> Iterator[Progress]:
        """Take the steps that are left, one for each item."""
        while self.stage < len(STAGES):
            while self.epoch < self.settings.epochs[self.stage]:
                yield from self._epoch()
                self.epoch, self.batch = self.epoch + 1, 0
            self.stage, self.epoch = self.stage + 1, 0
            self._enter()
        self.net.eval()

    def _epoch(self) -> Iterator[Progress]:
        """The batches that are left of an epoch."""
        number = self.epoch + self.stage * self.settings.epochs[0]
        self.net.train()
        skipped = 0
        for loss in self.losses(number):
            rate = self._rate()
            value = loss.item()
            if not math.isfinite(value):
                raise LutraError(f"the loss is {value}", f"epoch {self.epoch + 1}", "lower the learning rate")
            self.left_out = 0 if self._step(loss) else self.left_out + 1
            skipped += self.left_out > 0
            if self.left_out == PATIENCE:
                raise LutraError(f"the gradients of {PATIENCE} steps in a row are not finite",
                                 f"epoch {self.epoch + 1}", "lower the learning rate")
            self.batch += 1
            yield Progress(STAGES[self.stage], self.epoch, self.batch, self.batches, value, rate, skipped)

    def _step(self, loss: Tensor) -> bool:
        """Whether the gradient is finite and the step was taken: through a recurrent layer it grows by a factor each
        column, and one that is infinite, scaled or not, would leave no weight a number.
        """
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        finite = bool(nn.utils.clip_grad_norm_(self.net.parameters(), self.STEEPEST).isfinite())
        if finite:
            self.optimiser.step()
        if self.schedule is not None:
            self.schedule.step()
        return finite

    def losses(self, number: int) -> Iterator[Tensor]:
        """Of the batches that are left of an epoch, one step's after the other."""
        settings = self.settings
        for x, labels in epoch(self.images.x_train, self.images.y_train, settings.batch, settings.seed, number,
                               self.batch, self.plan.flips, self.part):
            yield F.cross_entropy(self.wrapped(self.pixels(x)), labels)

    def _rate(self) -> float:
        """The learning rate of the next step, a cosine to zero over the stage (arXiv:1608.03983); sets all groups.
        A stage may begin with steps that are shorter.
        """
        done = (self.epoch * self.batches + self.batch) / (self.settings.epochs[self.stage] * self.batches)
        share = (1 + math.cos(math.pi * done)) / 2
        share *= min((self.epoch * self.batches + self.batch + 1) / self.WARMED, 1)
        for group in self.optimiser.param_groups:
            group["lr"] = group["whole"] * share
        return share * self._whole

    @property
    def _whole(self) -> float:
        return self.settings.rate / (3 if self.stage else 1)

    def _enter(self) -> None:
        """Prepare the stage that `stage` says: the second begins with casts, their points fitted."""
        if self.stage == 1:
            inputs = self.first_inputs()
            if self.fresh:
                settle(self.net, inputs)
            q.quantize(self.net, self.plan.recipe(self.settings.bits))
            q.calibrate(self.net, inputs, self.settings.method, CALIBRATED)
        if self.stage < len(STAGES):
            self._optimise()

    def first_inputs(self) -> list[Tensor]:
        """Those that points are fitted on, the same in each process."""
        found = epoch(self.images.x_train, self.images.y_train, self.settings.batch, self.settings.seed, 0)
        return [self.pixels(x) for (x, _), _ in zip(found, range(CALIBRATED), strict=False)]

    def _optimise(self) -> None:
        """A new optimiser for the network's parameters as they are."""
        groups: list[dict[str, Any]] = [{"params": list(self.net.parameters())}]
        if self.stage == 1:
            self.schedule = q.Schedule(self.net, self.settings.epochs[1] * self.batches, FROZEN)
            groups = q.parameters(self.net, self.settings.points)
        self.optimiser = torch.optim.Adam(groups, self._whole)
        for group in self.optimiser.param_groups:
            group["whole"] = group["lr"]
        self.wrapped = self.wrap(self.net)

    def state(self) -> dict[str, Any]:
        """All of it, for `torch.save`."""
        return {"settings": asdict(self.settings), "stage": self.stage, "epoch": self.epoch, "batch": self.batch,
                "net": self.net.state_dict(), "optimiser": self.optimiser.state_dict(),
                "schedule": self.schedule.state_dict() if self.schedule else None, "random": torch.get_rng_state()}

    @torch.no_grad()
    def results(self, count: int | None = None) -> Tensor:
        """Logits of the first test images, or of all: (N, 10), of the network in evaluation mode, where it is left."""
        self.net.eval()
        x = torch.from_numpy(self.images.x_test[:count])
        return torch.cat([self.net(self.pixels(part)) for part in torch.split(x, EVALUATED)])

    def accuracy(self, count: int | None = None) -> float:
        """The share of the first test images that are right, or of all."""
        return right(self.results(count), self.images.y_test)

    def load(self, state: dict[str, Any]) -> None:
        """Go on from there. Raises LutraError: it is no checkpoint, or that of a run with other settings."""
        try:
            other = {k for k, v in asdict(self.settings).items() if state["settings"].get(k) != v}
            if other:
                raise LutraError(f"the checkpoint is of a run with another {', '.join(sorted(other))}", "checkpoint",
                                 "give the same options, or another folder")
            if state["stage"] >= 1:
                self.stage = 1
                q.quantize(self.net, self.plan.recipe(self.settings.bits))
            self.net.load_state_dict(state["net"])
            self._optimise()
            self.optimiser.load_state_dict(state["optimiser"])
            if self.schedule is not None and state["schedule"]:
                self.schedule.load_state_dict(state["schedule"])
            self.stage, self.epoch, self.batch = state["stage"], state["epoch"], state["batch"]
            torch.set_rng_state(state["random"])
        except (KeyError, RuntimeError, AttributeError, TypeError, ValueError) as e:
            raise LutraError(f"it is not a checkpoint of this network: {type(e).__name__}", "the checkpoint",
                             "start anew in another folder") from e


@torch.no_grad()
def settle(net: nn.Module, inputs: Iterable[Tensor]) -> None:
    """Set the statistics of an untrained network's normalisation to their means over these inputs."""
    layers = [m for m in net.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    before = [m.momentum for m in layers]
    for m in layers:
        m.reset_running_stats()
        m.momentum = None  # the mean of all batches
    net.train()
    for x in inputs:
        net(x)
    for m, momentum in zip(layers, before, strict=True):
        m.momentum = momentum


def right(results: Tensor, labels: Bytes) -> float:
    """The share of results (N, 10) whose greatest is the label's."""
    return float((results.argmax(1) == torch.from_numpy(labels[: len(results)]).long()).float().mean())
