"""Accuracy figures against naive code and against the worked example of Olofsson et al. 2014."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine.refine.measures import Score, border_of, stratified_areas
from concord.plugin.engine.taxonomy import ClassDef, Taxonomy

NAMES = ("deforestation", "forest gain", "stable forest", "stable non-forest")
SCHEME = Taxonomy("t", "t", tuple(ClassDef(i + 1, n, "#112233") for i, n in enumerate(NAMES)))


def test_areas_of_the_example_of_olofsson():
    counts = np.zeros((256, 256), np.int64)
    counts[1:5, 1:5] = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]
    mapped = np.zeros(256, np.int64)
    mapped[1:5] = (200_000, 150_000, 3_200_000, 6_450_000)
    found = stratified_areas(counts, mapped, 0.09, SCHEME)  # hectares of a 30 m pixel
    first = found["classes"][0]
    assert first["area"] == pytest.approx(21_158, abs=1)
    assert first["area_interval"] == pytest.approx(6_158, abs=2)
    assert first["users_accuracy"] == pytest.approx(0.88, abs=0.005)
    assert first["producers_accuracy"] == pytest.approx(0.75, abs=0.005)
    assert found["accuracy"] == pytest.approx(0.947, abs=0.001)
    assert found["accuracy_interval"] == pytest.approx(0.018, abs=0.001)
    assert sum(c["area"] for c in found["classes"]) == pytest.approx(10_000_000 * 0.09)
    counts[255, 1] = 7  # of points where the map decides nothing
    again = stratified_areas(counts, mapped, 0.09, SCHEME)
    assert again["samples"] == found["samples"] == 640
    counts[2, 2:] = 0
    counts[2, 2] = 1
    assert stratified_areas(counts, mapped, 0.09, SCHEME) is None, "one sample has no variance"


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    truth = np.kron(rng.integers(1, 5, (6, 7)), np.ones((9, 8), int)).astype(np.uint8)
    before = np.roll(truth, 3, 1)
    after = np.roll(truth, 1, 1)
    truth[:4, :9] = 0
    return before, after, truth


def test_figures_are_those_of_plain_loops(maps):
    before, after, truth = maps
    score = Score()
    score.add(before, after, truth, (slice(None), slice(None)))
    known = truth > 0
    told, more = score.values(), score.details(SCHEME)
    assert told["accuracy_after"] == pytest.approx((after == truth)[known].mean())
    wrong = known & (before != truth)
    assert told["corrected_share"] == pytest.approx((after == truth)[wrong].mean())
    for entry in more["classes_after"]:
        hit = ((after == entry["code"]) & (truth == entry["code"]))[known].sum()
        either = ((after == entry["code"]) | (truth == entry["code"]))[known].sum()
        assert entry["iou"] == pytest.approx(hit / either)
    assert more["boundary_f1_after"] > more["boundary_f1_before"]
    assert more["mean_iou_after"] == pytest.approx(np.mean([e["iou"] for e in
                                                            more["classes_after"]]))  # fmt: skip


def test_borders_within_two_pixels_count_and_further_ones_do_not():
    truth = np.ones((40, 60), np.uint8)
    truth[:, 30:] = 2
    for off, expected in ((0, 1.0), (2, 1.0), (3, 0.0)):
        moved = np.ones_like(truth)
        moved[:, 30 + off :] = 2
        score = Score()
        score.add(moved, moved, truth, (slice(None), slice(None)))
        assert score.details(SCHEME)["boundary_f1_after"] == expected
    assert border_of(truth).sum() == 40


def test_tiles_add_up_to_the_whole(maps):
    before, after, truth = maps
    whole, parts = Score(), Score()
    whole.add(before, after, truth, (slice(None), slice(None)))
    rows = truth.shape[0]
    for top in range(0, rows, 10):
        first, last = max(0, top - 3), min(rows, top + 13)
        core = (slice(top - first, min(top + 10, rows) - first), slice(None))
        parts.add(before[first:last], after[first:last], truth[first:last], core)
    assert whole.values() == parts.values()
    assert whole.details(SCHEME) == parts.details(SCHEME)
