"""The table and the curve of `bench/ocr.py`: characters right against LUTs, from what it measured of each precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, LEFT, TOP, SPACE = 620, 320, 60, 20, 17  # of the axes, and between lines of text
HEAD = ("weights, states", "characters right", "LUT: Yosys", "plan", "FF", "RAMB18: Yosys", "plan", "DSP",
        "cycles a line", "lines a second")
Point = Mapping[str, float]


def table(found: Mapping[str, Point]) -> str:
    """As Markdown."""
    rows = [HEAD, ("---",) * len(HEAD)]
    for name, p in found.items():
        if "lut" not in p:
            rows.append((name, f"{p['torch']:.2f} % (PyTorch)", *[""] * (len(HEAD) - 2)))
            continue
        what = ("lut", "planned lut", "ff", "bram", "planned bram", "dsp", "cycles", "lines a second")
        rows.append((name, f"{p['integers']:.2f} %", *(f"{p[k]:,.0f}" for k in what)))
    return "".join(f"| {' | '.join(r)} |\n" for r in rows)


def curve(found: Mapping[str, Point]) -> str:
    """As an SVG, with LUTs by synthesis along the axis; labels stand apart from one another, right of their points.
    What reads less than half of the characters is left out.
    """
    points = sorted((p["lut"], p["integers"], name) for name, p in found.items() if "lut" in p and p["integers"] >= 50)
    low = 10 * (min(y for _, y, _ in points) // 10)
    right = 5000 * (max(x for x, _, _ in points) // 5000 + 1)

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + (WIDTH - LEFT) * x / right, TOP + (HEIGHT - TOP) * (100 - y) / (100 - low)

    at = [place(x, y) for x, y, _ in points]
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in at)
    path = " ".join(f"{'ML'[i > 0]}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(at))
    labels = "".join(
        f'<path d="M{x:.1f} {y:.1f}L{x + 14:.1f} {to - 4:.1f}" stroke="#999"/>'
        f'<text x="{x + 17:.1f}" y="{to:.1f}">{label(name, found[name])}</text>'
        for (x, y), to, (_, _, name) in zip(at, _apart(at), points, strict=True))
    ticks = "".join(_tick(*place(x, low), f"{x / 1000:,.0f}k", 16) for x in range(5000, int(right) + 1, 5000))
    ticks += "".join(_tick(LEFT - 34, place(0, y)[1], f"{y} %", 4) for y in range(int(low), 101, 10))
    whole = found["float"]["torch"]
    level = (f'<path d="M{LEFT} {place(0, whole)[1]:.1f}H{WIDTH}" stroke="#999" stroke-dasharray="4"/>'
             f'<text x="{LEFT + 6}" y="{TOP - 6}">float {whole:.2f} %</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 300} {HEIGHT + 40}" font-size="12" '
            f'font-family="sans-serif"><rect width="100%" height="100%" fill="#fff"/>'
            f'<path d="M{LEFT} {TOP}V{HEIGHT}H{WIDTH}" fill="none" stroke="#444"/>{level}{ticks}{labels}'
            f'<path d="{path}" fill="none" stroke="#27547d"/><g fill="#27547d">{dots}</g>'
            f'<text x="{WIDTH - 20}" y="{HEIGHT + 34}">LUT</text></svg>\n')


def label(name: str, p: Point) -> str:
    """What stands beside a point."""
    return (f'{name}: {p["integers"]:.2f} %, {p["lut"]:,.0f} LUT, {p["bram"]:.0f} RAMB18, '
            f'{p["lines a second"]:.0f} lines/s')


def _tick(x: float, y: float, text: str, down: float) -> str:
    return f'<text x="{x:.1f}" y="{y + down:.1f}" fill="#444">{text}</text>'


def _apart(at: Sequence[tuple[float, float]]) -> list[float]:
    """Heights of labels: below their points, from the right to the left each under the one before."""
    heights, last = [], 0.0
    for _, y in reversed(at):
        last = max(y + SPACE, last + SPACE)
        heights.append(last)
    return heights[::-1]
