"""The trade-off's picture: costs to the right, scores upwards, in pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SIZE = (880, 400)
LEFT, RIGHT, TOP, BOTTOM = 66, 26, 16, 48  # pixels around the axes
LEAST = 1e-100  # score that a logarithmic scale shows
CHARACTER = 7.2  # pixels of one of a label, at most
Point = tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """From numbers to pixels: `low` lies at `start`, `high` at `end`; in powers of ten where `log`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @staticmethod
    def over(values: Sequence[float], start: float, end: float, log: bool = False) -> Scale:
        """One on which all values lie, with a margin. log: they are above 0."""
        low, high = (math.log10(f(values)) if log else f(values) for f in (min, max))
        margin = (high - low) * 0.04 or abs(high) * 0.04 or 1.0
        return Scale(low - margin, high + margin, start, end, log)

    def at(self, value: float) -> float:
        """The pixel of a value, to a tenth."""
        place = math.log10(value) if self.log else value
        return round(self.start + (place - self.low) / (self.high - self.low) * (self.end - self.start), 1)

    def ticks(self, most: int = 7) -> list[float]:
        """Round values on the scale, rising; at most about so many."""
        if self.log and self.high - self.low >= 1.5:
            every = math.ceil((self.high - self.low) / most)
            return [10.0**k for k in range(math.ceil(self.low), math.floor(self.high) + 1) if k % every == 0]
        low, high = (10**self.low, 10**self.high) if self.log else (self.low, self.high)
        unit = 10.0 ** math.floor(math.log10((high - low) / most))
        step = next(unit * k for k in (1, 2, 5, 10) if unit * k * most >= high - low)
        return [round(k * step, 12 - math.floor(math.log10(step)))
                for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def chart(frontier: Sequence[Point], uniform: Sequence[tuple[str, float, float]], chosen: Point,
          limit: float | None) -> dict[str, Any]:
    """Where everything is drawn.

    frontier, chosen: (cost, score). uniform: (label, cost, score). limit: of the cost; one off the axis is left out.

    Scores are on a logarithmic scale if all are above 0 (by `LEAST`). The frontier is a staircase: up to the next cost
    there is nothing better.
    """
    points = [*frontier, *((c, s) for _, c, s in uniform), chosen]
    across = Scale.over([c for c, _ in points], LEFT, SIZE[0] - RIGHT)
    up = Scale.over([s for _, s in points], SIZE[1] - BOTTOM, TOP, log=min(s for _, s in points) >= LEAST)
    at = across.at(chosen[0]), up.at(chosen[1])
    named = [(name, across.at(cost), up.at(score)) for name, cost, score in uniform]
    dots = [{"name": n, "cost": c, "score": s, "x": x, "y": y}
            for (n, c, s), (_, x, y) in zip(uniform, named, strict=True)]
    return {"width": SIZE[0], "height": SIZE[1], "left": LEFT, "right": SIZE[0] - RIGHT, "top": TOP,
            "bottom": SIZE[1] - BOTTOM, "path": staircase([(across.at(c), up.at(s)) for c, s in frontier]),
            "across": [(across.at(t), t) for t in across.ticks()], "up": [(up.at(t), t) for t in up.ticks()],
            "x": at[0], "y": at[1], "log": up.log, "dots": dots,
            "limit": across.at(limit) if limit is not None and across.low <= limit <= across.high else None,
            "labels": labels([("chosen", at[0], at[1]), *named])}


def staircase(points: Sequence[Point]) -> str:
    """The path of an SVG through points by rising x, without those that lie within a pixel of one drawn."""
    if not points:
        return ""
    kept = [points[0]]
    for x, y in points[1:]:
        if abs(x - kept[-1][0]) + abs(y - kept[-1][1]) >= 1 or (x, y) == points[-1]:
            kept.append((x, y))
    return f"M{kept[0][0]} {kept[0][1]}" + "".join(f"H{x}V{y}" for x, y in kept[1:]) + f"H{SIZE[0] - RIGHT}"


def labels(named: Sequence[tuple[str, float, float]]) -> list[Mapping[str, Any]]:
    """Where names stand beside their points, the first come first; a name with no free place has none."""
    taken = [(x - 5, y - 5, x + 5, y + 5) for _, x, y in named]
    placed: list[Mapping[str, Any]] = []
    for name, x, y in named:
        wide = len(name) * CHARACTER
        for left, base in ((x + 10, y - 6), (x + 10, y + 15), (x - 10 - wide, y + 15), (x - 10 - wide, y - 6)):
            box = left, base - 11, left + wide, base + 3
            inside = box[0] >= LEFT and box[1] >= 0 and box[2] <= SIZE[0] and box[3] <= SIZE[1] - BOTTOM
            if inside and all(box[2] <= o[0] or o[2] <= box[0] or box[3] <= o[1] or o[3] <= box[1] for o in taken):
                taken.append(box)
                placed.append({"name": name, "x": round(left, 1), "y": round(base, 1)})
                break
    return placed
