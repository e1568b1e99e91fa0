"""Bundled schemes and crosswalks: complete, honest about losses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from concord.plugin.engine import crosswalk, files, taxonomy
from concord.plugin.engine.errors import ConcordError

WANTED = ("landcovernet", "dynamicworld", "worldcover", "esri-lulc", "corine-1", "corine-2",
          "corine-3", "nlcd", "mapbiomas", "flair", "lcz42", "eurosat", "openearthmap",
          "landcover-ai")  # fmt: skip


@pytest.mark.parametrize("name", WANTED)
def test_every_class_of_a_scheme_is_described(name):
    scheme = taxonomy.load(name)
    described = files.read_json(crosswalk._CONCEPTS)[name]
    assert sorted(map(int, described)) == sorted(scheme.codes)


@pytest.mark.parametrize(("one", "other"), itertools.permutations(WANTED, 2))
def test_every_class_has_one_place_or_a_sentence(one, other):
    walk = crosswalk.between(taxonomy.load(one), taxonomy.load(other))
    assert set(walk.codes.values()) <= set(walk.target.codes)
    for code in set(walk.source.codes) - set(walk.codes):
        assert any(walk.source.name(code) in loss and "255" in loss for loss in walk.losses)
    merged = len(walk.codes) - len(set(walk.codes.values()))
    assert bool(merged) == any("told apart" in loss for loss in walk.losses)


def test_water_stays_water_and_losses_are_named():
    walk = crosswalk.between(taxonomy.load("worldcover"), taxonomy.load("landcovernet"))
    mask = np.array([[0, 255, 80, 10, 20, 40, 95]], np.uint8)
    assert walk.apply(mask).tolist() == [[0, 255, 1, 5, 5, 6, 5]]
    assert "tree cover, shrubland, mangroves cannot be told apart as woody vegetation." in (
        walk.losses
    )
    clouds = crosswalk.between(taxonomy.load("esri-lulc"), taxonomy.load("worldcover"))
    assert "clouds has no place" in clouds.losses[0]


def test_an_undescribed_scheme_is_a_sentence():
    with pytest.raises(ConcordError, match="no crosswalk for the taxonomy water2"):
        crosswalk.between(taxonomy.load("water2"), taxonomy.load("nlcd"))


@pytest.mark.parametrize("name", WANTED)
def test_a_scheme_names_its_source_and_its_colours_differ(name):
    content = files.read_json(taxonomy.FOLDER / f"{name}.json")
    assert len(content["source"]) > 40
    colours = [c.colour for c in taxonomy.load(name).classes]
    assert len(set(colours)) == len(colours)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        (
            "landcovernet",
            {2: ("artificial bare ground", "#888888"), 7: ("semi", "#00ff00")},
        ),
        ("mapbiomas", {15: ("pasture", "#edde8e"), 33: ("river, lake and ocean", "#2532e4")}),
        ("corine-3", {18: ("pastures", "#e6e64d"), 44: ("sea and ocean", "#e6f2ff")}),
        ("nlcd", {52: ("shrub", "#ccb879"), 95: ("emergent", "#6c9fb8")}),
        ("flair", {13: ("swimming pool", "#3de6eb"), 18: ("greenhouse", "#9999ff")}),
        ("landcover-ai", {1: ("building", "#614a4a"), 4: ("road", "#cfcfcf")}),
        ("esri-lulc", {11: ("rangeland", "#c6ad8d"), 10: ("clouds", "#c8c8c8")}),
    ],
)
def test_codes_and_colours_are_those_of_the_source(name, facts):
    scheme = taxonomy.load(name)
    for code, (words, colour) in facts.items():
        (entry,) = [c for c in scheme.classes if c.code == code]
        assert entry.name.startswith(words) and entry.colour == colour


@pytest.mark.parametrize(
    ("one", "other", "pairs"),
    [
        ("corine-3", "worldcover", {10: 30, 21: 40, 39: 90, 23: 10, 14: 40, 34: 70}),
        ("mapbiomas", "worldcover", {3: 10, 35: 40, 15: 30, 33: 80, 5: 95, 32: 60, 84: 90}),
        ("nlcd", "dynamicworld", {11: 1, 21: 7, 81: 3, 90: 2, 95: 4, 12: 9}),
        ("worldcover", "esri-lulc", {10: 2, 20: 11, 30: 11, 90: 4, 95: 4, 100: 11}),
        ("corine-1", "dynamicworld", {1: 7, 2: 5, 3: 2, 4: 4, 5: 1}),
        ("corine-2", "dynamicworld", {32: 6, 24: 5, 33: 8}),
        ("flair", "landcover-ai", {1: 1, 6: 2, 5: 3, 3: 1}),
    ],
)
def test_a_class_goes_to_the_place_of_its_main_cover(one, other, pairs):
    walk = crosswalk.between(taxonomy.load(one), taxonomy.load(other))
    assert {code: walk.codes[code] for code in pairs} == pairs


def test_developed_open_space_is_mostly_lawn_and_that_is_said():
    walk = crosswalk.between(taxonomy.load("nlcd"), taxonomy.load("worldcover"))
    assert "developed, open space becomes built-up, though part of it is grass." in walk.losses
