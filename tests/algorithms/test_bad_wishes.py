"""Bad prompts, chips and destinations: one sentence that names the thing and the remedy, and
nothing is touched."""

from __future__ import annotations

import shutil

import pytest
from algorithms import makers
from qgis.core import QgsFeature, QgsGeometry, QgsPointXY

from concord.plugin.engine import files
from concord.plugin.engine.grid import Grid

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
    refused("segmentprompts", {"MODEL": "concord-spectral"}, "concord-spectral", "choose an ONNX")


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
    refused("exportchips", {"IMAGERY": path}, "does not overlap")
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


def test_a_parameter_that_was_forgotten(refused):
    refused("loadscene", {"INPUT": None}, "INPUT", "missing")
    refused("loadscene", {"OUTPUT": None}, "OUTPUT", "Nothing would be written")
    refused("runmodel", {"MODEL": ""}, "MODEL", "missing")


def test_a_vector_layer_that_cannot_be_opened(refused, tmp_path):
    gone = str(tmp_path / "gone.gpkg")
    refused("segmentprompts", {"PROMPTS": gone}, "PROMPTS", "gone.gpkg")
    refused("runmodel", {"MASK": gone}, "MASK", "gone.gpkg")


# --- optional wishes that cannot be met were left out silently


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [
        ("runmodel", "MASK"), ("segmentprompts", "BOXES"), ("exportchips", "SPLIT_LAYER"),
        ("exportchips", "REVIEW"),
    ],
)  # fmt: skip
def test_an_optional_layer_that_is_not_there(refused, tmp_path, algorithm, name):
    refused(algorithm, {name: str(tmp_path / "no such.gpkg")}, name, "no such.gpkg")


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [("loadscene", "RESOLUTION"), ("exportchips", "CHIP_SIZE"), ("refinelabels", "MARGIN")],
)
def test_an_optional_number_that_is_none(refused, algorithm, name):
    refused(algorithm, {name: "ten"}, name, "'ten'", "number")


def test_a_file_of_another_kind_names_the_kind(refused, place):
    refused("runmodel", {"CARD": place.image}, "CARD", ".json")


@pytest.mark.parametrize("value", [1.5, "trees", None])
def test_points_with_half_a_class(run_algorithm, place, value):
    from qgis.core import QgsProcessingException

    kind = "double" if isinstance(value, float) else "string"
    geometry = QgsGeometry.fromPointXY(makers.xy(48, 32))
    layer = makers.vector("Point", [(geometry, (value,))], fields=f"label:{kind}")
    with pytest.raises(QgsProcessingException, match="no class code in label"):
        run_algorithm("concord:pointchips", {
            "POINTS": layer, "IMAGERY": place.image, "LICENCE": "CC0-1.0", "CHIP_SIZE": 8,
            "OUTPUT": place.target("chips"),
        })  # fmt: skip
