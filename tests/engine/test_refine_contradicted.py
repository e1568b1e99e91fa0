"""Regions that the image contradicts: what is left out comes back, what is right stays."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from concord.plugin.engine.grid import Window
from concord.plugin.engine.refine import partition
from concord.plugin.engine.refine.auto import AutoEngine
from concord.plugin.engine.refine.candidates import Evidence, Table, count_evidence
from concord.plugin.engine.refine.contradicted import ContradictedEngine
from concord.plugin.engine.refine.source import ArraySource

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def village():
    """(bands, truth): 64 roofs (2) on open ground (1), 320 x 320 pixels."""
    truth = np.ones((320, 320), np.uint8)
    rng = np.random.default_rng(5)
    for row in range(12, 300, 40):
        for col in range(12, 300, 40):
            top, left = row + rng.integers(0, 14), col + rng.integers(0, 14)  # no lattice
            truth[top : top + rng.integers(9, 15), left : left + rng.integers(9, 15)] = 2
    means = np.array([[0, 0, 0], [80, 120, 60], [170, 110, 100]], float)
    bands = means[truth].transpose(2, 0, 1)
    noise = np.random.default_rng(1).normal(0, 12, bands.shape)
    return (bands + noise).astype(np.float32), truth


def refined(engine, bands, labels):
    source = ArraySource(bands, labels)
    engine.prepare(source)
    opinion = engine.propose(source.patch(Window(0, 0, source.width, source.height)))
    return opinion.proposed


def without_some(truth):
    """The map without every fifth roof, and where they stood."""
    parts, count = ndimage.label(truth == 2)
    gone = np.isin(parts, range(3, count + 1, 5))
    return np.where(gone, 1, truth).astype(np.uint8), gone


def test_objects_that_the_map_leaves_out_come_back(village):
    bands, truth = village
    labels, gone = without_some(truth)
    engine = AutoEngine()
    after = refined(engine, bands, labels)
    assert engine.diagnosis.kind == "omission"
    assert (after == truth)[gone].mean() > 0.8
    assert (after != truth)[~gone].mean() < 0.003


def test_a_right_map_is_left_alone(village):
    engine = AutoEngine()
    assert (refined(engine, *village) == village[1]).all()
    assert engine.diagnosis.kind == "none"


def test_objects_are_not_taken_away_because_the_map_has_lost_others_like_them(village):
    """A class that the map lost teaches the model that its places are ground."""
    bands, truth = village
    labels = truth.copy()
    labels[:, 200:] = 1  # an older state of the whole east, with 24 of the 64 roofs
    after = refined(ContradictedEngine(), bands, labels)
    assert (after == 2)[labels == 2].all()
    assert (after == truth).sum() >= (labels == truth).sum()


@pytest.mark.parametrize("cell", [64, 100])
def test_evidence_of_a_region_is_the_same_however_the_map_is_cut(monkeypatch, cell):
    rng = np.random.default_rng(4)

    def blobs(sigma, share):
        field = ndimage.gaussian_filter(rng.standard_normal((230, 210)), sigma)
        return field > np.quantile(field, share)

    wants, old = blobs(5, 0.7), blobs(9, 0.5).astype(np.int16)
    lead = rng.random(wants.shape).round(2)
    bands = rng.normal(0, 1, (2, *wants.shape)).astype(np.float32)
    source = ArraySource(bands, old.astype(np.uint8) + 1)

    def found(size):
        monkeypatch.setattr(partition, "CELL", size)

        def cut(patch):
            w = patch.window
            seen = np.zeros(wants.shape, bool)
            seen[max(0, w.row + 28) if w.row else 0 :, w.col + 28 if w.col else 0 :] = True
            below, right = w.row + w.height, w.col + w.width
            seen[below - (28 if below < 230 else 0) :] = False
            seen[:, right - (28 if right < 210 else 0) :] = False
            out = np.full(wants.shape, -1, np.int32)
            for value in (0, 1):
                parts, _ = ndimage.label(wants & (old == value) & seen)
                out[parts > 0] = parts[parts > 0] + out.max()
            return out[w.slices]

        def count(patch, numbers, regions, core):
            at = patch.window.slices
            here = source.patch(patch.window).bands
            return count_evidence(here, numbers, regions, core, old[at], 1 - old[at], lead[at])

        made = partition.Partition(cut, count, exact=True, overlap=partition.OVERLAP)
        made.prepare(source)
        figures = Evidence(made.sums, Table(2))
        rows = np.stack([figures.size, figures.lead, figures.touch, figures.unlike,
                         figures.thick(0), figures.new], 1)[figures.enough]  # fmt: skip
        return rows[np.lexsort(rows.T)]

    whole = found(1024)
    assert len(whole) > 10
    assert np.array_equal(found(cell), whole)
