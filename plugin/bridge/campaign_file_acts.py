"""The rules of a campaign in a GeoPackage: what PostgreSQL keeps by rights stands here in code."""

from __future__ import annotations

from ..engine.errors import ConcordError
from .campaign_acts import SAVED, SUBMITTED, HandIn, Verdict, new_id, now


class FileActs:
    """The same rules for a GeoPackage, where the person is who they say they are."""

    def __init__(self, database, me: str):
        self._db, self.me = database, me
        rows = database.run("select role from person where name = :me", me=me)
        if not rows:
            raise ConcordError(f"'{me}' is nobody of this campaign; choose a name of its list.")
        self.role = rows[0][0]

    def _note(self, action: str, task, subject: str = "", detail: str = "") -> None:
        self._db.run(
            "insert into event (id, created, person, action, task_id, subject, detail) values "
            "(:id, :created, :me, :action, :task, :subject, :detail)",
            id=new_id(), created=now(), me=self.me, action=action, task=task, subject=subject,
            detail=detail,
        )  # fmt: skip

    def _one(self, sql: str, **values):
        rows = self._db.run(sql, **values)
        return rows[0][0] if rows else None

    def _may(self, roles: tuple, sentence: str) -> None:
        if self.role not in roles:
            raise ConcordError(sentence)

    def next_task(self) -> int | None:
        self._may(("annotator",), "You are no annotator of this campaign; ask the lead to add you.")
        with self._db.transaction():
            found = self._one(
                "select a.task_id from assignment a join task t on t.id = a.task_id "
                "where a.person = :me and a.state = 'working' and t.state <> 'sealed' "
                "order by a.position limit 1",
                me=self.me,
            )
            if found is not None:
                return found
            found = self._one(
                "select a.task_id from assignment a join task t on t.id = a.task_id "
                "where a.person = :me and a.state in ('open', 'returned') and t.state <> 'sealed' "
                "order by a.state = 'returned' desc, a.position limit 1",
                me=self.me,
            )
            if found is not None:
                self._db.run(
                    "update assignment set state = 'working', started = coalesce(started, :now) "
                    "where task_id = :task and person = :me",
                    task=found, me=self.me, now=now(),
                )  # fmt: skip
            else:
                found = self._from_pool()
            if found is not None:
                self._note("started", found, self.me)
            return found

    def _from_pool(self) -> int | None:
        found = self._one(
            "select t.id from task t where t.state = 'open' and t.handed < t.copies and not exists "
            "(select 1 from assignment a join task o on o.id = a.task_id "
            "where a.person = :me and o.place = t.place) order by t.id limit 1",
            me=self.me,
        )
        if found is None:
            return None
        self._db.run("update task set handed = handed + 1 where id = :task", task=found)
        self._db.run(
            "insert into assignment (task_id, person, position, state, started, seconds, flag, "
            "reason) values (:task, :me, :task, 'working', :now, 0, '', '')",
            task=found, me=self.me, now=now(),
        )  # fmt: skip
        return found

    def save(self, work: HandIn) -> int:
        with self._db.transaction():
            known = self._one("select version from annotation where id = :id", id=work.id)
            if known is not None:
                return known
            self._check_own(work)
            number = 1 + self._one(
                "select coalesce(max(version), 0) from annotation "
                "where task_id = :task and person = :me",
                task=work.task, me=self.me,
            )  # fmt: skip
            self._db.run(
                "insert into annotation (id, task_id, person, version, kind, created, seconds, "
                "mask, shapes, digest) values (:id, :task, :me, :number, :kind, :created, "
                ":seconds, :mask, :shapes, :digest)",
                me=self.me, number=number, created=now(),
                **{k: getattr(work, k) for k in
                   ("id", "task", "kind", "seconds", "mask", "shapes", "digest")},
            )  # fmt: skip
            self._advance(work, number)
            return number

    def _check_own(self, work: HandIn) -> None:
        state = self._one(
            "select state from assignment where task_id = :task and person = :me",
            task=work.task, me=self.me,
        )  # fmt: skip
        if state is None:
            raise ConcordError(f"Task {work.task} is not yours; ask for the next task.")
        if self._one("select state from task where id = :task", task=work.task) == "sealed":
            raise ConcordError(f"Task {work.task} is sealed; ask the lead to open it again.")
        if state == "submitted":
            raise ConcordError(f"Task {work.task} is submitted already; ask the lead to return it.")
        if state == "dropped":
            raise ConcordError(f"Task {work.task} went to others when you left; ask the lead.")
        if work.kind not in (SAVED, SUBMITTED):
            raise ConcordError("A version is saved or submitted.")

    def _advance(self, work: HandIn, number: int) -> None:
        done = work.kind == SUBMITTED
        self._db.run(
            "update assignment set seconds = :seconds, confidence = :confidence, flag = :flag, "
            "reason = :reason, state = :state, submitted = coalesce(:at, submitted) "
            "where task_id = :task and person = :me",
            state="submitted" if done else "working", at=now() if done else None, me=self.me,
            **{k: getattr(work, k) for k in ("seconds", "confidence", "flag", "reason", "task")},
        )  # fmt: skip
        if done:
            self._note("submitted", work.task, self.me, f"version {number}")
            self.settle(work.task)
        if work.flag:
            self._note("flagged", work.task, self.me, f"{work.flag}: {work.reason}")

    def settle(self, task: int) -> None:
        """A task whose copies are all submitted is voted."""
        self._db.run(
            "update task set state = 'voted' where id = :task and state = 'open' and copies <= "
            "(select count(*) from assignment where task_id = :task and state = 'submitted')",
            task=task,
        )

    def _unsealed(self, task: int) -> None:
        state = self._one("select state from task where id = :task", task=task)
        if state is None:
            raise ConcordError(f"There is no task {task} in this campaign.")
        if state == "sealed":
            raise ConcordError(f"Task {task} is sealed; unseal it first.")

    def send_back(self, task: int, person: str, reason: str) -> None:
        self._may(("reviewer", "lead"), "Only a reviewer or the lead returns work.")
        with self._db.transaction():
            self._unsealed(task)
            state = self._one(
                "select state from assignment where task_id = :task and person = :person",
                task=task, person=person,
            )  # fmt: skip
            if state != "submitted":
                raise ConcordError(f"Task {task} has no submitted work of {person}.")
            self._db.run(
                "update assignment set state = 'returned', reason = :reason "
                "where task_id = :task and person = :person",
                task=task, person=person, reason=reason,
            )  # fmt: skip
            self._db.run("update task set state = 'open' where id = :task", task=task)
            self._note("returned", task, person, reason)

    def review(self, verdict: Verdict) -> int:
        self._may(("reviewer", "lead"), "Only a reviewer or the lead adjudicates.")
        with self._db.transaction():
            known = self._one("select stage from review where id = :id", id=verdict.id)
            if known is not None:
                return known
            self._unsealed(verdict.task)
            if not verdict.reason:
                raise ConcordError("Give a reason for the decision.")
            level = 1 + self._one("select stage from task where id = :task", task=verdict.task)
            wanted = int(self._one("select value from campaign where key = 'stages'"))
            values = {**verdict.__dict__, "names_shown": int(verdict.names_shown)}
            self._db.run(
                "insert into review (id, task_id, person, stage, decision, reason, created, mask, "
                "shapes, digest, sources, names_shown) values (:id, :task, :me, :level, :decision, "
                ":reason, :created, :mask, :shapes, :digest, :sources, :names_shown)",
                me=self.me, level=level, created=now(), **values,
            )  # fmt: skip
            self._db.run(
                "update task set stage = :level, state = :state where id = :task",
                level=level, task=verdict.task,
                state="reviewed" if level >= wanted else "voted",
            )  # fmt: skip
            self._note("reviewed", verdict.task, "", f"{verdict.decision}: {verdict.reason}")
            return level

    def seal(self, task: int, reason: str) -> None:
        self._may(("lead",), "Only the lead seals.")
        with self._db.transaction():
            if self._one("select state from task where id = :t", t=task) not in (
                "voted", "reviewed",
            ):  # fmt: skip
                raise ConcordError(f"Task {task} has open work or is sealed already.")
            self._db.run(
                "update task set state = 'sealed', sealed = :now where id = :t", t=task, now=now()
            )
            self._note("sealed", task, "", reason)

    def unseal(self, task: int, reason: str) -> None:
        self._may(("lead",), "Only the lead unseals.")
        with self._db.transaction():
            if self._one("select state from task where id = :t", t=task) != "sealed":
                raise ConcordError(f"Task {task} is not sealed.")
            self._db.run(
                "update task set sealed = null, state = case when stage > 0 then 'reviewed' "
                "else 'voted' end where id = :t",
                t=task,
            )
            self._note("unsealed", task, "", reason)
