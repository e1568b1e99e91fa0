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
