"""Chip ids and the gate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concord.plugin.engine import rasters
from concord.plugin.engine.chips import plan
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid, Window


@given(
    st.integers(-10_000, 60_000),
    st.integers(-10_000, 500_000),
    st.sampled_from([0, 1 / 2, 1 / 3, 3 / 4]),
    st.sampled_from([10.0, 0.3, 30.0, 1 / 3600]),
    st.integers(1, 9),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_ids_are_unique_and_those_of_the_place(left, top, shift, pixel, stride, south_up):
    """Half a pixel of shift and an odd stride once gave two chips one id."""
    down = pixel if south_up else -pixel
    corner = ((left + shift) * pixel, (top + shift) * pixel)
    grid = Grid("EPSG:32632", (pixel, 0.0, corner[0], 0.0, down, corner[1]), 40, 30)
    chips = {chip.window: chip.id for chip in plan.chip_grid(grid, 8, stride)}
    assert len(set(chips.values())) == len(chips)
    part = grid.sub(Window(3 * stride, 2 * stride, 9, 8))
    (inner,) = plan.chip_grid(part, 8, stride)[:1]
    assert inner.id == chips.get(Window(3 * stride, 2 * stride, 8, 8), inner.id)


def test_ids_count_pixels_from_the_origin_of_the_crs(make_grid):
    first, second, *_ = plan.chip_grid(make_grid(40, 30), 10, 10)
    assert (first.id, second.id) == ("32632_50000_500000", "32632_50010_500000")


def test_a_crs_without_code_has_a_stable_prefix(make_grid, albers):
    assert rasters.epsg(albers) is None
    custom = make_grid(30, 30, crs=albers)
    one, other = (plan.chip_grid(grid, 8, 8)[0].id for grid in (custom, custom))
    assert one == other and one.startswith("x")


@pytest.mark.parametrize(
    "size, stride, words", [(7, 8, "cannot be cut"), (8, 0, "cannot be cut"), (8, -1, "cannot be"),
                            (31, 8, "smaller than a chip of 31"), (8, 1, None)],
)  # fmt: skip
def test_impossible_chips_are_sentences(make_grid, size, stride, words):
    if words is None:
        assert len(plan.chip_grid(make_grid(40, 30), size, stride)) == 33 * 23
        return
    with pytest.raises(ConcordError, match=words):
        plan.chip_grid(make_grid(40, 30), size, stride)


def test_too_many_chips_are_refused_before_they_are_made(make_grid):
    with pytest.raises(ConcordError, match="at most 200,000"):
        plan.chip_grid(make_grid(50_000, 50_000), 8, 8)


@pytest.mark.parametrize(
    "labels, score, gate, problem",
    [
        ([1, 1, 0, 255], None, (0, 0.5), ""),
        ([1, 0, 0, 255], None, (0, 0.5), "labelled share 0.25 below 0.50"),
        ([0, 255, 0, 255], None, (0, 0), "no labelled pixel"),
        ([1, 1, 0, 2], [60, 90, 0, 30], (0.6, 0), ""),
        ([1, 1, 0, 2], [60, 90, 0, 29], (0.6, 0), "mean posterior 0.60 below 0.60"),
    ],
)
def test_the_gate_looks_at_labelled_pixels_only(labels, score, gate, problem):
    score = None if score is None else np.array([score], np.uint8)
    content = plan.content_of(np.array([labels], np.uint8), score)
    assert plan.Gate(*gate).problem(content) == problem
