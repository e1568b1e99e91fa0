"""Dates: clear coverage by every kind of quality layer, composites, and change."""

from __future__ import annotations

import json

import numpy as np
import pytest

from concord.plugin.engine import change, dates, rasters
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.series import composite, coverage

GRID = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 40, 30)
DAYS = ("20200601", "20200611", "20200621")
NAME = "S2A_MSIL2A_{}T100031_N0214_R122_T32TQM"


def put(path, plane, grid=GRID, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    rasters.write(path, plane, grid, **more)
    return path


def filled(value, dtype=np.uint16):
    return np.full((GRID.height, GRID.width), value, dtype)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("S2A_MSIL2A_20200601T100031_N0214", "2020-06-01"),
        ("HLS.L30.T32TQM.2021152T100031.v2.0", "2021-06-01"),
        ("2018-10-13, Sentinel-2B", "2018-10-13"),
        ("MOD13Q1.A2021001.h12v09", "2021-01-01"),
        ("m_4709963_se_14_1_20160816", "2016-08-16"),
        ("tile_12345678_99", ""),
        ("20201341", ""),
    ],
)
def test_dates_in_names(text, date):
    assert dates.in_text(text) == date


@pytest.mark.parametrize(
    ("name", "dtype", "clear", "clouded", "empty"),
    [
        ("{}_SCL.tif", np.uint8, 4, 9, 0),
        ("LC08_L2SP_041036_{}_02_T1_QA_PIXEL.TIF", np.uint16, 64, 64 | 8, 1),
        ("HLS.S30.T32TQM.{}T1.v2.0.Fmask.tif", np.uint8, 64, 64 | 2, 255),
        ("{}_cloud_mask.tif", np.uint8, 0, 1, None),
    ],
)
def test_quality_layers_are_decoded(tmp_path, name, dtype, clear, clouded, empty):
    plane = filled(clear, dtype)
    plane[:6] = clouded
    if empty is not None:
        plane[-3:] = empty
    put(tmp_path / name.format(DAYS[0]), plane)
    put(tmp_path / name.format(DAYS[1]), filled(clear, dtype))
    values, heat = coverage.run([str(tmp_path)], str(tmp_path / "clear.tif"))
    first, second = values["dates"]
    missing = 10.0 if empty is not None else 0.0
    assert (first["clear"], first["not_clear"], first["no_data"]) == (80 - missing, 20, missing)
    assert second["clear"] == 100.0 and second["date"] == "2020-06-11"
    share, count, seen = rasters.read(tmp_path / "clear.tif")
    assert share[0, 0] == 50 and share[10, 0] == 100 and count[10, 0] == 2
    assert seen[-1, 0] == (1 if empty is not None else 2)
    assert heat.shape == (30, 40) and heat[0, 0] == 50.0
    assert not values["notes"]


def test_a_preset_mask_of_usable_data(tmp_path):
    plane = filled(1, np.uint8)
    plane[:15] = 0
    put(tmp_path / "20210601_101010_1001_3B_udm2.tif", plane)
    values, _ = coverage.run([str(tmp_path)])
    assert values["dates"][0]["clear"] == 50.0


def product(folder, day, blue=500, near=3000, cloud=0):
    """A product's folder with bands of one value and ``cloud`` rows of bright cloud."""
    place = folder / NAME.format(day)
    for band, value in (("B02", blue), ("B03", 700), ("B04", 600), ("B08", near)):
        plane = filled(value)
        plane[:cloud] = 6000
        put(place / f"{band}.tif", plane)
    return place


def test_without_a_mask_bright_pixels_are_counted_and_said_to_be_a_draft(tmp_path):
    product(tmp_path, DAYS[0], cloud=15)
    product(tmp_path, DAYS[1])
    values, heat = coverage.run([str(tmp_path)])
    assert [entry["clear"] for entry in values["dates"]] == [50.0, 100.0]
    assert "draft" in values["notes"][0]
    paths = coverage.write_report(str(tmp_path / "r.html"), values, heat)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    told = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert paths["json"].endswith("r.json") and told["dates"][0]["clear"] == 50.0
    assert "2020-06-01" in page and "data:image/png" in page


def test_the_second_tile_of_a_date_was_left_out_without_a_word(tmp_path):
    """Without quality layers only the first of two tiles of a day was looked at."""
    right = Grid(GRID.crs, (10.0, 0.0, 5e5 + 400, 0.0, -10.0, 5e6), 40, 30)
    both = Grid(GRID.crs, GRID.transform, 80, 30)
    product(tmp_path, DAYS[0], cloud=15)
    tile = tmp_path / NAME.format(DAYS[0]).replace("T32TQM", "T32TRM")
    for band, value in (("B02", 500), ("B03", 700), ("B04", 600), ("B08", 3000)):
        put(tile / f"{band}.tif", filled(value), right)
    values, _ = coverage.run([str(tmp_path)], grid=both)
    (entry,) = values["dates"]
    assert (entry["clear"], entry["not_clear"], entry["no_data"]) == (75.0, 25.0, 0.0)


def test_clouds_were_clear_where_only_a_name_tells_an_offset(tmp_path):
    """The wrong-unit guard was not asked before the test for brightness."""
    place = tmp_path / NAME.format(DAYS[0]).replace("N0214", "N0400")
    for band, value, cloud in (("B02", 300, 4300), ("B03", 350, 4300), ("B04", 320, 4400)):
        plane = filled(value)
        plane[:15] = cloud
        put(place / f"{band}.tif", plane)
    values, _ = coverage.run([str(tmp_path)])
    assert values["dates"][0]["clear"] == 50.0
    assert any("offset of baseline 04.00" in note for note in values["notes"])


def test_dates_under_the_threshold_are_low(tmp_path):
    product(tmp_path, DAYS[0], cloud=25)
    product(tmp_path, DAYS[1], cloud=5)
    values, _ = coverage.run([str(tmp_path)], threshold=60)
    assert [entry["verdict"] for entry in values["dates"]] == ["low", "high"]
    assert values["good_dates"] == 1


def test_undated_files_and_other_places_are_sentences(tmp_path):
    put(tmp_path / "a" / "SCL.tif", filled(4, np.uint8))
    with pytest.raises(ConcordError, match="put the date"):
        coverage.run([str(tmp_path / "a")])
    far = Grid(GRID.crs, (10.0, 0.0, 7e5, 0.0, -10.0, 5e6), 40, 30)
    put(tmp_path / "b" / f"{DAYS[0]}_SCL.tif", filled(4, np.uint8))
    put(tmp_path / "b" / f"{DAYS[1]}_SCL.tif", filled(4, np.uint8), far)
    with pytest.raises(ConcordError, match="outside the place of the first date"):
        coverage.run([str(tmp_path / "b")])


# --- composites


def test_median_leaves_clouds_out_and_counts(tmp_path):
    for day, blue, cloud in zip(DAYS, (400, 500, 900), (10, 0, 0)):
        product(tmp_path, day, blue, cloud=cloud)
    report = composite.run([str(tmp_path)], str(tmp_path / "m.tif"))
    planes = dict(zip(report["bands"], rasters.read(tmp_path / "m.tif")))
    assert planes["blue"][0, 0] == pytest.approx(0.07)  # of 500 and 900
    assert planes["blue"][20, 0] == pytest.approx(0.05)
    assert planes["count"][0, 0] == 2 and planes["count"][20, 0] == 3
    assert report["sensor"] == "sentinel-2-l2a" and len(report["dates"]) == 3
    assert report["warnings"] == []


def test_a_composite_kept_the_doubts_of_its_scenes_to_itself(tmp_path):
    for day in DAYS[:2]:
        for band in ("B03", "B04"):
            put(tmp_path / NAME.format(day) / f"{band}.tif", filled(60_000))
    report = composite.run([str(tmp_path)], str(tmp_path / "m.tif"))
    assert any("too high for reflectance" in text for text in report["warnings"])


@pytest.mark.parametrize(("method", "value", "day"), [("medoid", 0.3, 10), ("maxndvi", 0.45, 20)])
def test_methods_that_keep_a_date_together(tmp_path, method, value, day):
    for date, near in zip(DAYS, (2000, 3000, 4500)):
        product(tmp_path, date, near=near)
    report = composite.run([str(tmp_path)], str(tmp_path / "m.tif"), method=method)
    planes = dict(zip(report["bands"], rasters.read(tmp_path / "m.tif")))
    assert planes["nir"][5, 5] == pytest.approx(value)
    assert planes["date"][5, 5] == day


def test_a_negative_red_was_taken_for_the_greenest_pixel(tmp_path):
    """The index of 0.05 and -0.04 is 9, and without a limit at 0 it is infinite."""
    for day, near, red in zip(DAYS, (0.30, 0.05, 0.04), (0.05, -0.04, -0.04)):
        place = tmp_path / NAME.format(day)
        for band, value in (("B03", 0.07), ("B04", red), ("B08", near)):
            put(place / f"{band}.tif", filled(value, np.float32), nodata=np.nan)
    report = composite.run([str(tmp_path)], str(tmp_path / "m.tif"), method="maxndvi")
    planes = dict(zip(report["bands"], rasters.read(tmp_path / "m.tif")))
    assert (planes["date"] == 0).all() and planes["nir"][0, 0] == pytest.approx(0.30)


def test_a_composite_needs_two_dates(tmp_path):
    product(tmp_path, DAYS[0])
    with pytest.raises(ConcordError, match="needs at least two"):
        composite.run([str(tmp_path)], str(tmp_path / "m.tif"))
    with pytest.raises(ConcordError, match="holds no dated imagery of 'naip'"):
        composite.run([str(tmp_path)], str(tmp_path / "m.tif"), sensor="naip")


# --- change


def scene(path, **bands):
    planes = np.stack([np.asarray(plane, np.float32) for plane in bands.values()])
    unit = "dB" if "vv" in bands else "reflectance"
    units = [unit] * len(bands)
    return str(put(path, planes, names=list(bands), units=units, nodata=np.nan))


def test_dnbr_and_its_severity(tmp_path):
    burnt = filled(0.1, np.float32)
    burnt[:, :20] = 0.4
    before = scene(tmp_path / "a.tif", nir=filled(0.4, np.float32), swir22=filled(0.1, np.float32))
    after = scene(tmp_path / "b.tif", nir=filled(0.4, np.float32), swir22=burnt)
    found = change.index_difference([before], [after], str(tmp_path / "d.tif"))
    plane = rasters.read(tmp_path / "d.tif")[0]
    assert plane[0, 0] == pytest.approx(0.6) and plane[0, -1] == pytest.approx(0.0)
    assert found["severity_share"]["0.44"] == 0.5 and found["severity_share"]["0.66"] == 0.0
    assert rasters.info(tmp_path / "d.tif").names == ["dnbr"]


def test_log_ratio_finds_the_flood(tmp_path):
    random = np.random.default_rng(3)
    big = Grid(GRID.crs, GRID.transform, 160, 120)
    ground = np.full((120, 160), 0.1)
    flooded = ground.copy()
    flooded[:, 90:] = 0.005
    paths = []
    for name, plane in (("a", ground), ("b", flooded)):
        noisy = plane * random.gamma(4.4, 1 / 4.4, plane.shape)
        path = tmp_path / f"{name}.tif"
        rasters.write(
            path, (10 * np.log10(noisy)).astype(np.float32)[None], big, names=["vv"], units=["dB"]
        )
        paths.append([str(path)])
    found = change.log_ratio(*paths, str(tmp_path / "r.tif"), mask=str(tmp_path / "m.tif"))
    mask = rasters.read(tmp_path / "m.tif")[0]
    truth = np.where(np.arange(160) >= 90, 2, 1)[None].repeat(120, 0)
    assert (mask == truth).mean() > 0.98
    assert -11 < found["threshold_db"] < -3
    assert found["changed_share"] == pytest.approx(70 / 160, abs=0.02)


def test_change_of_what_is_no_radar(tmp_path):
    path = scene(tmp_path / "a.tif", red=filled(0.1, np.float32))
    with pytest.raises(ConcordError, match="no band named vv"):
        change.log_ratio([path], [path], str(tmp_path / "x.tif"))


def test_otsu_parts_two_heaps():
    random = np.random.default_rng(1)
    values = np.concatenate([random.normal(-10, 1, 4000), random.normal(0, 1, 6000)])
    assert -7 < change.otsu(values) < -3
