"""Class rasters: what counts as a code, what is refused, and reading on another grid."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Window
from concord.plugin.engine.labels import ClassRaster


def read(path, grid=None, window=None):
    with ClassRaster(path, grid) as raster:
        return raster.read(window)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_whole_codes_of_any_type_are_read(put, dtype):
    codes = np.array([[0, 1, 2], [254, 255, 7]], dtype)
    found = read(put("a.tif", codes))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, codes)


@pytest.mark.parametrize(
    "values, words",
    [
        ([[1.0, 1.5]], "holds fractions, not class codes"),
        ([[1, -1]], "holds the value -1; class codes are 1-254"),
        ([[1, 256]], "holds the value 256; class codes are 1-254"),
        ([[1.0, 1e30]], "holds the value 1"),
    ],
)
def test_what_is_no_code_is_refused_in_a_sentence(put, values, words):
    array = np.array(values)
    path = put("a.tif", array.astype("float32" if array.dtype.kind == "f" else "int16"))
    with pytest.raises(ConcordError, match=rf"a\.tif {words}"):
        read(path)


@pytest.mark.parametrize(
    "dtype, nodata", [("int16", -1), ("uint8", 255), ("float32", -9999.0), ("float32", np.nan),
                      ("float32", float(np.finfo("float32").min)), ("uint8", 7)],
)  # fmt: skip
def test_nodata_of_the_file_is_no_data(put, make_grid, dtype, nodata):
    array = np.array([[3, nodata], [nodata, 5]]).astype(dtype)
    path = put("a.tif", array, nodata=nodata)
    np.testing.assert_array_equal(read(path), [[3, 0], [0, 5]])
    finer = read(path, make_grid(4, 4, 5.0))
    np.testing.assert_array_equal(finer, np.kron([[3, 0], [0, 5]], np.ones((2, 2))))


def test_infinity_and_nan_are_no_data_in_float_rasters(put):
    path = put("a.tif", np.array([[1, np.nan, np.inf, -np.inf]], np.float32))
    np.testing.assert_array_equal(read(path), [[1, 0, 0, 0]])


def test_another_grid_takes_the_nearest_pixel_and_invents_no_class(put, make_grid):
    codes = np.random.default_rng(2).choice([0, 1, 9, 255], (20, 30)).astype(np.uint8)
    path = put("a.tif", codes)
    grid = make_grid(22, 15, 15.0, left=499_990.0)
    rows = (np.arange(15) * 15 + 7.5) // 10
    cols = (np.arange(22) * 15 + 7.5 - 10) // 10
    inside = (cols >= 0) & (cols < 30)
    expected = np.zeros((15, 22), int)
    kept = rows[rows < 20].astype(int)
    expected[: len(kept), inside] = codes[kept][:, cols[inside].astype(int)]
    with ClassRaster(path, grid) as raster:
        assert raster.is_resampled and raster.grid == grid
        np.testing.assert_array_equal(raster.read(), expected)
        np.testing.assert_array_equal(raster.read(Window(3, 4, 5, 6)), expected[4:10, 3:8])
        assert raster.codes() == sorted(set(expected.ravel()))


def test_another_crs_keeps_the_codes_where_they_are(put, make_grid):
    codes = np.zeros((40, 40), np.uint8)
    codes[:, 20:] = 4
    path = put("a.tif", codes)
    degrees = make_grid(30, 30, 1.2e-4, left=9.0005, top=45.153, crs="EPSG:4326")
    found = read(path, degrees)
    assert set(np.unique(found)) <= {0, 4}
    middle = (9.0 + 200 / 78_600 - 9.0005) / 1.2e-4  # 200 m east of the central meridian
    border = np.argmax(found[15] == 4)
    assert border == pytest.approx(middle, abs=1.5)


def test_codes_are_gathered_over_all_windows(put):
    codes = np.ones((1100, 1030), np.uint8)
    codes[1099, 1029] = 200
    with ClassRaster(put("a.tif", codes)) as raster:
        assert raster.codes() == [1, 200]


def test_a_map_without_crs_is_refused(put, make_grid):
    with pytest.raises(ConcordError, match="no coordinate reference system"):
        read(put("a.tif", np.ones((4, 4), np.uint8), make_grid(4, 4, crs="")))
