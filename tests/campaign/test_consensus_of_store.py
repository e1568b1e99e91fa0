"""Consensus, gold scores and the queue from a store; equal on both kinds of store."""

from __future__ import annotations

import json

import numpy as np
import pytest

RESULTS: dict = {}
CARE = {"ana": 0.98, "ben": 0.9, "cy": 0.7}


def drawn(truth, name, task):
    """A careless copy of the truth, the same for the same person and task."""
    random = np.random.default_rng([task, len(name), ord(name[0])])
    wrong = random.random(truth.shape) > CARE[name]
    return np.where(wrong, 1 + truth % 3, truth).astype(np.uint8)


@pytest.fixture
def labelled(campaign, scene):
    """A campaign that three simulated people have finished."""
    from concord.plugin.engine import rasters

    truth = (rasters.read(scene["image"])[0] // 50).astype(np.uint8)
    enter = campaign()
    for name in CARE:
        store = enter(name)
        while (task := store.next_task()) is not None:
            store.submit(task.id, drawn(truth[task.window.slices], name, task.id), seconds=20.0)
    return enter, truth


def store_text(enter):
    return enter.where.target if enter.kind == "file" else None


def combine(enter, scene, method="dawidskene"):
    from concord.plugin.bridge import campaign_read
    from concord.plugin.engine import rasters
    from concord.plugin.engine.campaign import results

    found = campaign_read.gather(enter.where)
    path = str(scene["folder"] / f"{enter.kind}-{method}.tif")
    share = str(scene["folder"] / f"{enter.kind}-{method}-share.tif")
    values, _ = results.combine(found, path, method=method, agreement=share)
    return found, values, rasters.read(path), rasters.read(share)


@pytest.mark.parametrize("method", ["majority", "dawidskene", "gold", "median"])
def test_consensus_is_better_than_the_worst_and_equal_on_both_stores(labelled, scene, method):
    enter, truth = labelled
    _, values, made, share = combine(enter, scene, method)
    assert made.shape == (2, 128, 128) and made.dtype == np.uint8
    assert (made[0] == truth).mean() > 0.9
    assert [a["name"] for a in values["annotators"]] == ["ana", "ben", "cy"]
    assert values["tasks"] == 16
    other = RESULTS.setdefault(method, (made, share))
    assert np.array_equal(made, other[0]) and np.array_equal(share, other[1])


def test_adjudicated_tasks_overlay_the_consensus_and_votes_stay(labelled, scene):
    enter, _ = labelled
    before = [v.mask.tobytes() for v in enter().votes(5)]
    rex = enter("rex")
    task = rex.task(5)
    decided = np.full((32, 32), 3, np.uint8)
    decided[:4] = 0  # not decided there: the consensus stays
    rex.adjudicate(5, "redraw", "all built", decided, sources=["ana"])
    _, values, made, share = combine(enter, scene)
    place = task.window.slices
    assert (made[0][place][4:] == 3).all() and (made[1][place][4:] == 100).all()
    assert (made[0][place][:4] != 3).any()
    assert values["decided_tasks"] == 1
    assert [v.mask.tobytes() for v in enter().votes(5)] == before
    assert (share[0][place] < 100).any()


def test_gold_scores_find_the_careless_and_leave_edges_out(labelled):
    from concord.plugin.bridge import campaign_read
    from concord.plugin.engine.campaign import results

    enter, _ = labelled
    values = results.judged(campaign_read.gather(enter.where))
    scores = {g["name"]: g for g in values["gold"]}
    for name, care in CARE.items():
        assert scores[name]["tasks"] == 2
        assert abs(scores[name]["accuracy"] - care) < 0.05
        assert scores[name]["low"] <= scores[name]["accuracy_inside"] <= scores[name]["high"]
    assert np.array(scores["cy"]["confusion"]).trace() > 0
    assert len(values["queue"]) == 16
    weights = [q["weight"] for q in values["queue"]]
    assert weights == sorted(weights, reverse=True)
    assert all(len(c["agreement"]) == 4 for c in values["course"])
    assert values["overview"]["left"] == 0


def test_the_algorithms_take_the_store(labelled, scene, run_algorithm, server):
    enter, _ = labelled
    store = enter.where.target
    if enter.kind == "server":
        store = f"{server.connection('lead of the test')}/{enter.where.schema}"
    folder = scene["folder"]
    result = run_algorithm(
        "concord:consensus",
        {"STORE": store, "OUTPUT": str(folder / "o.tif"), "REPORT": str(folder / "o.html")},
    )
    values = json.loads((folder / "o.json").read_text())
    assert values["tasks"] == 16 and result["OUTPUT"].endswith("o.tif")
    run_algorithm("concord:campaignreport", {"STORE": store, "REPORT": str(folder / "r.html")})
    page = (folder / "r.html").read_text()
    for words in ("Most doubtful tasks", "Known answers", "hours of work remain"):
        assert words in page


def test_too_little_work_is_a_sentence(campaign, scene):
    from concord.plugin.bridge import campaign_read
    from concord.plugin.engine.campaign import results
    from concord.plugin.engine.errors import ConcordError

    enter = campaign()
    out = str(scene["folder"] / "none.tif")
    with pytest.raises(ConcordError, match="Nobody has submitted"):
        results.combine(campaign_read.gather(enter.where), out)
    ana = enter("ana")
    task = ana.next_task()
    ana.submit(task.id, np.full((32, 32), 1, np.uint8))
    with pytest.raises(ConcordError, match="Only ana has submitted"):
        results.combine(campaign_read.gather(enter.where), out)
    assert not (scene["folder"] / "none.tif").exists()
