"""Calls to a live PostGIS from a desk: the interface goes on, one sentence ends the wait."""

from __future__ import annotations

import threading
import time

import pytest
from qgis.PyQt.QtWidgets import QApplication

pytestmark = pytest.mark.parametrize("campaign", ["server"], indirect=True)


@pytest.fixture
def calls():
    """StoreCalls and what it said."""
    from concord.plugin.bridge.campaign_calls import StoreCalls

    made = StoreCalls()
    made.said = []
    made.failed.connect(made.said.append)
    yield made
    made.drop(lambda: None)


def turn(calls, most=20.0) -> tuple:
    """(turns of the event loop, longest one in seconds) until the call has ended."""
    turns, longest, last = 0, 0.0, time.monotonic()
    end = last + most
    while calls.busy:
        QApplication.processEvents()
        now = time.monotonic()
        turns, longest, last = turns + 1, max(longest, now - last), now
        assert now < end, "the call never ends"
        time.sleep(0.002)
    return turns, longest


def test_a_held_table_keeps_nobody_from_the_map(campaign, calls, monkeypatch):
    from concord.plugin.bridge import campaign_desk

    monkeypatch.setattr(campaign_desk, "PATIENCE", 1.0)
    enter = campaign()
    lead, found = enter(), []
    calls.start(lambda: campaign_desk.enter(enter.where), found.append)
    turn(calls)
    store = found[0].store
    try:
        with lead._db.transaction():
            lead._db.run("lock table task in access exclusive mode")
            calls.start(store.overview, found.append)
            assert not calls.start(store.overview, found.append), "one call at a time"
            turns, longest = turn(calls)
        assert calls.said == [
            "The database did not answer within 1 s; nothing was changed, try again in a moment."
        ]
        assert turns > 100 and longest < 0.25
        calls.start(store.overview, found.append)
        turn(calls)
        assert found[-1]["left"] > 0 and len(found) == 2
    finally:
        store.close()


def test_a_server_that_is_gone_is_one_sentence(campaign, calls, server):
    from concord.plugin.bridge import campaign_db, campaign_desk

    enter = campaign()
    gone = campaign_db.address(server.uri(schema=enter.where.schema).replace(str(server.port), "1"))
    calls.start(lambda: campaign_desk.enter(gone), lambda _found: None)
    turn(calls)
    assert len(calls.said) == 1 and "cannot be reached" in calls.said[0]
    assert "secret" not in calls.said[0]


def test_what_nobody_waits_for_is_closed_when_it_ends(campaign, calls):
    enter = campaign()
    store, go, closed = enter(), threading.Event(), threading.Event()

    def slow():
        go.wait(10)
        return store.overview()

    heard = []
    calls.start(slow, heard.append)
    calls.drop(closed.set)
    assert not closed.is_set() and not calls.busy
    go.set()
    assert closed.wait(10)
    QApplication.processEvents()
    assert heard == [] and calls.said == []
