"""The same rules in a GeoPackage and in PostGIS."""

from __future__ import annotations

import numpy as np
import pytest

PEOPLE = ("ana", "ben", "cy")


def mask(task, code=1):
    return np.full((task.window.height, task.window.width), code, np.uint8)


def error():
    from concord.plugin.engine.errors import ConcordError

    return ConcordError


def finish(enter, people=PEOPLE, code=1):
    """Everybody labels everything with one class."""
    for name in people:
        store = enter(name)
        while (task := store.next_task()) is not None:
            store.submit(task.id, mask(task, code), seconds=60.0)


def test_everybody_gets_every_task_once_and_the_task_is_voted(campaign):
    enter = campaign()
    lead = enter()
    assert len(lead.tasks()) == 16
    ana, seen = enter("ana"), []
    while (task := ana.next_task()) is not None:
        seen.append(task.id)
        assert ana.submit(task.id, mask(task), seconds=30.0, confidence=80) == 1
    assert sorted(seen) == list(range(1, 17))
    assert seen != sorted(seen), "an order of one's own hides the gold tasks"
    assert lead.tasks("voted") == []
    finish(enter, ("ben", "cy"))
    assert len(lead.tasks("voted")) == 16
    summary = lead.overview()
    assert summary["left"] == 0 and summary["submitted"] == 48 and summary["hours_left"] == 0


def test_next_task_is_locked_until_submitted_and_resumes(campaign):
    enter = campaign()
    ana = enter("ana")
    task = ana.next_task()
    assert ana.next_task().id == task.id
    ana.save(task.id, mask(task, 2), seconds=12.0)
    again = enter("ana")
    assert again.next_task().id == task.id
    kept = again.latest(task.id)
    assert (kept.mask == 2).all() and kept.seconds == 12.0
    again.submit(task.id, mask(task, 3), seconds=20.0)
    assert [v[1:3] for v in enter().versions(task.id)] == [(1, "saved"), (2, "submitted")]
    assert ana.next_task().id != task.id


def test_a_repeated_act_is_done_once(campaign):
    enter = campaign()
    ana = enter("ana")
    task = ana.next_task()
    first = ana.submit(task.id, mask(task), ident="a" * 32)
    assert ana.submit(task.id, mask(task), ident="a" * 32) == first
    assert len(enter().versions(task.id)) == 1


def test_return_resume_and_nothing_is_overwritten(campaign):
    enter = campaign()
    ana, lead = enter("ana"), enter()
    task = ana.next_task()
    ana.submit(task.id, mask(task, 1))
    with pytest.raises(error(), match="submitted already"):
        ana.save(task.id, mask(task, 2))
    lead.send_back(task.id, "ana", "water is missing")
    assert ana.next_task().id == task.id
    ana.submit(task.id, mask(task, 2))
    assert [(v[1], v[2]) for v in lead.versions(task.id)] == [(1, "submitted"), (2, "submitted")]
    votes = lead.votes(task.id)
    assert len(votes) == 1 and (votes[0].mask == 2).all()
    actions = [e[2] for e in lead.events(task.id)]
    assert actions == ["started", "submitted", "returned", "started", "submitted"]


def test_seal_forbids_work_and_unsealing_is_an_event(campaign):
    enter = campaign()
    finish(enter)
    lead, ana = enter(), enter("ana")
    with pytest.raises(error(), match="not sealed"):
        lead.unseal(1, "by mistake")
    assert enter("rex").adjudicate(1, "redraw", "mixed edges", mask(lead.task(1), 2)) == 1
    lead.seal(1, "good")
    for act in (
        lambda: ana.save(1, mask(lead.task(1))),
        lambda: lead.send_back(1, "ana", "late"),
        lambda: lead.adjudicate(1, "redraw", "late", mask(lead.task(1))),
        lambda: lead.seal(1),
    ):
        with pytest.raises(error(), match="sealed"):
            act()
    lead.unseal(1, "a road was missed")
    assert lead.task(1).state == "reviewed"
    lead.seal(1)
    actions = [e[2] for e in lead.events(1)]
    assert actions[-4:] == ["reviewed", "sealed", "unsealed", "sealed"]
    assert [r[:4] for r in lead.reviews(1)] == [(1, "rex", 1, "redraw")]


def test_review_needs_a_reason_and_a_reviewer(campaign):
    enter = campaign()
    finish(enter)
    task = enter().task(2)
    with pytest.raises(error(), match="reason"):
        enter("rex").adjudicate(2, "pick", "  ", mask(task))
    with pytest.raises(error(), match="lead|role|Only"):
        enter("ana").adjudicate(2, "pick", "mine", mask(task))
    with pytest.raises(error(), match="lead|role|Only"):
        enter("rex").seal(2)
    assert enter().task(2).state == "voted"


def test_open_work_cannot_be_sealed(campaign):
    enter = campaign()
    with pytest.raises(error(), match="open work"):
        enter().seal(1)


def test_pool_never_hands_out_more_than_the_copies(campaign):
    enter = campaign(pool=True, copies=2, gold=None)
    stores = [enter(name) for name in PEOPLE]
    handed: dict = {}
    running = True
    while running:
        running = False
        for store in stores:
            task = store.next_task()
            if task is not None:
                running = True
                handed.setdefault(task.id, []).append(store.me)
                store.submit(task.id, mask(task))
    assert len(handed) == 16
    assert all(len(set(people)) == 2 == len(people) for people in handed.values())


def test_bad_work_is_refused_with_a_sentence(campaign):
    enter = campaign()
    ana = enter("ana")
    task = ana.next_task()
    with pytest.raises(error(), match="taxonomy three does not know"):
        ana.submit(task.id, mask(task, 9))
    with pytest.raises(error(), match="pixels"):
        ana.submit(task.id, np.ones((3, 3), np.uint8))
    with pytest.raises(error(), match="no label"):
        ana.submit(task.id, mask(task, 0))
    ana.submit(task.id, mask(task, 0), flag="cloud", reason="all white")
    assert enter().overview()["people"][0]["flags"] == 1


def test_a_changed_taxonomy_file_does_not_touch_the_campaign(campaign, scene):
    from concord.plugin.engine import files

    enter = campaign()
    changed = files.read_json(scene["scheme"])
    changed["classes"] = changed["classes"][:1]
    files.write_json(scene["scheme"], changed)
    assert enter("ana").scheme.codes == [1, 2, 3]


def test_an_unknown_person_and_an_existing_store(campaign, make_plan):
    from concord.plugin.bridge import campaign_create

    enter = campaign()
    with pytest.raises(error(), match="exists already"):
        campaign_create.create(enter.where, make_plan())
    if enter.kind == "file":
        with pytest.raises(error(), match="'zoe' is nobody"):
            enter("zoe")


def test_names_and_comments_are_only_text(campaign):
    evil = "Robert'); drop table task;--"
    enter = campaign(annotators=("ana", evil, 'q"uote'))
    ana, lead = enter("ana"), enter()
    task = ana.next_task()
    ana.submit(task.id, mask(task), flag="x'; delete from event;--", reason='"; drop table gold;')
    bob = enter(evil)
    work = bob.next_task()
    bob.submit(work.id, mask(work))
    lead.send_back(task.id, "ana", "'; update person set role='lead';--")
    assert len(lead.tasks()) == 16
    assert dict((n, r) for n, r, _ in lead.people())["ana"] == "annotator"
    assert evil in [v.person for v in lead.votes(work.id)]


def test_migration_from_the_first_schema(campaign, scene, make_plan, monkeypatch):
    from concord.plugin.bridge import campaign_create, campaign_db, campaign_schema
    from concord.plugin.bridge.campaign_store import Store

    full = campaign_schema.migrate
    where = campaign_db.address(str(scene["folder"] / "old.gpkg"))
    monkeypatch.setattr(campaign_schema, "migrate", lambda d, s: full(d, s, 1))
    campaign_create.create(where, make_plan())
    monkeypatch.setattr(campaign_schema, "migrate", full)
    with Store(where) as store:
        assert campaign_schema.version(store._db) == campaign_schema.LATEST
        store._db.run("insert into migration values (99, 'later')")
    with pytest.raises(error(), match="newer Concord"):
        Store(where)


def test_a_held_row_ends_in_one_sentence_and_not_in_a_hanging_desk(campaign):
    from concord.plugin.bridge.campaign_store import Store
    from concord.plugin.engine.errors import ConcordError

    enter = campaign()
    if enter.kind != "server":
        pytest.skip("a GeoPackage has its own wait, tested with the panel")
    lead = enter()
    with Store(enter.where, "lea", 0.5) as other, lead._db.transaction():
        lead._db.run("lock table task in access exclusive mode")
        with pytest.raises(ConcordError, match="did not answer within"):
            other.overview()
    with Store(enter.where, "lea", 0.5) as other:
        assert other.overview()["left"] > 0
