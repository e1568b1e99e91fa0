"""Sensor presets: every one listed, valid by the schema, and recognised by a typical file name."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from concord.plugin.engine import sensors
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.rasters import BandInfo, RasterInfo

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "resources/schemas/sensor.schema.json").read_text(encoding="utf-8"))
FILES = sorted((ROOT / "resources/sensors").glob("*.json"))
GRID = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 64, 64)
WANTED = {
    "sentinel-2-l1c",
    "sentinel-2-l2a",
    "sentinel-1-grd",
    "sentinel-1-rtc",
    "landsat-4-5-c2-l2",
    "landsat-7-c2-l2",
    "landsat-8-9-c2-l2",
    "landsat-4-5-c2-l1",
    "landsat-7-c2-l1",
    "landsat-8-9-c2-l1",
    "hls-l30",
    "hls-s30",
    "planetscope-4",
    "planetscope-8",
    "naip",
    "aerial-rgb",
    "aerial-rgbi",
    "palsar-mosaic",
    "modis-mod13q1",
    "dem",
    "hyperspectral",
    "enmap-l2a",
    "prisma-l2d",
    "pleiades",
    "worldview",
}


def described(path: str, bands: int = 1, dtype: str = "uint16", **band) -> RasterInfo:
    """A raster as `rasters.info` would describe it."""
    one = BandInfo(1, "", "", dtype, None)
    made = tuple(replace(one, index=i + 1, **band) for i in range(bands))
    return RasterInfo(path, GRID, made)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_preset_follows_the_schema(path):
    raw = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(SCHEMA).validate(raw)
    assert raw["id"] == path.stem
    names = [band["name"] for band in raw["bands"]]
    assert len(set(names)) == len(names)
    for order in raw.get("orders", []):
        assert set(order) <= set(names)
    if names:
        assert set(raw["display"]) <= set(names)
    for pattern in [*raw["recognise"], *raw.get("weak", [])]:
        re.compile(pattern)


def test_the_schema_refuses_a_broken_preset():
    raw = json.loads(FILES[0].read_text(encoding="utf-8"))
    raw["bands"][0]["wavelength"] = 650  # nanometres where micrometres belong
    with pytest.raises(jsonschema.ValidationError, match="650"):
        jsonschema.Draft202012Validator(SCHEMA).validate(raw)


def test_every_sensor_of_the_issue_is_there():
    assert {preset.id for preset in sensors.presets()} >= WANTED


@pytest.mark.parametrize(
    ("path", "sensor", "band", "unit"),
    [
        ("S2A_MSIL2A_20190601T100031_N0212_R1_T32TQM_2019/B04.jp2", 0, "red", "reflectance"),
        ("T32TQM_20190601T100031_B8A_20m_L2A.jp2", "sentinel-2-l2a", "nir08", "reflectance"),
        ("S2B_MSIL1C_20190601T100031_N0207_R1_T32_2019/T32_B10.jp2", 0, "cirrus", "reflectance"),
        ("LC08_L2SP_041036_20210601_20210608_02_T1_SR_B5.TIF", 0, "nir08", "reflectance"),
        ("LC09_L2SP_041036_20220601_20220608_02_T1_ST_B10.TIF", 0, "lwir11", "K"),
        ("LE07_L2SP_041036_20010601_20210608_02_T1_SR_B4.TIF", 0, "nir08", "reflectance"),
        ("LT05_L2SP_041036_19900601_20210608_02_T1_SR_B7.TIF", 0, "swir22", "reflectance"),
        ("LC08_L1TP_041036_20210601_20210608_02_T1_B8.TIF", 0, "pan", "reflectance"),
        ("HLS.L30.T32TQM.2021152T100031.v2.0.B05.tif", "hls-l30", "nir08", "reflectance"),
        ("HLS.S30.T32TQM.2021152T100031.v2.0.B8A.tif", "hls-s30", "nir08", "reflectance"),
        ("S1A_IW_GRDH_1SDV_20210601T05/iw-vv.tiff", "sentinel-1-grd", "vv", "dB"),
        ("S1A_IW_20210601T052345_DVP_RTC30_G_gpuned_1234_VH.tif", "sentinel-1-rtc", "vh", "dB"),
        ("N00E105_20_sl_HV_F02DAR.tif", "palsar-mosaic", "hv", "dB"),
        ("MOD13Q1.A2021001.h12v09.061_250m_16_days_EVI.tif", "modis-mod13q1", "evi", "index"),
        ("some srtm, tile 3.tif", "dem", "elevation", "m"),
        ("IMG_PHR1A_P_202106011045.tif", "pleiades", "pan", "DN"),
    ],
)
def test_band_by_file_name(path, sensor, band, unit):
    found = sensors.recognise(described(f"/data/{path}"))
    assert not sensor or found.sensor == sensor
    assert [(b.name, b.unit) for b in found.bands] == [(band, unit)]
    assert found.reason


@pytest.mark.parametrize(
    ("path", "count", "dtype", "sensor", "names"),
    [
        ("20210601_1_AnalyticMS_SR.tif", 4, "uint16", "planetscope-4", "blue green red nir"),
        ("20210601_1_AnalyticMS_SR_8b.tif", 8, "uint16", "planetscope-8", "coastal blue green05"),
        ("m_3708020_sw_17_1.tif", 4, "uint8", "naip", "red green blue nir"),
        ("IMG_PHR1B_MS_202106011045.tif", 4, "uint16", "pleiades", "red green blue nir"),
        ("21JUN01-M2AS-0500_WV02.tif", 8, "uint16", "worldview", "coastal blue green yellow red"),
        ("drone.tif", 3, "uint8", "aerial-rgb", "red green blue"),
    ],
)
def test_bands_by_order(path, count, dtype, sensor, names):
    found = sensors.recognise(described(f"/data/{path}", count, dtype))
    wanted = names.split()
    assert found.sensor == sensor
    assert [band.name for band in found.bands][: len(wanted)] == wanted


def test_quality_codes_are_those_of_the_products():
    scl = sensors.preset("sentinel-2-l2a").quality[0]
    assert set(scl.bad) == {0, 1, 3, 8, 9, 10}
    qa = sensors.preset("landsat-8-9-c2-l2").quality[0]
    assert sum(1 << bit for bit in qa.bad) == 0b11111
    assert sensors.preset("hls-s30").quality[0].bad == (1, 2, 3)


def test_a_preset_file_of_ones_own(tmp_path):
    raw = json.loads((ROOT / "resources/sensors/naip.json").read_text(encoding="utf-8"))
    raw["id"], raw["orders"] = "mine", [["nir", "red", "green", "blue"]]
    own = tmp_path / "mine.json"
    own.write_text(json.dumps(raw), encoding="utf-8")
    found = sensors.recognise(described("/data/x.tif", 4, "uint8"), str(own))
    assert [band.name for band in found.bands] == ["nir", "red", "green", "blue"]


def test_wrong_preset_by_hand_is_refused_in_a_sentence():
    with pytest.raises(ConcordError, match="do not fit the sensor sentinel-2-l2a"):
        sensors.recognise(described("/data/x.tif", 3, "uint8"), "sentinel-2-l2a")
    with pytest.raises(ConcordError, match="is not known"):
        sensors.recognise(described("/data/x.tif"), "sentinel-9")


def test_eight_bits_are_no_reflectance():
    found = sensors.recognise(described("/data/2018, Sentinel-2B L1C, B04.tif", 1, "uint8"))
    assert found.bands[0].unit == "brightness"
    assert "8 bit" in found.warnings[0]


def test_cube_by_wavelength():
    bands = tuple(
        BandInfo(i + 1, "", "", "int16", None, wavelength=0.42 + 0.0065 * i, width=0.0065)
        for i in range(80)
    )
    bands = (*bands[:-1], replace(bands[-1], is_bad=True))
    found = sensors.recognise(RasterInfo("/data/ENMAP01-L2A.tif", GRID, bands))
    names = {band.name: band for band in found.bands}
    assert found.sensor == "enmap-l2a" and len(found.bands) == 79
    assert abs(names["red"].wavelength - 0.66) < 0.004
    assert names["red"].scale == 1e-4 and names["red"].unit == "reflectance"
    assert "bad-band list" in found.warnings[0]
