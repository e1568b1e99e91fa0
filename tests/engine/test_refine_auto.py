"""The automatic engine on noise it must recognise, and on maps that it must leave alone."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine.grid import Window
from concord.plugin.engine.refine import noise
from concord.plugin.engine.refine.auto import AutoEngine
from concord.plugin.engine.refine.source import ArraySource


@pytest.fixture(scope="module")
def scene():
    """(bands, truth): four classes in smooth shapes over 320 x 300 pixels."""
    y, x = np.mgrid[0:320, 0:300]
    field = np.sin(x / 23) + np.cos(y / 19) + 0.5 * np.sin((x + y) / 31) + 0.3 * np.sin(x / 7)
    truth = (np.digitize(field, [-0.7, 0.2, 1.0]) + 1).astype(np.uint8)
    means = np.array([[0, 0, 0, 0], [60, 120, 30, 9], [120, 60, 160, 50], [200, 190, 90, 99],
                      [90, 200, 220, 160]], float)  # fmt: skip
    bands = means[truth].transpose(2, 0, 1)
    return bands + np.random.default_rng(1).normal(0, 12, bands.shape), truth


def judge(bands, labels):
    source = ArraySource(bands.astype(np.float32), labels.astype(np.uint8))
    engine = AutoEngine()
    engine.prepare(source)
    opinion = engine.propose(source.patch(Window(0, 0, source.width, source.height)))
    after = np.where(opinion.lead >= 0.1, opinion.proposed, labels)
    return engine.diagnosis, after


def gain(truth, before, after):
    return (after == truth).mean() - (before == truth).mean()


def test_a_clean_map_is_left_alone(scene):
    found, after = judge(*scene)
    assert found.kind == "none" and "taken as clean" in found.reason
    assert (after != scene[1]).mean() <= 0.003


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_salt_and_pepper(scene, share):
    bands, truth = scene
    rng = np.random.default_rng(2)
    noisy = np.where(rng.random(truth.shape) < share, rng.integers(1, 5, truth.shape), truth)
    found, after = judge(bands, noisy)
    assert found.kind == "speckle"
    wrong = (noisy != truth).mean()
    assert found.rate == pytest.approx(wrong, rel=0.25)
    assert gain(truth, noisy, after) > 0.85 * wrong


def test_speckle_among_many_classes_was_seen_and_then_left(scene):
    bands, truth = scene
    rng = np.random.default_rng(2)
    rare = np.where(np.arange(300)[None, :] >= 280, 5 + np.arange(320)[:, None] // 27, truth)
    noisy = np.where(rng.random(rare.shape) < 0.04, rng.integers(1, 17, rare.shape), rare)
    found, after = judge(bands, noisy)
    assert found.kind == "speckle"
    wrong = (noisy != rare).mean()
    assert found.rate == pytest.approx(wrong, rel=0.25)
    assert gain(rare, noisy, after) > 0.5 * wrong


@pytest.mark.parametrize("offset", [(3, 0), (-2, 5)])
def test_a_shift_is_found_to_the_pixel(scene, offset):
    bands, truth = scene
    found, after = judge(bands, np.roll(truth, offset, (0, 1)))
    assert found.kind == "shift" and found.shift.offset == (-offset[0], -offset[1])
    inner = (slice(8, -8), slice(8, -8))
    np.testing.assert_array_equal(after[inner], truth[inner])


@pytest.mark.parametrize("size", [6, 12, 30])
def test_blocks_are_measured(scene, size):
    bands, truth = scene
    rows, cols = (np.arange(n) // size * size + size // 2 for n in truth.shape)
    noisy = truth[np.ix_(rows.clip(0, 319), cols.clip(0, 299))]
    found, after = judge(bands, noisy)
    assert found.kind == "blocks" and found.blocks.size == pytest.approx(size, abs=0.5)
    assert gain(truth, noisy, after) > 0


def test_blocks_that_lie_askew_are_measured(scene):
    bands, truth = scene
    y, x = np.mgrid[0:320, 0:300]
    c, s = np.cos(np.deg2rad(10)), np.sin(np.deg2rad(10))
    u, v = np.floor((x * c + y * s) / 20) * 20 + 10, np.floor((y * c - x * s) / 20) * 20 + 10
    xs, ys = (u * c - v * s).round().astype(int), (u * s + v * c).round().astype(int)
    noisy = truth[ys.clip(0, 319), xs.clip(0, 299)]
    found, _ = judge(bands, noisy)
    assert found.kind == "blocks"
    assert found.blocks.size == pytest.approx(20, abs=1)
    assert found.blocks.angle == pytest.approx(10, abs=2)


def test_confused_classes(scene):
    bands, truth = scene
    from scipy import ndimage

    field = ndimage.gaussian_filter(np.random.default_rng(3).standard_normal(truth.shape), 6)
    noisy = np.where(field > np.quantile(field, 0.85), truth % 4 + 1, truth)
    found, after = judge(bands, noisy)
    assert found.kind == "confusion"
    assert gain(truth, noisy, after) > 0.08


def test_one_class_and_no_edges(scene):
    bands, truth = scene
    found, after = judge(bands, np.full(truth.shape, 3))
    assert found.kind == "none" and (after == 3).all()
    flat = ArraySource(np.zeros((3, 80, 80), np.float32), truth[:80, :80])
    assert not noise.find_shift(flat).is_clear
