"""`lutra simulate` and `lutra run`: frames through the RTL, and through the integer graph."""

from __future__ import annotations

import time
from pathlib import Path

import click

from lutra import LutraError
from lutra.cli import options
from lutra.cli.console import emit, steps, table


@click.command()
@options.folder
@options.images
@options.output
@options.raw
@click.option("--stalls", type=click.FloatRange(0, 1, max_open=True), default=0.0, show_default=True,
              help="Share of cycles in which each end holds back, at random.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the stalls.")
@click.option("--backend", type=click.Choice(("rtl", "hls")), default="rtl", show_default=True,
              help="RTL in Verilator, or the C++ for HLS, compiled and run: equal integers, no cycles.")
@click.option("--vcd", type=click.Path(path_type=Path), help="Write waveforms here.")
@options.cache
@options.as_json
def simulate(
    folder: Path, inputs: tuple[str, ...], output: Path | None, raw: bool, stalls: float, seed: int, backend: str,
    vcd: Path | None, cache: Path | None, as_json: bool,
) -> None:
    """Simulate the RTL of a build FOLDER; compare every output integer, and measure cycles."""
    if backend == "hls":
        if stalls or vcd:
            raise LutraError("stalls and waveforms are of the RTL's simulation", hint="leave out --backend hls")
        return _simulate_hls(folder, inputs, output, raw, cache, as_json)
    with steps(4 + (vcd is not None)) as bar:
        acc = bar.do("open", lambda: options.opened(folder, cache))
        x = options.frames(inputs, acc.input_names)
        begin = time.monotonic()
        words = bar.do("simulate", lambda: acc.verify(x, stalls=stalls, seed=seed))
        seconds = time.monotonic() - begin
        if vcd:
            bar.do("waveforms", lambda: acc.simulate(x, stalls=stalls, seed=seed, vcd=vcd))
        cycles = bar.do("measure", acc.measure)
        bar.do("write", lambda: acc.save(folder))
    if output:
        options.store(output, acc.run(x, raw=raw))
    count = acc.measured["verified"]["frames"]
    result = {"frames": count, "words": words, "differing": 0, "stalls": stalls, "seed": seed, "seconds": seconds,
              **cycles, "planned_interval": acc.interval, "planned_latency": acc.latency}
    rows = [("frames", f"{count:,} in {seconds:.1f} s"), ("output integers", f"{words:,}, all as the integer graph's"),
            ("interval", f"{cycles['interval']:,} cycles measured, {acc.interval:,} planned"),
            ("latency", f"{cycles['latency']:,} cycles measured, {acc.latency:,} planned")]
    emit(result, as_json, lambda out: out.print(table(("", ""), rows, left=2)))


def _simulate_hls(
    folder: Path, inputs: tuple[str, ...], output: Path | None, raw: bool, cache: Path | None, as_json: bool
) -> None:
    """By C simulation: integers, no cycles."""
    with steps(3) as bar:
        acc = bar.do("open", lambda: options.opened(folder, cache))
        x = options.frames(inputs, acc.input_names)
        begin = time.monotonic()
        words = bar.do("compile and simulate", lambda: acc.verify(x, backend="hls"))
        seconds = time.monotonic() - begin
        bar.do("write", lambda: acc.save(folder))
    if output:
        options.store(output, acc.run(x, raw=raw))
    count = acc.measured["verified_hls"]["frames"]
    result = {"frames": count, "words": words, "differing": 0, "seconds": seconds}
    rows = [("frames", f"{count:,} in {seconds:.1f} s"), ("output integers", f"{words:,}, all as the integer graph's")]
    emit(result, as_json, lambda out: out.print(table(("", ""), rows, left=2)))


@click.command()
@options.folder
@options.images
@options.output
@options.raw
@options.cache
@options.as_json
def run(
    folder: Path, inputs: tuple[str, ...], output: Path | None, raw: bool, cache: Path | None, as_json: bool
) -> None:
    """Run frames through the integer graph of a build FOLDER: exact, and fast."""
    acc = options.opened(folder, cache)
    x = options.frames(inputs, acc.input_names)
    begin = time.monotonic()
    y = acc.run(x, raw=raw)
    seconds = time.monotonic() - begin
    if output:
        options.store(output, y)
    ys = y if isinstance(y, tuple) else (y,)
    count = len(ys[0])
    result = {"frames": count, "shapes": [list(v.shape) for v in ys], "seconds": seconds}
    rows = [("frames", f"{count:,} in {seconds:.3f} s, {count / max(seconds, 1e-9):,.0f} a second"),
            *((f"result {k}" if len(ys) > 1 else "result", f"{v.shape} {v.dtype}") for k, v in enumerate(ys)),
            *([("written to", str(output))] if output else [])]
    emit(result, as_json, lambda out: out.print(table(("", ""), rows, left=2)))
