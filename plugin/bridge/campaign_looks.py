"""What can be read from an open campaign, as plain values; who asks decides what is seen."""

from __future__ import annotations

from dataclasses import dataclass

from ..engine.campaign import content
from ..engine.errors import ConcordError
from ..engine.grid import Window

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
    """One version of one person's work on a task, kept packed: a campaign has thousands."""

    task: int
    person: str
    version: int
    packed: bytes
    shapes: str
    seconds: float
    created: str

    @property
    def mask(self):
        """(rows, cols) uint8 of class codes."""
        return content.unpack(self.packed)


def _task(row) -> TaskRow:
    number, place, col, line, width, height, *rest = row
    return TaskRow(number, place, Window(col, line, width, height), *rest)


class Looks:
    """The reading half of a `Store`, which gives `_db`, `task_table`, `settings`, `me`, `role`."""

    def people(self) -> list:
        """[(name, role, kind)] in the order of their names."""
        return self._db.run("select name, role, kind from person order by name")

    def tasks(self, state: str = "") -> list:
        """All tasks, or those in one state, by their number."""
        where = " where state = :state" if state else ""
        values = {"state": state} if state else {}
        sql = f"select {_TASK} from {self.task_table}{where} order by id"
        return [_task(row) for row in self._db.run(sql, **values)]

    def my_open_tasks(self) -> list:
        """Tasks that I may still hand in."""
        rows = self._db.run(
            f"select {', '.join('t.' + c.strip() for c in _TASK.split(','))} "
            f"from {self.task_table} t "
            "join assignment a on a.task_id = t.id where a.person = :me and t.state <> 'sealed' "
            "and a.state in ('open', 'working', 'returned') order by t.id",
            me=self.me,
        )
        return [_task(row) for row in rows]

    def task(self, number: int) -> TaskRow:
        """One task."""
        rows = self._db.run(f"select {_TASK} from {self.task_table} where id = :id", id=int(number))
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
        return [Vote(*r[:3], bytes(r[3]), *r[4:]) for r in rows]

    def latest(self, number: int, person: str = "") -> Vote | None:
        """The newest version, saved or submitted, to go on from."""
        rows = self._db.run(
            "select task_id, person, version, mask, shapes, seconds, created from annotation "
            "where task_id = :task and person = :person order by version desc limit 1",
            task=int(number), person=person or self.me,
        )  # fmt: skip
        return Vote(*rows[0][:3], bytes(rows[0][3]), *rows[0][4:]) if rows else None

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
        states = dict(self._db.run(f"select state, count(*) from {self.task_table} group by state"))
        rows = self._db.run(
            "select person, count(*), sum(case when state = 'submitted' then 1 else 0 end), "
            "sum(seconds), sum(case when flag <> '' then 1 else 0 end) "
            "from assignment where state <> 'dropped' group by person order by person"
        )
        still = self._db.run(f"select coalesce(sum(copies - handed), 0) from {self.task_table}")[0][
            0
        ]
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
