"""Plots as SVG: whole XML, words escaped, numbers where they belong, readable on dark paper."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from concord.plugin.engine import plots, report
from concord.plugin.engine.campaign import drawings

SVG = "{http://www.w3.org/2000/svg}"
DARK = plots.Theme("#eeeeee", "#202020", "#606060")


def read(text):
    return ElementTree.fromstring(text)


def words(text):
    return [node.text for node in read(text).iter(f"{SVG}text")]


def test_confusion_shows_shares_of_rows():
    drawn = plots.confusion("ana <b>", ["water & ice", "trees"], [[3, 1], [0, 0]])
    said = words(drawn)
    assert said[0] == "ana <b>" and "1 water & ice" in said
    assert "75" in said and "25" in said and "0" not in said


@pytest.mark.parametrize("theme", [plots.LIGHT, DARK])
def test_letters_stand_out_from_every_cell(theme):
    def light(colour):
        r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        return 0.299 * r + 0.587 * g + 0.114 * b

    for share in range(0, 101, 5):
        fill, letters = plots._mixed(share / 100, theme)
        assert abs(light(fill) - light(letters)) > 85


def test_lines_leave_gaps_out_and_name_their_series():
    drawn = plots.lines("t", ["a", "b", "c"], [("ana", [10, None, 30]), ("ben", [1, 2, 3])], " %")
    circles = list(read(drawn).iter(f"{SVG}circle"))
    assert len(circles) == 5 and {"ana", "ben", "30 %"} <= set(words(drawn))


def test_a_point_on_the_diagonal_is_well_calibrated():
    drawn = read(plots.calibration("c", [(0.5, 0.5, 10), (1.0, 1.0, 1)]))
    (diagonal,) = [n for n in drawn.iter(f"{SVG}line") if n.get("stroke-dasharray")]
    x1, y1, x2, y2 = (float(diagonal.get(k)) for k in ("x1", "y1", "x2", "y2"))
    for point in drawn.iter(f"{SVG}circle"):
        x, y = float(point.get("cx")), float(point.get("cy"))
        assert (x - x1) / (x2 - x1) == pytest.approx((y - y1) / (y2 - y1), abs=0.01)


def test_nothing_known_draws_nothing_and_empty_series_do_not_fail():
    assert drawings.of_report({}) == []
    assert read(plots.lines("t", [], [("ana", [])])) is not None
    values = {"course": [{"name": "ana", "agreement": [None] * 4, "seconds": [None] * 4}]}
    assert [title for title, _ in drawings.of_report(values)] == [
        "Agreement with the consensus, by quarters of one's own work"
    ]


def test_the_page_holds_the_drawings():
    svg = plots.lines("t", ["a"], [("ana", [1])])
    page = report.page("T", "", [report.Section("Plots", drawings=(("a & b", svg),))])
    assert svg.partition("\n")[2] in page and 'aria-label="a &amp; b"' in page
    assert "http" not in page, "a page names no address, not even a namespace"


def test_the_map_of_states_keeps_places_apart_and_counts_them():
    boxes = [[0, 0, 32, 32, "open"], [32, 0, 32, 32, "sealed"], [0, 32, 32, 32, "sealed"]]
    ((title, svg),) = drawings.of_report({"map": boxes, "overview": {"hours_left": 2.04}})
    assert title == "Tasks by state, about 2.0 h left"
    assert {"Open (1)", "Sealed (2)", "Reviewed (0)"} <= set(words(svg))
    drawn = [n for n in read(svg).iter(f"{SVG}rect") if float(n.get("width")) > 100]
    assert len(drawn) == 4, "the sheet and three tasks"
    assert len({(n.get("x"), n.get("y")) for n in drawn}) == 4


def test_bars_are_as_long_as_their_values():
    series = [("before", "#111111", [10, 40]), ("after", "#222222", [20, 40])]
    drawn = plots.bars("Area", ["water", "trees"], series, " %")
    found = re.findall(r'width="([\d.]+)" height="10.0" fill="#(\d)', drawn)
    assert [(float(length), colour) for length, colour in found] == [
        (75.0, "1"), (150.0, "2"), (300.0, "1"), (300.0, "2"),
    ]  # fmt: skip
    assert "20 %" in drawn and ElementTree.fromstring(drawn).tag.endswith("svg")
