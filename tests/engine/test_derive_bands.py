"""Derived bands: every formula of the catalogue, and radar, terrain, components and sharpening."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, zoom

from concord.plugin.engine import derive, load, rasters
from concord.plugin.engine.derive import catalogue, formulas, radar, sharpen, terrain
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.scene import Scene

GRID = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 96, 80)
OPTICAL = (
    *("coastal", "blue", "green05", "green", "yellow", "red", "rededge071", "rededge075"),
    *("rededge078", "nir", "nir08", "swir16", "swir22", "lwir", "lwir11", "lwir12"),
)
RADAR = ("vv", "vh", "hh", "hv")


def make(path, bands, grid=GRID):
    """A scene file of {name: (unit, plane or number)}."""
    planes = [np.broadcast_to(v, (grid.height, grid.width)) for _, v in bands.values()]
    array = np.stack([np.asarray(p, np.float32) for p in planes])
    units = [unit for unit, _ in bands.values()]
    rasters.write(path, array, grid, names=list(bands), units=units, nodata=np.nan)
    return str(path)


def derived(path, names, tmp_path, **more):
    target = str(tmp_path / "derived.tif")
    report = load.load_scene([path], target, derived=names, **more)
    info = rasters.info(target)
    return dict(zip(info.names, rasters.read(target))), report


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Every band that the catalogue knows, with values of vegetated ground."""
    values = {name: ("reflectance", 0.04 + 0.03 * i) for i, name in enumerate(OPTICAL)}
    values.update({name: ("K", 290.0 + i) for i, name in enumerate(OPTICAL[-3:])})
    values.update({name: ("dB", -8.0 - 3 * i) for i, name in enumerate(RADAR)})
    return make(tmp_path_factory.mktemp("scene") / "all.tif", values)


def test_the_catalogue_has_its_licence_and_source():
    folder = catalogue.FILE.parent
    assert "MIT License" in (folder / "LICENSE").read_text(encoding="utf-8")
    assert "Awesome Spectral Indices" in catalogue._catalogue()["source"]
    assert len(catalogue.entries()) == 280


@pytest.mark.parametrize("name", sorted(catalogue.entries()))
def test_every_index_is_what_python_makes_of_its_formula(everything, name):
    """Against Python's own evaluation of the formula, with the same bands and constants."""
    with Scene([everything]) as scene:
        letters, missing = catalogue.bands_for(name, scene.names)
        assert not missing
        (made,) = [catalogue.index(name, scene)]
        planes = dict(zip(made.needs, scene.read(list(made.needs))))
        own = made.compute(planes)[3, 4]
        numbers = catalogue._numbers(catalogue.entries()[name][1]["formula"], letters, scene)
        for letter, band in letters.items():
            value = float(planes[band][3, 4])
            numbers[letter] = 10 ** (value / 10) if band in RADAR else value
    for kernel in ("GB", "GG", "GR", "NB", "NL", "NN", "NR"):
        if all(part in numbers for part in kernel):
            a, b = (numbers[part] for part in kernel)
            numbers[f"k{kernel}"] = float(np.exp(-((a - b) ** 2) / (2 * (0.5 * (a + b)) ** 2)))
    formula = catalogue.entries()[name][1]["formula"]
    expected = eval(compile(formula, name, "eval"), {"__builtins__": {}}, numbers)
    if isinstance(expected, complex):
        expected = np.nan
    assert own == pytest.approx(expected, rel=2e-3, abs=1e-4, nan_ok=True)


def test_kndvi_is_the_closed_form(everything):
    with Scene([everything]) as scene:
        (made,) = derive.plan(["kndvi"], scene)
        near, red = 0.04 + 0.03 * 9, 0.04 + 0.03 * 5
        value = made.compute(dict(zip(made.needs, scene.read(list(made.needs)))))[0, 0]
    assert value == pytest.approx(np.tanh(((near - red) / (near + red)) ** 2), abs=1e-5)


def test_landsat_near_infrared_serves(tmp_path):
    bands = {"red": ("reflectance", 0.05), "nir08": ("reflectance", 0.35)}
    planes, _ = derived(make(tmp_path / "l.tif", bands), ["ndvi"], tmp_path)
    assert planes["ndvi"][0, 0] == pytest.approx(0.75)


@pytest.mark.parametrize(
    "formula",
    ["__import__('os')", "R.real", "R[0]", "R if R else N", "lambda: 1", "R(1)", "'a'", "R @ N",
     "R and N", "[R]", "9**9**9*R", "(" * 300 + "R" + ")" * 300, "", "R +"],
)  # fmt: skip
def test_other_than_arithmetic_is_refused(formula):
    with pytest.raises(ConcordError):
        formulas.evaluate(formula, {"R": np.ones((4, 4), np.float32), "N": 2.0})


@given(
    st.recursive(
        st.sampled_from(["A", "B", "2.5", "0.16"]),
        lambda part: st.builds(
            lambda a, op, b: f"({a} {op} {b})", part, st.sampled_from("+-*/"), part
        ),
        max_leaves=8,
    )
)
def test_any_arithmetic_agrees_with_python_and_changes_no_input(formula):
    random = np.random.default_rng(1)
    values = {name: random.uniform(0.1, 1, (7, 5)).astype(np.float32) for name in "AB"}
    kept = {name: plane.copy() for name, plane in values.items()}
    own = formulas.evaluate(formula, values)
    with np.errstate(all="ignore"):
        expected = np.asarray(eval(formula.replace("/", "/ np.float32(1) /"), {"np": np, **kept}))
        expected = np.where(np.isfinite(expected), expected, np.nan)
    np.testing.assert_allclose(own, np.broadcast_to(expected, own.shape), rtol=1e-3, atol=1e-4)
    for name, plane in values.items():
        np.testing.assert_array_equal(plane, kept[name])


def test_digital_numbers_in_a_formula_of_reflectance_are_warned_of(tmp_path):
    bands = {name: ("DN", 100 + i) for i, name in enumerate(("blue", "red", "nir"))}
    path = make(tmp_path / "dn.tif", bands)
    _, report = derived(path, ["evi", "ndvi"], tmp_path)
    told = [text for text in report["warnings"] if "reflectance" in text]
    assert len(told) == 1 and told[0].startswith("evi")  # a ratio does not mind


def test_a_missing_band_and_a_double_one(everything, tmp_path):
    path = make(tmp_path / "r.tif", {"red": ("reflectance", 0.1)})
    with pytest.raises(ConcordError, match="needs the band nir"):
        derived(path, ["ndvi"], tmp_path)
    with pytest.raises(ConcordError, match="is there twice"):
        derived(everything, ["ndvi", "NDVI"], tmp_path)


# --- radar


def speckled(looks=4.4, shape=(80, 96)):
    random = np.random.default_rng(5)
    ground = np.where(np.arange(shape[1]) < shape[1] // 2, 0.02, 0.2)[None].repeat(shape[0], 0)
    return ground, (ground * random.gamma(looks, 1 / looks, shape)).astype(np.float32)


@pytest.mark.parametrize("smooth", [radar.lee, radar.refined_lee])
def test_filters_keep_the_mean_and_raise_the_looks(smooth):
    ground, noisy = speckled()
    out = smooth(noisy, 4.4)
    left = (slice(10, -10), slice(8, 36))
    assert out[left].mean() == pytest.approx(noisy[left].mean(), rel=0.02)
    before = noisy[left].mean() ** 2 / noisy[left].var()
    after = out[left].mean() ** 2 / out[left].var()
    assert after > 4 * before
    # Filtering dB instead would pull the mean down by the mean of log speckle, about 0.5 dB.
    assert 10 * np.log10(out[left].mean()) == pytest.approx(10 * np.log10(0.02), abs=0.15)


def test_the_refined_filter_keeps_edges_sharper():
    ground, noisy = speckled()
    beside = (slice(10, -10), slice(46, 50))
    errors = [np.abs(f(noisy, 4.4) - ground)[beside].mean() for f in (radar.lee, radar.refined_lee)]
    assert errors[1] < errors[0]


def test_gaps_stay_gaps_and_do_not_spread():
    _, noisy = speckled()
    noisy[20:24, 20:24] = np.nan
    for smooth in (radar.lee, radar.refined_lee):
        out = smooth(noisy, 4.4)
        assert np.isnan(out[20:24, 20:24]).all() and np.isfinite(out).sum() == noisy.size - 16


def test_filtered_bands_are_in_decibels_with_looks_in_the_report(tmp_path):
    _, noisy = speckled()
    path = make(tmp_path / "s.tif", {"vv": ("dB", radar.decibels(noisy)), "vh": ("dB", -20.0)})
    planes, report = derived(path, ["vv_lee", "vv_vh", "rvi"], tmp_path)
    (entry,) = [band for band in report["bands"] if band["name"] == "vv_lee"]
    assert entry["unit"] == "dB" and entry["looks_after"] > 3 * entry["looks_before"]
    np.testing.assert_allclose(planes["vv_vh"], planes["vv"] + 20.0, atol=1e-4)
    linear = 10 ** (planes["vv"] / 10)
    np.testing.assert_allclose(planes["rvi"], 0.04 / (linear + 0.01), rtol=1e-3)


def test_tiles_leave_no_seam(tmp_path, monkeypatch):
    _, noisy = speckled()
    path = make(tmp_path / "s.tif", {"vv": ("dB", radar.decibels(noisy))})
    wanted = ["vv_lee", "vv_refined_lee"]
    whole, _ = derived(path, wanted, tmp_path)
    monkeypatch.setattr(load, "_TILE", 32)
    tiled, _ = derived(path, wanted, tmp_path)
    for name in wanted:
        np.testing.assert_allclose(tiled[name], whole[name], atol=1e-3)


# --- terrain


def test_a_tilted_plane(tmp_path):
    rows, cols = np.mgrid[0:80, 0:96]
    height = 100 + cols * 10 * np.tan(np.radians(30))  # rises to the east
    path = make(tmp_path / "dem.tif", {"elevation": ("m", height)})
    planes, _ = derived(path, ["slope", "aspect", "hillshade", "tpi_50", "roughness_50"], tmp_path)
    inner = (slice(4, -4), slice(4, -4))
    np.testing.assert_allclose(planes["slope"][inner], 30.0, atol=0.01)
    np.testing.assert_allclose(planes["aspect"][inner], 270.0, atol=0.01)  # it faces west
    np.testing.assert_allclose(planes["tpi_50"][inner], 0.0, atol=0.01)
    step = 10 * np.tan(np.radians(30))
    np.testing.assert_allclose(planes["roughness_50"][inner], step * np.sqrt(2.0), rtol=0.01)


def test_slope_agrees_with_gdal(tmp_path):
    from osgeo import gdal

    random = np.random.default_rng(2)
    height = 300 + 60 * gaussian_filter(random.standard_normal((80, 96)), 5)
    path = make(tmp_path / "dem.tif", {"elevation": ("m", height)})
    planes, _ = derived(path, ["slope", "aspect"], tmp_path)
    for name in ("slope", "aspect"):
        out = gdal.DEMProcessing("", path, name, format="MEM")
        theirs = out.GetRasterBand(1).ReadAsArray()[2:-2, 2:-2]
        np.testing.assert_allclose(planes[name][2:-2, 2:-2], theirs, atol=0.2)
        out = None


@pytest.mark.parametrize(
    ("name", "words"), [("tpi_10", "smaller than three"), ("tpi_99999", "more than 512 pixels")]
)
def test_windows_that_cannot_be(tmp_path, name, words):
    path = make(tmp_path / "dem.tif", {"elevation": ("m", 1.0)})
    with pytest.raises(ConcordError, match=words):
        derived(path, [name], tmp_path)


def test_object_height(tmp_path):
    path = make(tmp_path / "h.tif", {"surface": ("m", 112.0), "elevation": ("m", 100.0)})
    assert derived(path, ["ndsm"], tmp_path)[0]["ndsm"][0, 0] == 12.0
    assert terrain.surface_shape  # slope of a lone surface works too
    path = make(tmp_path / "s.tif", {"surface": ("m", 112.0)})
    assert derived(path, ["slope"], tmp_path)[0]["slope"][5, 5] == 0.0
    with pytest.raises(ConcordError, match="add a DTM"):
        derived(path, ["ndsm"], tmp_path)


# --- components


def mixed(tmp_path, count=6):
    random = np.random.default_rng(4)
    signal = gaussian_filter(random.standard_normal((2, 80, 96)), (0, 4, 4)) * 2
    weights = random.standard_normal((count, 2))
    cube = np.tensordot(weights, signal, 1) + 0.02 * random.standard_normal((count, 80, 96))
    return make(tmp_path / "c.tif", {f"nm{i}": ("reflectance", p) for i, p in enumerate(cube)})


@pytest.mark.parametrize("kind", ["pca", "mnf"])
def test_two_sources_give_two_planes(tmp_path, kind):
    planes, report = derived(mixed(tmp_path), [f"{kind}_3"], tmp_path)
    made = [planes[f"{kind}_{i}"].ravel() for i in (1, 2, 3)]
    together = np.corrcoef(made)
    assert np.abs(together - np.eye(3)).max() < 0.05
    shares = [b["share"] for b in report["bands"] if b["name"].startswith(kind)]
    assert shares[0] >= shares[1] > 10 * shares[2]
    if kind == "mnf":  # neighbours of a plane of noise differ as much as strangers do
        rough = [np.var(np.diff(p.reshape(80, 96))) / (2 * np.var(p)) for p in made]
        assert rough[0] < 0.1 and rough[2] > 0.5


def test_more_planes_than_bands(tmp_path):
    with pytest.raises(ConcordError, match="has 6 bands"):
        derived(mixed(tmp_path), ["pca_7"], tmp_path)


# --- sharpening


def sharp_view(ratio):
    random = np.random.default_rng(1)
    base = (gaussian_filter(random.random((192, 192)), 1.2) - 0.5) + 0.3
    fields = zoom(random.random((24, 24)), 8, order=0) * 0.3
    fine = {"red": base + fields, "nir": 0.9 - 0.8 * base + 0.5 * fields}
    pan = 0.5 * fine["red"] + 0.5 * fine["nir"]

    def coarse(plane):
        small = sharpen._blocks(plane, ratio)
        return zoom(small, ratio, order=1, mode="nearest", grid_mode=True).astype(np.float32)

    return fine, {"pan": pan.astype(np.float32), **{n: coarse(p) for n, p in fine.items()}}


@pytest.mark.parametrize("ratio", [2, 4])
@pytest.mark.parametrize("method", ["gsa", "mtfglp", "brovey", "sfim"])
def test_sharpening_comes_nearer_to_the_truth(method, ratio):
    fine, view = sharp_view(ratio)
    model = sharpen.fit(method, "pan", "red", ["red", "nir"], view, ratio)
    out = sharpen.inject(model, view)

    def error(plane):
        return float(np.sqrt(np.mean((plane - fine["red"]) ** 2)))

    assert error(out) < 0.8 * error(view["red"])
    figures = sharpen.self_test(method, "pan", "red", ["red", "nir"], view, ratio)
    assert figures["rmse_sharpened"] < figures["rmse_enlarged"]
    assert abs(float(out.mean()) - float(view["red"].mean())) < 0.01


def test_twenty_metres_to_ten(tmp_path):
    fine, view = sharp_view(2)
    folder = tmp_path / "S2A_MSIL2A_20200601T100031_N0214_R122_T32TQM_20200601T130000"
    folder.mkdir()
    grid = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 192, 192)
    half = Grid("EPSG:32632", (20.0, 0.0, 5e5, 0.0, -20.0, 5e6), 96, 96)
    rasters.write(folder / "B08.tif", (view["pan"] * 1e4).astype(np.uint16), grid)
    small = sharpen._blocks(fine["red"], 2)
    rasters.write(folder / "B8A.tif", (small * 1e4).astype(np.uint16), half)
    target = str(tmp_path / "x.tif")
    report = load.load_scene([str(folder)], target, derived=["sharpen_mtfglp"])
    (entry,) = [band for band in report["bands"] if band["name"] == "nir08_sharp"]
    assert entry["rmse_sharpened"] < entry["rmse_enlarged"]
    with pytest.raises(ConcordError, match="needs a fine band"):
        load.load_scene([str(folder / "B08.tif")], target, derived=["sharpen_gsa"])
