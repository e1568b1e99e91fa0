"""Chips of a turned grid, and images at their own resolution from another CRS."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.chips import check, export, plan
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid, Window
from tests.engine import chips_data as data


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return data.scene(tmp_path_factory.mktemp("turned"))


def items(folder) -> list:
    return [json.loads(p.read_text("utf-8")) for p in sorted(folder.glob("chips/*/*.json"))]


def test_chips_are_not_turned_unless_asked(scene, tmp_path):
    report = export.export([scene.first], scene.labels, str(tmp_path / "a"), data.wish())
    assert not any("turned" in warning for warning in report["warnings"])
    for item in items(tmp_path / "a"):
        assert item["properties"]["proj:transform"][1] == 0 and "_r" not in item["id"]


def test_turned_chips_take_labels_from_the_nearest_pixel(scene, tmp_path):
    out = tmp_path / "set"
    report = export.export([scene.first], scene.labels, str(out), data.wish(rotation=30.0))
    assert check.check(str(out))["findings"] == []
    assert any("turned by 30 degrees" in warning for warning in report["warnings"])
    whole = rasters.info(scene.labels).grid
    seen = 0
    for item in items(out):
        assert item["id"].startswith("32632_r30_")
        place = out / "chips" / item["id"]
        grid = rasters.info(place / "label.tif").grid
        assert np.allclose(grid.pixel_size, 10)
        a, _, _, d, _, _ = grid.transform
        assert np.degrees(np.arctan2(d, a)) == pytest.approx(30)
        found = rasters.read(place / "label.tif")[0]
        image = rasters.read(place / "s2_20200101.tif")
        for row, col in ((3, 5), (16, 16), (30, 2)):
            x, y = whole.colrow(*grid.xy(col + 0.5, row + 0.5))
            if abs(x % 1 - 0.5) > 0.45 or abs(y % 1 - 0.5) > 0.45:
                continue  # on an edge either side is the nearest
            inside = 0 <= x < whole.width and 0 <= y < whole.height
            assert found[row, col] == (scene.codes[int(y), int(x)] if inside else 0)
            assert inside or np.isnan(image[:, row, col]).all()
            seen += inside
        ring = item["geometry"]["coordinates"][0]
        assert len({round(spot[0], 7) for spot in ring[:4]}) == 4  # the chip's corners, no box
    assert seen > 50


def test_turned_chips_keep_their_ids_when_the_map_grows():
    small = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 300, 300)
    large = Grid("EPSG:32632", (10.0, 0.0, 5e5 - 470.0, 0.0, -10.0, 5e6 + 330.0), 400, 380)
    one, two = (plan.turned(grid, -12.5) for grid in (small, large))
    col, row = two.colrow(*one.xy(40, 60))
    assert (col, row) == pytest.approx((round(col), round(row)), abs=1e-6)
    there = Window(round(col), round(row), 32, 32)
    (first,) = plan.chips_of(one, [Window(40, 60, 32, 32)], angle=-12.5)
    (second,) = plan.chips_of(two, [there], angle=-12.5)
    assert first.id == second.id and first.id.startswith("32632_rm12p5_")
    assert first.bounds == pytest.approx(second.bounds)


def test_two_turned_exports_are_the_same_bytes(scene, tmp_path):
    for name, threads in (("a", 1), ("b", 3)):
        wish = data.wish(rotation=17.0, threads=threads, resolution="native")
        export.export(scene.imagery, scene.labels, str(tmp_path / name), wish)
    assert data.digests(tmp_path / "a") == data.digests(tmp_path / "b")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"rotation": 200.0}, "no turn"),
        ({"rotation": 10.0, "formats": ("netcdf",)}, "cannot hold turned chips"),
    ],
)
def test_a_turn_that_cannot_be_is_refused(scene, tmp_path, more, words):
    with pytest.raises(ConcordError, match=words):
        export.export([scene.first], scene.labels, str(tmp_path / "x"), data.wish(**more))
    assert not (tmp_path / "x").exists()


def slanted(folder, crs: str, size: float):
    """The plane x + 2 y of the labels' CRS, in another CRS at another pixel size."""
    left, bottom, right, top = rasters.transform_bounds(data.GRID.bounds, data.GRID.crs, crs)
    width, height = int((right - left) / size) + 40, int((top - bottom) / size) + 40
    grid = Grid(crs, (size, 0, left - 20 * size, 0, -size, top + 20 * size), width, height)
    spots = [grid.xy(c + 0.5, r + 0.5) for r in range(height) for c in range(width)]
    moved = np.array(rasters.transform_points(spots, crs, data.GRID.crs))
    plane = (moved[:, 0] - 5e5 + 2 * (moved[:, 1] - 5e6 + 3000)).reshape(1, height, width)
    path = folder / "other_20200601.tif"
    rasters.write(path, plane.astype(np.float32), grid, names=["height"], units=["m"])
    return str(path)


@pytest.mark.parametrize(("crs", "size", "count"), [("EPSG:32633", 4.0, 80), ("EPSG:3035", 33, 10)])
def test_an_image_of_another_crs_keeps_its_own_pixel_size(scene, tmp_path, crs, size, count):
    other, out = slanted(tmp_path, crs, size), tmp_path / "set"
    wish = data.wish(resolution="native")
    report = export.export([scene.first, other], scene.labels, str(out), wish)
    assert any("other_20200601 lies in another CRS" in warning for warning in report["warnings"])
    assert check.check(str(out))["findings"] == []
    for item in items(out)[::7]:
        place = out / "chips" / item["id"]
        label = rasters.info(place / "label.tif").grid
        own = rasters.info(place / "other_20200601.tif").grid
        assert (own.width, own.height) == (count, count)
        assert own.crs == label.crs and own.bounds == pytest.approx(label.bounds)
        asset = item["assets"]["other_20200601"]
        assert asset["ml-aoi:resampling-method"] == "bilinear"
        assert asset["proj:shape"] == [count, count]
        values = rasters.read(place / "other_20200601.tif")[0]
        x, y = own.xy(count / 2, count / 2)
        middle = values[count // 2 - 1 : count // 2 + 1, count // 2 - 1 : count // 2 + 1].mean()
        assert middle == pytest.approx(
            x - 5e5 + 2 * (y - 5e6 + 3000), abs=0.28 * size
        )  # GDAL warps to an eighth of a pixel
        # The optical image, in the labels' CRS, is still cut without resampling.
        assert rasters.info(place / "s2_20200101.tif").bands[0].dtype == "uint16"


def test_native_resolution_of_a_median_in_another_crs(scene, tmp_path):
    other = slanted(tmp_path, "EPSG:32633", 5.0)
    second = tmp_path / "other_20200701.tif"
    info = rasters.info(other)
    rasters.write(second, rasters.read(other), info.grid, names=["height"], units=["m"])
    wish = replace(data.wish(resolution="native"), dates="median")
    export.export([other, str(second)], scene.labels, str(tmp_path / "set"), wish)
    grids = {
        (g.width, g.height)
        for path in (tmp_path / "set").glob("chips/*/*median.tif")
        for g in [rasters.info(path).grid]
    }
    assert grids == {(64, 64)}


def test_netcdf_of_a_label_raster_that_lies_turned_was_written_in_the_wrong_place(tmp_path):
    slant = replace(data.GRID, transform=(8.66, 5.0, 5e5, 5.0, -8.66, 5.6e6))
    codes = np.ones((slant.height, slant.width), np.uint8)
    rasters.write(tmp_path / "labels.tif", codes, slant, nodata=0)
    rasters.write(tmp_path / "image.tif", codes[None] * 9, slant, names=["red"])
    places = ([str(tmp_path / "image.tif")], str(tmp_path / "labels.tif"), str(tmp_path / "x"))
    with pytest.raises(ConcordError, match="cannot hold turned chips"):
        export.export(*places, data.wish(formats=("netcdf",)))
    assert not (tmp_path / "x").exists()
    assert export.export(*places, data.wish())["chips"]


def test_a_least_posterior_without_a_consensus_passed_every_chip_silently(scene, tmp_path):
    gate = plan.Gate(min_score=0.9)
    told = export.export([scene.first], scene.labels, str(tmp_path / "x"), data.wish(gate=gate))
    assert any("there is no CONSENSUS" in warning for warning in told["warnings"])
