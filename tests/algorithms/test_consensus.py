"""concord:consensus on three annotators of different care."""

from __future__ import annotations

import numpy as np
import pytest
from algorithms import makers

from concord.plugin.engine import rasters


@pytest.fixture
def agree(run_algorithm, place):
    def run(**parameters):
        given = {"ANNOTATIONS": list(place.people), "OUTPUT": place.target("consensus.tif")}
        return run_algorithm("concord:consensus", {**given, **parameters})

    return run


def counted(paths) -> np.ndarray:
    """(5, rows, cols): votes for the codes 0 to 4."""
    votes = np.stack([makers.look(path).values[0] for path in paths])
    return np.stack([(votes == code).sum(axis=0) for code in range(5)])


def test_majority_class_posterior_and_agreement(agree, place):
    results = agree(METHOD="majority", AGREEMENT=place.target("agreement.tif"))
    found, shares = makers.look(results["OUTPUT"]), makers.look(results["AGREEMENT"])
    given = makers.look(place.people[0])
    assert found.names == ["class", "posterior"] and found.units == ["", "percent"]
    assert found.transform == shares.transform == given.transform
    assert found.values.dtype == np.uint8 and found.categories[1] == "water"
    counts = counted(place.people)
    most = counts.max(axis=0)
    tie = (counts == most).sum(axis=0) > 1
    assert (found.values[0] == np.where(tie, 255, counts.argmax(axis=0))).all()
    assert (shares.values[0] == np.round(100 * most / 3)).all()
    assert set(p.name for p in place.out.iterdir()) == {
        "consensus.tif", "consensus.tif.aux.xml", "agreement.tif",
    }  # fmt: skip


def test_dawid_skene_trusts_the_careful_and_beats_the_majority(agree, place, read_report):
    results = agree(METHOD="dawidskene", REPORT=place.target("r.html"))
    truth = makers.truth()
    right = (makers.look(results["OUTPUT"]).values[0] == truth).mean()
    majority = (makers.look(agree(METHOD="majority")["OUTPUT"]).values[0] == truth).mean()
    assert right > majority and right > 0.96
    values, page = read_report(results)
    accuracy = [entry["accuracy"] for entry in values["annotators"]]
    measured = [(makers.look(p).values[0] == truth).mean() for p in place.people]
    assert accuracy == sorted(accuracy, reverse=True)
    assert accuracy == pytest.approx(measured, abs=0.03)
    for number in (values["pixels"], *(c["pixels"] for c in values["classes"])):
        assert f"{number:,}" in page
    for key in ("agreement_mean", "posterior_mean", "fleiss_kappa", "unanimous_share"):
        assert f"{values[key]:.4g}" in page
    assert "AGREEMENT" not in results


def test_the_report_counts_what_the_raster_holds(agree, place, read_report):
    results = agree(METHOD="majority", REPORT=place.target("r.json"))
    values, page = read_report(results)
    classes = makers.look(results["OUTPUT"]).values[0]
    for entry in values["classes"]:
        assert entry["pixels"] == (classes == entry["code"]).sum()
    assert values["undecided_share"] == pytest.approx((classes == 255).mean())
    assert page is not None


def test_gold_measures_each_annotator(agree, place, tmp_path):
    truth = makers.truth()
    gold = np.where(np.random.default_rng(5).random(truth.shape) < 0.2, truth, 0).astype(np.uint8)
    path = makers.labels(tmp_path / "gold.tif", gold)
    results = agree(METHOD="gold", GOLD=path)
    assert (makers.look(results["OUTPUT"]).values[0] == truth).mean() > 0.96


def test_who_did_not_vote_is_not_counted(agree, place, tmp_path):
    codes = makers.noisy(makers.truth(), 0.05, 99)
    codes[:, :40] = 0
    codes[:10] = 255
    partial = makers.labels(tmp_path / "partial.tif", codes)
    nobody = makers.truth().copy()
    nobody[:5, :5] = 0
    other = makers.labels(tmp_path / "other.tif", nobody)
    found = makers.look(agree(ANNOTATIONS=[partial, other], METHOD="majority")["OUTPUT"]).values
    alone = codes == 0
    assert (found[0][alone] == nobody[alone]).all()
    assert (found[1][alone & (nobody > 0)] == 100).all()
    assert (found[:, :5, :5] == 0).all(), "nobody voted there"


def test_a_raster_of_another_grid_is_moved_and_said_so(agree, place, tmp_path, read_report):
    shifted = makers.GRID.sub(rasters_window(-3, -2, 102, 70))
    codes = np.zeros((70, 102), np.uint8)
    codes[2:66, 3:99] = makers.truth()
    moved = makers.labels(tmp_path / "moved.tif", codes, shifted)
    inputs = [*place.people[:2], moved]
    results = agree(ANNOTATIONS=inputs, METHOD="majority", REPORT=place.target("r.html"))
    same = makers.labels(tmp_path / "same.tif")
    other = agree(ANNOTATIONS=[*place.people[:2], same], METHOD="majority",
                  OUTPUT=place.target("b.tif"))  # fmt: skip
    one, two = (makers.look(r["OUTPUT"]).values for r in (results, other))
    assert np.array_equal(one, two)
    assert any("moved.tif was moved" in note for note in read_report(results)[0]["notes"])


def rasters_window(*sides):
    from concord.plugin.engine.grid import Window

    return Window(*sides)


def test_a_taxonomy_names_the_classes(agree, place, tmp_path, read_report):
    bare = [makers.labels(tmp_path / f"{i}.tif", makers.truth() % 2 + 1, named=False)
            for i in range(3)]  # fmt: skip
    results = agree(ANNOTATIONS=bare, TAXONOMY="water2", REPORT=place.target("r.html"))
    values, page = read_report(results)
    assert [entry["name"] for entry in values["classes"]] == ["not water", "water"]
    assert "not water" in page
    assert rasters.info(results["OUTPUT"]).categories == {1: "not water", 2: "water"}


def test_same_votes_same_bytes(agree, place):
    agree(AGREEMENT=place.target("a.tif"))
    before = makers.snapshot(place.out)
    agree(AGREEMENT=place.target("a.tif"))
    assert makers.snapshot(place.out) == before
