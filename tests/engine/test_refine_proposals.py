"""Drawing proposals: the same regions however many there are, without stopping the window."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.progress import SILENT
from concord.plugin.engine.refine import proposals
from concord.plugin.engine.taxonomy import ClassDef, Taxonomy

SIDE = 700
PLACE = Grid("EPSG:32632", (1.0, 0.0, 5e5, 0.0, -1.0, 5e6), SIDE, SIDE)
SCHEME = Taxonomy("two", "Two", (ClassDef(1, "a", "#111111"), ClassDef(2, "b", "#222222")))


def drawn(before, after, sure):
    def read(window):
        return before[window.slices], after[window.slices], sure[window.slices]

    return proposals.gather(read, PLACE, SCHEME, "test", SILENT)


@pytest.fixture(scope="module")
def speckled():
    """(before, after, confidence): some 20,000 changed groups of pixels."""
    rng = np.random.default_rng(1)
    before = np.ones((SIDE, SIDE), np.uint8)
    after = np.where(rng.random(before.shape) < 0.05, 2, 1).astype(np.uint8)
    return before, after, rng.integers(0, 251, before.shape).astype(np.uint8)


def test_every_changed_pixel_is_in_the_proposal_of_its_change(speckled):
    before, after, _ = speckled
    found, left_out = drawn(*speckled)
    assert left_out == 0 and sum(told["pixels"] for _, told in found) == (after == 2).sum()
    burnt = rasters.burn([(shape, told["new_class"]) for shape, told in found], PLACE, fill=1)
    np.testing.assert_array_equal(burnt, after)
    priority = [told["priority"] for _, told in found]
    assert priority == sorted(priority, reverse=True)
    assert [told["proposal"] for _, told in found[:3]] == [1, 2, 3]


def test_of_too_many_the_first_are_drawn_and_the_rest_are_counted(speckled, monkeypatch):
    found, _ = drawn(*speckled)
    monkeypatch.setattr(proposals, "MOST", 50)
    few, left_out = drawn(*speckled)
    assert list(few) == found[:50]
    assert left_out == sum(told["pixels"] for _, told in found[50:])


def test_a_speckled_sheet_is_drawn_a_few_regions_at_a_time(speckled, monkeypatch):
    """GDAL held the lock for a whole sheet of thousands of regions."""
    counts = []

    def polygons(codes, grid, mask):
        counts.append(len(np.unique(codes[mask])))
        return real(codes, grid, mask)

    real = rasters.polygons
    monkeypatch.setattr(proposals.rasters, "polygons", polygons)
    found, _ = drawn(*speckled)
    assert max(counts) <= 400 and sum(counts) >= len(found) > 10_000


def test_shapes_give_the_garbage_collector_nothing_to_walk_through(speckled):
    """It held the lock for 0.1 s with 38,000 shapes and for 1.7 s with a million."""
    gc.collect()
    before = len(gc.get_objects())
    found, _ = drawn(*speckled)
    gc.collect()
    assert len(gc.get_objects()) - before < len(found) / 10


def test_a_map_without_changes_has_no_proposals():
    same = np.ones((SIDE, SIDE), np.uint8)
    found, left_out = drawn(same, same, same)
    assert list(found) == [] and left_out == 0
