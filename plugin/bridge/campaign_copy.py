"""A file per annotator for work without the server, and bringing it back without losing a side."""

from __future__ import annotations

import json
from pathlib import Path

from ..engine.campaign import content
from ..engine.errors import ConcordError
from ..engine.files import atomic_file
from . import campaign_acts as acts
from . import campaign_create, campaign_schema
from .campaign_db import FileDatabase
from .campaign_store import Store
from .capture import qgis_crs

_ASSIGNMENT = (
    "task_id, person, position, state, started, submitted, seconds, confidence, flag, reason"
)
_ANNOTATION = "id, task_id, person, version, kind, created, seconds, mask, shapes, digest, origin"
_ORDER = {"open": 0, "working": 1, "returned": 1, "submitted": 2}


def copy_for(store: Store, person: str, path: str) -> int:
    """Write one annotator's part of a campaign to a new GeoPackage; returns its tasks.

    The copy holds nobody else's work and no known answers. Raises ConcordError when the file
    exists or the person has no assigned task.
    """
    target = Path(path)
    if target.exists():
        raise ConcordError(f"{target} exists already; choose another name for the copy.")
    database = store._db
    rows = database.run(
        f"select {_ASSIGNMENT} from assignment where person = :person order by position",
        person=person,
    )
    if not rows:
        raise ConcordError(f"{person} has no assigned task; tasks on demand need the store itself.")
    wanted = {row[0] for row in rows}
    with atomic_file(target) as temporary:
        temporary.unlink()
        copy = FileDatabase(str(temporary), create=True)
        try:
            crs = qgis_crs(store.settings.grid.crs)
            srid = campaign_create.empty_geopackage(copy, crs)
            with copy.transaction():
                campaign_schema.migrate(copy, srid)
                _settings(database, copy, person)
                _tasks(store, copy, srid, wanted)
                _rows(copy, "assignment", _ASSIGNMENT, rows)
                own = database.run(
                    f"select {_ANNOTATION} from annotation where person = :person", person=person
                )
                _rows(copy, "annotation", _ANNOTATION, own)
        finally:
            copy.close()
    return len(wanted)


def _rows(database, table: str, columns: str, rows) -> None:
    names = [name.strip() for name in columns.split(",")]
    marks = ", ".join(f":{name}" for name in names)
    plain = [dict(zip(names, _plain(row))) for row in rows]
    database.many(f"insert into {table} ({columns}) values ({marks})", plain)


def _plain(row) -> list:
    return [bytes(v) if isinstance(v, memoryview) else v for v in row]


def _settings(database, copy, person: str) -> None:
    rows = database.run("select key, value from campaign")
    copy.many(
        "insert into campaign (key, value) values (:key, :value)",
        [*({"key": k, "value": v} for k, v in rows), {"key": "copy_of", "value": person}],
    )
    people = database.run("select name, role, kind from person where name = :n", n=person)
    _rows(copy, "person", "name, role, kind", people)


def _tasks(store: Store, copy, srid: int, wanted: set) -> None:
    rows = []
    for task in store.tasks():
        if task.id in wanted:
            bounds = store.settings.grid.sub(task.window).bounds
            rows.append(
                (task.id, content.geopackage_box(bounds, srid), task.place, task.window.col,
                 task.window.row, task.window.width, task.window.height, task.stratum, task.score,
                 1, 1, "open", 0)
            )  # fmt: skip
    columns = (
        "id, geom, place, col_off, row_off, width, height, stratum, score, copies, handed, state, "
        "stage"
    )
    _rows(copy, "task", columns, rows)


def merge(store: Store, path: str) -> dict:
    """Bring an annotator's copy back into a campaign; both sides' versions are kept.

    A version that the campaign does not know is added behind its newest one, under the number
    that is free; where it came from stands in ``origin``. When both sides went on, the newest
    work counts and the event says `conflict`. Doing it twice changes nothing.

    Returns:
        {"person", "added", "conflicts": [task], "submitted": [task], "sealed": [task]}.
    """
    if store.role != "lead":
        raise ConcordError("Only the lead merges copies into the campaign.")
    copy = FileDatabase(path)
    try:
        there = dict(copy.run("select key, value from campaign"))
        if there.get("id") != store.value("id"):
            raise ConcordError(f"{path} belongs to another campaign; choose a copy of this one.")
        if json.loads(there["settings"])["taxonomy"] != store.settings.taxonomy:
            raise ConcordError(
                f"{path} was labelled with other classes than this campaign; recode it first."
            )
        person = there.get("copy_of", "")
        rows = [_plain(r) for r in copy.run(
            f"select {_ANNOTATION} from annotation where person = :p order by task_id, version",
            p=person,
        )]  # fmt: skip
        states = {r[0]: _plain(r) for r in copy.run(f"select {_ASSIGNMENT} from assignment")}
    finally:
        copy.close()
    report = {"person": person, "added": 0, "conflicts": [], "submitted": [], "sealed": []}
    with store._db.transaction():
        for task in sorted(states):
            _merge_task(store, person, task, states[task], [r for r in rows if r[1] == task],
                        report, Path(path).name)  # fmt: skip
    return report


def _merge_task(store, person, task, state, rows, report, origin) -> None:
    database = store._db
    known = dict(
        database.run(
            "select id, version from annotation where task_id = :t and person = :p",
            t=task, p=person,
        )
    )  # fmt: skip
    mine = database.run(
        "select a.state, t.state from assignment a join task t on t.id = a.task_id "
        "where a.task_id = :t and a.person = :p",
        t=task, p=person,
    )  # fmt: skip
    if not mine:
        return
    fresh = [row for row in rows if row[0] not in known]
    both = bool(fresh) and bool(set(known) - {row[0] for row in rows})
    number = max(known.values(), default=0)
    for row in fresh:
        number += 1
        values = dict(zip([c.strip() for c in _ANNOTATION.split(",")], row))
        values.update(version=number, origin=f"{origin} version {row[3]}")
        columns = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        database.run(f"insert into annotation ({columns}) values ({marks})", **values)
    report["added"] += len(fresh)
    if not fresh:
        return
    if both:
        report["conflicts"].append(task)
    note(store, "conflict" if both else "merged", task, person, f"{len(fresh)} from {origin}")
    if mine[0][1] == "sealed":  # kept, but a sealed task stays as it is
        report["sealed"].append(task)
        return
    if _ORDER[state[3]] >= _ORDER[mine[0][0]]:
        values = dict(zip([c.strip() for c in _ASSIGNMENT.split(",")], state))
        changed = ("state", "started", "submitted", "seconds", "confidence", "flag", "reason")
        database.run(
            f"update assignment set {', '.join(f'{c} = :{c}' for c in changed)} "
            "where task_id = :task and person = :person",
            task=task, person=person, **{c: values[c] for c in changed},
        )  # fmt: skip
    if state[3] == "submitted":
        report["submitted"].append(task)
        database.run(
            "update task set state = 'voted' where id = :task and state = 'open' and copies <= "
            "(select count(*) from assignment where task_id = :task and state = 'submitted')",
            task=task,
        )


def note(store: Store, action: str, task, subject: str, detail: str) -> None:
    """One event of the lead's."""
    store._db.run(
        "insert into event (id, created, person, action, task_id, subject, detail) values "
        "(:id, :created, :me, :action, :task, :subject, :detail)",
        id=acts.new_id(), created=acts.now(), me=store.me, action=action, task=task,
        subject=subject, detail=detail,
    )  # fmt: skip
