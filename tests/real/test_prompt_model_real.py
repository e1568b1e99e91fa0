"""A floor under the bundled promptable model on real objects that it was not trained on.

The whole held-out table is printed by models/training/evaluate_prompt.py; these are few objects of
it: every fourth building of fair-uganda's eastern third and the ponds of one held-out date.
"""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.scene import Scene
from concord.plugin.engine.segment import composite, predict
from concord.plugin.engine.segment.prompts import Prompt
from tests.real import annotator

EAST, POND_EAST = 2048, 622  # columns from which nothing was trained on
POND_IMAGE = "m_4709963_se_14_1_20200831.tif"
# Mean IoU after 1, 3 and 5 clicks; a little below what was measured (0.67, 0.79, 0.89 and
# 0.76, 0.89, 0.92). Of six ponds one alone moved the first figure by 0.05.
LEAST = {"buildings": (0.62, 0.75, 0.85), "ponds": (0.71, 0.84, 0.87)}


@pytest.fixture(scope="module")
def mosaic(real_data, tmp_path_factory):
    target = tmp_path_factory.mktemp("uganda") / "uganda.tif"
    return annotator.mosaic(real_data / "fair-uganda", target)


def held_out(real_data, mosaic, what: str) -> tuple:
    """(image, bands, objects)."""
    if what == "buildings":
        found = annotator.buildings(real_data / "fair-uganda", rasters.info(mosaic).grid)
        return mosaic, (), [thing for thing in found if thing.col >= EAST][::4]
    path = str(real_data / "naip-nd" / POND_IMAGE)
    found = [thing for thing in annotator.ponds(path) if thing.col >= POND_EAST]
    return path, ("nir", "red", "green"), found


@pytest.mark.parametrize("what", ["buildings", "ponds"])
def test_unseen_objects_are_found_as_well_as_the_card_says(real_data, mosaic, what):
    path, bands, things = held_out(real_data, mosaic, what)
    assert len(things) >= 4
    figures = annotator.table(path, things, "concord-prompt", bands)
    found = tuple(figures[f"iou_{n}"] for n in (1, 3, 5))
    assert all(a >= b for a, b in zip(found, LEAST[what])), (found, LEAST[what])


def test_a_box_round_an_unseen_building_gives_the_building(real_data, mosaic):
    path, bands, things = held_out(real_data, mosaic, "buildings")
    provider, found = predict.provider_of("concord-prompt"), []
    with Scene([path]) as scene:
        planes = composite.of_scene(scene, bands)
        for thing in things:
            rows, cols = np.any(thing.mask, 1).nonzero()[0], np.any(thing.mask, 0).nonzero()[0]
            left, top = thing.col + float(cols[0]), thing.row + float(rows[0])
            box = (left, top, left + float(np.ptp(cols)) + 1, top + float(np.ptp(rows)) + 1)
            best = predict.answer(scene, planes, provider, 1, Prompt((), (), box))[0]
            found.append(annotator.overlap(best.mask, annotator.truth_on(best.place, thing)))
    assert np.mean(found) > 0.7, np.round(found, 2)
