"""Grids: windows, degrees, rotation, and tiles that cover an area exactly once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid, Window

NORTH_UP = Grid("EPSG:32632", (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_000_000.0), 100, 80)
SOUTH_UP = Grid("EPSG:32632", (10.0, 0.0, 500_000.0, 0.0, 10.0, 4_999_200.0), 100, 80)
DEGREES = Grid("EPSG:4326", (1 / 3600, 0.0, 7.0, 0.0, -1 / 3600, 46.0), 100, 80)
ROTATED = Grid("EPSG:32632", (8.0, 6.0, 500_000.0, 6.0, -8.0, 5_000_000.0), 100, 80)
GRIDS = pytest.mark.parametrize("grid", [NORTH_UP, SOUTH_UP, DEGREES, ROTATED])


@GRIDS
def test_pixel_and_map_positions_are_inverse(grid):
    for spot in ((0, 0), (100, 80), (12.25, 63.5), (-3, 200)):
        assert grid.colrow(*grid.xy(*spot)) == pytest.approx(spot, abs=1e-6)


@GRIDS
def test_a_window_grid_lies_where_the_window_does(grid):
    window = Window(7, 11, 20, 30)
    part = grid.sub(window)
    assert (part.width, part.height) == (20, 30)
    assert part.xy(5, 6) == pytest.approx(grid.xy(12, 17))
    assert part.pixel_size == pytest.approx(grid.pixel_size)


@GRIDS
def test_bounds_hold_every_corner_and_touch_all_sides(grid):
    left, bottom, right, top = grid.bounds
    corners = np.array([grid.xy(c, r) for c in (0, grid.width) for r in (0, grid.height)])
    assert (corners.min(axis=0) == (left, bottom)).all()
    assert (corners.max(axis=0) == (right, top)).all()


@pytest.mark.parametrize("grid", [NORTH_UP, SOUTH_UP, DEGREES])
def test_bounds_of_a_window_give_the_window_back(grid):
    for window in (Window(0, 0, 100, 80), Window(3, 5, 1, 1), Window(40, 70, 60, 10)):
        assert grid.window_of(grid.sub(window).bounds) == window


def test_a_rotated_grid_covers_the_bounds_asked_for():
    wanted = ROTATED.sub(Window(30, 30, 10, 10)).bounds
    window = ROTATED.window_of(wanted)
    for x in wanted[::2]:
        for y in wanted[1::2]:
            col, row = ROTATED.colrow(x, y)
            assert window.col <= col <= window.col + window.width
            assert window.row <= row <= window.row + window.height


@pytest.mark.parametrize(
    "bounds, expected",
    [
        ((500_005, 4_999_985, 500_015, 4_999_995), Window(0, 0, 2, 2)),
        ((500_010, 4_999_980, 500_020, 4_999_990), Window(1, 1, 1, 1)),
        ((500_009.9999, 4_999_980, 500_020.0001, 4_999_990), Window(1, 1, 1, 1)),
        ((400_000, 4_000_000, 600_000, 6_000_000), Window(0, 0, 100, 80)),
        ((500_995, 4_999_200, 600_000, 4_999_205), Window(99, 79, 1, 1)),
    ],
)
def test_extents_snap_outwards_to_whole_pixels(bounds, expected):
    assert NORTH_UP.window_of(bounds) == expected


def test_an_extent_thinner_than_a_thousandth_of_a_pixel_is_still_inside():
    assert NORTH_UP.window_of((500_050, 4_999_900, 500_050.001, 4_999_950)).width == 1


@pytest.mark.parametrize(
    "bounds, words",
    [
        ((500_000, 4_999_900, 500_000, 5_000_000), "is empty"),
        ((500_100, 4_999_900, 500_000, 5_000_000), "is empty"),
        ((float("nan"), 0, 1, 1), "is empty"),
        ((501_000, 4_999_200, 502_000, 5_000_000), "does not overlap"),
        ((0, 0, 1, 1), "does not overlap"),
        ((500_000, 4_999_900, float("inf"), 5_000_000), "not finite"),
    ],
)
def test_impossible_extents_are_refused_in_a_sentence(bounds, words):
    with pytest.raises(ConcordError, match=f"^My box .*{words}"):
        NORTH_UP.window_of(bounds, "My box")


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(0, 12), st.data())
@settings(max_examples=150, deadline=None)
def test_tiles_partition_the_area_and_read_their_halo(width, height, size, halo, data):
    grid = Grid("", (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), width, height)
    col, row = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    area = Window(
        col, row, data.draw(st.integers(1, width - col)), data.draw(st.integers(1, height - row))
    )
    seen = np.zeros((height, width), int)
    tiles = list(grid.tiles(size, halo, area))
    for tile in tiles:
        core, window = tile.core, tile.window
        seen[core.slices] += 1
        assert core.width <= size and core.height <= size
        assert window.col == max(0, core.col - halo) and window.row == max(0, core.row - halo)
        assert window.col + window.width == min(width, core.col + core.width + halo)
        assert window.row + window.height == min(height, core.row + core.height + halo)
    expected = np.zeros_like(seen)
    expected[area.slices] = 1
    assert (seen == expected).all()
    assert len(tiles) == grid.tile_count(size, area)


@pytest.mark.parametrize("shift, same", [(0.0, True), (0.05, True), (0.2, False), (10.0, False)])
def test_grids_are_aligned_within_a_hundredth_of_a_pixel(shift, same):
    a, b, c, d, e, f = NORTH_UP.transform
    other = Grid("EPSG:32632", (a, b, c + shift, d, e, f), 100, 80)
    assert NORTH_UP.aligned(other) is same
    assert not NORTH_UP.aligned(SOUTH_UP)
    assert not NORTH_UP.aligned(NORTH_UP.sub(Window(0, 0, 99, 80)))


@pytest.mark.parametrize(
    "window, expected",
    [
        (Window(-5, -5, 10, 10), Window(0, 0, 5, 5)),
        (Window(95, 75, 10, 10), Window(95, 75, 5, 5)),
        (Window(200, 0, 10, 10), Window(200, 0, 0, 10)),
    ],
)
def test_windows_are_clipped_to_the_grid(window, expected):
    clipped = window.clipped(100, 80)
    assert (clipped.width, clipped.height) == (expected.width, expected.height)
    assert clipped.is_empty == (expected.width == 0)
    if not clipped.is_empty:
        assert clipped == expected
