"""The engines of refinement against naive code."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine.refine.mode import ModeEngine
from concord.plugin.engine.refine.opinion import Patch
from concord.plugin.engine.refine.segments import SegmentEngine, default_scale


def patch(labels, codes=(1, 2, 3), picture=None, valid=None):
    labels = np.asarray(labels, np.uint8)
    if picture is None:
        picture = np.zeros((*labels.shape, 3), np.uint8)
    if valid is None:
        valid = np.ones(labels.shape, bool)
    return Patch(picture, valid, labels, codes)


def naive_mode(labels, size, codes):
    """(proposed, lead) by loops; a tie keeps the old class."""
    half, proposed, lead = size // 2, labels.copy(), np.zeros(labels.shape)
    for r in range(labels.shape[0]):
        for c in range(labels.shape[1]):
            around = labels[max(0, r - half) : r + half + 1, max(0, c - half) : c + half + 1]
            counts = [int((around == code).sum()) for code in codes]
            own = counts[codes.index(labels[r, c])] if labels[r, c] in codes else 0
            if sum(counts) and max(counts) > own:
                proposed[r, c] = codes[counts.index(max(counts))]
                lead[r, c] = (max(counts) - own) / sum(counts)
    return proposed, lead


@pytest.mark.parametrize("size", [3, 7])
@pytest.mark.parametrize("codes", [(1, 2, 3), (5, 40, 200)])
def test_mode_is_that_of_a_plain_loop(size, codes):
    labels = np.random.default_rng(size).choice([0, 255, *codes], (30, 40)).astype(np.uint8)
    found = ModeEngine(size).propose(patch(labels, codes))
    proposed, lead = naive_mode(labels, size, codes)
    np.testing.assert_array_equal(found.proposed, proposed)
    np.testing.assert_allclose(found.lead, lead, atol=1e-6)
    assert ((found.confidence >= 0) & (found.confidence <= 1)).all()


def test_a_tie_keeps_the_old_class():
    labels = np.array([[1, 2], [2, 1]])
    assert (ModeEngine(3).propose(patch(labels)).proposed == labels).all()
    halves = np.repeat([[3] * 4 + [1] * 4], 8, axis=0)
    flat = SegmentEngine("felzenszwalb", 1e9).propose(patch(halves))
    assert (flat.proposed == halves).all() and not flat.lead.any()


@pytest.fixture
def blocks():
    """A picture of four flat blocks of 40 pixels, and the numbers of the blocks."""
    numbers = np.kron([[0, 1], [2, 3]], np.ones((40, 40), int))
    colours = np.array([[250, 20, 20], [20, 250, 20], [20, 20, 250], [240, 240, 240]], np.uint8)
    return colours[numbers], numbers


@pytest.mark.parametrize("method", ["felzenszwalb", "slic", "watershed"])
def test_a_segment_votes_for_the_class_most_of_its_pixels_have(blocks, method):
    picture, numbers = blocks
    labels = np.array([1, 2, 3, 2], np.uint8)[numbers]
    wrong = np.random.default_rng(1).random(labels.shape) < 0.15
    noisy = np.where(wrong, labels % 3 + 1, labels).astype(np.uint8)
    found = SegmentEngine(method, 100.0).propose(patch(noisy, picture=picture))
    inside = np.ones(labels.shape, bool)
    inside[38:42], inside[:, 38:42] = False, False
    assert (found.proposed == labels)[inside].mean() > 0.995
    assert found.lead[inside & wrong].mean() > 0.5


def test_the_vote_of_a_segment_by_hand(blocks, monkeypatch):
    picture, numbers = blocks
    labels = np.zeros(numbers.shape, np.uint8)
    block = numbers == 0
    labels[:40, :40][:20] = 1  # 800 pixels
    labels[:40, :40][20:30] = 2  # 400
    labels[:40, :40][30:33] = 255  # no vote
    valid = np.ones(labels.shape, bool)
    valid[0, :20] = False  # 20 pixels of class 1 without image: no vote, no change
    monkeypatch.setattr(SegmentEngine, "_cut", lambda *_: numbers)
    found = SegmentEngine("slic", 1.0).propose(patch(labels, picture=picture, valid=valid))
    assert (found.proposed[block & valid] == 1).all()
    assert found.confidence[21, 5] == pytest.approx(780 / 1180)
    assert found.lead[21, 5] == pytest.approx(380 / 1180)
    assert found.lead[35, 5] == pytest.approx(780 / 1180)
    assert (found.proposed[numbers == 1] == 0).all(), "a segment without votes proposes nothing"


def test_objects_keep_their_ground_size_whatever_the_pixel():
    assert default_scale(1.0) == 800 and default_scale(10.0) == pytest.approx(40, abs=0.2)
    assert default_scale(0.1) == 800 and default_scale(1000.0) == 10


def test_slic_does_not_melt_a_small_noisy_picture_into_one_superpixel():
    rng = np.random.default_rng(3)
    picture = np.where(np.arange(64)[:, None] < 32, 70, 150)[..., None] + rng.normal(
        0, 40, (64, 64, 3)
    )
    labels = np.where(np.arange(64)[:, None] < 32, 1, 2) * np.ones((64, 64), np.uint8)
    labels[20:31, 20:31] = 3
    patch = Patch(picture.clip(0, 255).astype(np.uint8), np.ones((64, 64), bool),
                  labels.astype(np.uint8), (1, 2, 3))  # fmt: skip
    engine = SegmentEngine("slic", 1.0)
    assert engine._cut(patch).max() + 1 >= 0.6 * 64 * 64 / 150
    assert {1, 2} <= set(np.unique(engine.propose(patch).proposed))
