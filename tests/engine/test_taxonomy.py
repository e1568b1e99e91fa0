"""Class schemes from resources, files and rasters."""

from __future__ import annotations

import json

import numpy as np
import pytest

from concord.plugin.engine import rasters, taxonomy
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.labels import ClassRaster


@pytest.fixture
def scheme_file(tmp_path):
    """scheme_file(*classes) -> path of a scheme."""

    def write(*classes, **more):
        path = tmp_path / "scheme.json"
        path.write_text(json.dumps({"id": "mine", "classes": list(classes), **more}))
        return str(path)

    return write


def test_a_file_gives_codes_names_and_colours(scheme_file):
    path = scheme_file({"code": 3, "name": "moor", "color": "#102030"}, {"code": 9, "name": "fen"})
    loaded = taxonomy.load(path)
    assert loaded.codes == [3, 9] and loaded.names == {3: "moor", 9: "fen"}
    assert loaded.colours[3] == (16, 32, 48)
    assert loaded.classes[1].colour == taxonomy.colour_of(9)
    assert [loaded.name(code) for code in (0, 255, 3, 4)] == [
        "no data",
        "ignore",
        "moor",
        "class 4",
    ]
    again = scheme_file(**loaded.as_json())
    assert taxonomy.load(again) == loaded


@pytest.mark.parametrize("colour", ["#419BDF", "419bdf"])
def test_a_colour_may_lack_its_hash(scheme_file, colour):
    loaded = taxonomy.load(scheme_file({"code": 1, "name": "water", "color": colour}))
    assert loaded.colours == {1: (0x41, 0x9B, 0xDF)} and loaded.classes[0].colour == "#419bdf"


@pytest.mark.parametrize("colour", ["#419bd", "red", "#41 bdf", "#+1+1+1", "rgb(1,2,3)"])
def test_a_colour_that_is_none_is_refused_and_not_misread(scheme_file, colour):
    with pytest.raises(ConcordError, match="is no taxonomy"):
        taxonomy.load(scheme_file({"code": 1, "name": "water", "color": colour}))


@pytest.mark.parametrize("codes", [(0,), (255,), (-1,), (256,), (4, 4)])
def test_codes_that_mean_something_else_are_refused(scheme_file, codes):
    with pytest.raises(ConcordError, match="class codes outside 1-254 or twice"):
        taxonomy.load(scheme_file(*({"code": c, "name": str(c)} for c in codes)))


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"id": 1}', '{"id": 1, "classes": [3]}', '"x"',
                '{"id": "a", "classes": [{"code": "x", "name": "y"}]}'],
)  # fmt: skip
def test_another_json_is_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "scheme.json"
    path.write_text(content)
    with pytest.raises(ConcordError, match="is no taxonomy; it needs"):
        taxonomy.load(str(path))


@pytest.mark.parametrize("wanted", ["", "nothing", "../taxonomies/nlcd", "nlcd.json"])
def test_an_unknown_scheme_lists_the_known_ones(wanted):
    with pytest.raises(ConcordError, match="is not known; use one of .*nlcd.*or a file"):
        taxonomy.load(wanted)


def test_unknown_codes_are_listed_but_not_all():
    nlcd = taxonomy.load("nlcd")
    nlcd.check([0, 255, 11, 95], "map.tif")
    with pytest.raises(ConcordError, match=r"^map\.tif holds class 1, 2, 3, 4, 5 …, which"):
        nlcd.check(range(1, 10), "map.tif")


def test_a_raster_brings_its_own_scheme(put):
    path = put("a.tif", np.array([[1, 7], [9, 255]], np.uint8),
               categories={1: "water", 3: "rare"}, colours={1: (0, 0, 255)})  # fmt: skip
    with ClassRaster(path) as raster:
        found = raster.taxonomy()
    assert found.names == {1: "water", 3: "rare", 7: "class 7", 9: "class 9"}
    assert found.colours[1] == (0, 0, 255) and found.classes[2].colour == taxonomy.colour_of(7)
    assert found.assumed == "class names from a.tif"


def test_codes_without_any_table_are_named_and_that_is_said(put):
    path = put("a.tif", np.array([[1, 7]], np.uint8))
    found = taxonomy.of_raster(rasters.info(path), [0, 1, 7, 255])
    assert found.names == {1: "class 1", 7: "class 7"} and "named by code" in found.assumed


def test_a_given_scheme_refuses_a_raster_of_another(put):
    path = put("a.tif", np.array([[1, 7]], np.uint8))
    with pytest.raises(ConcordError, match=r"a\.tif holds class 7, which the taxonomy water2"):
        taxonomy.of_raster(rasters.info(path), [1, 7], "water2")


def test_made_up_colours_differ():
    colours = [taxonomy.colour_of(code) for code in range(1, 40)]
    assert len(set(colours)) == len(colours)
