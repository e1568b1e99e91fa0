"""Somebody joins, somebody leaves; no task is lost and nobody sees a place twice."""

from __future__ import annotations

import numpy as np
import pytest

CHIP = np.full((32, 32), 1, np.uint8)


def work(store, most=100):
    done = []
    while len(done) < most and (task := store.next_task()) is not None:
        store.submit(task.id, CHIP)
        done.append(task.id)
    return done


def test_what_somebody_leaves_goes_to_who_joins(campaign, request):
    from concord.plugin.bridge import campaign_lead
    from concord.plugin.engine.errors import ConcordError

    enter = campaign(gold=None)
    lead = enter()
    done = work(enter("cy"), 5)
    assert campaign_lead.drop_annotator(lead, "cy") == 11
    with pytest.raises(ConcordError, match="no annotator"):
        enter("cy").next_task()
    assert len(work(enter("ana"))) == len(work(enter("ben"))) == 16
    name = campaign_lead.add_annotator(lead, " Dora  M ")
    assert name == "Dora M"
    if enter.kind == "server":
        request.getfixturevalue("server").allow(name)
    taken = work(enter(name))
    assert len(taken) == 11 and not set(taken) & set(done)
    assert len(lead.tasks("voted")) == 16
    assert {v.person for v in lead.votes(done[0])} == {"ana", "ben", "cy"}
    actions = [e[2] for e in lead.events()]
    assert "dropped" in actions and "added" in actions


def test_who_had_left_could_still_hand_in_what_went_to_others(campaign):
    """In a GeoPackage the version was taken, and the task had one vote too many."""
    from concord.plugin.bridge import campaign_lead
    from concord.plugin.engine.errors import ConcordError

    enter = campaign(gold=None)
    lead, cy = enter(), enter("cy")
    task = cy.next_task()
    campaign_lead.drop_annotator(lead, "cy")
    with pytest.raises(ConcordError, match="went to others|is submitted already"):
        cy.submit(task.id, CHIP)
    work(enter("ana")), work(enter("ben"))
    assert not [v for v in lead.votes(task.id) if v.person == "cy"]


def test_work_was_returned_to_somebody_who_had_left_and_stayed_there(campaign):
    from concord.plugin.bridge import campaign_lead
    from concord.plugin.engine.errors import ConcordError

    enter = campaign(gold=None)
    lead = enter()
    (done,) = work(enter("cy"), 1)
    campaign_lead.drop_annotator(lead, "cy")
    with pytest.raises(ConcordError, match="'cy' has left the campaign"):
        lead.send_back(done, "cy", "the edge is off")
    work(enter("ana")), work(enter("ben"))
    assert done in {t.id for t in lead.tasks("voted")}


def test_only_the_lead_and_no_name_twice(campaign):
    from concord.plugin.bridge import campaign_lead
    from concord.plugin.engine.errors import ConcordError

    enter = campaign()
    for act in (campaign_lead.add_annotator, campaign_lead.drop_annotator):
        with pytest.raises(ConcordError, match="Only the lead"):
            act(enter("ana"), "ben")
    with pytest.raises(ConcordError, match="takes part already"):
        campaign_lead.add_annotator(enter(), "ANA")
    with pytest.raises(ConcordError, match="no annotator"):
        campaign_lead.drop_annotator(enter(), "rex")
