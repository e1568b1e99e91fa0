"""Rasters: round trips, damaged files, reads on other grids against GDAL, polygons, full disks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal

from concord.plugin.engine import rasters
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid, Window

gdal.UseExceptions()
DTYPES = ["uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"]


@pytest.fixture
def smooth():
    """(60, 80) float32 of hills without flat parts."""
    rows, cols = np.mgrid[0:60, 0:80]
    return (np.sin(rows / 9) * 40 + np.cos(cols / 7) * 30 + cols).astype(np.float32)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("side", [20, 300])  # striped and tiled files
def test_pixels_and_descriptions_survive(put, make_grid, dtype, side):
    array = np.random.default_rng(1).integers(0, 200, (2, side, side + 3)).astype(dtype)
    path = put("a.tif", array, names=["nir", "red"], units=["reflectance", ""], nodata=7,
               scales=[(1e-4, -0.1), (1.0, 0.0)], tags={"KEY": "wärme"})  # fmt: skip
    found = rasters.info(path)
    assert found.grid == make_grid(side + 3, side)
    assert found.names == ["nir", "red"] and found.tags["KEY"] == "wärme"
    first, second = found.bands
    assert (first.dtype, first.nodata, first.unit) == (dtype, 7.0, "reflectance")
    assert (first.scale, first.offset) == (1e-4, -0.1)
    assert (second.scale, second.offset, second.unit) == (1.0, 0.0, "")
    np.testing.assert_array_equal(rasters.read(path), array)
    part = rasters.read(path, names=["red"], window=Window(2, 3, 9, 4))
    np.testing.assert_array_equal(part, array[1:, 3:7, 2:11])


@pytest.mark.parametrize(
    "transform", [(10.0, 0, 5e5, 0, 10.0, 4e6), (8.0, 6.0, 5e5, 6.0, -8.0, 5e6)]
)
def test_south_up_and_rotated_grids_survive(put, transform):
    grid = Grid("EPSG:32632", tuple(map(float, transform)), 12, 10)
    assert rasters.info(put("a.tif", np.zeros((10, 12), np.uint8), grid)).grid == grid


def test_nan_is_kept_as_nodata(put):
    info = rasters.info(put("a.tif", np.full((4, 4), np.nan, np.float32), nodata=np.nan))
    assert np.isnan(info.bands[0].nodata)


def test_classes_travel_in_the_file_and_beside_it(put):
    names, colours = {1: "water", 7: "Büsche & <Gras>"}, {1: (0, 0, 255), 7: (10, 200, 30)}
    path = put("a.tif", np.ones((4, 4), np.uint8), categories=names, colours=colours)
    info = rasters.info(path)
    assert info.categories == names
    assert {code: info.colours[code] for code in names} == colours
    dataset = gdal.Open(path)
    dataset.GetFileList()  # GDAL 3.6 looks at the sidecar only when it must
    assert dataset.GetRasterBand(1).GetCategoryNames()[7] == names[7]
    other = put("plain.tif", np.ones((4, 4), np.uint8))  # a file without our tag
    Path(f"{other}.aux.xml").write_bytes(Path(f"{path}.aux.xml").read_bytes())
    assert rasters.info(other).categories == names


def test_a_raster_without_classes_removes_the_table_of_the_one_before(put):
    path = put("a.tif", np.ones((4, 4), np.uint8), categories={1: "water"})
    put("a.tif", np.ones((4, 4), np.uint8))
    assert rasters.info(path).categories == {} and not Path(f"{path}.aux.xml").exists()


def test_names_are_read_from_an_attribute_table_written_by_gdal(put):
    path = put("a.tif", np.ones((4, 4), np.uint8))
    table = gdal.RasterAttributeTable()
    table.CreateColumn("Count", gdal.GFT_Integer, gdal.GFU_PixelCount)
    table.CreateColumn("Label", gdal.GFT_String, gdal.GFU_Name)
    table.CreateColumn("Code", gdal.GFT_Integer, gdal.GFU_MinMax)
    for row, (code, name) in enumerate([(11, "open water"), (42, "forest")]):
        table.SetValueAsString(row, 1, name)
        table.SetValueAsInt(row, 2, code)
    dataset = gdal.Open(path)
    dataset.GetRasterBand(1).SetDefaultRAT(table)
    dataset = None
    assert rasters.info(path).categories == {11: "open water", 42: "forest"}


def test_same_array_same_bytes(put):
    array = np.random.default_rng(3).integers(0, 9, (300, 300)).astype(np.uint8)
    told = {"categories": {2: "b", 1: "a"}, "colours": {1: (1, 2, 3)}, "tags": {"A": "1"}}
    first, second = put("a/x.tif", array, **told), put("b/x.tif", array, **told)
    assert Path(first).read_bytes() == Path(second).read_bytes()
    assert Path(f"{first}.aux.xml").read_bytes() == Path(f"{second}.aux.xml").read_bytes()


def test_a_raster_cut_in_half_is_a_sentence(put):
    path = put("a.tif", np.random.default_rng(1).integers(0, 255, (600, 600)).astype(np.uint8))
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: len(content) // 2])
    with pytest.raises(ConcordError, match=r"a\.tif (cannot be read to its end|cannot be opened)"):
        rasters.read(path)


@pytest.mark.parametrize(
    "content, words",
    [(None, "does not exist"), (b"no raster\n", "cannot be opened"), (b"", "cannot be opened")],
)
def test_what_is_no_raster_is_a_sentence(tmp_path, content, words):
    path = tmp_path / "a.tif"
    if content is not None:
        path.write_bytes(content)
    for use in (rasters.info, rasters.read, rasters.Raster):
        with pytest.raises(ConcordError, match=words):
            use(path)
    with pytest.raises(ConcordError, match="cannot be opened"):
        rasters.info(tmp_path)


def test_a_container_without_bands_is_a_sentence(tmp_path):
    path = str(tmp_path / "a.gpkg")  # two rasters in one file, none of them on top
    for table in ("one", "two"):
        made = gdal.GetDriverByName("GTiff").Create("/vsimem/a.tif", 4, 4, 1, gdal.GDT_Byte)
        made.SetGeoTransform((0, 1, 0, 4, 0, -1))
        options = [f"RASTER_TABLE={table}", "APPEND_SUBDATASET=YES"]
        gdal.GetDriverByName("GPKG").CreateCopy(path, made, options=options).FlushCache()
    with pytest.raises(ConcordError, match="has no band"):
        rasters.info(path)


def test_a_raster_without_crs_is_refused_where_one_is_needed(put, make_grid):
    path = put("a.tif", np.zeros((4, 4), np.uint8), make_grid(4, 4, crs=""))
    assert rasters.info(path).grid.crs == ""
    with pytest.raises(ConcordError, match="no coordinate reference system; assign"):
        rasters.require_crs(rasters.info(path))
    with pytest.raises(ConcordError, match="no coordinate reference system; assign"):
        rasters.Raster(path, make_grid(4, 4))


def test_an_unknown_band_name_lists_the_known_ones(put):
    path = put("a.tif", np.zeros((2, 4, 4), np.uint8), names=["red", "nir"])
    with pytest.raises(ConcordError, match="no band named swir16; it has red, nir"):
        rasters.read(path, names=["swir16"])


def test_an_unknown_crs_is_a_sentence(put, make_grid):
    with pytest.raises(ConcordError, match="'EPSG:99999999' is not known"):
        put("a.tif", np.zeros((4, 4)), make_grid(4, 4, crs="EPSG:99999999"))


def warped(path: str, grid: Grid, method: str) -> np.ndarray:
    """GDAL's own answer, NaN where there is no data."""
    left, bottom, right, top = grid.bounds
    made = gdal.Warp("", path, format="MEM", dstSRS=grid.crs, width=grid.width, height=grid.height,
                     outputBounds=(left, bottom, right, top), resampleAlg=method,
                     outputType=gdal.GDT_Float32, dstNodata=np.nan)  # fmt: skip
    return made.ReadAsArray()


@pytest.mark.parametrize("method", ["nearest", "bilinear", "average"])
@pytest.mark.parametrize("nodata", [None, -1.0])
@pytest.mark.parametrize(
    "target",
    [
        {"width": 40, "height": 30, "size": 20.0},
        {"width": 50, "height": 40, "size": 7.0, "left": 500_103.0, "top": 4_999_891.0},
        {"width": 60, "height": 50, "size": 1.3e-4, "left": 8.9985, "top": 45.1545,
         "crs": "EPSG:4326"},
    ],
)  # fmt: skip
def test_another_grid_is_read_as_gdal_reads_it(put, make_grid, smooth, method, nodata, target):
    if nodata is not None:
        smooth[10:20, 30:45] = nodata
    path = put("a.tif", smooth, nodata=nodata)
    grid = make_grid(**target)
    with rasters.Raster(path, grid, method) as raster:
        assert raster.is_resampled
        found = raster.read()[0]
        part = raster.read(Window(5, 7, 11, 13))[0]
    expected = warped(path, grid, "near" if method == "nearest" else method)
    # GDAL's average differs between versions in pixels that the source half covers.
    assert (np.isnan(found) == np.isnan(expected)).mean() > 0.98
    both = np.isfinite(found) & np.isfinite(expected)
    assert both.sum() > 500
    close = np.isclose(found[both], expected[both], atol=1e-2)
    assert close.mean() > 0.99
    assert np.isnan(found).any() == np.isnan(expected).any()
    np.testing.assert_allclose(part, found[7:20, 5:16], atol=1e-3)


def test_what_the_source_does_not_cover_is_nan_whatever_its_type(put, make_grid):
    path = put("a.tif", np.full((10, 10), 9, np.uint8))
    with rasters.Raster(path, make_grid(20, 10), "nearest") as raster:
        found = raster.read()[0]
    assert (found[:, :10] == 9).all() and np.isnan(found[:, 10:]).all()


def test_decimated_reads_have_the_shape_asked_for(put, make_grid, smooth):
    path = put("a.tif", smooth)
    for grid in (None, make_grid(40, 30, 20.0)):
        with rasters.Raster(path, grid) as raster:
            assert raster.read(shape=(7, 9)).shape == (1, 7, 9)


def test_bounds_that_cannot_be_moved_are_a_sentence():
    with pytest.raises(ConcordError, match="cannot be moved"):
        rasters.transform_bounds((100, 91, 110, 95), "EPSG:4326", "EPSG:32632")


def test_the_whole_world_in_degrees_covers_a_grid_in_utm(make_grid):
    grid = make_grid(100, 80, left=300_000.0)
    assert rasters.bounds_on(grid, (-180, -90, 180, 90), "EPSG:4326") == grid.bounds
    left, bottom, right, top = rasters.transform_bounds(grid.bounds, grid.crs, "EPSG:4326")
    middle = (left + right) / 2
    half = rasters.bounds_on(grid, (-180, -90, middle, 90), "EPSG:4326")
    assert half[2] == pytest.approx(300_500, abs=20) and half[0] < 300_010
    with pytest.raises(ConcordError, match="does not overlap"):
        rasters.bounds_on(grid, (100, 10, 101, 11), "EPSG:4326")


def test_map_units_other_than_metres_are_counted_in_metres(make_grid):
    assert rasters.metres_per_pixel(make_grid(4, 4, 10.0, crs="EPSG:2263")) == pytest.approx(
        3.048, abs=1e-4
    )
    assert rasters.metres_per_pixel(make_grid(4, 4, 10.0)) == 10.0
    degrees = rasters.metres_per_pixel(make_grid(4, 4, 1 / 3600, crs="EPSG:4326"))
    assert degrees == pytest.approx(30.9, abs=0.1)


def ring_area(ring) -> float:
    x, y = np.array(ring, float).T
    return 0.5 * float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())


def test_polygons_have_the_area_of_their_pixels_and_burn_back(make_grid):
    codes = np.random.default_rng(5).integers(0, 4, (40, 50)).astype(np.uint8)
    grid = make_grid(50, 40)
    shapes = list(rasters.polygons(codes, grid, codes > 0))
    area = {1: 0.0, 2: 0.0, 3: 0.0}
    for shape, code in shapes:
        outer, *holes = [abs(ring_area(ring)) for ring in shape["coordinates"]]
        area[int(code)] += outer - sum(holes)
    assert area == {code: (codes == code).sum() * 100.0 for code in area}
    np.testing.assert_array_equal(rasters.burn(shapes, grid), codes)


def test_burning_nothing_gives_an_empty_raster(make_grid):
    assert not rasters.burn([], make_grid(5, 4)).any()


def test_a_picture_is_the_same_picture(tmp_path):
    rgb = np.random.default_rng(1).integers(0, 255, (5, 7, 3)).astype(np.uint8)
    path = tmp_path / "a.png"
    path.write_bytes(rasters.png(rgb))
    dataset = gdal.Open(str(path))
    np.testing.assert_array_equal(dataset.ReadAsArray().transpose(1, 2, 0), rgb)
