"""Masks and alpha bands inside a file, and names of bands that no preset knows.

Found by an examiner: what an internal mask or an alpha band hides was read as data on the file's
own grid, and as no data on any other.
"""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.transform import Affine

from concord.plugin.engine import load, rasters, sensors
from concord.plugin.engine.chips.sources import Image
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid, Window
from concord.plugin.engine.labels import ClassRaster

GRID = Grid("EPSG:32632", (10.0, 0.0, 500000.0, 0.0, -10.0, 5600000.0), 24, 16)
FINER = Grid("EPSG:32632", (5.0, 0.0, 500000.0, 0.0, -5.0, 5600000.0), 48, 32)
SHOWN = np.ones((16, 24), bool)
SHOWN[:4] = False
RGBA = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]


def make(path, kind: str, bands: int = 3, names=(), nodata=None) -> str:
    """Bytes of 50 to 200 hidden in the first four rows by a mask or by an alpha band."""
    values = np.random.default_rng(1).integers(50, 200, (bands, 16, 24)).astype(np.uint8)
    if kind == "alpha":
        values = np.concatenate([values, np.where(SHOWN, 255, 0)[None].astype(np.uint8)])
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(
        path, "w", driver="GTiff", width=24, height=16, count=len(values), dtype="uint8",
        crs=GRID.crs, transform=Affine(*GRID.transform), nodata=nodata,
    ) as out:  # fmt: skip
        out.write(values)
        for number, name in enumerate(names, 1):
            out.set_band_description(number, name)
        if kind == "alpha":
            out.colorinterp = RGBA
        else:
            out.write_mask(SHOWN)
    return str(path)


@pytest.mark.parametrize("kind", ["mask", "alpha"])
@pytest.mark.parametrize("suffix", ["tif", "vrt"])
@pytest.mark.parametrize("nodata", [None, 7])
def test_what_a_mask_hides_was_read_as_data(tmp_path, kind, suffix, nodata):
    path = make(tmp_path / "picture.tif", kind, nodata=nodata)
    load.load_scene([path], str(tmp_path / f"scene.{suffix}"))
    values = rasters.read(tmp_path / f"scene.{suffix}")
    assert values.shape == (3, 16, 24)
    assert (np.isnan(values) == ~SHOWN).all()


@pytest.mark.parametrize("kind", ["mask", "alpha"])
def test_a_mask_hides_the_same_on_every_grid(tmp_path, kind):
    path = make(tmp_path / "picture.tif", kind)
    load.load_scene([path], str(tmp_path / "s.tif"), wish=load.GridWish(like=FINER))
    values = rasters.read(tmp_path / "s.tif")
    assert np.isnan(values[:, :7]).all() and not np.isnan(values[:, 9:]).any()


@pytest.mark.parametrize("kind", ["mask", "alpha"])
@pytest.mark.parametrize("suffix", ["tif", "vrt"])
def test_a_mask_beside_a_nodata_value_was_not_asked_on_another_grid(tmp_path, kind, suffix):
    path = make(tmp_path / "picture.tif", kind, nodata=7)
    with rasterio.open(path, "r+") as out:
        values = out.read()
        values[:3, 8:12] = 7
        out.write(values)
    load.load_scene([path], str(tmp_path / f"s.{suffix}"), wish=load.GridWish(like=FINER))
    found = rasters.read(tmp_path / f"s.{suffix}")
    assert len(found) == 3
    shown = np.ones(32, bool)
    shown[:8] = shown[16:24] = False  # the fine rows of what is hidden and of what is 7
    inner = [0, 1, 5, 6, 9, 10, 13, 14, 17, 18, 21, 22, 26, 30]  # away from where these end
    assert (np.isnan(found) == ~shown[:, None])[:, inner].all()
    assert np.nanmin(found) >= 50  # neither 7 nor what is hidden was mixed in


def test_a_class_under_a_mask_is_no_class_on_another_grid(tmp_path):
    path = make(tmp_path / "labels.tif", "mask", 1, nodata=7)
    with ClassRaster(path, FINER) as labels:
        codes = labels.read()
    assert (codes[:8] == 0).all() and (codes[8:] >= 50).all()


@pytest.mark.parametrize("suffix", ["tif", "vrt"])
def test_dark_near_infrared_hid_all_bands_on_another_grid(tmp_path, suffix):
    """GDAL takes the fourth of four bands of bytes for alpha, and water is 0 there."""
    path = make(tmp_path / "four.tif", "alpha", names=("red", "green", "blue", "nir"))
    load.load_scene([path], str(tmp_path / f"s.{suffix}"), wish=load.GridWish(like=FINER))
    found = rasters.read(tmp_path / f"s.{suffix}")
    assert len(found) == 4 and not np.isnan(found).any()
    assert (found[3, :6] == 0).all() and (found[:3] >= 50).all()
    cut = Image(path, FINER, "picture").cut(Window(0, 0, 8, 8), FINER)
    assert (cut.array[:3] >= 50).all() and (cut.array[3, :6] == 0).all()


def test_an_alpha_band_that_is_named_nir_hides_nothing(tmp_path):
    path = make(tmp_path / "four.tif", "alpha", names=("red", "green", "blue", "nir"))
    load.load_scene([path], str(tmp_path / "s.tif"))
    values = rasters.read(tmp_path / "s.tif")
    assert len(values) == 4 and not np.isnan(values).any()


def test_a_chosen_sensor_of_four_bands_takes_the_alpha_band_as_nir(tmp_path):
    path = make(tmp_path / "four.tif", "alpha")
    told = load.load_scene([path], str(tmp_path / "s.tif"), sensor="naip")
    assert [band["name"] for band in told["bands"]] == ["red", "green", "blue", "nir"]
    assert not np.isnan(rasters.read(tmp_path / "s.tif")).any()
    told = load.load_scene([path], str(tmp_path / "a.tif"))
    assert any("band 4 is marked as transparency" in text for text in told["warnings"])


def test_a_label_raster_with_a_mask_has_no_class_under_it(tmp_path):
    with ClassRaster(make(tmp_path / "labels.tif", "mask", 1)) as labels:
        assert ((labels.read() == 0) == ~SHOWN).all()
        assert (labels.read(Window(3, 2, 5, 4))[:2] == 0).all()


@pytest.mark.parametrize("kind", ["mask", "alpha"])
@pytest.mark.parametrize("native", [False, True])
def test_chips_count_what_a_mask_hides_as_missing(tmp_path, kind, native):
    image = Image(make(tmp_path / "picture.tif", kind), GRID, "picture", native)
    assert image.cut(Window(0, 0, 8, 4), GRID) is None
    cut = image.cut(Window(0, 0, 8, 8), GRID)
    image.close()
    assert (cut.valid == SHOWN[:8, :8]).all() and (cut.array[:, :4] == 0).all()


def test_infinite_values_are_no_data(tmp_path):
    values = np.full((1, 16, 24), 0.2, np.float32)
    values[0, 0, :3] = np.inf, -np.inf, np.nan
    rasters.write(tmp_path / "i.tif", values, GRID, names=["red"], units=["reflectance"])
    load.load_scene([str(tmp_path / "i.tif")], str(tmp_path / "s.tif"))
    assert np.isnan(rasters.read(tmp_path / "s.tif")).sum() == 3


# --- names of bands


def named(tmp_path, names, dtype="float32"):
    values = np.full((len(names), 16, 24), 0.2 if dtype == "float32" else 900, dtype)
    rasters.write(tmp_path / "n.tif", values, GRID, names=names)
    return sensors.recognise(rasters.info(tmp_path / "n.tif"))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["R", "G", "B", "N"], ["red", "green", "blue", "nir"]),
        (["Blue ", "GREEN", "Rouge", "x"], ["blue", "green", "Rouge", "x"]),
        (["B08", "B04", "x", "y"], ["B08", "B04", "x", "y"]),
        (["RED", "red", "x", "y"], ["RED", "red", "x", "y"]),
        (["coastal", "blue", "blue", "red"], ["coastal", "band_2", "band_3", "red"]),
        (["", "", ""], ["band_1", "band_2", "band_3"]),
    ],
)
def test_one_unknown_band_name_took_the_others_with_it(tmp_path, given, wanted):
    found = named(tmp_path, given)
    assert [band.name for band in found.bands] == wanted
    assert any("several bands are called" in w for w in found.warnings) == ("blue" in given[2:3])


def test_band_names_of_two_sensors_were_taken_without_a_word(tmp_path):
    """SR_B2 to SR_B5 are blue to nir of Landsat 8, and green to swir of Landsat 5."""
    doubtful = named(tmp_path, ["SR_B2", "SR_B3", "SR_B4", "SR_B5"])
    assert any("Landsat 8-9" in text and "choose the sensor" in text for text in doubtful.warnings)
    for clear in (["red", "nir"], ["B02", "B03", "B04", "B08"], ["SR_B1", "SR_B6", "SR_B7"]):
        assert not named(tmp_path, clear).warnings[1:], clear


# --- grids


def test_a_resolution_in_metres_on_degrees_is_explained(tmp_path):
    rasters.write(tmp_path / "r.tif", np.ones((1, 16, 24), np.float32), GRID, names=["red"])
    with pytest.raises(ConcordError, match="RESOLUTION in degrees"):
        load.load_scene(
            [str(tmp_path / "r.tif")], str(tmp_path / "s.tif"),
            wish=load.GridWish(crs="EPSG:4326", resolution=20),
        )  # fmt: skip
    assert not (tmp_path / "s.tif").exists()


def test_a_picture_with_control_points_is_told_from_one_without_a_crs(tmp_path):
    from rasterio.control import GroundControlPoint as Point

    points = [Point(0, 0, 5e5, 5.6e6), Point(0, 24, 500240, 5.6e6), Point(16, 0, 5e5, 5599840)]
    with rasterio.open(
        tmp_path / "gcp.tif", "w", driver="GTiff", width=24, height=16, count=1, dtype="uint8",
        gcps=points, crs=GRID.crs,
    ) as out:  # fmt: skip
        out.write(np.ones((1, 16, 24), np.uint8))
    with pytest.raises(ConcordError, match="control points"):
        load.load_scene([str(tmp_path / "gcp.tif")], str(tmp_path / "s.tif"))
