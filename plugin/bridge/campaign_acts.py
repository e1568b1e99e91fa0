"""What people do with a campaign. In PostgreSQL every act is a function of the database, because
rights are kept there; in a GeoPackage the same rules stand here, each in one transaction.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timezone

from ..engine.errors import ConcordError

SAVED, SUBMITTED = "saved", "submitted"
DECISIONS = ("pick", "merge", "redraw", "consensus")


def new_id() -> str:
    """A name for one act; doing the same act again under it changes nothing."""
    return uuid.uuid4().hex


def now() -> str:
    """The time as the store writes it: UTC with microseconds."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True)
class HandIn:
    """One version of somebody's work on a task. ``mask`` is packed, ``shapes`` GeoJSON text."""

    id: str
    task: int
    mask: bytes
    digest: str
    shapes: str = ""
    seconds: float = 0.0
    confidence: int | None = None
    flag: str = ""
    reason: str = ""
    kind: str = SAVED


@dataclass(frozen=True)
class Verdict:
    """A reviewer's decision: pick one, merge, redraw or take the consensus, with a reason."""

    id: str
    task: int
    decision: str
    reason: str
    mask: bytes
    digest: str
    shapes: str = ""
    sources: str = ""
    names_shown: bool = False


class ServerActs:
    """Calls of the functions in `campaign_rights`; who acts is the database role."""

    def __init__(self, database):
        self._db = database
        rows = database.run("select me(), my_role()")
        self.me, self.role = rows[0]
        if self.me is None:
            raise ConcordError(
                "Your database role is nobody of this campaign; ask the lead to add you."
            )

    def next_task(self) -> int | None:
        return self._db.run("select work_next()")[0][0]

    def save(self, work: HandIn) -> int:
        sql = """select work_save(:id, :task, :kind, :seconds, :confidence, :flag, :reason, :mask,
                 :shapes, :digest)"""
        return self._db.run(sql, **work.__dict__)[0][0]

    def send_back(self, task: int, person: str, reason: str) -> None:
        self._db.run(
            "select work_return(:task, :person, :reason)", task=task, person=person, reason=reason
        )

    def review(self, verdict: Verdict) -> int:
        sql = """select review_add(:id, :task, :decision, :reason, :mask, :shapes, :digest,
                 :sources, :names)"""
        values = {**verdict.__dict__, "names": int(verdict.names_shown)}
        del values["names_shown"]
        return self._db.run(sql, **values)[0][0]

    def seal(self, task: int, reason: str) -> None:
        self._db.run("select task_seal(:task, :reason)", task=task, reason=reason)

    def unseal(self, task: int, reason: str) -> None:
        self._db.run("select task_unseal(:task, :reason)", task=task, reason=reason)
