"""Agreement figures, the guard against classes that do not occur, the model as a voter."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from concord.plugin.engine.consensus import aggregate, crowdlab, judge, patterns

ORACLE = Path(__file__).with_name("data") / "crowdkit.json"


def counted(planes, classes):
    return patterns.count([np.asarray(p, np.uint8) for p in planes], range(1, classes + 1))


def test_equal_to_crowdkit_on_complete_votes():
    known = json.loads(ORACLE.read_text(encoding="utf-8"))
    every, _, numbers, found = counted(known["votes"], 4)
    result = aggregate.dawid_skene(found, 0, 0, 0, known["iterations"])
    own = result.shares[np.searchsorted(numbers, every)]
    assert np.abs(own - np.array(known["probabilities"])).max() < 1e-6
    assert (own.argmax(axis=1) == np.argmax(known["probabilities"], axis=1)).all()


def test_staple_of_simpleitk_agrees_on_easy_votes():
    sitk = pytest.importorskip("SimpleITK")
    random = np.random.default_rng(2)
    truth = random.integers(1, 4, (64, 64)).astype(np.uint8)
    planes = [np.where(random.random(truth.shape) < 0.1, 1 + truth % 3, truth) for _ in range(5)]
    planes = [p.astype(np.uint8) for p in planes]
    own = aggregate.of_arrays(planes, (1, 2, 3))[0]
    images = [sitk.GetImageFromArray(p) for p in planes]
    staple = sitk.GetArrayFromImage(sitk.MultiLabelSTAPLE(images, 255))
    assert (own == staple).mean() > 0.995


def test_a_class_that_is_only_a_systematic_mistake_gets_no_pixel():
    random = np.random.default_rng(1)
    truth = np.where(random.random(20000) < 0.8, 1, 2).astype(np.uint8)
    good = [np.where(random.random(truth.size) < e, 3 - truth, truth) for e in (0.08, 0.15)]
    careless = np.where(random.random(truth.size) < 0.39, truth + 1, truth)  # says 3 for 2
    classes, posterior, _, result = aggregate.of_arrays(
        [p.astype(np.uint8) for p in (*good, careless)], (1, 2, 3)
    )
    assert 3 not in classes and any("Class 3" in note for note in result.notes)
    assert (classes == truth).mean() > 0.97
    assert judge.calibration_error(posterior / 100, classes == truth) < 0.02


def test_krippendorff_on_the_published_example():
    """Krippendorff 2011, page 3: nominal 0.743, ordinal 0.815, with missing votes."""
    table = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
    found = counted(table, 5)[3]
    assert judge.krippendorff(found) == pytest.approx(0.743, abs=1e-3)
    assert judge.krippendorff(found, ordinal=True) == pytest.approx(0.815, abs=1e-3)


def test_raw_agreement_is_high_where_alpha_is_low():
    one = np.ones(1000, np.uint8)
    other = one.copy()
    one[:30], other[30:60] = 2, 2
    found = counted([one, other], 2)[3]
    assert judge.raw_agreement(found) == pytest.approx(0.94)
    assert judge.krippendorff(found) < 0
    assert judge.class_agreement(found)[1] == 0
    assert judge.class_agreement(found)[0] == pytest.approx(940 * 2 / (940 * 2 + 60))


def test_nothing_to_compare_is_none():
    found = counted([np.ones(5), np.zeros(5)], 2)[3]
    assert judge.krippendorff(found) is None and judge.raw_agreement(found) is None
    assert judge.accuracy(np.zeros((2, 2))) is None and judge.interval([np.eye(2)]) is None


def test_intervals_are_over_tasks():
    even = [np.array([[90, 10], [0, 0]])] * 10
    mixed = [np.array([[100, 0], [0, 0]])] * 5 + [np.array([[80, 20], [0, 0]])] * 5
    assert judge.interval(even) == (0.9, 0.9)
    low, high = judge.interval(mixed)
    assert low < 0.87 and high > 0.93


def test_the_median_invents_no_class_and_weighs_steps():
    found = counted([[1, 1, 5, 0], [2, 1, 5, 0], [5, 2, 4, 0]], 5)
    result = aggregate.median(found[3])
    place = np.searchsorted(found[2], found[0])
    assert result.winner[place].tolist() == [1, 0, 4, -2]
    near, far = result.posterior[place][1], result.posterior[place][0]
    assert near > far


def test_edges_are_left_out_when_people_are_judged():
    truth = np.ones((40, 40), np.uint8)
    truth[:, 20:] = 2
    drawn = np.ones_like(truth)
    drawn[:, 21:] = 2
    keep = judge.away_from_edges(truth, drawn, 2)
    assert judge.accuracy(judge.confusion(truth, drawn, (1, 2))) == pytest.approx(39 / 40)
    assert judge.accuracy(judge.confusion(truth, drawn, (1, 2), keep)) == 1


def test_a_good_model_helps_two_careless_people():
    random = np.random.default_rng(4)
    truth = random.integers(0, 3, 20000)
    people = [np.where(random.random(truth.size) < e, (truth + 1) % 3, truth) for e in (0.3, 0.3)]
    said = np.where(random.random(truth.size) < 0.05, (truth + 2) % 3, truth)
    chances = np.full((3, truth.size), 0.05)
    chances[said, np.arange(truth.size)] = 0.9
    found = counted([p + 1 for p in (*people, said)], 3)[3]
    weights = crowdlab.weigh(found)
    assert weights.model > weights.people.max()
    posterior = crowdlab.posterior(np.stack(people), chances, weights)
    assert np.allclose(posterior.sum(axis=0), 1)
    assert (posterior.argmax(axis=0) == truth).mean() > 0.9
    silent = crowdlab.posterior(np.stack(people), chances * 0, weights)
    assert np.allclose(silent.sum(axis=0), 1)


def test_big_and_small_pattern_spaces_count_the_same(monkeypatch):
    random = np.random.default_rng(6)
    planes = [random.integers(0, 6, 5000).astype(np.uint8) for _ in range(4)]
    small = aggregate.of_arrays(planes, range(1, 6))
    monkeypatch.setattr(patterns, "DENSE", 10)
    large = aggregate.of_arrays(planes, range(1, 6))
    for one, other in zip(small[:3], large[:3]):
        assert np.array_equal(one, other)
