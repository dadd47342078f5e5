"""The page of a plan of bits shows all that the plan knows, and takes names for what they are: text."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import NASTY, Reader, assert_self_contained

from lutra.report import bits_page
from lutra.report.bits import choices, heat_map, short
from lutra.report.chart import BOTTOM, CHARACTER, LEFT, SIZE, TOP, Scale, chart, labels, staircase

CHOICES = [(w, a) for a in (4, 8) for w in (2, 4, 8)]


def rated(weights, activations, score, size):
    return {"bits": {"weights": weights, "activations": activations}, "score": score, "cost": {"size": size}}


def plan(first="conv1", axis="size", method="zeroq"):
    """Of two layers; the second loses ten times as much."""
    layers = {name: [rated(w, a, k * (4.0**-w + 4.0**-a), 10.0 * w) for w, a in CHOICES]
              for name, k in ((first, 1), ("fc", 10))}
    every = [rated(w, a, 11 * (4.0**-w + 4.0**-a), 20.0 * w) for w, a in CHOICES]
    made = {"version": 2, "method": method, "score": 4.0**-4 + 10 * 4.0**-8 + 11 * 4.0**-8, "cost": {"size": 120.0},
            "bits": {first: {"weights": 4, "activations": 8}, "fc": {"weights": 8, "activations": 8}},
            "limits": {"size": 130.0}, "uniform": every, "axis": "size", "seed": 0, "layers": layers,
            "frontier": [[40.0, 0.7], [80.0, 0.05], [120.0, 4.0**-4 + 21 * 4.0**-8], [160.0, 22 * 4.0**-8]]}
    made["axis"] = axis
    for has in (made, *every, *(r for rows in layers.values() for r in rows)):
        has["cost"] = {axis: has["cost"]["size"]}
    made["limits"] = {axis: 130.0}
    return made


def by_hand():
    return {**plan(), "method": "by hand", "cost": {}, "score": 0.0, "limits": {}, "uniform": [], "frontier": [],
            "layers": {}, "axis": ""}


def without_score():
    return {**plan(), "score": 0.0, "frontier": [[40.0, 0.0]]}


@pytest.mark.parametrize("make", [plan, by_hand, without_score])
def test_it_is_well_formed_and_self_contained(make):
    read = Reader(bits_page(make()))
    assert_self_contained(read)
    assert ("Not measured" in read.text) == (make is by_hand)
    assert "fc" in read.text


@pytest.mark.parametrize("name", NASTY)
def test_names_are_text(name):
    read, plain = Reader(bits_page(plan(name, name, name))), Reader(bits_page(plan(axis="cost", method="mine")))
    assert [t for t, _ in read.elements] == [t for t, _ in plain.elements]
    assert read.text.count(name) >= 4  # method, axis, both tables


def cells(page):
    """Rows of the table of sensitivities: name, and for each cell whether it is chosen."""
    table = page[page.index('class="map"'):]
    rows = table[: table.index("</table>")].split("<tr>")[2:]
    return {row.split(">")[1].split("<")[0]: row.split("<td")[1:] for row in rows}


def test_every_layer_and_choice_has_a_cell_and_the_chosen_one_is_marked():
    made = plan()
    shown = cells(bits_page(made))
    assert list(shown) == ["conv1", "fc"]
    for path, row in shown.items():
        assert all(f">{short(r['score'])}" in cell for r, cell in zip(made["layers"][path], row, strict=True))
        chosen = tuple(made["bits"][path].values())
        marks = [("pick" in cell, "◆" in cell, "> chosen<" in cell) for cell in row]
        assert marks == [(c == chosen,) * 3 for c in CHOICES]


def test_shades_rise_with_the_logarithm():
    heat = heat_map(plan())
    assert [tuple(c.values()) for c in heat["columns"]] == CHOICES
    seen = sorted((c["score"], c["shade"]) for _, row in heat["rows"] for c in row)
    assert [s for _, s in seen] == sorted(s for _, s in seen) and (seen[0][1], seen[-1][1]) == (2, 50)
    made = plan()
    made["layers"]["fc"] = [rated(4, 8, 0.0, 1.0)]
    row = dict(heat_map(made)["rows"])["fc"]
    assert row == [None] * 4 + [{"score": 0.0, "shade": 0, "chosen": False}, None]


def test_the_chosen_point_lies_on_the_frontier_and_uniform_ones_beside():
    read = Reader(bits_page(plan()))
    dots = [(float(a["cx"]), float(a["cy"])) for t, a in read.elements if t == "circle"]
    line, own = (next(a["d"] for t, a in read.elements if t == "path" and a.get("class") == c) for c in ("line", "own"))
    x, y = own[1:].split("l")[0].split()
    assert f"H{x}V{float(y) + 7.5}" in line
    assert len(dots) == 6 and "W4A8" in read.text
    assert "limit" in read.text and "over: Bytes of weights" in read.text  # uniform 8 bits are
    assert [a["stroke-dasharray"] for t, a in read.elements if "stroke-dasharray" in a] == ["5 4"]


def compared(by, floating, chosen, *uniform):
    found = [{"bits": {"weights": w, "activations": a}, "value": v} for w, a, v in uniform]
    return {**plan(), "measured": {"by": by, "count": 96, "floating": floating, "chosen": chosen, "uniform": found,
                                "trained": None}}


def table_of(page):
    """Rows of the table beside uniform bits: the name, then the cells."""
    rows = page[page.index("Beside uniform bits"):].split("</table>")[0].split("<tr")[2:]
    return {row.split('scope="row">')[1].split("</th>")[0]:
            [cell.split("</td>")[0] for cell in row.split("<td>")[1:]] for row in rows}


def test_accuracy_stands_beside_that_of_uniform_bits():
    page = bits_page(compared("accuracy", 0.9173, 0.9042, (8, 8, 0.917), (4, 8, 0.8736)))
    rows = table_of(page)
    assert [rows[name][1] for name in ("<b>◆ chosen</b>", "W8A8", "W4A8", "W2A8")] == [
        "90.42 %", "91.70 %", "87.36 %", "–"]
    assert "<b>87.36 %</b><small>W4A8, accuracy: weights of 4 bits" in page  # the best that is within the limit
    assert "91.73 % in floating point" in page and "no accuracy is known" not in page


def test_without_labels_the_divergence_of_whole_networks_is_said_to_be_no_accuracy():
    page = bits_page(compared("divergence", 0.0, 0.123, (8, 8, 0.0012)))
    assert "no accuracy is known" in page and "on 96 images" in page
    assert [table_of(page)[name][1] for name in ("<b>◆ chosen</b>", "W8A8")] == ["0.12", "0.0012"]
    assert "<p>" in page and "Accuracy" not in bits_page(plan())


def test_of_many_uniform_choices_few_are_shown():
    made = plan()
    made["uniform"] = [rated(w, a, 11 * (4.0**-w + 4.0**-a), 20.0 * w) for w in (2, 3, 4, 8) for a in (2, 3, 4, 8)]
    made["measured"] = {"by": "accuracy", "count": 5, "floating": 1.0, "chosen": 1.0,
                        "uniform": [{"bits": {"weights": 3, "activations": 8}, "value": 0.9}],
                        "trained": 0.95}
    assert bits_page(made).count("95.00 %") == 2
    assert [row["name"] for row in choices(made)] == ["chosen", "W2A2", "W3A8", "W3A3", "W4A4", "W8A8"]


def test_an_edited_plan_over_its_limit_is_said_to_be():
    made = plan()
    assert "over the limit" not in bits_page(made)
    made["cost"] = {"size": 131.0}
    assert "over the limit: Bytes of weights" in bits_page(made)


def test_the_best_uniform_bits_are_those_within_the_limits():
    assert "<b>0.043</b><small>W4A8" in bits_page(plan())
    tight = copy.deepcopy(plan())
    tight["limits"] = {"size": 1.0}
    assert "best uniform" not in bits_page(tight)


@pytest.mark.parametrize("value, expected", [
    (0.0, "0"), (0.00012, "0.00012"), (1.26e-5, "1.3e-5"), (3.14159, "3.1"), (99.4, "99"), (1234.5, "1,234"),
    (2e7, "2e7"), (-0.5, "-0.5")])
def test_short_numbers(value, expected):
    assert short(value) == expected


FINITE = st.floats(-1e9, 1e9)
POINTS = st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 1e6)), min_size=1, max_size=12)


@given(st.lists(FINITE, min_size=1, max_size=5))
def test_scales_hold_their_values_and_some_ticks(values):
    scale = Scale.over(values, 0.0, 100.0)
    assert all(0 <= scale.at(v) <= 100 for v in values)
    ticks = scale.ticks()
    assert ticks == sorted(set(ticks)) and 1 <= len(ticks) <= 8
    assert all(-0.1 <= scale.at(t) <= 100.1 for t in ticks)


@given(st.lists(st.floats(1e-90, 1e90), min_size=1, max_size=5))
def test_logarithmic_scales_too(values):
    scale = Scale.over(values, 100.0, 0.0, log=True)
    ticks = scale.ticks()
    assert all(0 <= scale.at(v) <= 100 for v in values)
    assert ticks == sorted(set(ticks)) and 1 <= len(ticks) <= 9 and min(ticks) > 0


@given(POINTS)
def test_everything_is_inside_and_names_do_not_overlap(points):
    drawn = chart(sorted(points), [(f"W{k}A8", *p) for k, p in enumerate(points)], points[0], None)
    assert drawn["log"] == all(s >= 1e-100 for _, s in points)
    for d in drawn["dots"]:
        assert LEFT <= d["x"] <= SIZE[0] and TOP <= d["y"] <= SIZE[1] - BOTTOM
    boxes = [(n["x"], n["y"], n["x"] + len(n["name"]) * CHARACTER, n["y"] + 12) for n in drawn["labels"]]
    for k, (left, top, right, bottom) in enumerate(boxes):
        assert all(right <= o[0] + 0.1 or o[2] <= left + 0.1 or bottom <= o[1] + 0.1 or o[3] <= top + 0.1
                   for o in boxes[:k])


def test_a_name_without_a_place_is_left_out():
    assert [n["name"] for n in labels([("a" * 20, 400.0, 100.0)] * 9)] == ["a" * 20] * 4


def test_a_long_frontier_is_thinned_to_what_can_be_seen():
    points = [(100 + k / 100, 300 - k / 200) for k in range(20000)]
    path = staircase(points)
    assert 100 < path.count("V") < 400
    assert path.startswith("M100.0 300.0") and f"H{points[-1][0]}V{points[-1][1]}" in path
    assert staircase([]) == ""
