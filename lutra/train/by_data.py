"""`quantize --data`: bits chosen on labelled images, by curvature or by divergence, and training after the choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

import lutra.quant as q
from lutra.errors import LutraError
from lutra.quant import hawq, zeroq
from lutra.quant.search.costs import Bits, Cost, pairs
from lutra.quant.search.plan import BitPlan
from lutra.quant.search.progress import Watch, unseen
from lutra.train.batches import Pixels
from lutra.train.data import Images
from lutra.train.limits import Choose, Way
from lutra.train.quantising import KEPT, Asked, Outcome, quantised
from lutra.train.subject import Normalise, Subject
from lutra.train.tuning import Tuning

METHODS = ("hawq", "zeroq")
BATCH = 128  # images of one graph of gradients


@dataclass(frozen=True)
class Options:
    """How bits are chosen.

    Its fields:
        method: "hawq", by the loss's curvature, or "zeroq", by what layers alone change of the answers.
        weights, activations: bits that a layer may have.
        count: of training images, drawn by the seed.
        probes: of traces, at most; fewer where they settle.
    """

    method: str = "hawq"
    weights: tuple[int, ...] = (2, 3, 4, 5, 6, 8)
    activations: tuple[int, ...] = (8,)
    count: int = 512
    probes: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise LutraError(f"there is no method {self.method!r}", "the search", f"one of {', '.join(METHODS)}")
        pairs(self.weights, self.activations)

    @property
    def choices(self) -> list[Bits]:
        """Of a layer."""
        return pairs(self.weights, self.activations)


def by_data(subject: Subject, images: Images, out: Path, asked: Asked, options: Options | None = None,
            tuning: Tuning | None = None, watch: Watch = unseen) -> Outcome:
    """Choose bits on training images, quantise in place, train in fixed point if that is asked for, and write plan,
    report, state dict and QONNX into the folder `out`.

    Traces, sensitivities and the training are kept in the folder, and taken up again.

    Raises LutraError: a plan of another network, no limit, a target that no choice meets, a loss that is not finite,
    what `hawq.search` or `zeroq.search` refuses.
    """
    asked.check(subject)
    options, tuning = options or Options(), tuning or Tuning()
    x, labels = drawn(images, subject.normalise, options.count, options.seed)
    search = _by_curvature if options.method == "hawq" else _by_divergence
    choose = search(subject, x, labels, asked.base, options, tuning.ranges, out / KEPT, watch)
    way = Way(x, options.choices, asked.base, tuning.ranges, choose)
    return quantised(subject, way, asked, out, watch, images, tuning)


def drawn(images: Images, normalise: Normalise, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Training images (N, channels, height, width) as the network takes them, and their labels (N,)."""
    picked = torch.randperm(len(images.x_train), generator=torch.Generator().manual_seed(seed))[:count].numpy()
    return (Pixels(*normalise)(torch.from_numpy(images.x_train[picked])),
            torch.from_numpy(images.y_train[picked]).long())


def _by_curvature(subject: Subject, x: torch.Tensor, labels: torch.Tensor, base: q.Recipe, options: Options, _: str,
                  keep: Path, watch: Watch) -> Choose:
    batches = list(zip(torch.split(x, BATCH), torch.split(labels, BATCH), strict=True))

    def choose(limits: Mapping[str, float], cost: Cost) -> BitPlan:
        return hawq.search(subject.net, batches, options.choices, limits, cost=cost, base=base,
                           inputs=len(options.activations) > 1, probes=options.probes, seed=options.seed,
                           images=len(x), keep=keep, watch=watch).plan

    return choose


def _by_divergence(subject: Subject, x: torch.Tensor, _: torch.Tensor, base: q.Recipe, options: Options, ranges: str,
                   keep: Path, watch: Watch) -> Choose:
    prior = zeroq.Prior.normalised(subject.shape, *subject.normalise, top=255)
    own = zeroq.Options(options.weights, options.activations, method=ranges, seed=options.seed)

    def choose(limits: Mapping[str, float], cost: Cost) -> BitPlan:
        return zeroq.search(subject.net, prior, limits, cost, own, base, x, keep=keep, watch=watch).plan

    return choose
