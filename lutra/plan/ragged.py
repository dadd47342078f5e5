"""Which streams carry sequences, so that their frames differ in how many words they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lutra.errors import LutraError
from lutra.ops.sequence import Sequential

if TYPE_CHECKING:
    from lutra.plan.pipeline import Feed, Pipeline


def ragged(pipe: Pipeline) -> Mapping[Feed, int]:
    """What fills streams of sequences, and how many sequences a frame of each has: what operators on sequences read and
    give, their lengths apart, and all that is before or behind them. LutraError where an operator there does not take
    columns one by one.
    """
    from lutra.plan.pipeline import Feed

    found: dict[Feed, int] = {}
    before = -1
    while len(found) != before:
        before = len(found)
        for k, (stage, feeds) in enumerate(zip(pipe.stages, pipe.feeds, strict=True)):
            given = [Feed(k, p) for p in range(stage.sinks)]
            if isinstance(stage.unit, Sequential):
                read, gives = stage.unit.parts(stage.xs[-1])
                found |= dict.fromkeys(feeds[:-1], read)
                found |= dict.fromkeys(given, gives) if stage.unit.ragged else {}
            elif known := [found[f] for f in (*feeds, *given) if f in found]:
                found |= dict.fromkeys((*feeds, *given), known[0])
    for stage, feeds in zip(pipe.stages, pipe.feeds, strict=True):
        if isinstance(stage.unit, Sequential):
            _check(feeds[-1] not in found, stage.node.loc, f"lengths of {stage.name} that depend on a sequence")
        elif not found.keys().isdisjoint(feeds):
            by_column = stage.unit.by_column and stage.out.shape[0] == stage.xs[0].shape[0] and len(stage.out.shape) > 1
            _check(by_column, stage.node.loc, f"{stage.name} of a sequence")
    return found


def _check(right: bool, at: str, what: str) -> None:
    if not right:
        raise LutraError(what, at, "what is done to a sequence has to be done to each of its columns alone")
