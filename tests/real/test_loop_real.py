"""The loop on real imagery: scenes, Dynamic World, refinement, prompts and chips."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from algorithms import makers
from qgis.core import QgsProcessingUtils
from scipy import ndimage

from concord.plugin.engine import files, rasters

SPAIN = "Spain_7370579"
DERIVED = ("ndvi", "ndwi", "mndwi")


@pytest.fixture(autouse=True)
def _no_layer_outlives_qgis(run_algorithm):
    yield
    run_algorithm.context = None


def module_of(path: Path, name: str):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """Outputs that later tests of this file use again."""
    return tmp_path_factory.mktemp("real loop")


@pytest.fixture
def spain(run_algorithm, real_data, kept) -> Path:
    """Sentinel-1 and Sentinel-2 of Spain on one grid, made once."""
    target = kept / "scene.tif"
    if not target.exists():
        folder = real_data / "sen1floods-es"
        run_algorithm(
            "concord:loadscene",
            {"INPUT": f"{folder / 'S2' / SPAIN}_S2Hand.tif;{folder / 'S1' / SPAIN}_S1Hand.tif",
             "DERIVED": ";".join(DERIVED), "OUTPUT": str(target),
             "REPORT": str(kept / "scene.json")},
        )  # fmt: skip
    return target


def source(real_data, sensor: str) -> makers.Look:
    return makers.look(real_data / "sen1floods-es" / sensor / f"{SPAIN}_{sensor}Hand.tif")


@pytest.fixture
def hand(real_data) -> np.ndarray:
    """-1 no data, 0 not water, 1 water."""
    path = real_data / "sen1floods-es" / "Labels" / f"{SPAIN}_LabelHand.tif"
    return makers.look(path).values[0]


def test_spain_is_one_scene_of_18_bands_on_the_given_grid(spain, real_data):
    found, s2, s1 = makers.look(spain), source(real_data, "S2"), source(real_data, "S1")
    assert len(found.names) == 18 and len(set(found.names)) == 18
    assert found.transform == s2.transform and found.epsg == s2.epsg == "4326"
    assert found.values.dtype == np.float32 and found.values.shape[1:] == (512, 512)
    assert np.allclose(found.values[:13], s2.values.astype(np.float64) * 1e-4, atol=1e-7)
    assert np.array_equal(found.values[13:15], s1.values, equal_nan=True)
    assert found.units == ["reflectance"] * 13 + ["dB"] * 2 + found.units[15:]
    planes = dict(zip(found.names, found.values))
    pairs = {"ndvi": ("nir", "red"), "ndwi": ("green", "nir"), "mndwi": ("green", "swir16")}
    assert set(pairs) == set(DERIVED)
    for name, (one, other) in pairs.items():
        again = (planes[one] - planes[other]) / (planes[one] + planes[other])
        assert np.allclose(planes[name], again, atol=1e-6, equal_nan=True)


def whole_image(network: Path, s2: np.ndarray) -> np.ndarray:
    """Class codes 1 to 9 of the network as its authors publish it, on the image as one piece."""
    a = [1.7417268007636313, 1.7261204997060209, 1.6798346251414997, 1.7734969472909623,
         2.289154079164943, 2.382939712192371, 2.3828939530384052, 2.1952484264967844,
         1.554812948247501]  # fmt: skip
    b = [2.023298706048351, 2.038905204308012, 2.179592821212937, 2.2890068333026603,
         2.6171674549378166, 2.773418590375327, 2.7578332604178284, 2.789092484314204,
         2.4140534947492487]  # fmt: skip
    planes = s2[[1, 2, 3, 4, 5, 6, 7, 11, 12]].astype(np.float64).transpose(1, 2, 0)
    x = (np.log(0.005 * planes + 1) - a) / b
    x = (1 / (1 + np.exp(1 - 5 * x))).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(network), options, ["CPUExecutionProvider"])
    (logits,) = session.run(None, {session.get_inputs()[0].name: x[None]})
    return logits[0].argmax(axis=-1) + 1


@pytest.fixture
def dynamic_world(run_algorithm, spain, real_data, root, kept) -> makers.Look:
    target = kept / "dynamicworld.tif"
    if not target.exists():
        folder = root / "models" / "training"
        sys.path.insert(0, str(folder))
        try:
            wrap = module_of(folder / "wrap_dynamicworld.py", "wrap_dynamicworld_for_test").wrap
        finally:
            sys.path.remove(str(folder))
        network = real_data / "models" / "dynamicworld" / "dynamicworld_forward_op18.onnx"
        wrap(network, kept / "dw.onnx")
        # Smaller tiles than the image, so that the halo has to do its work.
        item = json.loads((kept / "dw.mlm.json").read_text(encoding="utf-8"))
        item["properties"]["mlm:hyperparameters"]["tile"] = 256
        files.write_json(kept / "small_tiles.json", item)
        run_algorithm(
            "concord:runmodel",
            {"INPUT": str(spain), "MODEL": str(kept / "dw.onnx"),
             "CARD": str(kept / "small_tiles.json"), "OUTPUT": str(target),
             "REPORT": str(kept / "dynamicworld.json")},
        )  # fmt: skip
    return makers.look(target)


def test_dynamic_world_in_tiles_is_the_network_on_the_whole_image(
    dynamic_world, real_data, kept, hand
):
    s2 = source(real_data, "S2")
    network = real_data / "models" / "dynamicworld" / "dynamicworld_forward_op18.onnx"
    expected = whole_image(network, s2.values)
    assert files.read_json(kept / "dynamicworld.json")["tiles"] == 9
    assert dynamic_world.transform == s2.transform
    assert (dynamic_world.values[0] == expected).mean() >= 0.9999
    known = hand >= 0
    score = makers.iou((dynamic_world.values[0] == 1) & known, (hand == 1) & known)
    assert abs(score - 0.64) < 0.01


def test_chips_of_spain_pass_their_check(run_algorithm, spain, dynamic_world, kept, tmp_path):
    results = run_algorithm(
        "concord:exportchips",
        {"IMAGERY": str(spain), "LABELS": str(kept / "dynamicworld.tif"), "CHIP_SIZE": 64,
         "LICENCE": "CC-BY-4.0", "OUTPUT": str(tmp_path / "chips")},
    )  # fmt: skip
    assert results["CHIPS"] >= 10
    checked = run_algorithm(
        "concord:checkchips",
        {"INPUT": str(tmp_path / "chips"), "REPORT": str(tmp_path / "check.json")},
    )
    values = files.read_json(checked["REPORT"])
    assert values["passed"] and values["chips"] == results["CHIPS"]
    path = next((tmp_path / "chips" / "chips").glob("*/scene.tif"))
    chip, whole = makers.look(path), makers.look(spain)
    col = round((chip.transform[0] - whole.transform[0]) / whole.transform[1])
    row = round((chip.transform[3] - whole.transform[3]) / whole.transform[5])
    part = whole.values[:, row : row + 64, col : col + 64]
    assert np.array_equal(chip.values, part, equal_nan=True)


def test_nlcd_is_corrected_more_than_it_is_broken(run_algorithm, real_data, root, tmp_path):
    sys.path.insert(0, str(root / "scripts"))
    try:
        from loop import chesapeake
    finally:
        sys.path.remove(str(root / "scripts"))
    for name in ("real", "maps"):
        (tmp_path / name).mkdir()
    qualities = []
    chips = chesapeake._prepare(real_data, tmp_path)
    assert len(chips) == 8
    for number, (_, image, nlcd, cover) in enumerate(chips):
        target = tmp_path / "maps" / f"{number}"
        results = run_algorithm(
            "concord:refinelabels",
            {"IMAGE": [image], "LABELS": nlcd, "ENGINE": "felzenszwalb", "REFERENCE": cover,
             "TAXONOMY": "chesapeake", "OUTPUT": f"{target}.tif", "REPORT": f"{target}.html"},
        )  # fmt: skip
        values = files.read_json(results["REPORT_JSON"])
        assert values["composite"].startswith("nir "), "false colour shows vegetation best"
        qualities.append(values["quality"])
    pooled = chesapeake._pool(qualities)
    assert abs(pooled["accuracy_before"] - 0.856) < 0.005
    assert pooled["accuracy_after"] > 0.87
    wrong = (1 - pooled["accuracy_before"]) * pooled["pixels"]
    mended = pooled["corrected_share"] * wrong
    broken = pooled["damaged_share"] * (pooled["pixels"] - wrong)
    assert mended > broken


@pytest.fixture
def load(run_algorithm, tmp_path):
    def run(inputs, **parameters):
        results = run_algorithm(
            "concord:loadscene",
            {"INPUT": inputs, "OUTPUT": str(tmp_path / "scene.tif"),
             "REPORT": str(tmp_path / "scene.json"), **parameters},
        )  # fmt: skip
        return makers.look(results["OUTPUT"]), files.read_json(results["REPORT"])

    return run


def test_a_major_tom_folder(load, real_data):
    found, report = load(str(real_data / "majortom-199U"), DERIVED="ndvi")
    assert [sensor["id"] for sensor in report["sensors"]] == ["sentinel-2-l2a"]
    assert len(found.names) == 13 and {"coastal", "nir08", "swir22", "ndvi"} <= set(found.names)
    assert found.epsg == "32648" and found.values.shape == (13, 1068, 1068)
    assert [Path(entry["file"]).name for entry in report["skipped"]] == ["cloud_mask.tif"]
    red = makers.look(next((real_data / "majortom-199U").glob("*/B04.tif")))
    plane = found.values[found.names.index("red")]
    assert found.transform == red.transform
    assert np.allclose(plane, red.values[0].astype(np.float64) * 1e-4, atol=1e-7)


@pytest.mark.parametrize(
    ("part", "sensor", "count"),
    [("s1", "sentinel-1-grd", 2), ("s2a", "sentinel-2-l2a", 12), ("s2c", "sentinel-2-l1c", 13)],
)
def test_ssl4eo_folders_of_two_dates(load, real_data, part, sensor, count):
    found, report = load(str(real_data / "ssl4eo-s12" / part))
    assert [entry["id"] for entry in report["sensors"]] == [sensor]
    assert len(found.names) == count and found.values.shape[1:] == (264, 264)
    days = {Path(band["source"]).parent.name for band in report["bands"]}
    assert len(days) == 1, "bands of two dates were mixed"
    assert len(report["skipped"]) == count
    assert np.isfinite(found.values).any(axis=(1, 2)).all()
    if part != "s1":
        assert 0 < np.nanmedian(found.values[found.names.index("nir")]) < 1


def test_naip_keeps_its_four_bands(load, real_data):
    path = sorted((real_data / "naip-nd").glob("*.tif"))[-1]
    found, _ = load(str(path), DERIVED="ndwi")
    assert found.names == ["red", "green", "blue", "nir", "ndwi"]
    assert np.array_equal(found.values[:4], makers.look(path).values.astype(np.float32))


def test_height_above_ground_and_surface(load, real_data):
    found, report = load(str(real_data / "elevation"))
    assert set(found.units) == {"m"} and found.epsg == "26918"
    assert {Path(band["source"]).name for band in report["bands"]} == {"dsm.tif", "hag.tif"}
    assert [Path(entry["file"]).name for entry in report["skipped"]] == ["dtm.tif"]


def test_names_with_spaces_and_commas_and_values_of_eight_bits(load, real_data):
    """Eight-bit pictures of Sentinel-2 were scaled as if they were its digital numbers."""
    folder = real_data / "rcr-nc" / "sentinel-2"
    paths = sorted(folder.glob("*.tiff"))
    first = rasters.info(paths[1]).grid
    box = first.sub(makers_window(100, 200, 300, 250)).bounds
    extent = f"{box[0]!r},{box[2]!r},{box[1]!r},{box[3]!r} [EPSG:4326]"
    found, report = load([str(path) for path in paths[1:4]], EXTENT=extent)
    assert found.names == ["blue", "green", "red"] and found.values.shape == (3, 250, 300)
    given = makers.look(paths[1]).values[0][200:450, 100:400]
    assert np.array_equal(found.values[0], given.astype(np.float32))
    assert set(found.units) == {"DN"} and any("8-bit" in text for text in report["warnings"])


def makers_window(*sides):
    from concord.plugin.engine.grid import Window

    return Window(*sides)


def test_a_click_in_a_pond_gives_the_pond(run_algorithm, real_data):
    path = sorted((real_data / "naip-nd").glob("*.tif"))[-1]
    planes, grid = makers.look(path).values.astype(np.float64), rasters.info(path).grid
    ndwi = (planes[1] - planes[3]) / np.maximum(planes[1] + planes[3], 1)
    water = ndimage.binary_opening(ndwi > 0.2, iterations=2)
    bodies, _ = ndimage.label(water)
    sizes = np.bincount(bodies.ravel())
    ponds = [n for n in np.argsort(-sizes) if n and 200 <= sizes[n] <= 20000][:12]
    assert len(ponds) >= 5
    spots = []
    for pond in ponds:
        depth = ndimage.distance_transform_edt(bodies == pond)
        row, col = np.unravel_index(depth.argmax(), depth.shape)
        spots.append((int(pond), col + 0.5, row + 0.5, 1))
    results = run_algorithm(
        "concord:segmentprompts",
        {"IMAGE": str(path), "PROMPTS": makers.points(spots, grid.crs, grid),
         "BANDS": "nir;red;green", "OUTPUT": "memory:"},
    )  # fmt: skip
    layer = results["OUTPUT"]
    if isinstance(layer, str):
        layer = QgsProcessingUtils.mapLayerFromString(layer, run_algorithm.context)
    drawn = makers.drawn(layer, grid)
    scores = [makers.iou(drawn[n], bodies == n) if n in drawn else 0.0 for n in map(int, ponds)]
    assert np.median(scores) > 0.5, scores
