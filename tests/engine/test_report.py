"""Report pages: escaped, self-contained, and with no number that the JSON lacks."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from concord.plugin.engine import rasters, report
from concord.plugin.engine.consensus import run as consensus
from concord.plugin.engine.labels import ClassRaster
from concord.plugin.engine.refine import page
from concord.plugin.engine.refine import run as refine

EVIL = "<script>alert('x')</script> & \"quoted\""


class Reader(HTMLParser):
    """Collects tags, texts of number cells, and whether tags are closed."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.numbers, self.open, self._number = [], [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self._number = tag == "td" and ("class", "n") in attributes
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another tag"
        self._number = False

    def handle_data(self, data):
        if self._number:
            self.numbers.append(data)


def test_names_of_users_cannot_become_markup():
    section = report.Section(EVIL, EVIL, (EVIL,), ((EVIL,),), ((EVIL, b"png"),), (EVIL,))
    text = report.page(EVIL, EVIL, [section])
    reader = Reader(text)
    assert "script" not in reader.tags and reader.open == []
    assert text.count("&lt;script&gt;") >= 8 and "<script" not in text


def test_a_page_needs_nothing_from_elsewhere():
    text = report.page("t", "l", [report.Section("s", pictures=(("c", b"png"),))])
    assert 'src="data:image/png;base64,' in text
    assert not re.search(r'(src|href)="(?!data:)', text) and "http" not in text


@pytest.mark.parametrize(
    "value, shown",
    [(1234567, "1,234,567"), (0.123456, "0.1235"), (1e-9, "1e-09"), (True, "yes"), (False, "no"),
     (None, ""), ("a<b", "a&lt;b"), (0, "0")],
)  # fmt: skip
def test_cells_show_values(value, shown):
    assert f">{shown}</td>" in report._cell(value)


@pytest.mark.parametrize(
    "asked, stem", [("r.html", "r"), ("r.json", "r"), ("r", "r"), ("run_v1.2", "run_v1.2"),
                    ("R.HTML", "R")],
)  # fmt: skip
def test_html_and_json_stand_side_by_side(tmp_path, asked, stem):
    paths = report.write(str(tmp_path / asked), {"a": 1}, "t", "l", [])
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{stem}.html", f"{stem}.json"]
    assert json.load(open(paths["json"])) == {"a": 1}


def numbers_in(value) -> set:
    """Every number of a JSON value, as a page would show it."""
    if isinstance(value, dict):
        return set().union(*map(numbers_in, value.values())) if value else set()
    if isinstance(value, list):
        return set().union(*map(numbers_in, value)) if value else set()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return set()
    return {re.fullmatch(r"<td[^>]*>(.*)</td>", report._cell(value)).group(1)}


def check_page(paths) -> Reader:
    reader = Reader(open(paths["html"], encoding="utf-8").read())
    values = json.load(open(paths["json"], encoding="utf-8"))
    assert len(reader.numbers) > 8
    assert set(reader.numbers) <= numbers_in(values), "the page shows what the JSON lacks"
    return reader


def test_the_consensus_page_shows_numbers_of_its_json(put, tmp_path):
    rng = np.random.default_rng(1)
    planes = [rng.integers(0, 5, (70, 80)).astype(np.uint8) for _ in range(4)]
    names = {1: "a & b", 2: "<c>", 3: "d", 4: "e"}
    paths = [put(f"a{i}.tif", plane, categories=names) for i, plane in enumerate(planes)]
    for method in ("majority", "dawidskene"):
        values, scheme = consensus.combine(paths, str(tmp_path / "c.tif"), method=method)
        made = consensus.write_report(str(tmp_path / "c.html"), values, scheme)
        assert check_page(made).tags.count("img") == 2


def test_the_refinement_page_shows_numbers_of_its_json(put, image, tmp_path):
    labels = np.random.default_rng(1).integers(1, 4, (90, 100)).astype(np.uint8)
    path = put("map.tif", labels, categories={1: "<a>", 2: "b", 3: "c"})
    values, scheme, _ = refine.refine(
        [image()], path, str(tmp_path / "r.tif"), engine="mode", reference=path
    )
    made = page.write_report(str(tmp_path / "p.html"), values, scheme)
    assert check_page(made).tags.count("img") == 3


def test_pictures_of_classes_have_the_colours_of_the_scheme(put):
    from concord.plugin.engine import pictures

    labels = np.array([[1, 7], [0, 255]], np.uint8)
    path = put("map.tif", labels, colours={1: (1, 2, 3), 7: (200, 100, 0)})
    with ClassRaster(path) as raster:
        scheme = raster.taxonomy()
    expected = [[[1, 2, 3], [200, 100, 0]], [[255, 255, 255], [120, 120, 120]]]
    assert pictures.colour_codes(labels, scheme).tolist() == expected
    assert pictures.of_classes(path, scheme) == rasters.png(np.array(expected, np.uint8))
