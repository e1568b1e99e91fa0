"""Two fields that touch at a boundary become two parcels that share it."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.infer import glimpse, parcels
from concord.plugin.engine.infer import item as items
from concord.plugin.engine.infer.tasks.layer import Layer

REPORT = {"classes": [{"code": 2, "name": "field"}, {"code": 3, "name": "boundary"}],
          "code_shift": 1, "parcels": {"interior": 1, "boundary": 2}}  # fmt: skip


@pytest.fixture
def fields(tmp_path):
    codes = np.ones((20, 31), np.uint8)
    codes[3:17, 3:28] = 3
    codes[4:16, 4:14] = codes[4:16, 17:27] = 2
    path = str(tmp_path / "map.tif")
    rasters.write(path, codes, Grid("EPSG:32632", (10.0, 0, 5e5, 0, -10.0, 5e6), 31, 20), nodata=0)
    return path, codes


def area(shape) -> float:
    xs, ys = np.array(shape["coordinates"][0]).T
    return abs(np.dot(xs[:-1] - 5e5, ys[1:]) - np.dot(xs[1:] - 5e5, ys[:-1])) / 2


def test_every_interior_is_a_parcel_that_grows_into_its_boundary(fields):
    path, codes = fields
    found = list(parcels.of_map(path, REPORT))
    assert [said["class_name"] for _, said in found] == ["field", "field"]
    areas = sorted(area(shape) / 100 for shape, _ in found)
    assert sum(areas) == pytest.approx((codes >= 2).sum()) and areas[1] - areas[0] <= 14


def test_without_parcels_areas_of_one_class(fields):
    path, _ = fields
    found = list(parcels.of_map(path, {**REPORT, "parcels": None}))
    assert sorted(said["class"] for _, said in found) == [1, 2, 2, 3]


def test_a_card_that_names_no_codes(fields):
    with pytest.raises(ConcordError, match="give the codes of interior and boundary"):
        list(parcels.of_map(fields[0], {**REPORT, "parcels": ["a"]}))


@pytest.fixture
def roofs(tmp_path):
    """A roof of 1.8 m2 and specks, in pixels of 10 cm, for a model made for 10 to 35 cm."""
    codes = np.ones((40, 60), np.uint8)
    codes[5:17, 5:20] = 2
    for row, col in ((25, 5), (25, 20), (30, 40)):
        codes[row : row + 4, col : col + 4] = 2
    codes[30:34, 44] = 3
    path = str(tmp_path / "roofs.tif")
    rasters.write(path, codes, Grid("EPSG:32632", (0.1, 0, 5e5, 0, -0.1, 5e6), 60, 40), nodata=0)
    return path


def roof_card(**said):
    classes = [{"value": code, "name": name} for code, name in
               ((1, "not building"), (2, "building"), (3, "edge of building"))]  # fmt: skip
    return items.from_item({"id": "roofs", "properties": {
        "mlm:input": [{"bands": ["red"]}],
        "mlm:output": [{"tasks": ["semantic-segmentation"], "classification:classes": classes}],
        "mlm:hyperparameters": {"pixel_size_range_m": [0.1, 0.35], "activation": "logits",
                                "parcels": {"interior": 2, "boundary": 3, **said}},
    }}, "the test")  # fmt: skip


def roof_report(path, **said):
    card, pixels = roof_card(**said), (2200, 180, 20)
    classes = [{"code": c.code, "name": c.name, "pixels": n, "share": n / 2400}
               for c, n in zip(card.classes, pixels)]  # fmt: skip
    grid = rasters.info(path).grid
    return {"classes": classes, "code_shift": 0, "parcels": parcels.told(card, grid)}


def test_half_of_all_roofs_were_specks_of_a_few_pixels(roofs):
    report = roof_report(roofs)
    assert report["parcels"]["least_m2"] == pytest.approx(9 * 0.35**2, abs=1e-3)
    ((shape, said),) = parcels.of_map(roofs, report)
    assert said["class_name"] == "building"
    assert report["polygons"] == {"drawn": 1, "left_out": 3}


def test_a_card_may_say_another_least_size(roofs):
    report = roof_report(roofs, least_m2=0)
    assert len(list(parcels.of_map(roofs, report))) == 4
    assert report["polygons"] == {"drawn": 4, "left_out": 0}
    with pytest.raises(ConcordError, match="give square metres"):
        list(parcels.of_map(roofs, roof_report(roofs, least_m2="small")))


def test_the_edge_of_a_building_was_counted_beside_it(roofs):
    report = roof_report(roofs)
    assert [(e["name"], e["pixels"]) for e in parcels.shares(report)] == [
        ("not building", 2200), ("building", 200),
    ]  # fmt: skip
    assert [e["pixels"] for e in report["classes"]] == [2200, 180, 20]
    known = parcels.of_card(roof_card())
    assert known == parcels.of_report(report) == parcels.Parcels(2, 3, 1)
    assert parcels.shares({**report, "parcels": None}) == report["classes"]


def test_a_growing_picture_hid_the_image_under_what_is_no_building():
    layer = Layer(1, "uint8", colours={1: (9, 9, 9), 2: (200, 0, 0), 3: (90, 0, 0)})
    grid = Grid("EPSG:32632", (1, 0, 0, 0, -1, 0), 4, 4)
    said = glimpse.about(grid, layer, parcels.of_card(roof_card()))
    assert said["colours"] == {"2": [200, 0, 0], "3": [200, 0, 0]}
