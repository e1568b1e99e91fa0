"""The page of a refinement: areas on the ground, and words in place of names of fields."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine import plots, rasters
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.refine.page import _noise_rows
from concord.plugin.engine.refine.shifted import in_words
from concord.plugin.engine.refine.summary import areas_of
from concord.plugin.engine.taxonomy import ClassDef, Taxonomy

DEGREE = 1 / 12_000


@pytest.mark.parametrize(
    ("grid", "wanted"),
    [
        (Grid("EPSG:32630", (10, 0, 5e5, 0, -10, 4.2e6), 100, 100), 100 / 0.9996**2),
        (Grid("EPSG:2263", (10, 0, 9.8e5, 0, -10, 2e5), 100, 100), 9.29),  # feet
        (Grid("EPSG:3857", (10, 0, 0, 0, -10, 8.4e6), 100, 100), 25.2),  # 60 degrees north
        (Grid("EPSG:4326", (DEGREE, 0, -1, 0, -DEGREE, 38.12), 500, 500), 67.8),
        (Grid("EPSG:4326", (1, 0, -180, 0, -1, 90), 360, 180), 5.1007e14 / 64_800),  # the earth
    ],
)
def test_a_pixel_has_its_area_on_the_ground_in_every_crs(grid, wanted):
    assert rasters.square_metres_per_pixel(grid) == pytest.approx(wanted, rel=0.01)


def test_without_a_crs_no_area_on_the_ground_is_told():
    assert rasters.square_metres_per_pixel(Grid("", (1, 0, 0, 0, -1, 0), 9, 9)) is None


def test_the_report_of_a_map_in_degrees_counted_areas_in_square_degrees():
    scheme = Taxonomy("t", "t", (ClassDef(1, "a", "#111111"), ClassDef(2, "b", "#222222")))
    table = np.zeros((256, 256), np.int64)
    table[1, 2], table[2, 2] = 300, 700
    grid = Grid("EPSG:4326", (DEGREE, 0, -1, 0, -DEGREE, 38.12), 500, 500)
    first, second = areas_of(table, scheme, grid)
    assert first["hectares_before"] == pytest.approx(300 * 67.8 / 10_000, rel=0.01)
    assert second["hectares_after"] == pytest.approx(1000 * 67.8 / 10_000, rel=0.01)


def test_a_shift_is_told_as_a_direction():
    assert in_words((-3, 3)) == "3 pixels up and 3 pixels right"
    assert in_words((0, -1)) == "1 pixel left"


def test_what_was_not_estimated_is_left_out_of_the_page():
    noise = {
        "kind": "speckle", "rate": 0.05, "reason": "because", "speckle_share": 0.04,
        "shift_rows_cols": None, "shift_gain": None, "block_size": None, "block_angle": None,
        "block_strength": None, "model_disagreement": None,
    }  # fmt: skip
    told = dict(_noise_rows(noise))
    assert told["Pixels thought wrong"] == "5 %" and None not in told.values()
    assert len(told) == 4


def test_the_matrix_counted_its_rows_where_the_classes_have_codes():
    drawn = plots.confusion("t", ["no data", "water"], [[9, 0], [0, 5]], codes=[0, 21])
    assert ">0 no data<" in drawn and ">21 water<" in drawn and ">1 no data<" not in drawn
