"""Bad input: one sentence that names the thing and the remedy, and nothing is touched."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from algorithms import makers
from qgis.core import QgsFeature, QgsGeometry, QgsPointXY

from concord.plugin.engine import files, rasters
from concord.plugin.engine.grid import Grid

CHIPS = {"CHIP_SIZE": 16, "BLOCK": 320, "BUFFER": 0, "LICENCE": "CC0-1.0"}


def one_sentence(text: str) -> None:
    assert text and "\n" not in text.strip(), text
    assert text.endswith("."), text
    # A full stop ends the sentence only before a capital: file names have dots too.
    assert not re.search(r"[.!?] +[A-Z]", text), text
    assert "Traceback" not in text and "Error" not in text, text
    assert re.search(r"[;,] \w+|\(concord:", text), f"no remedy: {text}"


@pytest.fixture
def refused(refusal, place, tmp_path):
    """refused(algorithm, parameters, *words): it says so in one sentence and touches nothing."""

    def go(algorithm, parameters, *words):
        defaults = {
            "loadscene": {"INPUT": place.image, "OUTPUT": place.target("old.tif")},
            "segmentprompts": {
                "IMAGE": place.image, "PROMPTS": makers.points([(1, 48, 32, 1)]),
                "OUTPUT": place.target("old.gpkg"),
            },
            "runmodel": {
                "INPUT": place.image, "MODEL": "concord-spectral",
                "OUTPUT": place.target("old.tif"), "REPORT": place.target("old.json"),
            },
            "refinelabels": {
                "IMAGE": place.image, "LABELS": place.labels, "OUTPUT": place.target("old.tif"),
                "REPORT": place.target("old.html"), "PROPOSALS": place.target("old.gpkg"),
            },
            "consensus": {
                "ANNOTATIONS": list(place.people), "OUTPUT": place.target("old.tif"),
                "AGREEMENT": place.target("agreement.tif"), "REPORT": place.target("old.html"),
            },
            "exportchips": {
                "IMAGERY": place.image, "LABELS": place.labels, **CHIPS,
                "OUTPUT": place.target("chips"),
            },
            "checkchips": {"INPUT": place.target("chips")},
            "modelcard": {"MODEL": "concord-spectral", "REPORT": place.target("old.json")},
        }  # fmt: skip
        for name in ("old.tif", "old.gpkg", "old.json", "old.html"):
            (place.out / name).write_bytes(b"precious " + name.encode())
        before = makers.snapshot(tmp_path)
        text = refusal(f"concord:{algorithm}", {**defaults[algorithm], **parameters})
        one_sentence(text)
        for word in words:
            assert word in text, text
        assert makers.snapshot(tmp_path) == before, "something was written"
        assert not [p for p in tmp_path.rglob("*") if p.name.endswith(".part")]
        return text

    return go


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


@pytest.mark.parametrize("broken", BROKEN, ids=lambda f: f.__name__)
@pytest.mark.parametrize(("algorithm", "name"), USES)
def test_a_raster_that_cannot_be_used(refused, place, tmp_path, algorithm, name, broken):
    classes = name in ("LABELS", "REFERENCE", "ANNOTATIONS", "CONSENSUS")
    path = broken(tmp_path, place.labels if classes else place.image)
    if broken is truncated and name in ("GRID",):
        pytest.skip("a grid is read from the head, which is whole")
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
    planes = np.full((1, 20, 20), np.nan, np.float32)
    grid = Grid(makers.CRS, (10.0, 0.0, 5e5, 0.0, -10.0, 5.6e6), 20, 20)
    rasters.write(tmp_path / "void.tif", planes, grid, names=["red"], units=["reflectance"],
                  nodata=np.nan)  # fmt: skip
    refused("loadscene", {"INPUT": str(tmp_path / "void.tif")}, "void.tif")
    refused("segmentprompts", {"IMAGE": str(tmp_path / "void.tif")}, "no data")


# --- prompts


def test_no_prompt_at_all(refused):
    refused("segmentprompts", {"PROMPTS": makers.points([])}, "prompt")
    layer = makers.points([])
    layer.dataProvider().addFeatures([QgsFeature(layer.fields())])
    refused("segmentprompts", {"PROMPTS": layer}, "prompt")


def test_an_object_without_a_point_of_label_one(refused):
    prompts = makers.points([(1, 48, 32, 1), (42, 10, 10, 0)])
    refused("segmentprompts", {"PROMPTS": prompts}, "42", "label 1")


def test_a_label_that_is_neither_one_nor_zero(refused):
    refused("segmentprompts", {"PROMPTS": makers.points([(8, 48, 32, 2)])}, "object 8", "label 2")
    words = makers.vector(
        "Point", [(QgsGeometry.fromPointXY(makers.xy(48, 32)), (8, "water"))],
        fields="object:int;label:string",
    )  # fmt: skip
    refused("segmentprompts", {"PROMPTS": words}, "object 8", "water")


def test_a_prompt_outside_the_image(refused):
    prompts = makers.points([(1, 48, 32, 1), (77, 480, 320, 1)])
    refused("segmentprompts", {"PROMPTS": prompts}, "77", "outside")


def test_a_prompt_that_is_nowhere_on_earth(refused):
    lost = [(QgsGeometry.fromPointXY(QgsPointXY(500000, 5600000)), (1, 1))]
    refused("segmentprompts", {"PROMPTS": makers.vector("Point", lost, "EPSG:4326")}, "CRS")


def test_a_model_that_cannot_be_prompted(refused):
    refused("segmentprompts", {"MODEL": "concord-spectral"}, "concord-spectral", "regions")


# --- chips


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"CHIP_SIZE": 4096}, ("4096", "CHIP_SIZE")),
        ({"CHIP_SIZE": 2}, ("CHIP_SIZE", "8")),
        ({"SPLIT": "70/20/20"}, ("70/20/20", "100")),
        ({"SPLIT": "half"}, ("half", "100")),
        ({"LICENCE": ""}, ("licence", "CC-BY-4.0")),
        ({"LICENCE": "  "}, ("licence",)),
        ({"FORMATS": "native;webdataset"}, ("webdataset", "native")),
        ({"BLOCK": 100000}, ("BLOCK",)),
        ({"BUFFER": 5000}, ("BUFFER",)),
        ({"MIN_LABELLED": 100, "MIN_SCORE": 0, "LABELS": "holes"}, ("MIN_LABELLED",)),
    ],
)
def test_wrong_wishes_of_an_export(refused, place, tmp_path, parameters, words):
    if parameters.get("LABELS") == "holes":
        codes = makers.truth().copy()
        codes[::8] = 0
        parameters = {**parameters, "LABELS": makers.labels(tmp_path / "holes.tif", codes)}
    refused("exportchips", parameters, *words)


def test_an_occupied_chips_folder(refused, place):
    (place.out / "chips").mkdir()
    (place.out / "chips" / "thesis.txt").write_text("years of work", encoding="utf-8")
    refused("exportchips", {}, "chips", "empty folder")
    refused("checkchips", {}, "manifest.json")


def test_images_that_do_not_cover_the_labels(refused, tmp_path):
    away = Grid(makers.CRS, (10.0, 0.0, 700000.0, 0.0, -10.0, 5600000.0), 30, 30)
    path = makers.image(tmp_path / "away.tif", away)
    refused("exportchips", {"IMAGERY": path}, "cover")
    refused("refinelabels", {"IMAGE": path})


def test_a_manifest_that_is_none(refused, place):
    (place.out / "chips").mkdir()
    for content in ("{", "[]", '{"files": 3}'):
        (place.out / "chips" / "manifest.json").write_text(content, encoding="utf-8")
        refused("checkchips", {}, "manifest.json")


# --- destinations

RASTER_OUTPUTS = (
    ("loadscene", "OUTPUT"), ("runmodel", "OUTPUT"), ("runmodel", "PROBABILITIES"),
    ("refinelabels", "OUTPUT"), ("consensus", "OUTPUT"), ("consensus", "AGREEMENT"),
)  # fmt: skip
OTHER_OUTPUTS = (
    ("segmentprompts", "OUTPUT"), ("runmodel", "POLYGONS"), ("runmodel", "REPORT"),
    ("refinelabels", "PROPOSALS"), ("refinelabels", "REPORT"), ("consensus", "REPORT"),
    ("exportchips", "OUTPUT"), ("modelcard", "REPORT"), ("loadscene", "REPORT"),
)  # fmt: skip


@pytest.mark.parametrize(("algorithm", "name"), RASTER_OUTPUTS)
def test_an_output_that_is_no_tif(refused, place, algorithm, name):
    refused(algorithm, {name: place.target("map.png")}, "map.png", ".tif")


@pytest.mark.parametrize(("algorithm", "name"), [*RASTER_OUTPUTS, *OTHER_OUTPUTS])
def test_an_output_whose_folder_cannot_be_made(refused, place, algorithm, name):
    """Nothing may be written, also not the outputs whose own folder is fine."""
    suffix = {"POLYGONS": ".gpkg", "PROPOSALS": ".gpkg", "REPORT": ".json"}.get(name, ".tif")
    suffix = {"segmentprompts": ".gpkg", "exportchips": ""}.get(algorithm, suffix)
    (place.out / "a file").write_text("not a folder", encoding="utf-8")
    target = place.out / "a file" / "deeper" / f"x{suffix}"
    refused(algorithm, {name: str(target)}, str(target))


@pytest.mark.parametrize(
    ("algorithm", "name", "source"),
    [("refinelabels", "OUTPUT", "LABELS"), ("loadscene", "OUTPUT", "INPUT"),
     ("runmodel", "PROBABILITIES", "INPUT"), ("consensus", "OUTPUT", "ANNOTATIONS")],
)  # fmt: skip
def test_an_output_that_is_an_input(refused, place, tmp_path, algorithm, name, source):
    classes = source in ("LABELS", "ANNOTATIONS")
    own = shutil.copy(place.labels if classes else place.image, tmp_path / "mine.tif")
    value = [place.people[0], str(own)] if source == "ANNOTATIONS" else str(own)
    odd = str(tmp_path / "out" / ".." / "mine.tif")
    refused(algorithm, {source: value, name: odd}, "mine.tif", "overwrite")


def test_prompts_are_not_overwritten_by_their_outlines(refused, place, tmp_path):
    path = tmp_path / "prompts.geojson"
    spot = makers.GRID.xy(48, 32)
    feature = {"type": "Feature", "properties": {"object": 1, "label": 1},
               "geometry": {"type": "Point", "coordinates": list(spot)}}  # fmt: skip
    files.write_json(path, {"type": "FeatureCollection", "features": [feature]})
    refused("segmentprompts", {"PROMPTS": str(path), "OUTPUT": str(path)}, "overwrite")


def test_two_outputs_of_one_name(refused, place):
    same = place.target("both.tif")
    refused("consensus", {"OUTPUT": same, "AGREEMENT": same}, "OUTPUT", "AGREEMENT", "both.tif")


@pytest.mark.parametrize("name", ["OUTPUT", "INPUT"])
def test_a_parameter_that_was_forgotten(refused, name):
    refused("loadscene", {name: None}, name, "missing")
    refused("runmodel", {"MODEL": ""}, "MODEL", "missing")


def test_a_vector_layer_that_cannot_be_opened(refused, tmp_path):
    gone = str(tmp_path / "gone.gpkg")
    refused("segmentprompts", {"PROMPTS": gone}, "PROMPTS", "gone.gpkg")
    refused("runmodel", {"MASK": gone}, "MASK", "gone.gpkg")
