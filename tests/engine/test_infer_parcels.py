"""Two fields that touch at a boundary become two parcels that share it."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.infer import parcels

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
