"""Consensus of outlines: matching, class, shape, and the three agreements."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine.consensus import objects
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid

SHAPE = (40, 40)


def box(row, col, size=10, code=1):
    mask = np.zeros(SHAPE, bool)
    mask[row : row + size, col : col + size] = True
    return objects.Drawn(code, mask)


def test_matching_is_one_to_one_and_takes_the_best_sum():
    left = [box(0, 0).mask, box(0, 3).mask]
    right = [box(0, 2).mask, box(0, 5).mask]
    pairs = objects.match(left, right, 0.4)
    assert sorted((i, j) for i, j, _ in pairs) == [(0, 0), (1, 1)]
    assert objects.match([], right) == []


def test_three_people_class_by_vote_and_shape_by_majority_of_outlines():
    drawn = [[box(5, 5)], [box(5, 6)], [box(6, 5, code=2)]]
    (found,) = objects.agree(drawn)
    assert found.code == 1 and found.people == (0, 1, 2)
    assert found.posterior == pytest.approx(2 / 3) and found.support == 1
    assert found.mask.sum() == np.sum(sum(d[0].mask.astype(int) for d in drawn) >= 2)
    assert 0.8 < found.overlap < 1


def test_an_object_of_one_person_is_not_agreed_and_a_tie_is_marked():
    drawn = [[box(0, 0), box(25, 25)], [box(0, 0, code=2)], []]
    found = objects.agree(drawn)
    assert len(found) == 1 and found[0].code == 255
    assert found[0].support == pytest.approx(2 / 3)
    assert len(objects.agree(drawn, support=0.0)) == 2


def test_the_order_of_the_people_does_not_matter():
    random = np.random.default_rng(3)
    places = [(2, 2), (2, 25), (25, 2), (25, 25)]
    drawn = [
        [box(r + random.integers(0, 3), c + random.integers(0, 3), code=1 + i % 2)
         for i, (r, c) in enumerate(places) if random.random() < 0.9]
        for _ in range(5)
    ]  # fmt: skip
    one = objects.agree(drawn)
    other = objects.agree(drawn[::-1])
    assert sorted((o.code, o.mask.sum()) for o in one) == sorted(
        (o.code, o.mask.sum()) for o in other
    )


def test_extent_count_and_edge_are_apart():
    one = [box(5, 5, 20)]
    two = [box(5, 5, 10), box(5, 15, 10), box(15, 5, 10), box(15, 15, 10)]
    found = objects.compare(one, two, SHAPE)
    assert found["extent"] == 1 and found["edge"] == 1
    assert found["count"] == 0.25 and found["matched"] == 0
    shifted = objects.compare(one, [box(8, 8, 20)], SHAPE)
    assert shifted["count"] == 1 and 0.5 < shifted["extent"] < 0.8 and shifted["edge"] < 0.5
    nothing = objects.compare([], [], SHAPE)
    assert nothing["extent"] == nothing["count"] == 1 and nothing["edge"] is None


def test_outlines_from_geojson_and_too_few_people():
    grid = Grid("EPSG:32632", (1.0, 0.0, 0.0, 0.0, -1.0, 40.0), 40, 40)
    ring = [[5, 40], [15, 40], [15, 30], [5, 30], [5, 40]]
    speck = [[0.1, 39.9], [0.2, 39.9], [0.2, 39.8], [0.1, 39.9]]
    shapes = [({"type": "Polygon", "coordinates": [r]}, 3) for r in (ring, speck)]
    (found,) = objects.outlines(shapes, grid)
    assert found.code == 3 and found.mask[:10, 5:15].all() and found.mask.sum() == 100
    with pytest.raises(ConcordError, match="two annotators"):
        objects.agree([[found]])
