"""What the metadata of a set say of its files is what the files are."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.chips import export
from tests.engine import chips_data as data

SENTINEL = "S2A_20200101_{}.tif"


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """(folder, items) of a set of an image on its own grid, a coarser one and Sentinel-2's red."""
    place = tmp_path_factory.mktemp("truth")
    scene = data.scene(place)
    coarse = np.random.default_rng(0).integers(1, 900, (1, 128, 128)).astype(np.uint16)
    rasters.write(place / "coarse_20200301.tif", coarse, data.COARSE, names=["red"], nodata=0)
    red = str(place / SENTINEL.format("B04"))
    rasters.write(red, np.full((1, 256, 256), 900, np.uint16), data.GRID, nodata=0)
    images = [scene.first, str(place / "coarse_20200301.tif"), red]
    wish = replace(data.wish(), formats=("native",))
    export.export(images, scene.labels, str(place / "set"), wish, scene.consensus)
    items = [
        json.loads(path.read_text()) for path in sorted((place / "set").glob("chips/*/*.json"))
    ]
    return place / "set", items


def test_items_told_the_number_type_of_the_file_before_it_was_resampled(told):
    folder, items = told
    for item in items[::16]:
        for asset in item["assets"].values():
            info = rasters.info(folder / "chips" / item["id"] / asset["href"])
            assert [b["data_type"] for b in asset["bands"]] == [b.dtype for b in info.bands]


def test_items_told_the_wavelength_of_whichever_sensor_came_last(told):
    _, items = told
    (asset,) = [a for key, a in items[0]["assets"].items() if "B04" in key]
    (band,) = asset["bands"]
    assert band["eo:common_name"] == "red"
    assert band["eo:center_wavelength"] == pytest.approx(0.665, abs=1e-6)


def test_the_items_place_is_that_of_the_files(told):
    folder, items = told
    for item in items[::16]:
        grid = rasters.info(folder / "chips" / item["id"] / "label.tif").grid
        properties = item["properties"]
        assert properties["proj:transform"] == pytest.approx(list(grid.transform))
        assert properties["proj:shape"] == [grid.height, grid.width]
        assert properties["proj:code"] == grid.crs
        codes = rasters.read(folder / "chips" / item["id"] / "label.tif")[0]
        counts = {c["name"]: c["count"] for c in properties["label:overviews"][0]["counts"]}
        assert sorted(counts.values()) == sorted(np.bincount(codes[codes > 0])[1:].tolist())
        assert properties["start_datetime"].startswith("2020-01-01")
        assert properties["end_datetime"].startswith("2020-03-01")


def test_the_day_of_the_last_image_was_told_as_the_day_of_publication(told):
    """Croissant's datePublished is the set's; nothing here knows it, so it is left out."""
    value = json.loads((told[0] / "croissant.json").read_text())
    assert "datePublished" not in value
    assert value["temporalCoverage"] == "2020-01-01/2020-03-01"
    south, west, north, east = map(float, value["spatialCoverage"]["geo"]["box"].split())
    boxes = np.array([item["bbox"] for item in told[1]])
    assert (west, south) == pytest.approx(tuple(boxes[:, :2].min(axis=0)), abs=1e-4)
    assert (east, north) == pytest.approx(tuple(boxes[:, 2:].max(axis=0)), abs=1e-4)
