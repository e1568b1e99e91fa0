"""concord:trainclassifier and its page in the Models panel, from polygons to a map."""

from __future__ import annotations

import gc
import json
import re

import numpy as np
import pytest
from qgis.core import QgsProcessingException

from concord.plugin.engine import rasters
from concord.plugin.engine.sample import scene as sample_scene


@pytest.fixture(scope="module")
def land(tmp_path_factory):
    """(image, polygons as GeoJSON in degrees with names, truth) of the sample scene."""
    folder = tmp_path_factory.mktemp("land")
    made = sample_scene.generate(2, 256)
    image = str(folder / "optical.tif")
    rasters.write(
        image, made.optical, made.grid, names=["blue", "green", "red", "nir"],
        units=["reflectance"] * 4, nodata=np.nan,
    )  # fmt: skip
    features = []
    for code in np.unique(made.truth):
        rows, cols = np.nonzero(made.truth == code)
        for k in range(0, rows.size, max(1, rows.size // 25)):
            x, y = made.grid.xy(cols[k], rows[k])
            ring = [(x, y), (x + 20, y), (x + 20, y - 20), (x, y - 20), (x, y)]
            ring = rasters.transform_points(ring, made.grid.crs, "EPSG:4326")
            geometry = {"type": "Polygon", "coordinates": [[list(p) for p in ring]]}
            properties = {"kind": f"cover {code}", "class": int(code)}
            features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    labels = folder / "labels.geojson"
    labels.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return image, str(labels), made


@pytest.fixture(autouse=True)
def _no_layer_outlives_qgis(run_algorithm):
    """The context of the last run holds layers, which must go before QGIS does."""
    yield
    run_algorithm.context = None
    gc.collect()


@pytest.mark.parametrize("field", ["class", "kind"])
def test_polygons_in_another_crs_to_a_map(run_algorithm, land, tmp_path, field):
    image, labels, made = land
    report = tmp_path / "report.html"
    run_algorithm(
        "concord:trainclassifier",
        {"INPUT": [image], "LABELS": labels, "FIELD": field, "METHOD": "extratrees",
         "OUTPUT": str(tmp_path / "mine.onnx"), "REPORT": str(report), "SAMPLES": 2000},
    )  # fmt: skip
    values = json.loads(report.with_suffix(".json").read_text())
    names = [c["name"] for c in values["classes"]]
    assert names[0] == ("cover 1" if field == "kind" else "class 1")
    assert values["quality"]["folds"] == 5 and report.exists()
    out = str(tmp_path / "map.tif")
    run_algorithm(
        "concord:runmodel",
        {"INPUT": [image], "MODEL": str(tmp_path / "mine.onnx"), "OUTPUT": out},
    )
    assert np.mean(rasters.read(out)[0] == made.truth) > 0.75
    assert rasters.info(out).categories[1] == names[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"FIELD": "nothing"}, "no field nothing"),
        ({"OUTPUT": "mine.pkl"}, "must end in .onnx"),
        ({"METHOD": "svm"}, "method 'svm' is not known"),
        ({"WINDOWS": "big"}, "whole numbers"),
        ({"LABELS": "/nonexistent/labels.gpkg"}, "LABELS|labels"),
    ],
)
def test_bad_input_is_one_sentence(run_algorithm, land, tmp_path, changes, words):
    image, labels, _ = land
    parameters = {"INPUT": [image], "LABELS": labels, "OUTPUT": str(tmp_path / "m.onnx")}
    with pytest.raises(QgsProcessingException) as raised:
        run_algorithm("concord:trainclassifier", {**parameters, **changes})
    said = [str(raised.value), *(text for _, text in run_algorithm.messages)]
    assert any(re.search(words, text) for text in said), said
    assert list(tmp_path.iterdir()) == []


def test_only_selected_polygons_teach(run_algorithm, land, tmp_path):
    """The definition that QGIS makes of a layer with a selection was refused."""
    from qgis.core import QgsProcessingFeatureSourceDefinition, QgsProject, QgsVectorLayer

    image, labels, _ = land
    layer = QgsVectorLayer(labels, "labels", "ogr")
    QgsProject.instance().addMapLayer(layer)
    codes = sorted({feature["class"] for feature in layer.getFeatures()})[:2]
    layer.selectByExpression(f'"class" in ({codes[0]}, {codes[1]})')
    report = tmp_path / "report.html"
    try:
        run_algorithm("concord:trainclassifier", {
            "INPUT": [image], "LABELS": QgsProcessingFeatureSourceDefinition(layer.id(), True),
            "OUTPUT": str(tmp_path / "m.onnx"), "REPORT": str(report), "SAMPLES": 300,
            "WINDOWS": "none", "DERIVED": "none", "TREES": 5,
        })  # fmt: skip
    finally:
        QgsProject.instance().removeMapLayer(layer.id())
    values = json.loads(report.with_suffix(".json").read_text())
    assert [c["code"] for c in values["classes"]] == codes
