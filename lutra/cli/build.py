"""`lutra build`: a model becomes a build folder."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from lutra import Accelerator
from lutra import compile as compile_model
from lutra.cli import modules, options
from lutra.cli.console import emit, percent, steps, table
from lutra.deploy.boards import board as board_named


@click.command()
@modules.argument
@click.option("--config", type=click.Path(path_type=Path), is_eager=True, expose_value=False, callback=options.config,
              help="TOML file with these options by name; the command line wins.")
@click.option("--device", help="A name of `lutra devices`, by default ecp5-85k or what the board carries.")
@click.option("--board", help="A name of `lutra boards`: adds a vendor project for it and a driver.")
@click.option("--fps", type=float, help="Frames a second to reach, with the least hardware.")
@click.option("--budget", type=float, help="Share of the device to use, for the greatest frame rate.")
@click.option("--folding", type=click.Path(path_type=Path), help="TOML or JSON file of folds by layer.")
@click.option("--clock", "clock", type=float, default=100.0, show_default=True, help="Clock in MHz.")
@click.option("--weights", default="auto", show_default=True, metavar="PLACE",
              help="Where the weights of matrices live: auto, on the chip; written, in memories that a host can"
                   " overwrite; offchip, in the device's memory.")
@click.option("--backend", type=click.Choice(("rtl", "hls", "both")), default="rtl", show_default=True,
              help="What the folder holds: SystemVerilog, C++ for HLS, or both.")
@click.option("--interleave", type=int, default=1, show_default=True,
              help="How many sequences recurrent layers take in turn, a column of each.")
@click.option("--least", metavar="RESOURCE",
              help="What to take as little of as can be, whatever that takes of the others within the device: lut, ff,"
                   " bram, dsp or uram.")
@options.fed
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("build"), show_default=True,
              help="The build folder.")
@click.option("--measure", is_flag=True, help="Measure interval and latency in the RTL.")
@click.option("--synth", is_flag=True, help="Synthesise with Yosys.")
@click.option("--place", is_flag=True, help="Place and route, timing and bitstream (ECP5).")
@options.cache
@options.as_json
def build(
    model: Path, device: str | None, board: str | None, fps: float | None, budget: float | None, folding: Path | None,
    clock: float, weights: str, backend: str, interleave: int, least: str | None, input_range: tuple[int, int] | None,
    input_scale: float | None, formats: tuple[tuple[str, int, int, float], ...], tolerance: float | None, output: Path,
    measure: bool, synth: bool, place: bool, cache: Path | None, as_json: bool,
) -> None:
    """Compile MODEL into an accelerator.

    MODEL is a quantised ONNX file, or FILE.py:FUNCTION, where the function returns a torch module and an example of its
    input.
    """
    more = [("measure in RTL", Accelerator.measure, measure), ("synthesise", Accelerator.synthesise, synth),
            ("place and route", Accelerator.place, place)]
    chosen = [(what, verb) for what, verb, wanted in more if wanted]
    given = options.input_format(input_range, input_scale, formats)
    source, example = modules.read(model)
    target = board_named(board).device if board and device is None else device
    with steps(2 + len(chosen)) as bar:
        acc = bar.do("compile", lambda: compile_model(
            source, example, target, fps=fps, budget=budget, folding=folding, clock_mhz=clock, weights=weights,
            tolerance=tolerance, interleave=interleave, least=least, cache=cache, **given))
        for what, verb in chosen:
            bar.do(what, lambda verb=verb: verb(acc))  # type: ignore[misc]
        bar.do("write", lambda: acc.save(output, backend, board))
    emit({**acc.summary().data(), "folder": str(output)}, as_json, lambda out: overview(out, acc, output))


def overview(out: Console, acc: Accelerator, folder: Path) -> None:
    """The main figures on the terminal."""
    facts = acc.summary()
    speed, last = facts.throughput, facts.uses[-1]
    in_turn = f" for {speed.interleave} sequences" if speed.interleave > 1 else ""
    rows: list[tuple[str, str]] = [
        ("throughput", f"{speed.fps:,.0f} frames/s at {speed.clock_mhz:g} MHz"),
        ("interval", f"{speed.interval:,} cycles{in_turn}, set by {speed.bottleneck}"),
        ("latency", f"{speed.latency:,} cycles, {speed.latency_us:.4g} µs"),
        (facts.device.lut_kind, f"{last.used.lut:,.0f} {last.how}, {percent(last.share.lut)} of {last.device}"),
        (facts.device.bram_kind, f"{last.used.bram:,.0f}, {percent(last.share.bram)}"),
    ]
    if shared := sum(bool(layer.shares) for layer in facts.layers) // 2:
        rows.append(("shared memories", f"{shared}, of the weights of two layers each"))
    if speed.waiting:
        rows.append(("recurrence", f"waited for in {speed.waiting:,} cycles; --interleave {speed.hiding} fills them"))
    if speed.bandwidth_gbs:
        rows.append(("off-chip memory", f"{speed.bandwidth_gbs:.3g} GB/s of {speed.available_gbs:.3g}"))
    if facts.timing:
        rows.append(("clock", f"{facts.timing.fmax_mhz:.1f} MHz after place and route"))
    out.print(table(("", facts.model.name), rows, left=2))
    out.print(f"report: {(folder / 'report.html').resolve()}", markup=False, soft_wrap=True)
