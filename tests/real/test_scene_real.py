"""Scenes of every folder of the real data: recognised, right CRS, right units, right band order."""

from __future__ import annotations

import json

import numpy as np
import pytest

from concord.plugin.engine import change, gather, load, rasters, sensors
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.scene import Scene
from concord.plugin.engine.series import coverage

DAY = "20200604T054639_20200604T054831_T43RCP"
CLOUDY = "20200823T054639_20200823T055618_T43RCP"
TILE = "majortom-199U/S2B_MSIL2A_20200223T032739_N9999_R018_T48QUE_20230924T183543"


@pytest.fixture
def scene_of(real_data, tmp_path):
    """scene_of(relative paths, ...) -> (report, {band: plane})."""

    def build(*places, suffix="tif", **more):
        inputs = [str(p) for place in places for p in sorted(real_data.glob(place))]
        assert inputs, places
        target = str(tmp_path / f"scene.{suffix}")
        report = load.load_scene(inputs, target, **more)
        info = rasters.info(target)
        return report, dict(zip(info.names, rasters.read(target)))

    return build


S12 = "ssl4eo-s12/{}/0000200/{}"


@pytest.mark.parametrize(
    ("place", "sensor", "crs", "bands", "unit"),
    [
        (S12.format("s2a", DAY), "sentinel-2-l2a", "EPSG:4326", 12, "reflectance"),
        (S12.format("s2c", DAY), "sentinel-2-l1c", "EPSG:4326", 13, "reflectance"),
        (S12.format("s1", "S1A_IW_GRDH_1SDV_20200607*"), "sentinel-1-grd", "EPSG:4326", 2, "dB"),
        (TILE, "sentinel-2-l2a", "EPSG:32648", 12, "reflectance"),
        ("naip-nd/m_4709963_se_14_1_20160816.tif", "naip", "EPSG:26914", 4, "DN"),
        ("rcr-nc/sentinel-2", "sentinel-2-l1c", "EPSG:4326", 8, "DN"),
        ("enmap-potsdam/images/*96_96.tif", "enmap-l2a", "EPSG:32633", 218, "reflectance"),
        ("elevation", "dem", "EPSG:26918", 3, "m"),
        ("neon-osbs/OSBS_029.tif", "aerial-rgb", "EPSG:32617", 3, "DN"),
        ("sen1floods-es/S1", "sentinel-1-grd", "EPSG:4326", 2, "dB"),
        ("sen1floods-es/S2", "sentinel-2-l1c", "EPSG:4326", 13, "reflectance"),
        ("ccap-nc/labels_image.tif", "classes", "", 1, "class"),
        ("modis-sinop/mod13q1/*2014-01-17.jp2", "modis-mod13q1", "", 1, "index"),
    ],
)
def test_folder_is_recognised(scene_of, place, sensor, crs, bands, unit):
    report, planes = scene_of(place)
    assert [entry["id"] for entry in report["sensors"]] == [sensor]
    assert len(planes) == bands and {band["unit"] for band in report["bands"]} == {unit}
    assert report["grid"]["crs"] == crs if crs else report["grid"]["crs"].startswith("PROJCS")
    assert all(np.isfinite(plane).any() for plane in planes.values())
    assert report["sensors"][0]["reason"]


@pytest.mark.parametrize("number", ["0", "1", "10", "100", "1000", "10000", "100000"])
def test_patches_without_names_take_the_sensor_that_is_chosen(scene_of, number):
    report, planes = scene_of(f"unlabelled/hydro/patch_{number}.tif", sensor="sentinel-2-l2a")
    assert len(planes) == 12 and report["sensors"][0]["reason"] == "chosen by the user"
    assert -0.01 < np.nanmedian(planes["red"]) < 1.2


def test_surface_and_top_of_atmosphere_agree_within_the_atmosphere(scene_of):
    _, surface = scene_of(S12.format("s2a", DAY))
    _, top = scene_of(S12.format("s2c", DAY))
    for name, least in (("green", 0.9), ("red", 0.95), ("nir", 0.98), ("swir16", 0.98)):
        one, two = surface[name].ravel(), top[name].ravel()
        both = np.isfinite(one) & np.isfinite(two)
        assert np.corrcoef(one[both], two[both])[0, 1] > least, name
        assert abs(float(np.median(one[both] - two[both]))) < 0.05, name
    # Air scatters blue light: the top of the atmosphere is brighter there, and only there.
    assert np.nanmedian(top["blue"]) - np.nanmedian(surface["blue"]) > 0.02
    assert abs(np.nanmedian(top["swir16"]) - np.nanmedian(surface["swir16"])) < 0.03


def test_backscatter_is_in_range(scene_of):
    for place in ("S1A_IW_GRDH_1SDV_20200607*", "S1A_IW_GRDH_1SDV_20200903*"):
        report, planes = scene_of(S12.format("s1", place))
        assert -15 < np.nanmedian(planes["vv"]) < -5
        assert -25 < np.nanmedian(planes["vh"]) < -12
        share = np.isfinite(planes["vv"]) & (planes["vv"] > -30) & (planes["vv"] < 15)
        assert share.sum() / np.isfinite(planes["vv"]).sum() > 0.99
        assert report["warnings"] == []


def test_band_order_by_water_and_vegetation(scene_of, real_data):
    _, planes = scene_of("sen1floods-es/S2")
    label = rasters.read(real_data / "sen1floods-es/Labels/Spain_7370579_LabelHand.tif")[0]
    water, land = label == 1, label == 0
    mean = {name: (plane[water].mean(), plane[land].mean()) for name, plane in planes.items()}
    assert mean["nir"][0] < 0.6 * mean["nir"][1] and mean["swir16"][0] < 0.6 * mean["swir16"][1]
    assert mean["green"][0] > mean["nir"][0]
    ndvi = (planes["nir"] - planes["red"]) / (planes["nir"] + planes["red"])
    assert ndvi[water].mean() < 0.2 < np.percentile(ndvi[land], 75)
    assert np.median(planes["cirrus"]) < 0.01  # nothing comes through the air at 1.375 µm


def test_naip_order_by_water(scene_of):
    report, planes = scene_of("naip-nd/m_4709963_se_14_1_20160816.tif", derived=["ndwi", "ndvi"])
    wet = planes["ndwi"] > 0.2
    assert 0.03 < wet.mean() < 0.5
    assert np.nanmedian(planes["nir"][wet]) < 60 < np.nanmedian(planes["nir"][~wet])
    assert np.nanmedian(planes["ndvi"][wet]) < 0 < np.nanmedian(planes["ndvi"][~wet])
    assert report["dates"] == ["2016-08-16"]


def test_hyperspectral_by_wavelength(scene_of):
    report, planes = scene_of("enmap-potsdam/images/*96_96.tif", derived=["ndvi", "mnf_3"])
    waves = {band["name"]: band.get("wavelength") for band in report["bands"]}
    assert waves["red"] == pytest.approx(0.66, abs=0.004)
    assert waves["nir"] == pytest.approx(0.842, abs=0.004)
    assert report["dates"] == ["2022-07-24"]
    assert 0 < np.nanmedian(planes["red"]) < 0.2 and 0.1 < np.nanmedian(planes["nir"]) < 0.6
    assert np.nanmax(planes["ndvi"]) > 0.6
    assert any("bad-band list" in text for text in report["warnings"])


def test_modis_ndvi_scale_and_year(real_data):
    values = []
    for path in sorted((real_data / "modis-sinop/mod13q1").glob("*.jp2")):
        with Scene([str(path)]) as scene:
            values.append((scene.recognised[0].date, float(np.nanmedian(scene.read(["ndvi"])))))
    assert len({date for date, _ in values}) == 12
    assert all(0.2 < value < 0.95 for _, value in values)
    seasons = dict(values)
    assert seasons["2014-01-17"] > seasons["2013-09-14"] + 0.1  # rains after the dry season


def test_heights_agree_with_their_difference(scene_of):
    _, planes = scene_of("elevation", derived=["ndsm", "slope", "hillshade"])
    both = np.isfinite(planes["ndsm"]) & np.isfinite(planes["height"])
    assert np.percentile(planes["ndsm"][both], 1) > -0.1
    assert np.corrcoef(planes["ndsm"][both], planes["height"][both])[0, 1] > 0.5
    assert 0 <= np.nanmin(planes["hillshade"]) <= np.nanmax(planes["hillshade"]) <= 1


def test_names_with_spaces_and_commas_and_a_polygon_crs_of_its_own(scene_of):
    report, planes = scene_of("rcr-nc/sentinel-2", suffix="vrt")
    assert set(planes) >= {"blue", "green", "red", "nir"}
    assert any("8-bit" in text for text in report["warnings"])
    assert np.nanmax(planes["red"]) <= 255.0
    assert report["dates"] == ["2018-10-13"]


def test_mixed_resolutions_as_a_virtual_stack_equal_the_copy(scene_of):
    _, copy = scene_of(TILE)
    _, stack = scene_of(TILE, suffix="vrt")
    assert copy.keys() == stack.keys()
    for name in copy:
        np.testing.assert_allclose(stack[name], copy[name], atol=3e-7)


def test_half_a_pixel_between_resolutions_is_found(scene_of):
    """The 20 m bands of this archive lie half their pixel off the 10 m ones."""
    report, _ = scene_of(TILE)
    (entry,) = report["shifts"]
    assert entry["reliable"] and entry["moved"]["band"] == "nir08"
    assert (entry["dx"], entry["dy"]) == (pytest.approx(-1, abs=0.15), pytest.approx(-1, abs=0.15))
    assert any("pixels off" in text for text in report["warnings"])


def test_sharpening_helps_where_the_bands_lie_right(scene_of):
    report, _ = scene_of(S12.format("s2a", DAY), derived=["sharpen_mtfglp"])
    made = [band for band in report["bands"] if band["name"].endswith("_sharp")]
    assert len(made) == 6
    for band in made:
        assert band["rmse_sharpened"] < band["rmse_enlarged"], band


def test_the_cloudy_date_is_told_from_the_clear_one(real_data):
    values, _ = coverage.run([str(real_data / "ssl4eo-s12/s2c")])
    clear = {entry["date"]: entry["clear"] for entry in values["dates"]}
    assert clear["2020-06-04"] > 99 and 50 < clear["2020-08-23"] < 90


def test_clear_coverage_of_68_dates_equals_a_count_by_hand(real_data, tmp_path):
    folder = real_data / "eolearn-patch"
    masks = np.load(folder / "CLM.npy", allow_pickle=False)[..., 0]
    stamps = json.loads((folder / "timestamps.json").read_text(encoding="utf-8"))
    ring = json.loads((folder / "bbox.geojson").read_text(encoding="utf-8"))["coordinates"][0]
    left, top = min(x for x, _ in ring), max(y for _, y in ring)
    width = (max(x for x, _ in ring) - left) / masks.shape[2]
    height = (top - min(y for _, y in ring)) / masks.shape[1]
    grid = Grid("EPSG:32633", (width, 0.0, left, 0.0, -height, top), *masks.shape[:0:-1])
    days, expected = [], []
    for stamp, mask in zip(stamps, masks):
        day = stamp[:10]
        if day in days:  # two passes of one day are one date
            continue
        days.append(day)
        expected.append(100.0 * (mask == 0).mean())
        rasters.write(tmp_path / "in" / f"{day}_cloud_mask.tif", mask, grid)
    values, heat = coverage.run([str(tmp_path / "in")], str(tmp_path / "clear.tif"))
    assert [entry["date"] for entry in values["dates"]] == sorted(days)
    np.testing.assert_allclose(
        [entry["clear"] for entry in values["dates"]],
        [value for _, value in sorted(zip(days, expected))],
        atol=0.01,
    )
    kept = [i for i, stamp in enumerate(stamps) if stamp[:10] not in [s[:10] for s in stamps[:i]]]
    share = rasters.read(tmp_path / "clear.tif")[0]
    np.testing.assert_allclose(share, 100.0 * (masks[kept] == 0).mean(axis=0), atol=0.51)


def test_reference_scenes_of_the_patch_are_reflectance(real_data, tmp_path):
    cube = np.load(real_data / "eolearn-patch/REFERENCE_SCENES.npy", allow_pickle=False)[4]
    bands = sensors.preset("sentinel-2-l1c").bands
    grid = Grid("EPSG:32633", (10.0, 0.0, 465181.05, 0.0, -10.0, 5080254.63), 100, 101)
    path = tmp_path / "S2A_MSIL1C_20150711_patch.tif"
    names = [band.aliases[0] for band in bands]
    rasters.write(path, np.moveaxis(cube, -1, 0), grid, names=names)
    report = load.load_scene([str(path)], str(tmp_path / "x.tif"), derived=["ndvi"])
    planes = rasters.read(tmp_path / "x.tif")
    own = np.load(real_data / "eolearn-patch/LULC.npy", allow_pickle=False)[..., 0]
    theirs = np.load(real_data / "eolearn-patch/NDVI.npy", allow_pickle=False)[0, ..., 0]
    np.testing.assert_allclose(planes[-1], theirs, atol=1e-5)  # of the same date
    assert [entry["id"] for entry in report["sensors"]] == ["sentinel-2-l1c"]
    assert any("float values" in text for text in report["warnings"])
    assert np.nanmedian(planes[-1][own == 2]) > 0.5  # forest in summer


def test_radar_of_two_dates(real_data, tmp_path):
    folder = real_data / "ssl4eo-s12/s1/0000200"
    one, two = sorted(folder.iterdir())
    found = change.log_ratio(
        [str(one / "VV.tif")],
        [str(two / "VV.tif")],
        str(tmp_path / "r.tif"),
        mask=str(tmp_path / "m.tif"),
    )
    assert found["kind"] == "log_ratio" and found["threshold_db"] < 0
    assert set(np.unique(rasters.read(tmp_path / "m.tif"))) <= {0, 1, 2}


def test_the_cloud_mask_and_labels_are_left_out_with_a_reason(real_data):
    found = gather.gather([str(real_data / TILE)])
    assert len(found.infos) == 12
    assert [entry["reason"] for entry in found.skipped] == ["a mask or label by its name"]
