"""One grid: the virtual stack equals the copy, resampling by kind, and the registration check."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal
from scipy.ndimage import gaussian_filter
from scipy.ndimage import shift as move

from concord.plugin.engine import load, rasters, shift
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.scene import Scene, resampling_for

NAME = "S2A_MSIL2A_20220601T100031_N0400_R122_T32TQM_20220601T130000"
GRID = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 240, 180)


def coarser(grid, factor):
    a, b, c, d, e, f = grid.transform
    return Grid(
        grid.crs, (a * factor, b, c, d, e * factor, f), grid.width // factor, grid.height // factor
    )


@pytest.fixture
def product(tmp_path):
    random = np.random.default_rng(3)
    folder = tmp_path / "my folder, with comma" / NAME
    folder.mkdir(parents=True)
    for names, factor in ((("B04", "B08"), 1), (("B05", "B11"), 2), (("B09",), 6)):
        grid = coarser(GRID, factor)
        for name in names:
            plane = random.integers(1000, 5000, (grid.height, grid.width)).astype(np.uint16)
            plane[:5, :7] = 0
            rasters.write(folder / f"{name}.tif", plane, grid)
    return folder


def test_virtual_stack_equals_the_copy(product, tmp_path):
    made = {}
    for suffix in ("vrt", "tif"):
        path = str(tmp_path / f"scene.{suffix}")
        report = load.load_scene([str(product)], path, derived=["ndvi"])
        made[suffix] = rasters.read(path), rasters.info(path)
        assert report["grid"]["pixel_size"] == [10.0, 10.0]
    (one, virtual), (two, copy) = made["vrt"], made["tif"]
    assert virtual.names == copy.names
    assert [b.unit for b in virtual.bands] == [b.unit for b in copy.bands]
    np.testing.assert_array_equal(np.isnan(one), np.isnan(two))
    np.testing.assert_allclose(np.nan_to_num(one), np.nan_to_num(two), atol=2e-7)
    assert virtual.grid.aligned(GRID)


def test_virtual_stack_is_read_by_the_gdal_of_qgis(product, tmp_path):
    path = str(tmp_path / "scene.vrt")
    load.load_scene([str(product)], path)
    dataset = gdal.Open(path)
    band = dataset.GetRasterBand(1)
    assert band.GetDescription() == "red" and band.GetUnitType() == "reflectance"
    mine = rasters.read(path)
    for index in range(dataset.RasterCount):
        theirs = dataset.GetRasterBand(index + 1).ReadAsArray()
        np.testing.assert_allclose(np.nan_to_num(theirs), np.nan_to_num(mine[index]), atol=2e-6)
    dataset = None


def test_virtual_stack_in_another_crs_and_extent(product, tmp_path):
    wish = load.GridWish(crs="EPSG:3857", resolution=20.0)
    load.load_scene([str(product)], str(tmp_path / "a.vrt"), wish=wish)
    load.load_scene([str(product)], str(tmp_path / "b.tif"), wish=wish)
    one, two = rasters.read(tmp_path / "a.vrt"), rasters.read(tmp_path / "b.tif")
    both = np.isfinite(one) & np.isfinite(two)
    assert both.mean() > 0.8 and (np.isfinite(one) != np.isfinite(two)).mean() < 0.001
    np.testing.assert_allclose(one[both], two[both], atol=1e-5)


def test_what_must_be_computed_stands_beside_the_stack(tmp_path):
    power = np.full((180, 240), 0.05, np.float32)
    rasters.write(tmp_path / "S1A_20210601_RTC30_VV.tif", power, GRID)
    source = str(tmp_path / "S1A_20210601_RTC30_VV.tif")
    load.load_scene([source], str(tmp_path / "s.vrt"), derived=["vv_lee"])
    values = rasters.read(tmp_path / "s.vrt")
    assert values[0, 0, 0] == pytest.approx(-13.01, abs=0.01)
    assert (tmp_path / "s_computed.tif").exists()


def test_resampling_by_kind():
    assert resampling_for(GRID, coarser(GRID, 2)) == "average"
    assert resampling_for(coarser(GRID, 2), GRID) == "bilinear"
    assert resampling_for(GRID, coarser(GRID, 2), "classes") == "nearest"


def test_a_class_raster_keeps_its_codes_on_another_grid(tmp_path):
    codes = np.kron(np.random.default_rng(1).integers(1, 9, (30, 40)), np.ones((3, 3)))
    path = tmp_path / "classes.tif"
    rasters.write(path, codes.astype(np.uint8), coarser(GRID, 2), categories={1: "water"})
    with Scene([str(path)], GRID) as scene:
        assert set(np.unique(scene.read(scene.names))) <= set(range(1, 9))


def texture(rows=400, cols=400):
    random = np.random.default_rng(7)
    return gaussian_filter(random.random((rows, cols)), 2.0) * 8 - 3


@pytest.mark.parametrize(("dx", "dy"), [(0.0, 0.0), (2.0, -3.0), (0.7, 0.4), (-1.25, 1.5)])
def test_shift_is_measured_to_a_tenth(dx, dy):
    plane = texture()
    moved = 1.0 - 2.0 * move(plane, (dy, dx), order=3, mode="nearest")  # contrast turned round
    found = shift.between(plane[50:306, 50:306], moved[50:306, 50:306])
    assert found == (pytest.approx(dx, abs=0.12), pytest.approx(dy, abs=0.12))


def test_a_shifted_sensor_is_warned_of(tmp_path):
    plane = texture()
    grid = Grid(GRID.crs, GRID.transform, 400, 400)
    optical = (1500 + 800 * plane).clip(1, 9000).astype(np.uint16)
    rasters.write(tmp_path / "S2A_MSIL2A_20200601_N0214_B08.tif", optical, grid)
    moved = move(plane, (2.0, 1.0), order=1, mode="nearest")
    rgbi = np.stack([(100 + 30 * moved).clip(0, 255)] * 4).astype(np.uint8)
    rasters.write(tmp_path / "naip_nir.tif", rgbi[3], grid)
    report = load.load_scene(
        [str(tmp_path / "S2A_MSIL2A_20200601_N0214_B08.tif"), str(tmp_path / "naip_nir.tif")],
        str(tmp_path / "x.tif"),
        sensor="auto;dem",
    )
    (entry,) = report["shifts"]
    assert (entry["dx"], entry["dy"]) == (pytest.approx(1.0, abs=0.2), pytest.approx(2.0, abs=0.2))
    assert entry["reliable"] and any("2.2 pixels off" in text for text in report["warnings"])


def test_images_without_anything_in_common_give_no_reliable_shift(tmp_path):
    random = np.random.default_rng(1)
    grid = Grid(GRID.crs, GRID.transform, 400, 400)
    for name in ("a_dem.tif", "b_dsm.tif"):
        folder = tmp_path / name[0]
        folder.mkdir()
        rasters.write(folder / name, random.normal(300, 9, (400, 400)).astype(np.float32), grid)
    report = load.load_scene(
        [str(tmp_path / "a/a_dem.tif"), str(tmp_path / "b/b_dsm.tif")], str(tmp_path / "x.tif")
    )
    assert not report["shifts"][0]["reliable"]


def test_a_metric_window_on_a_grid_in_degrees(tmp_path):
    grid = Grid("EPSG:4326", (1e-4, 0.0, 10.0, 0.0, -1e-4, 50.0), 60, 60)
    rasters.write(tmp_path / "dem.tif", np.zeros((60, 60), np.float32), grid)
    with pytest.raises(ConcordError, match="grid is in degrees"):
        load.load_scene([str(tmp_path / "dem.tif")], str(tmp_path / "x.tif"), derived=["tpi_100"])
