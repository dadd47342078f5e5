"""From a plan and what was found out about it to the report model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

from lutra.ir import Constant
from lutra.ops.base import Cost
from lutra.ops.fifo.op import Fifo
from lutra.ops.matmul.op import MatMul
from lutra.ops.recurrent.engine import Recurrent
from lutra.plan.devices import Device as Chip
from lutra.plan.memory import available_gbs
from lutra.plan.plan import Plan
from lutra.plan.region import Region
from lutra.plan.stages import Stage
from lutra.report.model import (
    Check,
    Device,
    Facts,
    Host,
    Layer,
    Model,
    Resources,
    Throughput,
    Timing,
    Use,
    Window,
    share_of,
)

BRAM_KIND = {"xc7": "RAMB18", "xcup": "RAMB18", "ecp5": "DP16KD"}


def collect(
    *,
    version: str,
    model: Model,
    plan: Plan,
    target: str = "",
    checks: Sequence[Check] = (),
    host: Host | None = None,
    synthesised: Mapping[str, Cost] | None = None,
    uses: Sequence[Use] = (),
    timing: Timing | None = None,
    measured: tuple[int, int] | None = None,
    tools: Mapping[str, str] | None = None,
    windows: Sequence[Window] = (),
) -> Facts:
    """The facts of one build.

    synthesised: resources by stage name, for the plan's own device. uses: totals by synthesis and placement (see
    `use`); the estimate is added here. measured: interval and latency in cycles, from the RTL.
    """
    return Facts(
        lutra=version,
        model=model,
        device=_device(plan.device),
        throughput=_throughput(plan, target, measured),
        layers=tuple(_layer(plan, k, (synthesised or {}).get(stage.name)) for k, stage in enumerate(plan.stages)),
        uses=(use("estimated", plan.device, plan.cost), *uses),
        checks=tuple(checks),
        host=host or Host(),
        timing=timing,
        tools=dict(tools or {}),
        windows=tuple(windows),
    )


def use(how: str, chip: Chip, cost: Cost) -> Use:
    """Resources of a whole design beside what a device has."""
    used = _resources(cost)
    return Use(how, chip.name, used, share_of(used, _capacity(chip)))


def _device(chip: Chip) -> Device:
    return Device(chip.name, chip.family, _capacity(chip), f"LUT{chip.lut_inputs}", BRAM_KIND[chip.family])


def _capacity(chip: Chip) -> Resources:
    return Resources(chip.lut, chip.ff, chip.bram, chip.uram, chip.dsp)


def _resources(cost: Cost) -> Resources:
    return Resources(cost.lut, cost.ff, cost.bram, cost.uram, cost.dsp)


def _throughput(plan: Plan, target: str, measured: tuple[int, int] | None) -> Throughput:
    slowest = plan.bottleneck
    others = [s for s in plan.stages if s.name != slowest.name] or [slowest]
    second = max(others, key=lambda s: plan.cycles[s.name])
    interval, latency = measured or (None, None)
    bounds = [slowest.name, second.name]
    if plan.interval > plan.cycles[slowest.name]:
        bounds, second = ["off-chip memory", slowest.name], slowest
    return Throughput(
        clock_mhz=plan.clock_mhz,
        interval=plan.interval,
        fps=plan.fps,
        latency=plan.latency,
        latency_us=plan.latency / plan.clock_mhz,
        bottleneck=bounds[0],
        next_bottleneck=bounds[1],
        next_interval=plan.cycles[second.name],
        target=target,
        measured_interval=interval,
        measured_latency=latency,
        bandwidth_gbs=plan.bandwidth_gbs,
        available_gbs=available_gbs(plan.device),
        interleave=plan.interleave,
        **_waiting(slowest),
    )


def _waiting(slowest: Stage) -> dict[str, int]:
    """How long a recurrent layer that bounds the rate waits for itself, and how many sequences in turn fill that."""
    unit, fold, x = slowest.unit, slowest.fold, slowest.xs[0]
    if not isinstance(unit, Recurrent) or not unit.rest(fold, x):
        return {}
    return {"waiting": x.shape[0] * unit.rest(fold, x), "hiding": unit.hiding(fold, x)}


def _layer(plan: Plan, k: int, synthesised: Cost | None) -> Layer:
    stage = plan.stages[k]
    x, out = stage.xs[0], stage.out
    constants = _constants(stage)
    memories = [m for block in (stage.block, stage.feeder) if block for m in block.memories.values()]
    if stage.name in plan.partners and isinstance(stage.unit, MatMul):
        memories.append(stage.unit.memory(stage.fold, x))
    return Layer(
        name=stage.name,
        operation=stage.unit.kind,
        source=stage.node.loc,
        in_shape=x.shape,
        out_shape=out.shape,
        in_bits=x.range.bits,
        out_bits=out.range.bits,
        in_range=str(x.range),
        out_range=str(out.range),
        weights=sum(c.array.size for c in constants),
        weight_bits=max((c.range.bits for c in constants), default=0),
        memory_bits=sum(len(m.words) * m.width for m in memories),
        pe=stage.fold.pe,
        simd=stage.fold.simd,
        cycles=plan.cycles[stage.name],
        share=plan.cycles[stage.name] / plan.interval,
        stream_bits=stage.lanes[1] * out.range.bits,
        stream_depth=stage.unit.depth if isinstance(stage.unit, Fifo) else 0,
        estimated=_resources(plan.costs[stage.name]),
        synthesised=_resources(synthesised) if synthesised else None,
        feeds=tuple("" if f.stage is None else plan.pipeline.at(f).name for f in plan.pipeline.feeds[k]),
        shares=plan.partners.get(stage.name, ""),
    )


def _constants(stage: Stage) -> list[Constant]:
    """The integer arrays among an operator's fields, of a region its operators'; those of truth values are not
    constants of the arithmetic.
    """
    units = stage.unit.units if isinstance(stage.unit, Region) else (stage.unit,)
    values = [getattr(unit, f.name) for unit in units for f in fields(unit)]  # type: ignore[arg-type]
    return [v for v in values if isinstance(v, Constant) and v.array.dtype != bool]
