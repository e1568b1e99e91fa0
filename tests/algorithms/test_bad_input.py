"""Bad rasters, classes, models and extents: one sentence that names the thing and the remedy, and
nothing is touched."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from algorithms import makers

from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid

# --- rasters that cannot be used


def missing(folder, source):
    return str(folder / "no such file.tif")


def truncated(folder, source):
    path = folder / "cut short.tif"
    content = Path(source).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return str(path)


def beheaded(folder, source):
    path = folder / "only its head.tif"
    path.write_bytes(Path(source).read_bytes()[:40])
    return str(path)


def text_file(folder, source):
    path = folder / "a text.tif"
    path.write_text("no raster at all", encoding="utf-8")
    return str(path)


def empty_file(folder, source):
    path = folder / "empty.tif"
    path.touch()
    return str(path)


def without_crs(folder, source):
    path = folder / "nowhere.tif"
    info, values = rasters.info(source), rasters.read(source)
    grid = Grid("", info.grid.transform, info.grid.width, info.grid.height)
    rasters.write(path, values, grid, names=info.names, units=[b.unit for b in info.bands])
    return str(path)


BROKEN = (missing, truncated, beheaded, text_file, empty_file, without_crs)
USES = (
    ("loadscene", "INPUT"), ("loadscene", "GRID"), ("segmentprompts", "IMAGE"),
    ("runmodel", "INPUT"), ("refinelabels", "IMAGE"), ("refinelabels", "LABELS"),
    ("refinelabels", "REFERENCE"), ("consensus", "ANNOTATIONS"), ("exportchips", "IMAGERY"),
    ("exportchips", "LABELS"), ("exportchips", "CONSENSUS"), ("modelcard", "INPUT"),
)  # fmt: skip


# A grid is read from the head of a file, which stays whole when its end is cut off.
CASES = [(*use, bad) for use in USES for bad in BROKEN if (use[1], bad) != ("GRID", truncated)]


@pytest.mark.parametrize(
    ("algorithm", "name", "broken"), CASES, ids=[f"{c[0]}-{c[1]}-{c[2].__name__}" for c in CASES]
)
def test_a_raster_that_cannot_be_used(refused, place, tmp_path, algorithm, name, broken):
    classes = name in ("LABELS", "REFERENCE", "ANNOTATIONS", "CONSENSUS")
    path = broken(tmp_path, place.labels if classes else place.image)
    value = [place.people[0], place.people[1], path] if name == "ANNOTATIONS" else path
    refused(algorithm, {name: value}, Path(path).name)


@pytest.mark.parametrize("broken", [truncated], ids=["truncated"])
def test_a_truncated_raster_on_another_grid(refused, place, tmp_path, broken):
    """Resampling must not turn what cannot be read into no data."""
    refused("loadscene", {"INPUT": broken(tmp_path, place.image), "CRS": "EPSG:25833"}, "cut short")


# --- classes and votes


def test_codes_outside_the_taxonomy(refused, place, tmp_path):
    strange = makers.labels(tmp_path / "strange.tif", makers.truth() + 60, named=False)
    water = {"TAXONOMY": "water2"}
    refused("refinelabels", {"LABELS": strange, **water}, "strange.tif", "class 6", "water2")
    refused("exportchips", {"LABELS": strange, **water}, "strange.tif", "water2")
    two = [makers.labels(tmp_path / f"{n}.tif", makers.truth() % 2 + 1) for n in "ab"]
    refused("consensus", {"ANNOTATIONS": [*two, strange], **water}, "strange.tif", "water2")


@pytest.mark.parametrize("kind", ["fractions", "negative", "large"])
def test_a_raster_that_holds_no_classes(refused, tmp_path, kind):
    values = makers.truth().astype(np.float32) + (0.5 if kind == "fractions" else 0)
    values = values - 5 if kind == "negative" else values + 700 * (kind == "large")
    rasters.write(tmp_path / "odd.tif", values, makers.GRID)
    for algorithm in ("refinelabels", "exportchips"):
        refused(algorithm, {"LABELS": str(tmp_path / "odd.tif")}, "odd.tif")


def test_a_map_without_any_class(refused, tmp_path):
    blank = makers.labels(tmp_path / "blank.tif", np.zeros_like(makers.truth()), named=False)
    refused("refinelabels", {"LABELS": blank}, "blank.tif")
    refused("consensus", {"ANNOTATIONS": [blank, blank]}, "blank.tif")
    refused("exportchips", {"LABELS": blank})


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"TAXONOMY": "nobody's"}, ("nobody's", "worldcover")),
        ({"UNSURE": "marsh"}, ("UNSURE", "marsh", "water")),
        ({"PROTECT": "17"}, ("PROTECT", "17")),
        ({"ENGINE": "magic"}, ("magic", "felzenszwalb")),
        ({"BANDS": "swir16"}, ("swir16", "blue")),
        ({"BANDS": "red;green;blue;nir"}, ("composite", "three")),
        ({"MARGIN": 3}, ("MARGIN", "0 to 1")),
    ],
)
def test_wrong_wishes_of_a_refinement(refused, parameters, words):
    refused("refinelabels", parameters, *words)


def test_one_annotator_only(refused, place):
    refused("consensus", {"ANNOTATIONS": [place.people[0]]}, "two annotators")


@pytest.mark.parametrize(
    ("parameters", "word"), [({"METHOD": "dice"}, "dice"), ({"METHOD": "gold"}, "GOLD")]
)
def test_wrong_methods_of_consensus(refused, parameters, word):
    refused("consensus", parameters, word)


# --- models


def test_a_file_that_is_no_onnx(refused, tmp_path):
    for name, content in (("text.onnx", b"no graph"), ("none.onnx", b""),
                          ("zeros.onnx", bytes(5000))):  # fmt: skip
        (tmp_path / name).write_bytes(content)
        for algorithm in ("runmodel", "modelcard"):
            refused(algorithm, {"MODEL": str(tmp_path / name)}, name)


def test_a_model_that_does_not_exist(refused, tmp_path):
    refused("runmodel", {"MODEL": str(tmp_path / "gone.onnx")}, "gone.onnx")
    refused("runmodel", {"MODEL": str(tmp_path)}, "concord-spectral")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bands": 3}, ("3 bands", "2")),
        ({"inputs": 2}, ("2 inputs",)),
        ({"rank": 3}, ("3 dimensions",)),
    ],
)
def test_a_model_with_other_inputs_than_its_card(refused, tmp_path, change, words):
    path = makers.model(tmp_path / "other.onnx", makers.card(), **change)
    refused("runmodel", {"MODEL": path}, "other.onnx", *words)


def test_a_model_whose_bands_the_image_lacks(refused, tmp_path):
    path = makers.model(tmp_path / "radar.onnx", makers.card(("vv", "vh")))
    refused("runmodel", {"MODEL": path}, "radar.onnx", "vv, vh")


@pytest.mark.parametrize("lacks", ["tile", "halo", "activation", "pixel_size_range_m", "unit"])
def test_an_incomplete_card(refused, tmp_path, lacks):
    path = makers.model(tmp_path / "half.onnx", makers.card(**{lacks: None}))
    refused("runmodel", {"MODEL": path}, "half.onnx", "lacks")


def test_a_model_without_a_card_and_with_a_broken_one(refused, tmp_path):
    bare = makers.model(tmp_path / "bare.onnx", None)
    refused("runmodel", {"MODEL": bare}, "bare.onnx", "band names")
    (tmp_path / "bare.mlm.json").write_text("{oops", encoding="utf-8")
    refused("runmodel", {"MODEL": bare}, "bare.mlm.json")
    (tmp_path / "bare.mlm.json").write_text('{"id": 1}', encoding="utf-8")
    refused("runmodel", {"MODEL": bare}, "bare.mlm.json")


def test_a_card_with_a_halo_larger_than_its_tile(refused, tmp_path):
    path = makers.model(tmp_path / "thick.onnx", makers.card(tile=16, halo=8))
    refused("runmodel", {"MODEL": path}, "tile of 16", "halo")


def test_wrong_wishes_of_a_run(refused):
    refused("runmodel", {"EXECUTOR": "gpu"}, "gpu", "local")
    refused("runmodel", {"EXECUTOR": "local:0"}, "local:0")
    blank = makers.vector("Polygon", [])
    refused("runmodel", {"MASK": blank}, "mask", "polygon")


# --- extents and grids


@pytest.mark.parametrize("algorithm", ["loadscene", "runmodel"])
@pytest.mark.parametrize(
    ("extent", "word"),
    [
        ("500100,500100,5599900,5599900 [EPSG:32632]", "empty"),
        ("500100,500100,5599800,5599900 [EPSG:32632]", "empty"),
        ("600000,600100,5599800,5599900 [EPSG:32632]", "overlap"),
        ("0,1,0,1 [EPSG:4326]", "overlap"),
        ("somewhere over there", "extent"),
    ],
)
def test_an_extent_that_is_empty_or_outside(refused, algorithm, extent, word):
    refused(algorithm, {"EXTENT": extent}, word)


def test_wrong_wishes_of_a_scene(refused, tmp_path, place):
    refused("loadscene", {"CRS": "EPSG:999999"}, "EPSG:999999")
    refused("loadscene", {"SENSOR": "spoutnik"}, "spoutnik", "auto")
    refused("loadscene", {"DERIVED": "ndvi;magic"}, "magic", "ndvi")
    refused("loadscene", {"DERIVED": "nbr"}, "nbr")
    refused("loadscene", {"RESOLUTION": -1}, "RESOLUTION")
    (tmp_path / "nothing here").mkdir()
    refused("loadscene", {"INPUT": str(tmp_path / "nothing here")}, "nothing here")
    twice = shutil.copy(place.image, tmp_path / "twice.tif")
    refused("loadscene", {"INPUT": [place.image, str(twice)]}, "twice.tif", "image.tif")


def test_a_scene_without_any_data(refused, tmp_path):
    planes = np.full((1, 64, 96), np.nan, np.float32)
    grid = makers.GRID
    rasters.write(tmp_path / "void.tif", planes, grid, names=["red"], units=["reflectance"],
                  nodata=np.nan)  # fmt: skip
    refused("loadscene", {"INPUT": str(tmp_path / "void.tif")}, "void.tif")
    refused("segmentprompts", {"IMAGE": str(tmp_path / "void.tif")}, "no data")
