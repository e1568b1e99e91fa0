"""Sensor presets and recognising products by the names they really have."""

from __future__ import annotations

import pytest

from concord.plugin.engine import sensors
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.rasters import BandInfo, RasterInfo

GRID = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 8, 8)
L2A = "S2A_MSIL2A_20220301T102021_N{}_R065_T32TMS_20220301T140000.SAFE"
INSIDE = (
    "GRANULE/L2A_T32TMS_A034945_20220301T102021/IMG_DATA/R10m/T32TMS_20220301T102021_{}_10m.jp2"
)
S1 = "S1A_IW_GRDH_1SDV_20200607T010800_20200607T010825_032904_03CFBA_D457"


def described(path, names=("",), dtype="uint16", units=None, alpha=(), **band):
    units = units or [""] * len(names)
    bands = tuple(
        BandInfo(i + 1, name, unit, dtype, band.get("nodata"), band.get("scale", 1.0),
                 band.get("offset", 0.0), i in alpha)
        for i, (name, unit) in enumerate(zip(names, units))
    )  # fmt: skip
    return RasterInfo(f"/data/{path}", GRID, bands)


@pytest.mark.parametrize("preset", sensors.presets(), ids=lambda p: p.id)
def test_every_preset_is_whole(preset):
    assert preset.title and preset.unit
    assert preset.kind in ("optical", "sar", "height", "hyperspectral")
    names = [band.name for band in preset.bands]
    assert len(set(names)) == len(names)
    assert set(preset.order) <= set(names)
    assert not names or set(preset.display) <= set(names)
    aliases = [sensors.plain(alias) for band in preset.bands for alias in band.aliases]
    assert len(set(aliases)) == len(aliases), "an alias must mean one band"
    for band in preset.bands:
        assert preset.band_called(band.name) is band
        if preset.kind == "optical" and band.unit != "index":
            assert 0.3 < band.wavelength < 15 and 0 < band.width < 3


@pytest.mark.parametrize(
    "path, sensor, band",
    [
        (f"{L2A.format('0300')}/{INSIDE.format('B04')}", "sentinel-2-l2a", "red"),
        (f"{L2A.format('0509')}/{INSIDE.format('B8A')}", "sentinel-2-l2a", "nir08"),
        ("S2B_MSIL1C_20200223T032739_N0209_R018_T48QUE_20200223T070000.SAFE/GRANULE/"
         "L1C_T48QUE_A015492_20200223T033000/IMG_DATA/T48QUE_20200223T032739_B11.jp2",
         "sentinel-2-l1c", "swir16"),
        ("s2c/0000200/20200823T054639_20200823T055618_T43RCP/B8.tif", "sentinel-2-l1c", "nir"),
        ("s2a/0000200/20200823T054639_20200823T055618_T43RCP/B08.tif", "sentinel-2-l2a", "nir"),
        (f"s1/0000200/{S1}/VH.tif", "sentinel-1-grd", "vh"),
        (f"{S1}.SAFE/measurement/s1a-iw-grd-vv-20200607t010800-20200607t010825-032904-03cfba-001"
         ".tiff", "sentinel-1-grd", "vv"),
        ("elevation/dsm.tif", "dem", "surface"),
        ("elevation/hag.tif", "dem", "height"),
        ("LC08_L2SP_193027_20200801_20200916_02_T1_SR_B5.TIF", "landsat-8-9-c2-l2", "nir08"),
    ],
)  # fmt: skip
def test_one_band_files_are_recognised_by_their_path(path, sensor, band):
    found = sensors.recognise(described(path))
    assert (found.sensor, [b.name for b in found.bands]) == (sensor, [band])
    assert found.reason


@pytest.mark.parametrize(
    "baseline, dtype, offset, notes",
    [("0300", "uint16", 0.0, 0), ("0400", "uint16", -0.1, 1), ("0509", "uint16", -0.1, 1),
     ("9999", "uint16", 0.0, 0)],
)  # fmt: skip
def test_the_baseline_gives_the_offset_of_sentinel_2_once(baseline, dtype, offset, notes):
    found = sensors.recognise(described(f"{L2A.format(baseline)}/{INSIDE.format('B04')}"))
    assert (found.bands[0].scale, found.bands[0].offset) == (1e-4, offset)
    assert len([w for w in found.warnings if "offset -1000" in w]) == notes
    bands = ("B02", "B03", "B04", "B08")
    found = sensors.recognise(described(f"{L2A.format(baseline)[:-5]}.tif", bands))
    assert {b.offset for b in found.bands} == {offset}
    assert len([w for w in found.warnings if "offset -1000" in w]) == notes


@pytest.mark.parametrize("own", [{"dtype": "float32"}, {"scale": 1e-4, "offset": -0.1}])
def test_no_offset_is_claimed_where_none_was_applied(own):
    found = sensors.recognise(described(f"{L2A.format('0509')}/B04.tif", **own))
    assert (found.bands[0].scale, found.bands[0].offset) == (own.get("scale", 1.0),
                                                             own.get("offset", 0.0))  # fmt: skip
    assert not any("offset -1000" in warning for warning in found.warnings)


def test_eight_bits_of_a_product_of_sixteen_are_no_reflectance():
    found = sensors.recognise(described("S2A_MSIL2A_x/B04.tif", dtype="uint8"))
    assert (found.bands[0].unit, found.bands[0].scale) == ("DN", 1.0)
    assert any("8-bit values are no reflectance" in warning for warning in found.warnings)


def test_naip_is_four_bands_in_order():
    found = sensors.recognise(described("m_4709904_sw_14_1_20090729.tif", [""] * 4, "uint8"))
    assert found.sensor == "naip"
    assert [b.name for b in found.bands] == ["red", "green", "blue", "nir"]
    assert {b.unit for b in found.bands} == {"DN"}


def test_alpha_of_a_picture_is_no_band():
    found = sensors.recognise(described("OAM-1-2-21.png", [""] * 4, "uint8", alpha=(3,)))
    assert found.sensor == "aerial-rgb"
    assert [(b.index, b.name) for b in found.bands] == [(1, "red"), (2, "green"), (3, "blue")]


def test_nothing_but_alpha_is_a_sentence():
    with pytest.raises(ConcordError, match="no band but transparency"):
        sensors.recognise(described("a.png", alpha=(0,)))


@pytest.mark.parametrize("names", [("", "", ""), ("a", "b", "a"), ("a", "b", "c")])
def test_an_unknown_sensor_is_used_as_it_is_and_said_so(names):
    found = sensors.recognise(described("plain.tif", names, "float32", scale=2.0))
    assert found.sensor == sensors.GENERIC and "plain.tif: the sensor is not" in found.warnings[0]
    own = [n if names.count(n) == 1 else f"band_{i}" for i, n in enumerate(names, 1)]
    assert [b.name for b in found.bands] == own
    assert {b.scale for b in found.bands} == {2.0}


def test_a_scene_of_concord_is_taken_at_its_word():
    info = described("S2A_MSIL1C_x_N0400_y.tif", ("vv", "red"), "float32", ["dB", "reflectance"])
    found = sensors.recognise(info)
    assert found.sensor == "scene" and [b.unit for b in found.bands] == ["dB", "reflectance"]
    assert {(b.scale, b.offset) for b in found.bands} == {(1.0, 0.0)}


def test_band_names_decide_when_the_path_is_silent():
    found = sensors.recognise(described("x.tif", ("B2", "B03", "B4", "B8A")))
    assert found.sensor.startswith("sentinel-2")
    assert [b.name for b in found.bands] == ["blue", "green", "red", "nir08"]


@pytest.mark.parametrize("dtype, unit", [("uint8", "DN"), ("uint16", "reflectance"),
                                         ("float32", "reflectance")])  # fmt: skip
def test_only_bytes_are_taken_for_an_aerial_image(dtype, unit):
    found = sensors.recognise(described("x.tif", ("red", "green", "nir"), dtype))
    assert {b.unit for b in found.bands} == {unit}


def test_the_nearest_folder_wins():
    found = sensors.recognise(described(f"dem/{L2A.format('0300')}/B04.tif"))
    assert (found.sensor, found.bands[0].name) == ("sentinel-2-l2a", "red")
    found = sensors.recognise(described(f"{S1}/elevation/dem.tif"))
    assert found.sensor == "dem"


def test_the_unit_of_one_band_does_not_spill_into_the_next():
    found = sensors.recognise(described("S2A_x.tif", ("B02", "B03"), units=["K", ""]))
    assert [b.unit for b in found.bands] == ["K", "reflectance"]


@pytest.mark.parametrize("own, expected", [(None, 0.0), (65535.0, 65535.0)])
def test_nodata_of_the_file_goes_before_the_preset(own, expected):
    found = sensors.recognise(described("S2A_x.tif", ("B02", "B03"), nodata=own))
    assert {b.nodata for b in found.bands} == {expected}


def test_a_sensor_chosen_by_the_user_must_fit():
    info = described("a.tif", ("", ""))
    with pytest.raises(ConcordError, match=r"2 band\(s\) that do not fit the sensor naip"):
        sensors.recognise(info, "naip")
    with pytest.raises(ConcordError, match="'nothing' is not known; use auto or one of .*naip"):
        sensors.recognise(info, "nothing")
    assert sensors.recognise(described("a.tif", [""] * 4), "naip").reason == "chosen by the user"
