"""From a network in floating point and a way of choosing bits to a quantised network, its plan and their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

import lutra.quant as q
from lutra.errors import LutraError
from lutra.files import written
from lutra.quant.hawq import DYADIC, RECIPE
from lutra.quant.search.layers import layers
from lutra.quant.search.plan import BitPlan, with_bits
from lutra.quant.search.progress import Watch
from lutra.report import bits_page
from lutra.train.batches import Pixels
from lutra.train.checkpoint import write
from lutra.train.compared import compared, labelled, unlabelled
from lutra.train.data import Images
from lutra.train.limits import Limits, Target, Way, within
from lutra.train.subject import Subject
from lutra.train.tuning import Tuning, tuned

PLAN, REPORT, NETWORK, MODEL, KEPT = "plan.json", "report.html", "network.pt", "network.onnx", "search"
BASES = {"power": RECIPE, "real": DYADIC}


@dataclass(frozen=True)
class Asked:
    """What is wanted of a quantised network.

    Its fields:
        limits, target: of the plan. plan: take this one instead of a search.
        elementwise: bits of normalisation, sums and means.
        scales: "power", of two, or "real": multiplied by m / 2**e in hardware, see `lutra.quant.hawq.DYADIC`.
    """

    limits: Limits = field(default=Limits())
    target: Target | None = None
    plan: BitPlan | None = None
    elementwise: int = 8
    scales: str = "power"

    @property
    def base(self) -> q.Recipe:
        """Formats, whose bits are replaced by those of a plan. LutraError: there are no such scales."""
        if self.scales not in BASES:
            raise LutraError(f"there are no scales {self.scales!r}", "quantise", f"one of {', '.join(BASES)}")
        base = BASES[self.scales]
        form = with_bits(base.elementwise, self.elementwise, "elementwise layers")
        return replace(base, elementwise=form)

    def check(self, subject: Subject) -> None:
        """Raises LutraError: nothing limits the plan; the plan is of another network."""
        if self.plan is not None:
            self.plan.check({layer.path: layer for layer in layers(subject.net, torch.zeros(1, *subject.shape))})
        elif self.target is None and self.limits.none:
            raise LutraError("nothing limits the plan", "limits",
                             "give --bits, --size, --max-bitops, or --device and --fps, or a --plan")


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Its fields:
        plan, files: what was written, by "plan", "report", "network" and "model".
        refused: why there is no model file, if there is none.
        accuracy: shares of test images that are right, see `tuned`; empty without data. checked: how many they are of.
        target: the device that was asked for.
    """

    plan: BitPlan
    files: Mapping[str, Path]
    refused: str | None
    accuracy: Mapping[str, float]
    checked: int
    target: Target | None


def quantised(subject: Subject, way: Way, asked: Asked, out: Path, watch: Watch, images: Images | None = None,
              tuning: Tuning | None = None) -> Outcome:
    """Choose bits, quantise the subject's network in place, and write plan, report, state dict and QONNX into a folder.

    images, tuning: to measure accuracy and to train in fixed point; without them points are fitted to the way's images.

    Raises LutraError: a limit, or a target, that no choice meets; what `tuned` refuses.
    """
    net, example, tuning = subject.net, torch.zeros(1, *subject.shape), tuning or Tuning()
    plan = asked.plan.rated() if asked.plan is not None else within(
        net, way, asked.limits.of(net, subject.shape), asked.target, watch)
    if images is not None or plan.uniform:  # of a plan by hand nothing is known to compare, nor what its answers are
        judged = unlabelled(net, way.images) if images is None else labelled(*_tests(subject, images, tuning))
        plan = compared(net, plan, way.base, way.images, way.ranges, *judged, watch)
    recipe = plan.recipe(way.base)
    accuracy: Mapping[str, float] = {}
    checked = 0
    if images is None:
        q.calibrate(q.quantize(net, recipe), [way.images], way.ranges)
        net.eval()
    else:
        accuracy = tuned(subject, recipe, images, tuning, out / KEPT, watch)
        checked = min(tuning.checked, len(images.x_test))
        assert plan.measured is not None
        plan = replace(plan, measured=replace(plan.measured, trained=accuracy.get("trained")))
    files = {"plan": written(out / PLAN, plan.to_json()), "report": written(out / REPORT, bits_page(plan.data())),
             "network": write(out / NETWORK, net.state_dict())}
    refused = None
    try:
        files["model"] = q.export(net, example, out / MODEL)
    except LutraError as e:
        refused = str(e)
    return Outcome(plan, files, refused, accuracy, checked, asked.target)


def _tests(subject: Subject, images: Images, tuning: Tuning) -> tuple[torch.Tensor, torch.Tensor]:
    """The test images that accuracies are of, as the network takes them, and their labels."""
    x, labels = images.x_test[: tuning.checked], images.y_test[: tuning.checked]
    return Pixels(*subject.normalise)(torch.from_numpy(x)), torch.from_numpy(labels).long()
