"""Prompts on real data, by a scripted annotator: the table that the README shows.

`python -m pytest tests/real/test_annotate_real.py` runs a quarter of the objects; the whole table
(`CONCORD_ALL=1`) goes to .build/annotate-table.json.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.scene import Scene
from concord.plugin.engine.segment import composite, places, predict
from concord.plugin.engine.segment.desk import Desk, Question
from tests.real import annotator

ROOT = Path(__file__).resolve().parents[2]
ALL = bool(os.environ.get("CONCORD_ALL"))
POND_IMAGE = "m_4709963_se_14_1_20160816.tif"
# Least mean IoU after 1, 3 and 5 clicks; a little below what was measured. On ponds the region
# provider gets no better with clicks (0.54, 0.41, 0.43 on these): a known weakness, see README.
LEAST = {
    ("regions", "buildings"): (0.45, 0.55, 0.58),
    ("regions", "ponds"): (0.45, 0.35, 0.35),
    ("standin-click", "buildings"): (0.3, 0.42, 0.5),
    ("standin-click", "ponds"): (0.1, 0.15, 0.2),
}


@pytest.fixture(scope="module")
def mosaic(real_data, tmp_path_factory):
    target = tmp_path_factory.mktemp("uganda") / "uganda.tif"
    return annotator.mosaic(real_data / "fair-uganda", target)


def objects(real_data, mosaic, what: str) -> tuple:
    """(image, bands, objects): held-out buildings (every second from 1), or ponds."""
    step = 1 if ALL else 4
    if what == "buildings":
        grid = rasters.info(mosaic).grid
        return mosaic, (), annotator.buildings(real_data / "fair-uganda", grid)[1::2][::step]
    path = str(real_data / "naip-nd" / POND_IMAGE)
    # Every third pond from 0 tuned the regions; these are the others.
    held_out = [pond for k, pond in enumerate(annotator.ponds(path)) if k % 3]
    return path, ("nir", "red", "green"), held_out[::step]


@pytest.mark.parametrize("what", ["buildings", "ponds"])
@pytest.mark.parametrize("model", ["regions", "standin-click"])
def test_a_scripted_annotator(real_data, mosaic, model, what):
    path, bands, things = objects(real_data, mosaic, what)
    text = model if model == "regions" else str(real_data / "models" / model)
    figures = annotator.table(path, things, text, bands)
    report = ROOT / ".build" / "annotate-table.json"
    kept = json.loads(report.read_text()) if report.exists() else {}
    kept[f"{model} {what}"] = figures
    report.write_text(json.dumps(kept, indent=1) + "\n")
    least = LEAST[(model, what)]
    found = [figures[f"iou_{n}"] for n in (1, 3, 5)]
    assert all(a >= b for a, b in zip(found, least)), (found, least)


def test_the_answer_does_not_depend_on_the_view(mosaic):
    """The same click in two processes' worth of views gives the same mask."""
    desk = Desk(mosaic)
    x, y = desk.grid.xy(1501.5, 903.5)
    first = desk.ask(Question(((x, y, 1),)))[0]
    desk.missing(desk.grid.bounds, 0.0, 100)
    again = Desk(mosaic)
    second = again.ask(Question(((x, y, 1),)))[0]
    assert first.place == second.place and np.array_equal(first.mask, second.mask)
    desk.close()
    again.close()


@pytest.mark.parametrize("model", ["regions", "standin-click"])
def test_raster_edges_and_corners_answer_or_say_why(mosaic, real_data, model):
    text = model if model == "regions" else str(real_data / "models" / model)
    desk = Desk(mosaic, (), text)
    width, height = desk.grid.width, desk.grid.height
    for col, row in (
        (0.2, 0.2),
        (width - 0.2, 0.2),
        (0.2, height - 0.2),
        (width - 0.2, height / 2),
    ):
        found = desk.ask(Question(((*desk.grid.xy(col, row), 1),), widen=False))
        assert all(answer.mask.shape == answer.place.shape for answer in found)
    desk.close()


def test_no_data_under_the_click(mosaic, tmp_path, real_data):
    from concord.plugin.engine.errors import ConcordError

    values = rasters.read(mosaic).astype(np.float32)[:, :600, :1400]
    values[:, :, 700:] = np.nan
    grid = rasters.info(mosaic).grid
    grid = type(grid)(grid.crs, grid.transform, 1400, 600)
    path = str(tmp_path / "half.tif")
    rasters.write(path, values, grid, names=["red", "green", "blue"])
    with Scene([path]) as scene:
        planes = composite.of_scene(scene)
        provider = predict.provider_of("regions")
        empty = places.at(1200, 300, 1400, 600, 512, 1)
        with pytest.raises(ConcordError, match="no data under the prompt"):
            places.encoding_at(scene, planes, provider, empty)
        half = places.at(700, 300, 1400, 600, 512, 1)
        encoding, valid = places.encoding_at(scene, planes, provider, half)
        from concord.plugin.engine.segment.prompts import Prompt

        prompt = Prompt(((640, 300),), (1,)).moved(half.window.col, half.window.row)
        found = provider.predict(encoding, prompt)
    assert found and not (found[0].mask & ~valid).any()
