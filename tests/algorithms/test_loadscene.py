"""concord:loadscene on small files: grid, values, names, extents, and the report."""

from __future__ import annotations

import numpy as np
import pytest
from algorithms import makers
from qgis.core import QgsReferencedRectangle

from concord.plugin.engine import files, rasters
from concord.plugin.engine.grid import Grid


@pytest.fixture
def load(run_algorithm, place):
    def run(inputs=place.image, **parameters):
        results = run_algorithm(
            "concord:loadscene",
            {"INPUT": inputs, "OUTPUT": place.target("scene.tif"), **parameters},
        )
        return makers.look(results["OUTPUT"]), results

    return run


def test_values_grid_and_names_are_kept_exactly(load, place):
    found, results = load(DERIVED="ndvi;ndwi")
    given = makers.look(place.image)
    assert found.transform == given.transform and found.epsg == "32632"
    assert found.names == [*makers.BANDS, "ndvi", "ndwi"]
    assert found.units[:4] == ["reflectance"] * 4
    assert np.array_equal(found.values[:4], given.values)
    blue, green, red, nir = given.values.astype(np.float64)
    assert np.allclose(found.values[4], (nir - red) / (nir + red), atol=1e-6)
    assert np.allclose(found.values[5], (green - nir) / (green + nir), atol=1e-6)
    assert "REPORT" not in results
    assert [p.name for p in place.out.iterdir()] == ["scene.tif"]


def test_the_report_says_where_every_band_came_from(load, place):
    _, results = load(DERIVED="ndvi", REPORT=place.target("scene.json"))
    report = files.read_json(results["REPORT"])
    assert [band["name"] for band in report["bands"]] == [*makers.BANDS, "ndvi"]
    assert {band["source"] for band in report["bands"][:4]} == {place.image}
    assert report["grid"]["width"] == 96 and report["grid"]["crs"] == makers.CRS
    assert sorted(p.name for p in place.out.iterdir()) == ["scene.json", "scene.tif"]


@pytest.mark.parametrize("crs", [makers.CRS, "EPSG:4326", "EPSG:3857"])
def test_an_extent_in_any_crs_gives_whole_pixels_of_the_image(load, place, crs):
    window = (20, 10, 30, 24)
    found, _ = load(EXTENT=makers.extent(window, crs))
    given = makers.look(place.image)
    left = round((found.transform[0] - given.transform[0]) / 10)
    top = round((given.transform[3] - found.transform[3]) / 10)
    rows, cols = found.values.shape[1:]
    assert found.transform[0] == given.transform[0] + 10 * left
    assert np.array_equal(found.values, given.values[:, top : top + rows, left : left + cols])
    assert left <= 20 and top <= 10 and left + cols >= 50 and top + rows >= 34
    slack = 0 if crs == makers.CRS else 3
    assert 20 - left <= slack and left + cols - 50 <= slack


def test_an_extent_as_layer_and_as_rectangle_with_crs(load, place, project, tmp_path):
    part = makers.image(tmp_path / "part.tif", makers.GRID.sub(rasters_window(20, 10, 30, 24)))
    layer = project.add(part, "part")
    box = QgsReferencedRectangle(layer.extent(), layer.crs())
    for value in (layer, layer.id(), box):
        found, _ = load(EXTENT=value)
        assert found.values.shape == (4, 24, 30)
        assert found.transform[0] == 500200.0


def rasters_window(*sides):
    from concord.plugin.engine.grid import Window

    return Window(*sides)


def test_another_crs_keeps_the_ground_and_the_place(load, place):
    found, _ = load(CRS="EPSG:25833")
    assert found.epsg == "25833"
    grid = rasters.info(place.target("scene.tif")).grid
    pond = makers.truth() == 1
    rows, cols = np.nonzero(pond)
    x, y = makers.GRID.xy(cols.mean() + 0.5, rows.mean() + 0.5)
    ((mx, my),) = rasters.transform_points([(x, y)], makers.CRS, "EPSG:25833")
    col, row = grid.colrow(mx, my)
    nir = found.values[3]
    assert abs(grid.pixel_size[0] - 10) < 0.5
    assert nir[int(row), int(col)] < 0.03 and np.isnan(nir).any()
    given = makers.look(place.image).values[3]
    assert abs(np.nanmean(nir) - given.mean()) < 0.01


def test_files_in_two_crs_and_an_extent_in_a_third(load, place, tmp_path):
    """The extent was moved to the CRS of the first file although the scene took another."""
    coarse = Grid("EPSG:3857", (60.0, 0.0, 1000000.0, 0.0, -60.0, 6550000.0), 40, 40)
    box = rasters.transform_bounds(makers.GRID.bounds, makers.CRS, "EPSG:3857")
    coarse = Grid("EPSG:3857", (60.0, 0.0, box[0] - 500, 0.0, -60.0, box[3] + 500), 60, 50)
    first = makers.image(tmp_path / "coarse" / "dem_like.tif", coarse, bands=("blue",))
    fine = makers.image(tmp_path / "fine" / "fine.tif", bands=("nir",))
    found, _ = load([first, fine], EXTENT=makers.extent((20, 10, 30, 24), "EPSG:4326"))
    assert found.epsg == "32632" and found.transform[1] == 10.0
    assert 24 <= found.values.shape[1] <= 30 and 30 <= found.values.shape[2] <= 36


def test_the_grid_of_another_raster_is_matched_exactly(load, place, tmp_path):
    like = Grid(makers.CRS, (20.0, 0.0, 500100.0, 0.0, -20.0, 5599900.0), 30, 20)
    makers.labels(tmp_path / "like.tif", grid=like)
    found, _ = load(GRID=str(tmp_path / "like.tif"))
    assert found.transform == makers.transform_of(like) and found.values.shape == (4, 20, 30)
    given = makers.look(place.image).values
    block = given[:, 10:50, 10:70].reshape(4, 20, 2, 30, 2).mean(axis=(2, 4))
    assert np.allclose(found.values, block, atol=1e-5), "going coarser must average"


def test_resolution_gives_square_pixels_on_whole_multiples(load):
    found, _ = load(RESOLUTION=25)
    assert found.transform[1] == 25.0 and found.transform[5] == -25.0
    assert found.transform[0] % 25 == 0 and found.transform[3] % 25 == 0


def test_no_data_becomes_nan(load, tmp_path):
    values = np.full((1, 20, 30), 7, np.int16)
    values[0, :5] = -1
    grid = Grid(makers.CRS, (10.0, 0.0, 5e5, 0.0, -10.0, 5.6e6), 30, 20)
    rasters.write(tmp_path / "gap.tif", values, grid, names=["red"], units=["m"], nodata=-1)
    found, _ = load(str(tmp_path / "gap.tif"))
    assert np.isnan(found.values[0, :5]).all() and (found.values[0, 5:] == 7).all()


def test_same_inputs_same_bytes(load, place):
    load(DERIVED="ndvi")
    before = makers.snapshot(place.out)
    load(DERIVED="ndvi")
    assert makers.snapshot(place.out) == before


def test_the_fourth_band_of_bytes_is_near_infrared_and_not_alpha(load, place, tmp_path):
    """GDAL marks it as alpha by default, and the scene then lost it without a word."""
    values = np.arange(4 * 20 * 30, dtype=np.int64).reshape(4, 20, 30) % 251 + 1  # 0 is no data
    grid = Grid(makers.CRS, (1.0, 0.0, 5e5, 0.0, -1.0, 5.6e6), 30, 20)
    for name, names in (("named.tif", ["red", "green", "blue", "nir"]), ("m_4709963_se.tif", None)):
        path = tmp_path / name
        rasters.write(path, values.astype(np.uint8), grid, names=names)
        found, _ = load(str(path))
        assert found.names == ["red", "green", "blue", "nir"], name
        assert np.array_equal(found.values, values)
    from osgeo import gdal

    options = ["PHOTOMETRIC=RGB", "ALPHA=YES"]
    copy = str(tmp_path / "marked.tif")
    gdal.Translate(copy, str(tmp_path / "named.tif"), creationOptions=options)
    assert load(copy)[0].names == ["red", "green", "blue", "nir"]
