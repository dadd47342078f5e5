"""The page of a plan of widths: every layer with its bars, names as text."""

import pytest
from pages import NASTY, Reader, assert_self_contained

from lutra.report import widths_page
from lutra.report.widths import width_bars


def plan(name="conv1", why="", density=0.25):
    layers = [{"path": p, "before": b, "after": a, "density": density, "realised": a / b}
              for p, b, a in ((name, 16, 4), ("conv2", 16, 4), ("wider", 16, 32), ("fc", 10, 10))]
    return {"version": 1, "method": why or "synexp", "widths": {la["path"]: la["after"] for la in layers},
            "parameters": {"before": 4000, "after": 1000}, "operations": {"before": 10**6, "after": 10**5},
            "groups": [[name, "conv2"]], "held": {"fc": why or "they are the network's output"}, "layers": layers}


def test_bars_are_shares_of_the_greatest_width():
    rows = width_bars(plan())
    assert [(r["was"], r["now"]) for r in rows] == [(50, 12.5), (50, 12.5), (50, 100), (31.25, 31.25)]
    assert [r["stream"] for r in rows] == [1, 1, None, None]


@pytest.mark.parametrize("density", [0.25, None])
def test_every_layer_has_its_bars(density):
    read = Reader(widths_page(plan(density=density)))
    assert_self_contained(read)
    assert [a["aria-label"] for t, a in read.elements if a.get("role") == "img"] == [
        "16 before, 4 after", "16 before, 4 after", "16 before, 32 after", "10 before, 10 after"]
    assert [float(a["width"]) for t, a in read.elements if a.get("class") == "now"] == [12.5, 12.5, 100, 31.25]
    assert "25% of 4,000" in read.text and "they are the network's output" in read.text


@pytest.mark.parametrize("name", NASTY)
def test_names_are_text(name):
    read, plain = Reader(widths_page(plan(name, name))), Reader(widths_page(plan()))
    assert [t for t, _ in read.elements] == [t for t, _ in plain.elements]
    assert read.text.count(name) == 3
