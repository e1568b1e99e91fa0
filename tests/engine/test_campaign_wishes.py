"""What a lead asks for: costs of classes, and a gold raster in another scheme."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine import grid, rasters, taxonomy
from concord.plugin.engine.campaign import quality, setup
from concord.plugin.engine.campaign.values import Settings
from concord.plugin.engine.errors import ConcordError


def test_costs_by_code_and_by_name():
    scheme = taxonomy.load("dynamicworld")
    assert setup.costs_of("1=2; Trees = 0.5 ;", scheme) == {1: 2.0, 2: 0.5}
    assert setup.costs_of("", scheme) == {}


@pytest.mark.parametrize("text", ["99=2", "water", "water=much", "1=-1", "=3", "1=nan", "1=inf"])
def test_a_cost_that_cannot_be_read_is_named(text):
    with pytest.raises(ConcordError, match="is not understood; write class=cost") as caught:
        setup.costs_of(text, taxonomy.load("water2"))
    assert f"'{text}'" in str(caught.value)


def test_settings_come_back_from_json_with_costs_and_old_ones_without():
    place = grid.Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 54e5), 64, 64)
    made = Settings("t", place, 32, ("a.tif",), {}, costs={3: 2.5}, min_posterior=0.7)
    assert Settings.from_json(made.as_json()) == made
    old = {k: v for k, v in made.as_json().items() if k not in ("costs", "min_posterior")}
    assert Settings.from_json(old).costs == {} and Settings.from_json(old).min_posterior == 0.0


class Vote:
    def __init__(self, task, person, mask):
        self.task, self.person, self.mask = task, person, mask
        self.seconds, self.created = 1.0, "2026-01-01T00:00:00Z"


def test_doubt_about_a_dear_class_comes_first():
    votes = []
    for task, code in ((1, 1), (2, 3)):
        for person, vote in (("a", code), ("b", code), ("c", 2)):
            votes.append(Vote(task, person, np.full((4, 4), vote, np.uint8)))
    people, codes = ["a", "b", "c"], [1, 2, 3]
    result, _ = quality.pooled(votes, people, codes, "majority")
    plain = quality.queue(votes, people, codes, result)
    dear = quality.queue(votes, people, codes, result, costs={3: 5.0})
    assert [d.task for d in plain] == [1, 2] and [d.task for d in dear] == [2, 1]
    assert 0.5 < plain[0].posterior < 1.0


def test_gold_in_another_scheme_is_moved_and_its_losses_are_notes(tmp_path):
    place = grid.Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 54e5), 64, 64)
    image, gold = str(tmp_path / "image.tif"), str(tmp_path / "gold.tif")
    rasters.write(image, np.ones((64, 64), np.uint8), place, names=["red"])
    rasters.write(gold, np.full((64, 64), 80, np.uint8), place)  # WorldCover's water
    wishes = setup.Wishes((image,), "esri-lulc", ("a", "b", "c"), chip=32, lead="l", gold=gold)
    with pytest.raises(ConcordError, match="holds class 80"):
        setup.plan(wishes)
    moved = setup.plan(setup.Wishes(**{**wishes.__dict__, "gold_taxonomy": "worldcover"}))
    assert {int(c) for mask in moved.gold.values() for c in np.unique(mask)} == {1}
    assert any("cannot be told apart" in note for note in moved.notes)


def test_calibration_and_confusion_against_the_consensus():
    known = np.ones((10, 10), np.uint8)
    wrong = known.copy()
    wrong[:2] = 2
    votes = [Vote(1, "a", known), Vote(1, "b", known), Vote(1, "c", wrong)]
    people, codes = ["a", "b", "c"], [1, 2]
    result, _ = quality.pooled(votes, people, codes, "majority")
    found = quality.calibration(votes, {1: known}, people, codes, result)
    assert sum(b["pixels"] for b in found["bins"]) == 100
    assert all(b["true"] == 1.0 for b in found["bins"])
    gap = sum(abs(b["true"] - b["stated"]) * b["pixels"] for b in found["bins"]) / 100
    assert found["error"] == pytest.approx(gap)
    assert quality.calibration(votes, {}, people, codes, result) == {}
    course = {c["name"]: c for c in quality.course(votes, people, codes, result)}
    assert course["a"]["confusion"] == [[100, 0], [0, 0]]
    assert course["c"]["confusion"] == [[80, 20], [0, 0]] and course["c"]["accuracy"] == 0.8
    assert course["c"]["low"] is None, "one task tells nothing about an interval"
