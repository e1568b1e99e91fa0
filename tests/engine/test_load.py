"""Building scenes: grids, resampling, units, derived bands, and folders of real products."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine import load, rasters
from concord.plugin.engine.errors import Cancelled, ConcordError
from concord.plugin.engine.load import GridWish
from concord.plugin.engine.progress import Progress
from concord.plugin.engine.scene import Scene

S1 = "S1A_IW_GRDH_1SDV_20200607T010800_20200607T010825_032904_03CFBA_D457"


def scene(inputs, tmp_path, **more):
    """(report, {name: plane}) of a scene; inputs may be one path."""
    inputs = (
        [str(inputs)] if isinstance(inputs, (str, bytes)) or hasattr(inputs, "parts") else inputs
    )
    target = str(tmp_path / "out" / "scene.tif")
    report = load.load_scene(inputs, target, **more)
    info = rasters.info(target)
    assert info.names == [b["name"] for b in report["bands"]]
    assert [b.unit for b in info.bands] == [b["unit"] for b in report["bands"]]
    assert {b.dtype for b in info.bands} == {"float32"}
    assert info.grid.describe() == report["grid"]
    return report, dict(zip(info.names, rasters.read(target)))


@pytest.fixture
def sentinel(put):
    """Three files of one product: red and nir at 10 m, swir16 at 20 m, with empty pixels."""
    rng = np.random.default_rng(1)
    made = {}
    for name, side in (("B04", 40), ("B08", 40), ("B11", 20)):
        made[name] = rng.integers(500, 4000, (side, side)).astype(np.uint16)
        made[name][:4, :4] = 0
    return made


@pytest.fixture
def product(put, sentinel, make_grid, tmp_path):
    for name, array in sentinel.items():
        side = len(array)
        put(f"S2A_MSIL2A_N0509_x/{name}.tif", array, make_grid(side, side, 400 / side))
    return tmp_path / "S2A_MSIL2A_N0509_x"


def test_bands_become_reflectance_on_the_finest_grid(product, sentinel, tmp_path, make_grid):
    report, planes = scene(product, tmp_path)
    assert list(planes) == ["red", "nir", "swir16"]
    assert report["grid"]["width"] == 40 and report["grid"]["pixel_size"] == [10, 10]
    physical = sentinel["B04"] * 1e-4 - 0.1
    assert np.isnan(planes["red"][:4, :4]).all()
    np.testing.assert_allclose(planes["red"][5:], physical[5:], atol=1e-6)
    assert [b["resampling"] for b in report["bands"]] == ["none", "none", "bilinear"]
    assert {b["offset"] for b in report["bands"]} == {-0.1}
    assert len([w for w in report["warnings"] if "baseline 0509" in w]) == 1
    middle = planes["swir16"][12:-12, 12:-12]
    assert np.isfinite(middle).all() and middle.std() < (sentinel["B11"] * 1e-4).std()


def test_a_coarser_grid_is_averaged(product, sentinel, tmp_path):
    report, planes = scene(product, tmp_path, wish=GridWish(resolution=40.0))
    expected = (sentinel["B04"].reshape(10, 4, 10, 4).mean(axis=(1, 3)) * 1e-4 - 0.1)[1:, 1:]
    np.testing.assert_allclose(planes["red"][1:, 1:], expected, atol=1e-5)
    assert np.isnan(planes["red"][0, 0])
    assert {b["resampling"] for b in report["bands"]} == {"average"}


def test_derived_bands_are_their_formulas(product, tmp_path):
    _, p = scene(product, tmp_path, derived=["ndvi", "NDMI", "nbr"][:2])
    with np.errstate(invalid="ignore"):
        ndvi = (p["nir"] - p["red"]) / (p["nir"] + p["red"])
        ndmi = (p["nir"] - p["swir16"]) / (p["nir"] + p["swir16"])
    np.testing.assert_allclose(p["ndvi"], ndvi, atol=1e-6)
    np.testing.assert_allclose(p["ndmi"], ndmi, atol=1e-6)


@pytest.mark.parametrize(
    "wanted, words", [("nbr", "needs the band swir22"), ("evil", "is not known; use an index")]
)
def test_impossible_derived_bands_are_refused(product, tmp_path, wanted, words):
    with pytest.raises(ConcordError, match=words):
        scene(product, tmp_path, derived=[wanted])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wish, size, corner",
    [
        ({"resolution": 10.0}, (40, 40), (500_000, 5_000_000)),
        ({"resolution": 30.0}, (14, 14), (499_980, 5_000_010)),
        ({"extent": (500_055, 4_999_800, 500_155, 4_999_895)}, (11, 10), (500_050, 4_999_900)),
        ({"extent": (500_055, 4_999_800, 500_155, 4_999_895), "resolution": 50.0}, (3, 2),
         (500_050, 4_999_900)),
        ({"extent": (400_000, 4_000_000, 600_000, 6_000_000)}, (40, 40), (500_000, 5_000_000)),
        ({"extent": (-180, -90, 180, 90), "extent_crs": "EPSG:4326"}, (40, 40),
         (500_000, 5_000_000)),
    ],
)  # fmt: skip
def test_wishes_for_the_grid_are_kept(product, tmp_path, wish, size, corner):
    report, _ = scene(product, tmp_path, wish=GridWish(**wish))
    grid = report["grid"]
    assert (grid["width"], grid["height"]) == size
    assert (grid["transform"][2], grid["transform"][5]) == corner


def test_an_extent_in_degrees_is_cut_where_it_lies(product, tmp_path, make_grid):
    inner = make_grid(10, 12, left=500_100.0, top=4_999_900.0)
    degrees = rasters.transform_bounds(inner.bounds, inner.crs, "EPSG:4326")
    wish = load.wish_of(None, None, "", (degrees, "EPSG:4326"))
    report, _ = scene(product, tmp_path, wish=wish)
    left, bottom, right, top = report["grid"]["bounds"]
    assert left <= 500_100 < left + 20 and top >= 4_999_900 > top - 20
    assert right >= 500_200 > right - 20 and bottom <= 4_999_780 < bottom + 20


def test_an_extent_finds_the_finest_band_whatever_the_first_file(put, make_grid, tmp_path):
    coarse = make_grid(10, 10, 1e-3, left=8.995, top=45.155, crs="EPSG:4326")
    first = put("a_dem.tif", np.ones((10, 10), np.float32), coarse)
    fine = put("S2A_B04.tif", np.full((50, 50), 900, np.uint16))
    degrees = rasters.transform_bounds(make_grid(10, 10).bounds, "EPSG:32632", "EPSG:4326")
    wish = load.wish_of(None, None, "", (degrees, "EPSG:4326"))
    report, _ = scene([first, fine], tmp_path, wish=wish)
    assert report["grid"]["crs"] == "EPSG:32632" and report["grid"]["width"] in (10, 11)


def test_another_crs_keeps_the_size_of_the_pixels(product, tmp_path):
    report, planes = scene(product, tmp_path, wish=GridWish(crs="EPSG:3857"))
    assert report["grid"]["crs"] == "EPSG:3857"
    stretch = 1 / np.cos(np.radians(45.15))
    assert report["grid"]["pixel_size"][0] == pytest.approx(10 * stretch, rel=0.02)
    assert 0.9 < np.isfinite(planes["red"]).mean() < 1


def test_a_given_grid_is_matched_exactly(product, put, make_grid, tmp_path):
    like = make_grid(17, 13, 13.0, left=500_051.0, top=4_999_907.0)
    path = put("like.tif", np.zeros((13, 17), np.uint8), like)
    _, planes = scene(product, tmp_path, wish=load.wish_of(path, None, "", None))
    assert rasters.info(tmp_path / "out" / "scene.tif").grid == like
    assert np.isfinite(planes["nir"]).all()


@pytest.mark.parametrize(
    "wish", [{"extent": (0, 0, 10, 10)}, {"extent": (0, 0, 10, 10), "resolution": 30.0}]
)
def test_an_extent_elsewhere_is_a_sentence(product, tmp_path, wish):
    with pytest.raises(ConcordError, match="does not overlap the (raster|images)"):
        scene(product, tmp_path, wish=GridWish(**wish))


def test_the_same_band_twice_is_refused(put, tmp_path):
    array = np.full((4, 4), 900, np.uint16)
    paths = [put("S2A_20200101_B04.tif", array), put("S2A_20200202_B04.tif", array)]
    with pytest.raises(ConcordError, match=r"20200202_B04\.tif and .* both bring the band red"):
        scene(paths, tmp_path)


def test_linear_backscatter_becomes_decibels_and_that_is_said(put, tmp_path):
    power = np.random.default_rng(1).gamma(4, 0.02, (20, 20)).astype(np.float32)
    power[0, 0] = 0
    report, planes = scene([put(f"{S1}/VV.tif", power)], tmp_path)
    assert np.isnan(planes["vv"][0, 0])
    np.testing.assert_allclose(planes["vv"][1:], 10 * np.log10(power[1:]), atol=1e-4)
    assert any("linear power, converted to dB" in w for w in report["warnings"])
    decibels = put(f"{S1}/sub/VH.tif", -10 - power)
    report, planes = scene([decibels], tmp_path)
    np.testing.assert_allclose(planes["vh"], -10 - power, atol=1e-5)
    assert not any("linear" in w for w in report["warnings"])


def test_a_scale_that_cannot_be_is_warned_of(put, tmp_path):
    report, _ = scene([put("S2A_B04.tif", np.full((9, 9), 1500, np.float32))], tmp_path)
    assert any(
        "red has a median of 1500, too high for reflectance" in w for w in report["warnings"]
    )


def test_a_folder_skips_what_is_no_imagery_and_says_why(product, put, tmp_path, make_grid):
    tables = {"categories": {1: "water"}}
    here = product.name
    ones = np.ones((40, 40), np.uint8)
    put(f"{here}/landcover.tif", ones, **tables)
    for name in ("SCL_20m", "cloud_mask", "MSK_DETFOO_B02", "T32TMS_TCI_10m", "T32TMS_AOT_10m"):
        put(f"{here}/{name}.tif", ones, make_grid(40, 40, crs=""))
    put(f"{here}/zone.tif", ones)
    put(f"{here}/z/B04.tif", ones.astype(np.uint16))
    put(f"{here}/qatar_B03.tif", np.full((40, 40), 900, np.uint16))
    report, planes = scene(product, tmp_path)
    assert sorted(planes) == ["green", "nir", "red", "swir16"]
    reasons = {entry["file"].split(here + "/")[1]: entry["reason"] for entry in report["skipped"]}
    assert reasons.pop("landcover.tif") == "a class raster"
    assert reasons.pop("zone.tif") == "no band of a known sensor"
    assert reasons.pop("z/B04.tif") == "red is already there from S2A_MSIL2A_N0509_x/B04.tif"
    assert len(reasons) == 5 and set(reasons.values()) == {"a mask or label by its name"}


@pytest.mark.parametrize("kind", ["empty", "labels"])
def test_a_folder_without_imagery_is_a_sentence(put, tmp_path, kind):
    folder = tmp_path / "here"
    folder.mkdir()
    if kind == "labels":
        put("here/labels.tif", np.ones((4, 4), np.uint8))
    with pytest.raises(ConcordError, match="here holds no (raster|imagery); choose"):
        scene(folder, tmp_path)


def test_an_image_without_any_data_is_a_sentence(put, tmp_path):
    path = put("S2A_B04.tif", np.zeros((5, 5), np.uint16))
    with pytest.raises(ConcordError, match="has no data on the chosen grid"):
        scene([path], tmp_path)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_cancel_leaves_nothing(product, tmp_path):
    with pytest.raises(Cancelled):
        scene(product, tmp_path, progress=Progress(cancelled=lambda: True))
    assert not list(tmp_path.glob("out/*"))


def test_a_missing_band_is_named_with_what_there_is(product):
    with Scene([str(product / "B04.tif")]) as opened:
        with pytest.raises(ConcordError, match="no band named nir .it has red.; load the missing"):
            opened.require(["red", "nir"])


def test_real_ssl4eo_bands_of_10_20_and_60_m_make_one_scene(real_data, tmp_path):
    folder = real_data / "ssl4eo-s12" / "s2a" / "0000200" / "20200604T054639_20200604T054831_T43RCP"
    report, planes = scene(folder, tmp_path, derived=["ndvi"])
    assert {s["id"] for s in report["sensors"]} == {"sentinel-2-l2a"}
    assert len(planes) == 13 and report["grid"]["width"] == 264
    by_name = {b["name"]: b for b in report["bands"]}
    assert by_name["red"]["resampling"] == "none" and by_name["coastal"]["resampling"] == "bilinear"
    raw = rasters.read(folder / "B4.tif")[0]
    np.testing.assert_allclose(planes["red"][raw > 0], raw[raw > 0] * 1e-4, atol=1e-6)
    assert 0 < np.nanmedian(planes["coastal"]) < 1
    for one, other in (("swir16", "swir22"), ("coastal", "blue")):
        both = np.isfinite(planes[one]) & np.isfinite(planes[other])
        assert both.mean() > 0.95
        assert np.corrcoef(planes[one][both], planes[other][both])[0, 1] > 0.4


def test_real_sentinel_1_is_read_as_decibels(real_data, tmp_path):
    folder = real_data / "ssl4eo-s12" / "s1" / "0000200" / S1
    report, planes = scene(folder, tmp_path, derived=["vv_vh"])
    assert list(planes) == ["vh", "vv", "vv_vh"] and report["sensors"][0]["id"] == "sentinel-1-grd"
    assert -25 < np.nanmedian(planes["vv"]) < 0
    assert np.nanmedian(planes["vv_vh"]) > 3


def test_real_majortom_product_is_read_without_its_cloud_mask(real_data, tmp_path, make_grid):
    (folder,) = (real_data / "majortom-199U").iterdir()
    first = rasters.info(folder / "B02.tif").grid
    left, top = first.xy(300, 300)
    report, planes = scene(
        folder, tmp_path, wish=GridWish(extent=(left, top - 900, left + 900, top))
    )
    assert len(planes) == 12 and report["grid"]["width"] == 90
    assert [entry["reason"] for entry in report["skipped"]] == ["a mask or label by its name"]
    raw = rasters.read(folder / "B04.tif")[0][300:390, 300:390]
    np.testing.assert_allclose(planes["red"], raw * 1e-4, atol=1e-6)
    assert {b["offset"] for b in report["bands"]} == {0.0}
