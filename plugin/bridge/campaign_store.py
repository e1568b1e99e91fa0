"""An open campaign: who I am in it, what it holds, and what I do. Plain values go in and out."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ..engine import taxonomy
from ..engine.campaign import content
from ..engine.campaign.values import Settings
from ..engine.errors import ConcordError
from ..engine.grid import Window
from . import campaign_acts as acts
from . import campaign_schema
from .campaign_db import Address, connect

_TASK = "id, place, col_off, row_off, width, height, stratum, score, copies, handed, state, stage"


@dataclass(frozen=True)
class TaskRow:
    """One task as the store has it."""

    id: int
    place: int
    window: Window
    stratum: str
    score: float
    copies: int
    handed: int
    state: str
    stage: int


@dataclass(frozen=True)
class Vote:
    """The newest submitted version of one person's work on a task; ``mask`` (rows, cols) uint8."""

    task: int
    person: str
    version: int
    mask: object
    shapes: str
    seconds: float
    created: str


def _task(row) -> TaskRow:
    number, place, col, line, width, height, *rest = row
    return TaskRow(number, place, Window(col, line, width, height), *rest)


class Store:
    """One person's view of a campaign. In a GeoPackage ``person`` is given, '' for the lead."""

    def __init__(self, where: Address, person: str = ""):
        self.where = where
        self._db = connect(where)
        try:
            if self._db.kind == "file":
                self._db.run("select 1 from migration")
                if campaign_schema.version(self._db) != campaign_schema.LATEST:
                    campaign_schema.migrate(self._db)
                self.acts = acts.FileActs(self._db, person or self._lead())
            else:
                self.acts = acts.ServerActs(self._db)
                found = campaign_schema.version(self._db)
                if found < campaign_schema.LATEST and self.role == "lead":
                    campaign_schema.migrate(self._db)
                elif found > campaign_schema.LATEST:
                    raise ConcordError("This campaign was made by a newer Concord; update it.")
            self.settings = Settings.from_json(json.loads(self.value("settings")))
        except BaseException:
            self._db.close()
            raise

    @property
    def me(self) -> str:
        return self.acts.me

    @property
    def role(self) -> str:
        return self.acts.role

    def _lead(self) -> str:
        rows = self._db.run("select name from person where role = 'lead' order by name limit 1")
        if not rows:
            raise ConcordError("This file is an annotator's copy; say who you are.")
        return rows[0][0]

    def value(self, key: str) -> str:
        """One setting of the campaign as text."""
        rows = self._db.run("select value from campaign where key = :key", key=key)
        if not rows:
            raise ConcordError("The store holds no complete campaign; choose another.")
        return rows[0][0]

    @property
    def scheme(self) -> taxonomy.Taxonomy:
        """The classes the campaign was made with; a later change of a file does not touch it."""
        return taxonomy.parse(self.settings.taxonomy, "the campaign")

    # --- looking

    def people(self) -> list:
        """[(name, role, kind)] in the order of their names."""
        return self._db.run("select name, role, kind from person order by name")

    def tasks(self, state: str = "") -> list:
        """All tasks, or those in one state, by their number."""
        where = " where state = :state" if state else ""
        values = {"state": state} if state else {}
        return [_task(r) for r in self._db.run(f"select {_TASK} from task{where} order by id",
                                               **values)]  # fmt: skip

    def task(self, number: int) -> TaskRow:
        """One task."""
        rows = self._db.run(f"select {_TASK} from task where id = :id", id=int(number))
        if not rows:
            raise ConcordError(f"There is no task {number} in this campaign.")
        return _task(rows[0])

    def votes(self, number: int | None = None) -> list:
        """The newest submitted version of everybody (of one task), as far as I may see it."""
        only = "and a.task_id = :task " if number is not None else ""
        rows = self._db.run(
            "select a.task_id, a.person, a.version, a.mask, a.shapes, a.seconds, a.created "
            "from annotation a join assignment s on s.task_id = a.task_id and s.person = a.person "
            f"where a.kind = 'submitted' {only}and s.state = 'submitted' and a.version = (select "
            "max(b.version) from annotation b where b.task_id = a.task_id and b.person = a.person "
            "and b.kind = 'submitted') order by a.task_id, a.person",
            **({"task": int(number)} if number is not None else {}),
        )
        return [Vote(r[0], r[1], r[2], content.unpack(r[3]), *r[4:]) for r in rows]

    def latest(self, number: int, person: str = "") -> Vote | None:
        """The newest version, saved or submitted, to go on from."""
        rows = self._db.run(
            "select task_id, person, version, mask, shapes, seconds, created from annotation "
            "where task_id = :task and person = :person order by version desc limit 1",
            task=int(number), person=person or self.me,
        )  # fmt: skip
        return Vote(*rows[0][:3], content.unpack(rows[0][3]), *rows[0][4:]) if rows else None

    def versions(self, number: int) -> list:
        """[(person, version, kind, created, digest)] of one task; nothing is ever overwritten."""
        return self._db.run(
            "select person, version, kind, created, digest from annotation "
            "where task_id = :task order by person, version",
            task=int(number),
        )

    def gold(self) -> dict:
        """{task: mask} of known answers; empty for those who may not see them."""
        if self.role != "lead":
            return {}
        rows = self._db.run("select task_id, mask from gold order by task_id")
        return {task: content.unpack(mask) for task, mask in rows}

    def reviews(self, number: int | None = None) -> list:
        """[(task, person, stage, decision, reason, created, mask)] in order."""
        only = "where task_id = :task " if number is not None else ""
        rows = self._db.run(
            "select task_id, person, stage, decision, reason, created, mask from review "
            f"{only}order by created, id",
            **({"task": int(number)} if number is not None else {}),
        )
        return [(*r[:6], content.unpack(r[6])) for r in rows]

    def events(self, number: int | None = None) -> list:
        """[(created, person, action, task, subject, detail)] in order."""
        only = "where task_id = :task " if number is not None else ""
        return self._db.run(
            "select created, person, action, task_id, subject, detail from event "
            f"{only}order by created, id",
            **({"task": int(number)} if number is not None else {}),
        )

    def returned_because(self, number: int) -> str:
        """Why a task of mine came back; '' when it did not."""
        rows = self._db.run(
            "select reason from assignment where task_id = :task and person = :me "
            "and state in ('working', 'returned') and submitted is not null",
            task=int(number), me=self.me,
        )  # fmt: skip
        return rows[0][0] if rows else ""

    def event_count(self) -> int:
        """How many events I may see."""
        return int(self._db.run("select count(*) from event")[0][0])

    def flags(self) -> dict:
        """{task: number of people who flagged it}."""
        return {
            int(task): int(count)
            for task, count in self._db.run(
                "select task_id, count(*) from assignment where flag <> '' group by task_id"
            )
        }

    def overview(self) -> dict:
        """Counts by state, work per person, and an estimate of the hours that remain."""
        states = dict(self._db.run("select state, count(*) from task group by state"))
        rows = self._db.run(
            "select person, count(*), sum(case when state = 'submitted' then 1 else 0 end), "
            "sum(seconds), sum(case when flag <> '' then 1 else 0 end) "
            "from assignment group by person order by person"
        )
        still = self._db.run("select coalesce(sum(copies - handed), 0) from task")[0][0]
        people = [
            {"name": r[0], "tasks": int(r[1]), "submitted": int(r[2]),
             "seconds": float(r[3] or 0), "flags": int(r[4])}
            for r in rows
        ]  # fmt: skip
        done = sum(p["submitted"] for p in people)
        spent = sum(p["seconds"] for p in people)
        each = spent / done if done and spent else self.settings.minutes * 60
        left = sum(p["tasks"] - p["submitted"] for p in people) + int(still)
        return {
            "tasks": {k: int(v) for k, v in states.items()}, "people": people,
            "submitted": done, "left": left, "seconds_each": each,
            "hours_left": round(left * each / 3600, 2),
        }  # fmt: skip

    # --- doing

    def next_task(self) -> TaskRow | None:
        """My next task: the one under way, one that came back, then a new one; None at the end."""
        number = self.acts.next_task()
        return None if number is None else self.task(number)

    def save(self, number: int, mask, shapes: str = "", ident: str = "", **values) -> int:
        """Keep a version of my work; returns its number. ``kind`` "submitted" hands it in.

        Args:
            mask: (rows, cols) uint8 of the task's window.
            ident: the same act under the same id is done once.
        """
        task = self.task(number)
        window = task.window
        if mask.shape != (window.height, window.width):
            raise ConcordError(
                f"The labels of task {number} are {mask.shape[1]} x {mask.shape[0]} pixels and its "
                f"chip is {window.width} x {window.height}; label the task's own place."
            )
        self.scheme.check(set(mask.ravel().tolist()), f"The work on task {number}")
        data = content.pack(mask)
        return self.acts.save(
            acts.HandIn(ident or acts.new_id(), int(number), data, content.digest(data, shapes),
                        shapes, **values)
        )  # fmt: skip

    def submit(self, number: int, mask, shapes: str = "", ident: str = "", **values) -> int:
        """Hand my work in; an empty one is refused."""
        if not ((mask > 0) & (mask < 255)).any() and not values.get("flag"):
            raise ConcordError(
                f"Task {number} has no label yet; label it, or flag it with a reason."
            )
        return self.save(number, mask, shapes, ident, kind=acts.SUBMITTED, **values)

    def send_back(self, number: int, person: str, reason: str) -> None:
        """Return somebody's submitted work with a reason."""
        self.acts.send_back(int(number), person, reason)

    def adjudicate(self, number: int, decision: str, reason: str, mask, sources=(),
                   shapes="", names_shown=False, ident="") -> int:  # fmt: skip
        """Settle a task; the votes stay as they are. Returns the review stage reached."""
        if decision not in acts.DECISIONS:
            raise ConcordError(f"'{decision}' is no decision; use {', '.join(acts.DECISIONS)}.")
        data = content.pack(mask)
        return self.acts.review(
            acts.Verdict(ident or acts.new_id(), int(number), decision, reason.strip(), data,
                         content.digest(data, shapes), shapes, json.dumps(list(sources)),
                         names_shown)
        )  # fmt: skip

    def seal(self, number: int, reason: str = "") -> None:
        self.acts.seal(int(number), reason)

    def unseal(self, number: int, reason: str) -> None:
        if not reason.strip():
            raise ConcordError("Give a reason for opening a sealed task.")
        self.acts.unseal(int(number), reason)

    def close(self) -> None:
        self._db.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
