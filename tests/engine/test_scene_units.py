"""Physical values: the baseline offset once, Landsat, PALSAR, dB, and the wrong-unit guard."""

from __future__ import annotations

import json

import numpy as np
import pytest

from concord.plugin.engine import load, rasters, sensors
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.scene import Scene

GRID = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 80, 60)
OLD = "S2A_MSIL2A_20200601T100031_N0214_R122_T32TQM_20200601T130000"
NEW = "S2A_MSIL2A_20220601T100031_N0400_R122_T32TQM_20220601T130000"


def save(path, array, grid=GRID, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    rasters.write(path, array, grid, **more)
    return str(path)


def plane(value, dtype=np.uint16):
    return np.full((GRID.height, GRID.width), value, dtype)


def first(path, band="red"):
    with Scene([path]) as scene:
        scene.check_units()
        return float(scene.read([band])[0, 5, 5]), scene.warnings


MTD = """<n1:Level-2A_User_Product><PROCESSING_BASELINE>04.00</PROCESSING_BASELINE>
<PRODUCT_START_TIME>2022-06-01T10:00:31.024Z</PRODUCT_START_TIME>
<BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>
<BOA_ADD_OFFSET band_id="2">-1000</BOA_ADD_OFFSET><BOA_ADD_OFFSET band_id="3">-1000</BOA_ADD_OFFSET>
<Cloud_Coverage_Assessment>12.5</Cloud_Coverage_Assessment></n1:Level-2A_User_Product>"""


def test_offset_from_product_metadata(tmp_path):
    folder = tmp_path / "S2A_any.SAFE"
    path = save(
        folder / "GRANULE/L2A/IMG_DATA/R10m/T32TQM_20220601T100031_B04_10m.tif", plane(1500)
    )
    (folder / "MTD_MSIL2A.xml").write_text(MTD, encoding="utf-8")
    found = sensors.recognise(rasters.info(path))
    assert found.sensor == "sentinel-2-l2a" and found.reason.startswith("MTD_MSIL2A.xml says")
    assert found.date == "2022-06-01"
    value, warnings = first(path)
    assert value == pytest.approx(0.05)
    assert any("offset -1000" in text for text in warnings)


def test_offset_from_the_name_only(tmp_path):
    assert first(save(tmp_path / NEW / "B04.tif", plane(1500)))[0] == pytest.approx(0.05)
    assert first(save(tmp_path / OLD / "B04.tif", plane(1500)))[0] == pytest.approx(0.15)


def test_offset_is_not_applied_to_a_copy_that_has_it_undone(tmp_path):
    random = np.random.default_rng(1).integers(50, 3000, (60, 80)).astype(np.uint16)
    value, warnings = first(save(tmp_path / NEW / "B04.tif", random))
    assert value == pytest.approx(random[5, 5] / 1e4, abs=1e-6)
    assert any("not applied again" in text for text in warnings)


def test_offset_that_a_stac_item_says_was_applied(tmp_path):
    path = save(tmp_path / NEW / "red.tif", plane(1500))
    item = {
        "type": "Feature",
        "collection": "sentinel-2-l2a",
        "properties": {
            "datetime": "2022-06-01T10:00:31Z",
            "s2:processing_baseline": "04.00",
            "earthsearch:boa_offset_applied": True,
        },
        "assets": {
            "red": {
                "href": "./red.tif",
                "eo:bands": [{"common_name": "red"}],
                "raster:bands": [{"scale": 0.0001, "offset": -0.1}],
            }
        },
    }
    stac = tmp_path / NEW / "item.json"
    stac.write_text(json.dumps(item), encoding="utf-8")
    value, warnings = first(path)
    assert value == pytest.approx(0.15)
    assert any("undone before" in text for text in warnings)
    item["properties"]["earthsearch:boa_offset_applied"] = False
    stac.write_text(json.dumps(item), encoding="utf-8")
    assert first(path)[0] == pytest.approx(0.05)
    report = load.load_scene([str(stac)], str(tmp_path / "out.tif"))
    assert [band["name"] for band in report["bands"]] == ["red"]
    assert report["dates"] == ["2022-06-01"]


def test_the_files_own_scale_wins(tmp_path):
    path = save(tmp_path / NEW / "B04.tif", plane(1500), scales=[(1e-4, -0.05)])
    assert first(path)[0] == pytest.approx(0.1)


def test_harmonised_earth_engine_export(tmp_path):
    path = save(tmp_path / "20220601T1" / "B4.tif", plane(1500))
    facts = {"system:id": "COPERNICUS/S2_SR_HARMONIZED/20220601T1", "PROCESSING_BASELINE": "04.00"}
    (tmp_path / "20220601T1" / "metadata.json").write_text(json.dumps(facts), encoding="utf-8")
    assert first(path)[0] == pytest.approx(0.15)


def test_landsat_level_2(tmp_path):
    stem = "LC08_L2SP_041036_20210601_20210608_02_T1"
    reflectance = save(tmp_path / f"{stem}_SR_B5.TIF", plane(20000))
    assert first(reflectance, "nir08")[0] == pytest.approx(20000 * 2.75e-5 - 0.2, abs=1e-5)
    thermal = save(tmp_path / f"{stem}_ST_B10.TIF", plane(44000))
    assert first(thermal, "lwir11")[0] == pytest.approx(44000 * 0.00341802 + 149.0, abs=1e-2)
    fill = save(tmp_path / f"{stem}_SR_B4.TIF", plane(0))
    with Scene([fill]) as scene:
        assert np.isnan(scene.read(["red"])).all()


@pytest.mark.parametrize("suffix", ["txt", "json", "xml"])
def test_landsat_level_1_by_its_mtl(tmp_path, suffix):
    stem = "LC08_L1TP_041036_20210601_20210608_02_T1"
    facts = {"REFLECTANCE_MULT_BAND_4": "2.0E-05", "REFLECTANCE_ADD_BAND_4": "-0.1"}
    facts.update(SUN_ELEVATION="30.0", DATE_ACQUIRED="2021-06-01")
    line = {"txt": "{} = {}", "json": '"{}": "{}",', "xml": "<{0}>{1}</{0}>"}[suffix]
    text = "\n".join(line.format(key, value) for key, value in facts.items())
    (tmp_path / f"{stem}_MTL.{suffix}").write_text(text, encoding="utf-8")
    path = save(tmp_path / f"{stem}_B4.TIF", plane(10000))
    assert first(path)[0] == pytest.approx((10000 * 2e-5 - 0.1) / 0.5, abs=1e-5)


def test_palsar_squares_the_digital_number(tmp_path):
    path = save(tmp_path / "N00E105_20_sl_HH_F02DAR.tif", plane(6000))
    value, _ = first(path, "hh")
    assert value == pytest.approx(10 * np.log10(6000.0**2) - 83.0, abs=1e-3)
    assert value != pytest.approx(10 * np.log10(float(6000 ^ 2)) - 83.0, abs=1.0)  # the XOR slip


def test_linear_power_becomes_decibels_and_stays_them(tmp_path):
    power = np.full((60, 80), 0.05, np.float32)
    path = save(tmp_path / "S1A_IW_20210601_RTC30_VV.tif", power)
    value, warnings = first(path, "vv")
    assert value == pytest.approx(-13.01, abs=0.01)
    assert any("linear power" in text for text in warnings)
    report = load.load_scene([path], str(tmp_path / "db.tif"))
    assert report["bands"][0]["unit"] == "dB"
    assert first(str(tmp_path / "db.tif"), "vv") == (pytest.approx(-13.01, abs=0.01), [])


@pytest.mark.parametrize(
    ("name", "value", "dtype", "words"),
    [
        ("S1A_IW_GRDH_20210601_VV.tif", 250, np.uint16, "calibrate the product"),
        ("S2A_MSIL2A_20200601_N0214_/B04.tif", 30000, np.uint16, "too high for reflectance"),
        ("S2A_MSIL2A_20200601_N0214_/B04.tif", 3, np.uint16, "applied twice"),
        ("dem.tif", -32768.0, np.float32, "no ground does"),
    ],
)
def test_wrong_units_are_warned_of(tmp_path, name, value, dtype, words):
    path = save(tmp_path / name, plane(value, dtype))
    with Scene([path]) as scene:
        scene.check_units()
        assert any(words in text for text in scene.warnings), scene.warnings


def test_two_zones_in_one_scene_are_refused(tmp_path):
    one = save(tmp_path / OLD / "B04.tif", plane(1500))
    other = Grid("EPSG:32633", GRID.transform, GRID.width, GRID.height)
    two = save(tmp_path / "b" / OLD / "B04.tif", plane(1500), other)
    with pytest.raises(ConcordError, match="two zones"):
        load.load_scene([one, two], str(tmp_path / "x.tif"))


def test_an_empty_file(tmp_path):
    good = save(tmp_path / OLD / "B04.tif", plane(1500))
    empty = tmp_path / OLD / "B08.tif"
    empty.touch()
    report = load.load_scene([str(tmp_path / OLD)], str(tmp_path / "x.tif"))
    assert report["skipped"] == [{"file": str(empty), "reason": "the file is empty (0 bytes)"}]
    with pytest.raises(ConcordError, match="0 bytes"):
        load.load_scene([good, str(empty)], str(tmp_path / "x.tif"))


def test_one_sensor_an_input(tmp_path):
    rgb = np.full((3, 60, 80), 100, np.uint8)
    path = save(tmp_path / "a.tif", rgb)
    dem = save(tmp_path / "b.tif", plane(300.0, np.float32))
    report = load.load_scene([path, dem], str(tmp_path / "x.tif"), sensor="auto;dem")
    assert [band["name"] for band in report["bands"]] == ["red", "green", "blue", "elevation"]
    with pytest.raises(ConcordError, match="2 sensors were given for 1 inputs"):
        load.load_scene([path], str(tmp_path / "x.tif"), sensor="auto;dem")
