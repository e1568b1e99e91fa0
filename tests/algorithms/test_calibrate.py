"""A regression calibrated at measured points, through concord:modelcard."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from algorithms import makers
from qgis.core import QgsFeature, QgsGeometry, QgsPointXY, QgsProcessingException, QgsVectorLayer

from concord.plugin.engine import rasters
from concord.plugin.engine.infer import calibrate


@pytest.fixture
def height(tmp_path):
    """A model that answers a pixel's mean of two bands as a number."""
    card = makers.card(("green", "nir"), classes=())
    card["properties"]["mlm:tasks"] = ["regression"]
    for output in card["properties"]["mlm:output"]:
        output["tasks"] = ["regression"]
        output.pop("classification:classes", None)
    card["properties"]["mlm:hyperparameters"]["output_names"] = ["green", "nir"]
    return makers.model(tmp_path / "height.onnx", card)


def points_on(path, measure, count=60, seed=3):
    """A point layer in another CRS than the raster, with a field that measures its first band."""
    found = rasters.info(path)
    values = rasters.read(path, indexes=[1])[0]
    rng = np.random.default_rng(seed)
    layer = QgsVectorLayer(f"Point?crs={found.grid.crs}&field=m:double", "measured", "memory")
    features = []
    for _ in range(count):
        row, col = rng.integers(0, found.grid.height), rng.integers(0, found.grid.width)
        feature = QgsFeature(layer.fields())
        x, y = found.grid.xy(col + 0.5, row + 0.5)
        feature.setGeometry(QgsGeometry.fromPointXY(QgsPointXY(x, y)))
        feature["m"] = measure(float(values[row, col]), rng)
        features.append(feature)
    layer.dataProvider().addFeatures(features)
    return layer


def test_the_line_is_found_and_a_run_with_the_card_applies_it(run_algorithm, place, height):
    first = run_algorithm(
        "concord:runmodel",
        {"INPUT": [place.image], "MODEL": height, "OUTPUT": place.target("raw.tif")},
    )["OUTPUT"]
    points = points_on(first, lambda value, rng: 40 * value - 2 + rng.normal(0, 0.01))
    card = run_algorithm(
        "concord:modelcard",
        {"MODEL": height, "PREDICTED": first, "POINTS": points, "FIELD": "m",
         "CALIBRATED": place.target("card.json")},
    )["CALIBRATED"]  # fmt: skip
    said = json.loads(open(card).read())["properties"]["mlm:hyperparameters"]
    assert said["calibration"] == pytest.approx([40, -2], abs=0.05)
    assert said["calibration_of"]["rmse_after"] < 0.02 < said["calibration_of"]["rmse_before"]
    second = run_algorithm(
        "concord:runmodel",
        {"INPUT": [place.image], "MODEL": height, "CARD": card, "OUTPUT": place.target("m.tif")},
    )["OUTPUT"]
    slope, offset = said["calibration"]
    wanted = rasters.read(first) * slope + offset
    assert np.allclose(rasters.read(second), wanted, atol=1e-4)
    assert b"calibration" not in Path(height).read_bytes(), "the model itself was changed"


def test_a_calibration_needs_its_three_inputs(run_algorithm, place, height):
    with pytest.raises(QgsProcessingException, match="needs PREDICTED, POINTS and FIELD"):
        run_algorithm("concord:modelcard", {"MODEL": height, "CALIBRATED": place.target("c.json")})


def test_points_beside_the_prediction_are_counted_out(run_algorithm, place, height):
    points = points_on(place.image, lambda value, rng: value, count=4)
    with pytest.raises(QgsProcessingException, match="Only 4 points lie on data"):
        run_algorithm(
            "concord:modelcard",
            {"MODEL": height, "PREDICTED": place.image, "POINTS": points, "FIELD": "m",
             "CALIBRATED": place.target("c.json")},
        )  # fmt: skip


def test_the_error_is_of_points_that_the_line_had_not_seen():
    """A relation that bends along the area: the line through all of it flatters itself."""
    x = np.linspace(0, 1, 50)
    places = np.column_stack([x * 1000, np.zeros(50)])
    line = calibrate.fit(x, x**3, places)
    inside = np.polyval([line.slope, line.offset], x) - x**3
    assert line.rmse_after > 1.5 * np.sqrt((inside**2).mean())
