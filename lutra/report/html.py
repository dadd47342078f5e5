"""The page: one self-contained HTML file, made from the report model and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

KINDS = ("lut", "ff", "bram", "uram", "dsp")
BETWEEN = ("fifo", "width")  # drawn as marks on a stream, not as boxes


def page(facts: Mapping[str, Any]) -> str:
    """HTML of the report model as JSON has it (`Facts.data()`). No script, no request; every name is escaped."""
    from jinja2 import Environment, StrictUndefined

    env = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    env.filters.update(n=number, pct=percent, bits=amount, shape=shape, heat=heat)
    template = env.from_string(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
    return template.render(f=facts, units=units(facts["layers"]), bars=bars(facts), slowest=slowest(facts))


def number(value: float | None) -> str:
    """Thousands set apart; four digits of what is not whole; a dash for what is not known."""
    if value is None:
        return "–"
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.{max(0, 3 - math.floor(math.log10(abs(value))))}f}".rstrip("0").rstrip(".")


def percent(value: float | None) -> str:
    """A share as per cent, with one decimal below ten."""
    if value is None:
        return "–"
    return f"{value:.0%}" if value >= 0.0995 or value == 0 else f"{value:.1%}"


def amount(bits: int) -> str:
    """Bits in a readable unit."""
    if bits < 1024:
        return f"{bits} bit"
    return f"{bits / 1024:.3g} Kbit" if bits < 1024**2 else f"{bits / 1024**2:.3g} Mbit"


def shape(dims: Sequence[int]) -> str:
    """Sizes with multiplication signs."""
    return "×".join(map(str, dims))


def units(layers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Boxes of the picture: each unit, and the width of the stream that reaches the next one."""
    boxes: list[dict[str, Any]] = []
    for layer in layers:
        if layer["operation"] not in BETWEEN:
            boxes.append({"layer": layer, "stream": layer["stream_bits"], "width": False})
        elif layer["operation"] == "width" and boxes:
            boxes[-1] |= {"stream": layer["stream_bits"], "width": True}
    return boxes


def heat(share: float) -> int:
    """Colour step 0..5 of a share of the interval; 5 is the unit that sets it."""
    return 5 if share >= 1 else min(4, int(share * 5))


def slowest(facts: Mapping[str, Any], most: int = 8) -> list[Mapping[str, Any]]:
    """The units that take most of the interval, slowest first."""
    return sorted(facts["layers"], key=lambda la: -la["cycles"])[:most]


def bars(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each kind of resource that the device has and the design uses, a bar for each way of knowing."""
    device = facts["device"]
    names = {"lut": device["lut_kind"], "ff": "Flip-flops", "bram": device["bram_kind"], "uram": "UltraRAM",
             "dsp": "Multipliers"}
    groups = []
    for kind in KINDS:
        rows = [{"how": u["how"], "device": u["device"], "used": u["used"][kind], "share": u["share"][kind]}
                for u in facts["uses"] if u["share"][kind] is not None]
        if any(r["used"] for r in rows):
            groups.append({"name": names[kind], "have": device["have"][kind], "rows": rows})
    return groups
