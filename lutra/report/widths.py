"""The page of a plan of widths: each layer's channels before and after, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lutra.report.html import rendered


def widths_page(plan: Mapping[str, Any]) -> str:
    """HTML of a plan as JSON has it (`WidthPlan.data()`). No script, no request; every name is escaped."""
    return rendered("widths.html", p=plan, layers=width_bars(plan), counts=[
        (name, plan[name]["before"], plan[name]["after"], plan[name]["after"] / plan[name]["before"])
        for name in ("parameters", "operations")])


def width_bars(plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Each layer with its bars, in per cent of the greatest width there is, the number of its stream among those that
    several layers write (None: its own), and why it kept its width, if it had to.
    """
    most = max(max(layer["before"], layer["after"]) for layer in plan["layers"])
    stream = {path: k for k, group in enumerate(plan["groups"], 1) for path in group}
    return [{**layer, "was": round(100 * layer["before"] / most, 2), "now": round(100 * layer["after"] / most, 2),
             "stream": stream.get(layer["path"]), "held": plan["held"].get(layer["path"], "")}
            for layer in plan["layers"]]
