"""The page: one self-contained HTML file, made from the report model and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

KINDS = ("lut", "ff", "bram", "uram", "dsp")
BETWEEN = ("fifo", "width", "fork")  # drawn as marks on a stream, not as boxes
COLUMNS = 7  # boxes in a row of the picture
STEP = (158, 176)  # pixels from box to box
BOX = (128, 126)  # pixels of a box


def page(facts: Mapping[str, Any]) -> str:
    """HTML of the report model as JSON has it (`Facts.data()`). No script, no request; every name is escaped."""
    return rendered("page.html", f=facts, picture=picture(facts["layers"]), bars=bars(facts), slowest=slowest(facts))


def rendered(template: str, **values: Any) -> str:
    """A template of this folder with its values, every one of which is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    env = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
                      trim_blocks=True, lstrip_blocks=True)
    env.filters.update(n=number, pct=percent, bits=amount, shape=shape, heat=heat)
    return env.get_template(template).render(values)


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


def picture(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The pipeline's picture: a box for each unit, in rows, and an arrow for each stream, with what stands on it."""
    shown = [layer for layer in layers if layer["operation"] not in BETWEEN]
    places = {layer["name"]: (k % COLUMNS * STEP[0], k // COLUMNS * STEP[1]) for k, layer in enumerate(shown)}
    known = {layer["name"]: layer for layer in layers}
    boxes = [{"layer": layer, "x": places[layer["name"]][0], "y": places[layer["name"]][1]} for layer in shown]
    arrows = [_arrow(known, places, layer, port) for layer in shown for port in range(len(layer["feeds"]))]
    width, height = STEP[0] * min(len(shown), COLUMNS), STEP[1] * -(-len(shown) // COLUMNS)
    return {"boxes": boxes, "arrows": [a for a in arrows if a], "width": width, "height": height}


def _arrow(
    known: Mapping[str, Mapping[str, Any]], places: Mapping[str, tuple[int, int]], sink: Mapping[str, Any], port: int
) -> dict[str, Any] | None:
    """A stream from box to box: its path, where its marks are, bits a word at its end, words of FIFOs, whether it has a
    width converter. Of those from outside only the ones into a join are drawn, from below; None for the others.
    """
    depth, converted, feed = 0, False, sink["feeds"][port]
    last = feed
    while feed and known[feed]["operation"] in BETWEEN:
        depth += known[feed]["stream_depth"]
        converted |= known[feed]["operation"] == "width"
        feed = known[feed]["feeds"][0]
    if not feed and len(sink["feeds"]) == 1:
        return None
    if not feed:
        x, y = places[sink["name"]][0] + 20 + 44 * port, places[sink["name"]][1] + BOX[1]
        bits = known[last]["stream_bits"] if last else sink["in_bits"] * max(sink["pe"], sink["simd"])
        return {"bits": bits, "depth": depth, "width": converted,
                "path": f"M{x} {y + 30}v-25", "x": x + 5, "y": y + 26, "straight": False, "note": "input "}
    (x0, y0), (x1, y1) = places[feed], places[sink["name"]]
    marks = {"bits": known[last]["stream_bits"], "depth": depth, "width": converted, "note": ""}
    if (x1, y1) == (x0 + STEP[0], y0):
        middle = y0 + BOX[1] // 2
        path = f"M{x0 + BOX[0] + 1} {middle}h{STEP[0] - BOX[0] - 6}"
        return marks | {"path": path, "x": x0 + BOX[0] + 15, "y": middle, "straight": True}
    x, gap, inside = x1 + 20 + 44 * port, STEP[1] - BOX[1], y1 == y0  # a row's own arrows pass below it
    y, bend = (y1 + BOX[1] + 4, y1 + STEP[1]) if inside else (y1 - 4, y1 - gap)
    start = x0 + BOX[0] - 20, y0 + BOX[1]
    path = f"M{start[0]} {start[1]}C{start[0]} {start[1] + gap} {x} {bend} {x} {y}"
    return marks | {"path": path, "x": x + 5, "y": y + 12 if inside else y - 4, "straight": False}


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
