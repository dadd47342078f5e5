"""The whole flow: a model becomes an accelerator. Read it from top to bottom."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutra.accelerator import Accelerator, ModelFile
from lutra.errors import LutraError
from lutra.ir import Graph, Range
from lutra.ops.base import OFFCHIP, WRITTEN
from lutra.plan.devices import Device
from lutra.plan.devices import device as find_device
from lutra.plan.folding import BUDGET, by_hand, for_budget, for_fps
from lutra.plan.plan import Plan
from lutra.plan.written import writable
from lutra.rules.entry import InputFormat
from lutra.rules.integers import Lowering
from lutra.rules.lower import lower
from lutra.tools.cache import Cache

if TYPE_CHECKING:
    from lutra.front import Model, Source

CLOCK_MHZ = 100.0
DEVICE = "ecp5-85k"
WEIGHTS = ("auto", WRITTEN, OFFCHIP)
Span = tuple[int, int]


def compile(
    model: Source,
    example: Any = None,
    device: str | None = None,
    *,
    fps: float | None = None,
    budget: float | None = None,
    folding: Mapping[str, Any] | str | os.PathLike[str] | None = None,
    clock_mhz: float = CLOCK_MHZ,
    weights: str = "auto",
    input_range: Span | Mapping[str, Span] | None = None,
    input_scale: float | Mapping[str, float] | None = None,
    tolerance: float | None = None,
    interleave: int = 1,
    least: str | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> Accelerator:
    """Compile a quantised network to a dataflow accelerator: an ONNX model (a path, its bytes, or a ModelProto), or a
    torch.nn.Module, which is set to evaluation mode and left in it.

    example: for a module what its forward takes, batch axis first: a tensor, a tuple of tensors, or a mapping by
    argument names; only the shape matters. device: a name of `lutra devices`, by default ecp5-85k; for a file it may
    stand second. One of: fps, frames a second to reach at least, with the cheapest folds; budget, the share of the
    device that may be used, with the greatest frame rate (by default 0.7 of it); folding, a mapping or a TOML or JSON
    file {layer: {pe, simd}} of your own. clock_mhz: the clock to plan for.

    weights: where those of matrices live: "auto", on the chip, inside the units; "written", in memories on the chip
    that the model's weights fill at power-up and a host can overwrite over AXI4-Lite (`Accelerator.writes`), while
    thresholds stay as they are; or "offchip", streamed from the device's memory.

    input_range: least and greatest integer that the hardware is fed; input_scale: what one of them is worth to the
    model. Without them the model's own input quantiser says it, and the host quantises.

    tolerance: where no exact integer form exists (sums of unlike scales that nothing quantises, a layer that reads what
    is not quantised), compute in fixed point with an error of at most this, in the tensor's own unit; the report says
    where. Without it such a model is refused.

    interleave: how many sequences recurrent layers take in turn, a column of each, so that one's steps hide what the
    next column of another waits for. Frames are filled up to a multiple of it. It takes memory for as many whole
    sequences. 1 for networks without such layers.

    least: what to take as little of as can be, "lut", "ff", "bram", "dsp" or "uram", whatever that takes of the others
    within the device; by default the cheapest folds are those of the least sum of shares of the device.

    cache: folder for the results of tools. LutraError names what is in the way: a node, a file, an option.
    """
    from lutra.front import load

    example, device = second(example, device)
    loaded = load(model, example)
    target = find_device(device)
    given = input_formats(loaded, input_range, input_scale)
    lowered = lower(loaded.graph, given, target.family, lowering(target.family, tolerance), interleave)
    if weights == WRITTEN:
        lowered = replace(lowered, graph=writable(lowered.graph))
    plan = plan_for(lowered.graph, target, clock_mhz, fps, budget, folding, weights, least)
    facts = ModelFile(loaded.name, loaded.sha256, loaded.size)
    acc = Accelerator(facts, loaded.graph, lowered, plan, Cache(cache_folder(cache)))
    acc.measured["target"] = _target(fps, budget, folding, least)
    return acc


def second(example: Any, device: str | None) -> tuple[Any, str]:
    """The example and the device where the device may stand in the example's place, as it does for a model file."""
    if isinstance(example, str) and device is None:
        return None, example
    return example, DEVICE if device is None else device


def lowering(family: str, tolerance: float | None) -> Lowering:
    """A lowering to begin with; LutraError for a tolerance that is none."""
    if tolerance is not None and not 0 < tolerance < float("inf"):
        raise LutraError(f"tolerance={tolerance} is not a positive number", "options", "say how far a value may be off")
    return Lowering(family, tolerance)


def _target(fps: float | None, budget: float | None, folding: object, least: str | None) -> str:
    """What was asked for, in words."""
    if folding is not None:
        return "folds by hand"
    goal = f"{fps:g} frames/s" if fps is not None else f"{BUDGET if budget is None else budget:.0%} of the device"
    return f"{goal}, as little {least.upper()} as can be" if least else goal


def plan_for(
    graph: Graph, device: Device, clock_mhz: float, fps: float | None = None, budget: float | None = None,
    folding: Mapping[str, Any] | str | os.PathLike[str] | None = None, weights: str = "auto", least: str | None = None,
) -> Plan:
    """The plan for the one goal that is given; without any, the greatest rate within the usual share of the device."""
    goals = {"fps": fps, "budget": budget, "folding": folding}
    given = [name for name, value in goals.items() if value is not None]
    if len(given) > 1:
        raise LutraError(f"{' and '.join(given)} are given", "options", "give one of fps, budget and folding")
    if weights not in WEIGHTS:
        raise LutraError(f"weights={weights!r} is no place for weights", "options", f"one of {', '.join(WEIGHTS)}")
    if folding is not None and least is not None:
        raise LutraError(f"folding and least={least!r} are given", "options", "folds by hand are taken as they are")
    if folding is not None:
        return by_hand(graph, device, clock_mhz, folding if isinstance(folding, Mapping) else Path(folding), weights)
    if fps is not None:
        return for_fps(graph, device, clock_mhz, fps, weights, least)
    return for_budget(graph, device, clock_mhz, BUDGET if budget is None else budget, weights, least)


def load(folder: str | os.PathLike[str], *, cache: str | os.PathLike[str] | None = None) -> Accelerator:
    """The accelerator of a build folder that `save` wrote."""
    from lutra.store import read

    return read(Path(folder), Cache(cache_folder(cache)))


def input_formats(
    model: Model, spans: Span | Mapping[str, Span] | None, scales: float | Mapping[str, float] | None
) -> dict[str, InputFormat]:
    """What the hardware is fed at each input, by name: as the caller says, else as the model's file is annotated; an
    input of which nobody says anything is absent.
    """
    names = [port.name for port in model.inputs]
    for given in (spans, scales):
        unknown = next((n for n in given if n not in names), None) if isinstance(given, Mapping) else None
        if unknown is not None:
            raise LutraError(f"the model has no input {unknown!r}", "input", f"its inputs are {', '.join(names)}")
    found = {}
    for name, noted in zip(names, model.annotations, strict=True):
        span = spans.get(name) if isinstance(spans, Mapping) else spans
        scale = scales.get(name) if isinstance(scales, Mapping) else scales
        at = "input" if len(names) == 1 else f"input {name}"
        if span is not None or scale is not None:
            found[name] = _format(span, scale, at)
        elif noted is not None:
            found[name] = InputFormat(noted, 1.0)
    return found


def _format(span: Span | None, scale: float | None, at: str) -> InputFormat:
    """Integers and what one is worth, as the caller says."""
    if span is None or scale is None:
        missing = "input_range" if span is None else "input_scale"
        raise LutraError(f"{missing} is missing", at, "give both input_range=(lo, hi) and input_scale, or neither")
    if not 0 < scale < float("inf"):
        raise LutraError(f"input_scale={scale} is not a positive number", at, "say what one integer is worth")
    lo, hi = span
    if int(lo) != lo or int(hi) != hi or lo >= hi:
        raise LutraError(f"input_range=({lo}, {hi}) is not a range of integers", at, "give (lo, hi) with lo < hi")
    return InputFormat(Range(int(lo), int(hi)), float(scale))


def cache_folder(given: str | os.PathLike[str] | None) -> Path:
    """The cache's folder: the given one, else the platform's place for a user's caches."""
    if given is not None:
        return Path(given).absolute()  # tools run in folders of their own
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("lutra"))
