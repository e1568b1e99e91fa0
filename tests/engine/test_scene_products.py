"""Small products in the true file layout: Landsat Level 1, Pléiades, WorldView, PRISMA HDF5."""

from __future__ import annotations

import json
from math import cos, pi, radians, sin

import numpy as np
import pytest
from osgeo import gdal

from concord.plugin.engine import load, rasters, sensors
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.scene import Scene

gdal.UseExceptions()
GRID = Grid("EPSG:32632", (30.0, 0.0, 5e5, 0.0, -30.0, 5e6), 40, 30)

L1 = "LC08_L1TP_193029_20200715_20200912_02_T1"
# The groups of a Collection 2 MTL.txt, cut down to what is read.
MTL = """GROUP = LANDSAT_METADATA_FILE
  GROUP = IMAGE_ATTRIBUTES
    SPACECRAFT_ID = "LANDSAT_8"
    DATE_ACQUIRED = 2020-07-15
    CLOUD_COVER = 3.21
    SUN_ELEVATION = 30.00000000
  END_GROUP = IMAGE_ATTRIBUTES
  GROUP = LEVEL1_RADIOMETRIC_RESCALING
    RADIANCE_MULT_BAND_4 = 9.8000E-03
    RADIANCE_ADD_BAND_4 = -49.00000
    RADIANCE_MULT_BAND_10 = 3.3420E-04
    RADIANCE_ADD_BAND_10 = 0.10000
    RADIANCE_MULT_BAND_11 = 3.3420E-04
    RADIANCE_ADD_BAND_11 = 0.10000
    REFLECTANCE_MULT_BAND_4 = 2.0000E-05
    REFLECTANCE_ADD_BAND_4 = -0.100000
  END_GROUP = LEVEL1_RADIOMETRIC_RESCALING
  GROUP = LEVEL1_THERMAL_CONSTANTS
    K1_CONSTANT_BAND_10 = 774.8853
    K2_CONSTANT_BAND_10 = 1321.0789
    K1_CONSTANT_BAND_11 = 480.8883
    K2_CONSTANT_BAND_11 = 1201.1442
  END_GROUP = LEVEL1_THERMAL_CONSTANTS
END_GROUP = LANDSAT_METADATA_FILE
END
"""


def save(path, value, bands=1, dtype=np.uint16, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.full((bands, GRID.height, GRID.width), value, dtype)
    array[:, :2] = 0  # no data
    rasters.write(path, array, GRID, **more)
    return str(path)


@pytest.fixture
def landsat(tmp_path):
    folder = tmp_path / L1
    for band, value in ((4, 10_000), (10, 28_000), (11, 26_000)):
        save(folder / f"{L1}_B{band}.TIF", value)
    (folder / f"{L1}_MTL.txt").write_text(MTL, encoding="utf-8")
    return folder


def expected(number, k1, k2):
    return k2 / np.log(k1 / (number * 3.342e-4 + 0.1) + 1)


def test_landsat_level_1_thermal_bands_become_kelvin(landsat, tmp_path):
    out = tmp_path / "scene.tif"
    report = load.load_scene([str(landsat)], str(out), check_shift=False)
    units = {band["name"]: band["unit"] for band in report["bands"]}
    assert units == {"red": "reflectance", "lwir11": "K", "lwir12": "K"}
    red, warm, cool = rasters.read(out, ["red", "lwir11", "lwir12"])[:, 20, 20]
    assert red == pytest.approx((10_000 * 2e-5 - 0.1) / sin(radians(30)), rel=1e-6)
    assert warm == pytest.approx(expected(28_000, 774.8853, 1321.0789), rel=1e-6)
    assert cool == pytest.approx(expected(26_000, 480.8883, 1201.1442), rel=1e-6)
    assert 280 < warm < 310 and 280 < cool < 310
    assert np.isnan(rasters.read(out)[:, 0]).all()


def test_landsat_level_1_is_the_same_through_a_virtual_stack(landsat, tmp_path):
    for name in ("a.tif", "b.vrt"):
        load.load_scene([str(landsat)], str(tmp_path / name), check_shift=False)
    one, two = rasters.read(tmp_path / "a.tif"), rasters.read(tmp_path / "b.vrt")
    np.testing.assert_allclose(one, two, rtol=1e-6)


def test_landsat_7_has_its_thermal_band_in_two_gains(tmp_path):
    name = "LE07_L1TP_193029_20020715_20200912_02_T1"
    path = save(tmp_path / name / f"{name}_B6_VCID_1.TIF", 140, dtype=np.uint8)
    text = "DATE_ACQUIRED = 2002-07-15\nSUN_ELEVATION = 60.0\n" + "".join(
        f"{key}_BAND_6_VCID_1 = {value}\n"
        for key, value in (("RADIANCE_MULT", "6.7087E-02"), ("RADIANCE_ADD", "-0.06709"),
                           ("K1_CONSTANT", "666.09"), ("K2_CONSTANT", "1282.71"))
    )  # fmt: skip
    (tmp_path / name / f"{name}_MTL.txt").write_text(text, encoding="utf-8")
    with Scene([path]) as scene:
        (value,) = scene.read(["lwir"])[:, 10, 10]
        assert scene.units(["lwir"]) == ["K"]
    assert value == pytest.approx(1282.71 / np.log(666.09 / (140 * 0.067087 - 0.06709) + 1))


def test_a_thermal_band_without_an_mtl_stays_a_number(tmp_path):
    path = save(tmp_path / f"{L1}_B10.TIF", 28_000)
    (band,) = sensors.recognise(rasters.info(path)).bands
    assert (band.unit, band.scale, band.formula) == ("DN", 1.0, "")


PHR = "PHR1A_MS_201307151030123_PRJ_1234567-001"
GAINS = {"B0": 8.9, "B1": 9.3, "B2": 10.5, "B3": 15.5}
SUNS = {"B0": 1915.0, "B1": 1830.0, "B2": 1594.0, "B3": 1060.0}


def dim(sun=True, reflectance=False) -> str:
    measures = "".join(
        f"<Band_Radiance><BAND_ID>{n}</BAND_ID><CALIBRATION_DATE>2012-01-01</CALIBRATION_DATE>"
        f"<MEASURE_UNIT>watt/m2/steradians/micrometers</MEASURE_UNIT><GAIN>{g}</GAIN>"
        f"<BIAS>0.5</BIAS></Band_Radiance>"
        for n, g in GAINS.items()
    )
    if reflectance:
        measures = "".join(
            f"<Band_Reflectance><BAND_ID>{n}</BAND_ID><GAIN>10000</GAIN><BIAS>0</BIAS>"
            "</Band_Reflectance>"
            for n in GAINS
        )
    if sun:
        measures += "".join(
            f"<Band_Solar_Irradiance><BAND_ID>{n}</BAND_ID><MEASURE_UNIT>watt/m2/micrometers"
            f"</MEASURE_UNIT><VALUE>{v}</VALUE></Band_Solar_Irradiance>"
            for n, v in SUNS.items()
        )
    places = "".join(
        f"<Located_Geometric_Values><LOCATION_TYPE>{where}</LOCATION_TYPE><Solar_Incidences>"
        f'<SUN_ELEVATION unit="deg">{height}</SUN_ELEVATION></Solar_Incidences>'
        "</Located_Geometric_Values>"
        for where, height in (("Top Center", 59.0), ("Center", 60.0), ("Bottom Center", 61.0))
    )
    return (
        '<?xml version="1.0"?><Dimap_Document><Metadata_Identification>'
        '<METADATA_FORMAT version="2.0">DIMAP</METADATA_FORMAT></Metadata_Identification>'
        "<Dataset_Sources><Source_Identification><Strip_Source><MISSION>PHR</MISSION>"
        "<IMAGING_DATE>2013-07-15</IMAGING_DATE></Strip_Source></Source_Identification>"
        f"</Dataset_Sources><Geometric_Data>{places}</Geometric_Data><Radiometric_Data>"
        "<Radiometric_Calibration><Instrument_Calibration><Band_Measurement_List>"
        f"{measures}</Band_Measurement_List></Instrument_Calibration></Radiometric_Calibration>"
        "</Radiometric_Data></Dimap_Document>"
    )


def pleiades(tmp_path, **more):
    folder = tmp_path / f"IMG_{PHR[:8]}"
    path = save(folder / f"IMG_{PHR}_R1C1.TIF", 600, 4)
    (folder / f"DIM_{PHR}.XML").write_text(dim(**more), encoding="utf-8")
    return path


def test_pleiades_becomes_reflectance_of_the_top_of_atmosphere(tmp_path):
    with Scene([pleiades(tmp_path)]) as scene:
        assert set(scene.units(scene.names)) == {"reflectance"}
        found = dict(zip(scene.names, scene.read(scene.names)[:, 10, 10]))
        assert scene.recognised[0].date == "2013-07-15"
    # 15 July is day 196; the formula of the distance in the Landsat handbook.
    square = (1 - 0.01672 * cos(radians(0.9856 * 192))) ** 2
    for name, band in (("blue", "B0"), ("green", "B1"), ("red", "B2"), ("nir", "B3")):
        radiance = 600 / GAINS[band] + 0.5
        wanted = pi * radiance * square / (SUNS[band] * sin(radians(60)))
        assert found[name] == pytest.approx(wanted, rel=1e-5)
        assert 0.05 < found[name] < 0.2


def test_pleiades_without_irradiance_is_radiance_and_says_so(tmp_path):
    with Scene([pleiades(tmp_path, sun=False)]) as scene:
        assert set(scene.units(scene.names)) == {"W/m2/sr/um"}
        assert scene.read(["red"])[0, 10, 10] == pytest.approx(600 / 10.5 + 0.5, rel=1e-6)
        assert any("gives no solar irradiance" in text for text in scene.warnings)


def test_pleiades_ordered_as_reflectance_needs_its_gain_only(tmp_path):
    with Scene([pleiades(tmp_path, reflectance=True)]) as scene:
        assert scene.units(["red"]) == ["reflectance"]
        assert scene.read(["red"])[0, 10, 10] == pytest.approx(0.06)


def test_a_dim_of_another_product_does_not_speak_for_a_file(tmp_path):
    path = save(tmp_path / "IMG_PHR1B_MS_201401010000000_PRJ_7-001_R1C1.TIF", 600, 4)
    (tmp_path / f"DIM_{PHR}.XML").write_text(dim(), encoding="utf-8")
    assert {band.unit for band in sensors.recognise(rasters.info(path)).bands} == {"DN"}


WV = "17JUL05211635-M1BS-016445286010_01_P001"


def test_worldview_becomes_radiance_by_its_imd(tmp_path):
    path = save(tmp_path / f"{WV}.TIF", 500, 8)
    factors = {n: (0.01 + i / 1000, 0.04 + i / 100) for i, n in
               enumerate(("C", "B", "G", "Y", "R", "RE", "N", "N2"))}  # fmt: skip
    text = 'version = "28.3";\nbandId = "Multi";\n' + "".join(
        f"BEGIN_GROUP = BAND_{n}\n\tULLon = 1.0;\n\tabsCalFactor = {a:e};\n"
        f"\teffectiveBandwidth = {w:e};\nEND_GROUP = BAND_{n}\n"
        for n, (a, w) in factors.items()
    )
    text += 'BEGIN_GROUP = IMAGE_1\n\tsatId = "WV03";\n\tTLCTime = 2017-07-05T21:16:43.28Z;\n'
    text += "\tmeanSunEl = 73.0;\nEND_GROUP = IMAGE_1\nEND;\n"
    (tmp_path / f"{WV}.IMD").write_text(text, encoding="utf-8")
    with Scene([path]) as scene:
        scene.check_units()
        assert scene.recognised[0].date == "2017-07-05"
        names = ["coastal", "blue", "green", "yellow", "red", "rededge", "nir", "nir09"]
        assert scene.names == names and set(scene.units(names)) == {"W/m2/sr/um"}
        found = scene.read(names)[:, 10, 10]
        assert any("no reflectance" in text for text in scene.warnings)
    wanted = [500 * a / w for a, w in factors.values()]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


ROWS, COLUMNS = 12, 10


def attribute(place, name, value):
    if isinstance(value, str):
        made = place.CreateAttribute(name, [], gdal.ExtendedDataType.CreateString())
        made.WriteString(value)
        return
    kind = gdal.GDT_Int32 if isinstance(value, int) else gdal.GDT_Float64
    size = [len(value)] if np.ndim(value) else []
    made = place.CreateAttribute(name, size, gdal.ExtendedDataType.Create(kind))
    made.Write(value if isinstance(value, int) else np.asarray(value, float))


def prisma(path, outer=False, level="L2D", leave_out=""):
    """(VNIR, SWIR) cubes of a file with the groups and attributes of an L2D product."""
    rng = np.random.default_rng(3)
    cubes = {n: rng.integers(1, 60_000, (ROWS, c, COLUMNS)).astype(np.uint16)
             for n, c in (("Vnir", 66), ("Swir", 173))}  # fmt: skip
    for cube in cubes.values():
        cube[0, :, 0] = 0
    file = gdal.GetDriverByName("netCDF").CreateMultiDimensional(str(path), [], ["FORMAT=NC4"])
    root = file.GetRootGroup()
    waves = {"Vnir": np.linspace(972, 406, 66), "Swir": np.linspace(2497, 943, 173)}
    flags = {name: np.ones(len(found)) for name, found in waves.items()}
    for name in waves:  # the last ones were not acquired
        waves[name][-3:], flags[name][-3:] = 0.0, 0.0
    facts = {"Epsg_Code": 32632, "Product_StartTime": "2020-06-01T10:10:10.123",
             "Processing_Level": level}  # fmt: skip
    far = (0.0, 0.0) if outer else (-30.0, 30.0)
    facts |= {"Product_ULcorner_easting": 600_000.0, "Product_ULcorner_northing": 5_100_000.0,
              "Product_LRcorner_easting": 600_000.0 + COLUMNS * 30 + far[0],
              "Product_LRcorner_northing": 5_100_000.0 - ROWS * 30 + far[1]}  # fmt: skip
    for name, low, high in (("Vnir", 0.0, 0.9), ("Swir", 0.01, 0.7)):
        facts |= {f"L2Scale{name}Min": low, f"L2Scale{name}Max": high}
        facts |= {f"List_Cw_{name}": waves[name], f"List_Cw_{name}_Flags": flags[name],
                  f"List_Fwhm_{name}": np.full(len(waves[name]), 12.0)}  # fmt: skip
    for name, value in facts.items():
        if name != leave_out:
            attribute(root, name, value)
    swath = root.CreateGroup("HDFEOS").CreateGroup("SWATHS").CreateGroup(f"PRS_{level}_HCO")
    fields = swath.CreateGroup("Data Fields")
    rows, columns = (fields.CreateDimension(n, "", "", s) for n, s in (("y", ROWS), ("x", COLUMNS)))
    for name, cube in cubes.items():
        bands = fields.CreateDimension(f"b{name}", "", "", cube.shape[1])
        kind = gdal.ExtendedDataType.Create(gdal.GDT_UInt16)
        array = fields.CreateMDArray(f"{name.upper()}_Cube", [rows, bands, columns], kind)
        array.Write(cube)
    return cubes


NAME = "PRS_L2D_STD_20200601101010_20200601101014_0001.he5"


@pytest.mark.parametrize("outer", [False, True])
@pytest.mark.parametrize("name", ["scene.tif", "scene.vrt"])
def test_prisma_l2d_becomes_reflectance_by_wavelength_on_its_grid(tmp_path, name, outer):
    cubes = prisma(tmp_path / NAME, outer)
    out = tmp_path / "out" / name
    out.parent.mkdir()
    report = load.load_scene([str(tmp_path / NAME)], str(out), check_shift=False)
    assert report["sensors"][0]["id"] == "prisma-l2d" and report["dates"] == ["2020-06-01"]
    assert len(report["bands"]) == 66 + 173 - 6
    assert {b["unit"] for b in report["bands"]} == {"reflectance"}
    assert {b["source"] for b in report["bands"]} == {str(tmp_path / NAME)}
    waves = [b["wavelength"] for b in report["bands"]]
    assert waves == sorted(waves) and 0.40 < waves[0] < 0.45 and waves[-1] == pytest.approx(2.497)
    info = rasters.info(out)
    corner = (600_000.0, 5_100_000.0) if outer else (599_985.0, 5_100_015.0)
    assert info.grid.crs == "EPSG:32632" and info.grid.xy(0, 0) == corner
    assert (info.grid.width, info.grid.height) == (COLUMNS, ROWS)
    values = rasters.read(out)
    first = cubes["Vnir"][:, 0].astype(float) * 0.9 / 65535  # 972 nm
    index = waves.index(pytest.approx(0.972))
    np.testing.assert_allclose(values[index].ravel()[1:], first.ravel()[1:], rtol=1e-5)
    last = 0.01 + cubes["Swir"][:, 0].astype(float) * 0.69 / 65535
    np.testing.assert_allclose(values[-1].ravel()[1:], last.ravel()[1:], rtol=1e-5)
    assert np.isnan(values[:, 0, 0]).all()
    left = sorted(p.name for p in out.parent.iterdir() if not p.name.startswith(name))
    assert left == (["PRS_L2D_STD_20200601101010_20200601101014_0001_cube.tif"]
                    if name.endswith("vrt") else [])  # fmt: skip


def test_the_folder_of_a_prisma_product_loads_too(tmp_path):
    folder = tmp_path / "PRS_L2D"
    folder.mkdir()
    prisma(folder / NAME)
    report = load.load_scene([str(folder)], str(tmp_path / "a.tif"), check_shift=False)
    assert {"red", "green", "blue", "nir"} <= {b["name"] for b in report["bands"]}
    json.dumps(report)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"leave_out": "Epsg_Code", "level": "L1"}, "no PRISMA L2D product"),
        ({"leave_out": "L2ScaleSwirMin"}, "lacks the attribute L2ScaleSwirMin"),
        ({"level": "L2C"}, "lacks the cube VNIR_Cube"),
    ],
)
def test_a_prisma_file_that_cannot_be_used_is_refused_in_a_sentence(tmp_path, more, words):
    prisma(tmp_path / NAME, **more)
    with pytest.raises(ConcordError, match=words):
        load.load_scene([str(tmp_path / NAME)], str(tmp_path / "a.tif"))
    assert [p.name for p in tmp_path.iterdir()] == [NAME]


def test_a_prisma_file_that_is_no_hdf5_is_refused_in_a_sentence(tmp_path):
    (tmp_path / NAME).write_bytes(b"no HDF5" * 100)
    with pytest.raises(ConcordError, match="cannot be read as HDF5"):
        load.load_scene([str(tmp_path / NAME)], str(tmp_path / "a.tif"))


def test_without_the_hdf5_driver_a_sentence_says_what_to_do(tmp_path, monkeypatch):
    import rasterio

    prisma(tmp_path / NAME)
    monkeypatch.setattr(rasterio.Env, "drivers", lambda _self: {"GTiff": "GeoTIFF"})
    with pytest.raises(ConcordError, match="HDF5, which this installation cannot read"):
        load.load_scene([str(tmp_path / NAME)], str(tmp_path / "a.tif"))
