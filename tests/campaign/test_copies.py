"""Offline copies: out, worked on, back; nobody's work is lost."""

from __future__ import annotations

import numpy as np
import pytest


def mask(code):
    return np.full((32, 32), code, np.uint8)


@pytest.fixture
def copied(campaign, scene):
    """(enter, path of Ana's copy)."""
    from concord.plugin.bridge import campaign_copy

    enter = campaign()
    path = str(scene["folder"] / "ana-offline.gpkg")
    assert campaign_copy.copy_for(enter(), "ana", path) == 16
    return enter, path


def open_copy(path):
    from concord.plugin.bridge import campaign_db
    from concord.plugin.bridge.campaign_store import Store

    return Store(campaign_db.address(path), "ana")


def test_a_copy_holds_only_ones_own(copied):
    from concord.plugin.bridge.campaign_db import FileDatabase

    _, path = copied
    database = FileDatabase(path)
    assert database.run("select name from person") == [("ana",)]
    assert database.run("select count(*) from gold") == [(0,)]
    assert database.run("select distinct person from assignment") == [("ana",)]
    database.close()


def test_work_comes_back_and_twice_is_once(copied):
    from concord.plugin.bridge import campaign_copy

    enter, path = copied
    with open_copy(path) as away:
        numbers = []
        for _ in range(3):
            task = away.next_task()
            away.submit(task.id, mask(2), seconds=50.0, confidence=70)
            numbers.append(task.id)
    lead = enter()
    report = campaign_copy.merge(lead, path)
    assert report["added"] == 3 and report["conflicts"] == []
    assert sorted(report["submitted"]) == sorted(numbers)
    assert campaign_copy.merge(lead, path)["added"] == 0
    votes = lead.votes(numbers[0])
    assert [(v.person, v.seconds) for v in votes] == [("ana", 50.0)]
    assert enter("ana").next_task().id not in numbers


def test_a_conflict_keeps_both_sides(copied):
    from concord.plugin.bridge import campaign_copy

    enter, path = copied
    with open_copy(path) as away:
        task = away.next_task()
        away.submit(task.id, mask(3))
    ana, lead = enter("ana"), enter()
    assert ana.next_task().id == task.id
    ana.save(task.id, mask(1))
    report = campaign_copy.merge(lead, path)
    assert report["conflicts"] == [task.id]
    kinds = [(v[1], v[2]) for v in lead.versions(task.id)]
    assert kinds == [(1, "saved"), (2, "submitted")]
    assert "conflict" in [e[2] for e in lead.events(task.id)]
    assert (lead.votes(task.id)[0].mask == 3).all()


def test_a_sealed_task_keeps_the_late_version_without_changing(copied):
    from concord.plugin.bridge import campaign_copy

    enter, path = copied
    with open_copy(path) as away:
        number = away.next_task().id
        away.submit(number, mask(3))
    for name in ("ana", "ben", "cy"):
        store = enter(name)
        while (task := store.next_task()) is not None:
            store.submit(task.id, mask(1))
    lead = enter()
    lead.seal(number)
    report = campaign_copy.merge(lead, path)
    assert report["sealed"] == [number]
    assert lead.task(number).state == "sealed"
    assert ("ana", 2, "submitted") in [v[:3] for v in lead.versions(number)]


def test_a_copy_of_another_campaign_is_refused(copied, campaign):
    from concord.plugin.bridge import campaign_copy
    from concord.plugin.engine.errors import ConcordError

    _, path = copied
    other = campaign()
    with pytest.raises(ConcordError, match="another campaign"):
        campaign_copy.merge(other(), path)
    with pytest.raises(ConcordError, match="Only the lead"):
        campaign_copy.merge(other("ana"), path)
    with pytest.raises(ConcordError, match="exists already"):
        campaign_copy.copy_for(other(), "ana", path)


def test_a_read_only_file_is_a_sentence_and_nothing_is_lost(copied, monkeypatch):
    import sqlite3

    from concord.plugin.bridge.campaign_db import FileDatabase
    from concord.plugin.engine.errors import ConcordError

    _, path = copied
    with open_copy(path) as away:
        task = away.next_task()
    # opened the way a read-only share is
    monkeypatch.setattr(
        "concord.plugin.bridge.campaign_db.sqlite3.connect",
        lambda p, **k: sqlite3.Connection(f"file:{p}?mode=ro", uri=True, **k),
    )
    with open_copy(path) as away:
        assert away.overview()["left"] == 16, "it can still be looked at"
        with pytest.raises(ConcordError, match="read-only"):
            away.submit(task.id, mask(1))
    with pytest.raises(ConcordError, match="does not exist"):
        FileDatabase(path + ".gone")
