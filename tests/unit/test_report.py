"""The page shows the model's figures, asks for nothing from outside, and takes names for what they are: text."""

import json
from dataclasses import replace

import pytest
from facts import facts
from pages import NASTY, Reader, assert_self_contained

from lutra.report import page
from lutra.report.html import amount, bars, heat, number, percent, picture
from lutra.report.model import Resources, Timing, share_of


def test_page_is_well_formed_and_self_contained():
    assert_self_contained(Reader(page(facts().data())))


@pytest.mark.parametrize("name", NASTY)
def test_names_are_text(name):
    read, plain = Reader(page(facts(name, name).data())), Reader(page(facts().data()))
    assert [t for t, _ in read.elements] == [t for t, _ in plain.elements]
    assert name in read.text


def test_every_layer_has_a_box_and_a_row():
    built = facts()
    read = Reader(page(built.data()))
    boxes = [a["aria-label"] for t, a in read.elements if t == "svg" and a.get("role") == "img"]
    units = [la.name for la in built.layers if la.operation not in ("fifo", "width", "fork")]
    assert [b.split(",")[0] for b in boxes] == units
    assert [t for t, _ in read.elements].count("tr") == len(built.layers) + len(built.windows) + 2


def test_every_stream_between_boxes_has_an_arrow():
    drawn = picture(facts().data()["layers"])
    assert [(a["bits"], a["depth"], a["width"], a["straight"]) for a in drawn["arrows"]] == [
        (5, 0, False, True), (5, 0, False, True), (5, 12, False, True), (9, 0, True, True), (4, 0, False, True),
        (2, 0, False, True), (4, 37, False, False), (3, 0, False, False), (11, 0, False, True)]
    assert len({(b["x"], b["y"]) for b in drawn["boxes"]}) == len(drawn["boxes"]) == 9
    read = Reader(page(facts().data()))
    paths = [a["d"] for t, a in read.elements if t == "path" and "marker-end" in a]
    assert paths == [a["path"] for a in drawn["arrows"]]
    assert "4b · 37" in read.text


def test_an_input_of_a_join_is_drawn_from_below():
    join = {**facts().data()["layers"][0], "name": "add0", "operation": "add", "feeds": ["threshold0", ""]}
    drawn = picture([facts().data()["layers"][0], join])
    assert [a["note"] for a in drawn["arrows"]] == ["", "input "]


def test_figures_of_the_model_are_shown():
    text = Reader(page(facts().data())).text
    for figure in ("100,000", "1,000 cycles", "23.45 µs", "131.4 MHz", "8,931", "48,210 integers, none differs",
                   "3,600 output words, 1 differ", "digits.bit", "1,934,000 bytes", "softmax"):
        assert figure in text


def test_unknown_is_said_not_guessed():
    bare = replace(facts(placed=False), checks=(), uses=facts().uses[:1])
    text = Reader(page(bare.data())).text
    assert "Not placed" in text and "asked for, not placed yet" in text and "Nothing has been compared yet" in text


def test_a_missed_clock_is_said():
    late = replace(facts(), timing=Timing("ecp5-85k", 88.0, False))
    assert "misses the 100 MHz" in Reader(page(late.data())).text


def test_json_holds_all_and_survives():
    data = facts().data()
    again = json.loads(json.dumps(data))
    assert again == data and page(again) == page(data)


def test_bars_leave_out_what_nobody_uses():
    assert [g["name"] for g in bars(facts().data())] == ["LUT4", "Flip-flops", "DP16KD"]


def test_share_of():
    got = share_of(Resources(50, None, 3, None, 0), Resources(100, 10, 0, 0, 7))
    assert got == Resources(0.5, None, None, None, 0.0)


@pytest.mark.parametrize("value, text", [(None, "–"), (0, "0"), (1234567, "1,234,567"), (23.456, "23.46"), (0.5, "0.5"),
                                         (0.01234, "0.01234"), (1234.5, "1,234"), (10.0, "10")])
def test_number(value, text):
    assert number(value) == text


@pytest.mark.parametrize("value, text", [(None, "–"), (0, "0%"), (0.0632, "6.3%"), (0.1, "10%"), (1.234, "123%")])
def test_percent(value, text):
    assert percent(value) == text


@pytest.mark.parametrize("bits, text", [(12, "12 bit"), (2048, "2 Kbit"), (3 * 1024**2, "3 Mbit")])
def test_amount(bits, text):
    assert amount(bits) == text


@pytest.mark.parametrize("share, step", [(0, 0), (0.19, 0), (0.2, 1), (0.99, 4), (1, 5), (1.5, 5)])
def test_heat(share, step):
    assert heat(share) == step


def test_windows_of_written_weights():
    read = Reader(page(facts().data()))
    assert "0x4000" in read.text and "8,192" in read.text and "block RAM" in read.text
    assert "UltraRAM wakes up with nothing" in read.text
    assert "Weights that can be written" not in Reader(page(replace(facts(), windows=()).data())).text
