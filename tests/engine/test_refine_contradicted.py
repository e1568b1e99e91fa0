"""Regions that the image contradicts: what is left out comes back, what is right stays."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from concord.plugin.engine.grid import Window
from concord.plugin.engine.refine import partition
from concord.plugin.engine.refine.afar import unlike_afar
from concord.plugin.engine.refine.auto import AutoEngine
from concord.plugin.engine.refine.candidates import Evidence, Table, count_evidence, without_crumbs
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


@pytest.mark.parametrize("cell", [64, 1024])
def test_a_paved_yard_is_told_from_a_roof_by_the_roofs_farther_off(monkeypatch, cell):
    """Three regions on ground: like the roof 25 pixels away, unlike it, and far from any roof."""
    monkeypatch.setattr(partition, "CELL", cell)
    monkeypatch.setattr("concord.plugin.engine.refine.afar.CELL", cell)
    labels = np.ones((200, 300), np.uint8)
    bands = np.random.default_rng(0).normal(50, 5, (3, 200, 300)).astype(np.float32)
    labels[50:70, 60:80] = 2
    bands[:, 50:70, 60:80] += 60
    places = [(slice(50, 70), slice(20, 35)), (slice(50, 70), slice(105, 120)),
              (slice(120, 140), slice(240, 260))]  # fmt: skip
    shown = np.full(labels.shape, -1, np.int32)
    for number, place in enumerate(places):
        shown[place] = number
    bands[:, 50:70, 20:35] += 60
    bands[0, 50:70, 105:120] += 60
    source = ArraySource(bands, labels)

    def cut(patch):
        return shown[patch.window.slices]

    regions = partition.Partition(cut, partition.votes_of, exact=True)
    regions.prepare(source)
    which = np.array([regions.numbers(Window(0, 0, 300, 200))[p].max() for p in places])
    found = unlike_afar(source, regions, which, np.array([2, 2, 2]))
    assert found[0] < 0.5 and found[1] > 2 and np.isinf(found[2])


def test_an_object_with_a_sharp_outline_is_told_from_a_part_of_a_field():
    bands = np.random.default_rng(0).normal(0, 0.1, (3, 120, 120)).astype(np.float32)
    bands[:, 20:50, 20:50] += 1
    numbers = np.full((120, 120), -1, np.int32)
    numbers[20:50, 20:50], numbers[70:100, 70:100] = 0, 1
    old = np.where(numbers >= 0, 1, 0).astype(np.int16)
    lead = np.full(old.shape, 0.8)
    core = (slice(0, 120), slice(0, 120))
    counted = count_evidence(bands, numbers, 2, core, old, np.zeros_like(old), lead)
    outline = Evidence(counted, Table(3)).outline
    assert outline[0] > 2 and outline[1] == pytest.approx(1.0, abs=0.25)


def test_crumbs_of_a_cell_take_no_row_in_the_tables():
    numbers = np.full((300, 300), -1, np.int32)
    numbers[100:103, 100:103] = 0  # nine pixels
    numbers[150:160, 150:160] = 1
    numbers[2:4, 2:4] = 2  # may go on in the next cell
    assert np.unique(without_crumbs(numbers)).tolist() == [-1, 0, 1]
    assert (without_crumbs(numbers)[150:160, 150:160] == 0).all()
