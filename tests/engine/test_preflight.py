"""What is said before a model runs, with a traffic light."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine.infer import preflight
from concord.plugin.engine.infer.session import Model
from concord.plugin.engine.scene import Scene


def verdicts(model, paths, **scene):
    with Scene([paths] if isinstance(paths, str) else paths, **scene) as opened:
        return {v.what: (v.level, v.detail) for v in preflight.check(Model(model).card, opened)}


def test_a_fitting_image_is_all_green(make_model, image, item):
    hyper = {"value_range": [[0, 1]] * 3, "training_sensors": ["sentinel-2-l2a"]}
    found = verdicts(make_model(card=item(hyper=hyper)), image(30, 30))
    assert {level for level, _ in found.values()} == {"green"}
    assert set(found) == {"Card", "Bands", "Resolution", "Unit", "Values", "No data"}


@pytest.mark.parametrize(
    "size, level", [(10, "green"), (5, "green"), (20, "green"), (4, "amber"), (30, "amber"),
                    (2, "red"), (50, "red")],
)  # fmt: skip
def test_resolution_has_a_traffic_light(make_model, image, make_grid, size, level):
    found = verdicts(make_model(), image(20, 20, make_grid(20, 20, float(size))))
    assert found["Resolution"][0] == level


def test_missing_bands_are_red_and_named(make_model, item, image):
    found = verdicts(make_model(card=item(bands=("red", "swir16", "vv"))), image(20, 20))
    assert found["Bands"][0] == "red" and "swir16, vv" in found["Bands"][1]


@pytest.mark.parametrize(
    "unit, factor, level",
    [("reflectance", 1, "green"), ("reflectance", 1e4, "red"), ("", 1, "green"), ("", 1e4, "red"),
     ("DN", 1, "red")],
)  # fmt: skip
def test_digital_numbers_for_a_model_of_reflectance_are_red(make_model, put, unit, factor, level):
    values = (np.random.default_rng(1).random((3, 20, 20)) * factor).astype(np.float32)
    units = [unit] * 3 if unit else None
    path = put("a.tif", values, names=["red", "green", "nir"], units=units)
    assert verdicts(make_model(), path)["Unit"][0] == level


def test_an_image_without_a_unit_is_amber(make_model, item, put):
    path = put("a.tif", np.full((3, 20, 20), 0.5, np.float32), names=["a", "b", "c"])
    assert verdicts(make_model(card=item(bands=("a", "b", "c"))), path)["Unit"][0] == "amber"


def test_odd_values_sensors_and_gaps_are_amber(make_model, image, item, put):
    hyper = {"value_range": [[0, 1], [5, 9], [0, 1]], "training_sensors": ["landsat"]}
    model = make_model(card=item(hyper=hyper))
    found = verdicts(model, image(20, 20, hole=(slice(0, 12), slice(None))))
    assert found["Values"][0] == "amber" and "green (100% outside 5 to 9)" in found["Values"][1]
    assert found["No data"] == ("amber", "60.0% of the pixels are empty and stay empty")
    digits = np.random.default_rng(1).integers(1, 9000, (20, 20)).astype(np.uint16)
    paths = [put(f"S2A_{b}.tif", digits) for b in ("B04", "B03", "B08")]
    assert verdicts(model, paths)["Sensor"][0] == "amber"


def test_an_empty_image_is_red(make_model, image):
    found = verdicts(make_model(), image(20, 20, hole=(slice(None), slice(None))))
    assert found["No data"][0] == "red"
