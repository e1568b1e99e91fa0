"""Refinement on real maps: what the bench measures at length, on a few cases that must hold."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.bench_refine import bench_nlcd_with_examples, rates, refined  # noqa: E402
from bench.noises import LEVELS, lay  # noqa: E402
from bench.refine_scenes import DATA, chesapeake, scenes  # noqa: E402

from concord.plugin.engine import rasters  # noqa: E402
from concord.plugin.engine.grid import Grid  # noqa: E402
from concord.plugin.engine.refine import run  # noqa: E402
from concord.plugin.engine.refine.auto import AutoEngine  # noqa: E402
from concord.plugin.engine.refine.source import ArraySource  # noqa: E402

pytestmark = pytest.mark.usefixtures("real_data")


@pytest.fixture(scope="module")
def places():
    return {name: (bands, truth) for name, bands, truth, _ in scenes()}


@pytest.mark.parametrize("name", ["chesapeake-7", "fair-uganda", "sen1floods-es"])
def test_auto_does_not_touch_a_right_map(places, name):
    bands, truth = places[name]
    after = refined(AutoEngine(), ArraySource(bands, truth))
    assert (after != truth).mean() <= 0.003


@pytest.mark.parametrize("kind", ["uniform", "shift", "blocks", "confusion"])
@pytest.mark.parametrize("name", ["chesapeake-7", "sen1floods-es"])
def test_auto_corrects_more_than_it_damages(places, name, kind):
    bands, truth = places[name]
    noisy = lay(truth, kind, LEVELS[kind][1], 11)
    after = refined(AutoEngine(), ArraySource(bands, noisy))
    assert rates(truth, noisy, after)[2] > 0


def test_taught_by_other_chips_nlcd_reaches_91_percent(tmp_path):
    assert bench_nlcd_with_examples(tmp_path)["after"] >= 91.0


def test_tiles_of_a_real_chip(tmp_path):
    with open(DATA / "chesapeake" / "test_extended-train_patches.csv", encoding="utf-8") as rows:
        first = next(csv.DictReader(rows))
    left, top = 7e5 + int(first["x_coord"]), 4.1e6 - int(first["y_coord"])
    bands, nlcd, _ = chesapeake()[0]
    place = Grid("EPSG:26917", (1.0, 0.0, left, 0.0, -1.0, top), 256, 256)
    image, labels = str(tmp_path / "naip.tif"), str(tmp_path / "nlcd.tif")
    rasters.write(image, bands.round().astype(np.uint8), place,
                  names=["red", "green", "blue", "nir"], units=["DN"] * 4)  # fmt: skip
    rasters.write(labels, nlcd, place, nodata=0)
    maps = []
    for tile in (100, 256):
        output = str(tmp_path / f"{tile}.tif")
        values, _, _ = run.refine([image], labels, output, engine="auto", tile=tile)
        assert values["noise"]["kind"] == "blocks"
        assert values["noise"]["block_size"] == pytest.approx(30, abs=2)
        maps.append(rasters.read(output)[0])
    np.testing.assert_array_equal(maps[0], maps[1])
