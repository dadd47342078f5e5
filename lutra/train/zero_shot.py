"""`quantize --zero-shot`: from a network in floating point, without data, to a quantised one and its plan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lutra.errors import LutraError
from lutra.quant import zeroq
from lutra.quant.search.costs import Cost
from lutra.quant.search.plan import BitPlan
from lutra.quant.search.progress import Watch, unseen
from lutra.train.limits import Way
from lutra.train.quantising import KEPT, Asked, Outcome, quantised
from lutra.train.subject import Subject


def zero_shot(subject: Subject, out: Path, asked: Asked, options: zeroq.Options | None = None,
              watch: Watch = unseen) -> Outcome:
    """Choose bits, quantise in place and calibrate without data, and write plan, report, state dict and QONNX into the
    folder `out`.

    What is found on the way is kept in the folder, and taken up again.

    Raises LutraError: nothing is known of the inputs; what `zeroq.search` refuses, a plan of another network, no limit,
    a target that no choice meets.
    """
    asked.check(subject)
    if subject.prior is None:
        raise LutraError("nothing says what range its inputs have", "quantize", "give --range LO HI, such as 0 1")
    options, net, prior, keep = options or zeroq.Options(), subject.net, subject.prior, out / KEPT
    base = asked.base
    images = zeroq.distilled(net, prior, options, keep, watch)

    def choose(limits: Mapping[str, float], cost: Cost) -> BitPlan:
        return zeroq.search(net, prior, limits, cost, options, base, images, keep=keep, watch=watch).plan

    return quantised(subject, Way(images, options.choices, base, options.method, choose), asked, out, watch)
