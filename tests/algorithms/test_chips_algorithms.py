"""The chip algorithms as Processing runs them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from qgis.core import QgsProcessingException, QgsVectorLayer

from concord.plugin.engine.chips import writers
from tests.engine import chips_data as data


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return data.scene(tmp_path_factory.mktemp("algorithms"))


@pytest.fixture
def asked(scene, tmp_path):
    """Parameters of an export that works."""
    return {
        "IMAGERY": f"{scene.first};{scene.radar}", "LABELS": scene.labels,
        "CONSENSUS": scene.consensus, "CHIP_SIZE": 32, "BUFFER": 0, "LICENCE": "CC-BY-4.0",
        "OUTPUT": str(tmp_path / "set"),
    }  # fmt: skip


def polygons(path: Path, values) -> str:
    """Eight strips in longitude and latitude with the values in a field."""
    from concord.plugin.engine import rasters

    left, bottom, right, top = data.GRID.bounds
    width = (right - left) / len(values)
    features = []
    for i, value in enumerate(values):
        x = left + i * width
        ring = [(x, bottom), (x + width, bottom), (x + width, top), (x, top), (x, bottom)]
        moved = [list(s) for s in rasters.transform_points(ring, "EPSG:32632", "EPSG:4326")]
        features.append({"type": "Feature", "properties": {"zone": value, "crop": i + 1},
                         "geometry": {"type": "Polygon", "coordinates": [moved]}})  # fmt: skip
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
    return str(path)


def test_every_option_reaches_the_set(run_algorithm, scene, asked, tmp_path):
    more = {
        "FORMATS": "native;coco;yolo-obb", "MASKS": "instance;boundary", "LOW": "weight",
        "LOW_BELOW": 60, "MIN_LABELLED": 10, "MAX_UNDECIDED": 0.9, "RESOLUTION": "native",
        "CAPTIONS": "draft", "ANNOTATORS": "Ana;Bo", "RULE": "majority", "OBJECTS": "1;3",
        "MIN_OBJECT": 4, "TARGET": 40, "CELL": 10, "THREADS": 2, "MODELS": scene.labels,
        "SPLIT": "60/20/20",
    }  # fmt: skip
    results = run_algorithm("concord:exportchips", {**asked, **more})
    root = Path(results["OUTPUT"])
    manifest = json.loads((root / "manifest.json").read_text("utf-8"))
    settings = manifest["settings"]
    assert results["CHIPS"] == 40 and settings["low_below"] == 0.6
    assert settings["formats"] == ["native", "coco", "yolo-obb"] and settings["objects"] == [1, 3]
    assert manifest["annotators"] == ["Ana", "Bo"]
    checked = run_algorithm("concord:checkchips", {"INPUT": str(root)})
    assert checked["CHIPS"] == 40


def test_split_layer_in_another_crs(run_algorithm, asked, tmp_path):
    names = ["train"] * 4 + ["val"] * 2 + ["test"] * 2
    layer = polygons(tmp_path / "zones.geojson", names)
    results = run_algorithm(
        "concord:exportchips", {**asked, "SPLIT_LAYER": layer, "SPLIT_FIELD": "zone"}
    )
    report = json.loads((Path(results["OUTPUT"]) / "manifest.json").read_text("utf-8"))["report"]
    assert [e["chips"] for e in report["splits"]] == [32, 16, 16]
    with pytest.raises(QgsProcessingException, match="no field colour; use one of zone, crop"):
        run_algorithm(
            "concord:exportchips",
            {**asked, "OUTPUT": str(tmp_path / "x"), "SPLIT_LAYER": layer, "SPLIT_FIELD": "colour"},
        )


def test_preview_writes_outlines_only(run_algorithm, asked, tmp_path):
    wanted = {**asked, "OUTPUT": str(tmp_path / "split.gpkg"), "REPORT": str(tmp_path / "r.json")}
    wanted.pop("LICENCE")
    results = run_algorithm("concord:previewchips", wanted)
    layer = QgsVectorLayer(results["OUTPUT"], "split", "ogr")
    assert layer.featureCount() == results["CHIPS"] == 64
    assert {f["split"] for f in layer.getFeatures()} == {"train", "validate", "test"}
    assert json.loads((tmp_path / "r.json").read_text("utf-8"))["chips"] == 64
    assert not (tmp_path / "set").exists()
    run_algorithm("concord:exportchips", asked)
    exported = json.loads((tmp_path / "set" / "splits.geojson").read_text("utf-8"))["features"]
    assert {f["properties"]["id"]: f["properties"]["split"] for f in exported} == {
        f["id"]: f["split"] for f in layer.getFeatures()
    }


def test_a_set_opens_again(run_algorithm, asked, tmp_path):
    run_algorithm("concord:exportchips", {**asked, "FORMATS": "native;coco;landcovernet"})
    for part, kind in (("", "native"), ("coco", "coco"), ("landcovernet", "landcovernet")):
        results = run_algorithm(
            "concord:importchips",
            {"INPUT": str(tmp_path / "set" / part), "OUTPUT": str(tmp_path / f"open_{kind}")},
        )
        assert results["KIND"] == kind and results["COUNT"] >= 64
        name = "OBJECTS" if kind == "coco" else "LABELS"
        assert Path(results[name]).exists()


def test_points_to_chips(run_algorithm, scene, tmp_path):
    layer = QgsVectorLayer("Point?crs=EPSG:32632&field=label:integer", "spots", "memory")
    from qgis.core import QgsFeature, QgsGeometry, QgsPointXY

    features = []
    for i in range(36):
        feature = QgsFeature(layer.fields())
        feature["label"] = i % 3 + 1
        x, y = 5e5 + 160 + 380 * (i % 6), 5e6 - 160 - 380 * (i // 6)
        feature.setGeometry(QgsGeometry.fromPointXY(QgsPointXY(x, y)))
        features.append(feature)
    layer.dataProvider().addFeatures(features)
    wanted = {
        "POINTS": layer, "FIELD": "label", "IMAGERY": [scene.first], "CHIP_SIZE": 32,
        "BUFFER": 0, "LICENCE": "CC0-1.0", "OUTPUT": str(tmp_path / "set"),
    }  # fmt: skip
    results = run_algorithm("concord:pointchips", wanted)
    assert results["CHIPS"] == 36
    assert run_algorithm("concord:checkchips", {"INPUT": results["OUTPUT"]})["CHIPS"] == 36


def test_parcel_table(run_algorithm, scene, tmp_path):
    layer = polygons(tmp_path / "parcels.geojson", list("abcdefgh"))
    wanted = {
        "PARCELS": layer, "ID_FIELD": "zone", "FIELD": "crop",
        "IMAGERY": [scene.first, scene.second], "OUTPUT": str(tmp_path / "table.csv"),
    }  # fmt: skip
    results = run_algorithm("concord:parceltable", wanted)
    with open(results["OUTPUT"], encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    assert results["ROWS"] == len(rows) == 8 * 2 * 4
    assert {r["date"] for r in rows} == {"2020-01-01", "2020-06-01"}
    assert int(rows[0]["valid"]) > 7000 and rows[0]["unit"] == "reflectance"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"LICENCE": ""}, "licence of the chips is missing"),
        ({"SPLIT": "70/20"}, "does not sum to 100"),
        ({"FORMATS": "native;word"}, "format 'word' is not known"),
        ({"DATE": "31.1.2024"}, "write it as 2024-01-31"),
        ({"OBJECTS": "water"}, "are no codes"),
        ({"SOURCES": "everything"}, "write file=licence"),
        ({"MIN_AGREEMENT": 0.5}, "needs the raster AGREEMENT"),
        ({"CHIP_SIZE": 4096}, "smaller than a chip of 4096"),
    ],
)
def test_wrong_parameters_get_a_sentence(run_algorithm, asked, tmp_path, more, words):
    with pytest.raises(QgsProcessingException, match=words):
        run_algorithm("concord:exportchips", {**asked, **more})
    assert not (tmp_path / "set").exists()


def test_formats_of_the_help_are_all_there(provider):
    text = provider.algorithm("exportchips").parameterDefinition("FORMATS").help()
    assert all(f"{name}: " in text for name in writers.REGISTRY)
