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
