"""An open campaign: who I am in it, what it holds, and what I do. Plain values go in and out."""

from __future__ import annotations

import json

from ..engine import taxonomy
from ..engine.campaign import content
from ..engine.campaign.values import Settings
from ..engine.errors import ConcordError
from . import campaign_acts as acts
from . import campaign_schema
from .campaign_db import Address, connect
from .campaign_file_acts import FileActs
from .campaign_looks import Looks, TaskRow


class Store(Looks):
    """One person's view of a campaign. In a GeoPackage ``person`` is given, '' for the lead.

    It may be used from any thread, by one at a time.
    """

    def __init__(self, where: Address, person: str = "", patience: float = 0.0):
        """``patience``: seconds after which a server that holds a statement back is given up."""
        self.where = where
        self._db = connect(where, patience=patience)
        try:
            if self._db.kind == "file":
                self._db.run("select 1 from migration")
                if campaign_schema.version(self._db) != campaign_schema.LATEST:
                    campaign_schema.migrate(self._db)
                self.acts = FileActs(self._db, person or self._lead())
            else:
                self.acts = acts.ServerActs(self._db)
                found = campaign_schema.version(self._db)
                if found < campaign_schema.LATEST and self.role == "lead":
                    campaign_schema.migrate(self._db)
                elif found > campaign_schema.LATEST:
                    raise ConcordError("This campaign was made by a newer Concord; update it.")
            hidden = self._db.kind == "server" and self.role == "annotator"
            self.task_table = "task_seen" if hidden else "task"
            self.settings = Settings.from_json(json.loads(self.value("settings")))
            self.ident = self.value("id")
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
        rows = self._db.run("select role from person where name = :name", name=person)
        if rows and rows[0][0] == "former":
            raise ConcordError(
                f"'{person}' has left the campaign and cannot take task {number} back; decide on "
                "it under Review."
            )
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
