"""What only a lead does with the people of a campaign: add one, let one go."""

from __future__ import annotations

from ..engine.campaign.values import key_of, people_of
from ..engine.errors import ConcordError
from . import campaign_rights
from .campaign_copy import note
from .campaign_store import Store


def _as_lead(store: Store) -> None:
    if store.role != "lead":
        raise ConcordError("Only the lead changes who takes part.")


def add_annotator(store: Store, name: str) -> str:
    """Let one more person take part; they get what is not handed out yet. Returns the name.

    In PostgreSQL the role is made when it is missing, without a password. Raises ConcordError for
    a name that is taken in any spelling.
    """
    _as_lead(store)
    (person,) = people_of([name])
    for known, _role, _kind in store.people():
        if key_of(known) == key_of(person.name):
            raise ConcordError(f"'{known}' takes part already; give the new person another name.")
    database = store._db
    with database.transaction():
        account = person.name if database.kind == "server" else None
        database.run(
            "insert into person (name, role, kind, account) values (:n, 'annotator', 'crowd', :a)",
            n=person.name, a=account,
        )  # fmt: skip
        if account:
            campaign_rights.admit(database, "annotator", account)
        note(store, "added", None, person.name, "annotator")
    return person.name


def drop_annotator(store: Store, name: str) -> int:
    """Let somebody go: what they submitted stays, the rest goes to whoever asks next.

    Returns the number of tasks that became free.
    """
    _as_lead(store)
    database = store._db
    rows = database.run("select role from person where name = :n", n=name)
    if not rows or rows[0][0] != "annotator":
        raise ConcordError(f"'{name}' is no annotator of this campaign.")
    still = "('open', 'working', 'returned')"
    with database.transaction():
        free = [
            row[0]
            for row in database.run(
                "select task_id from assignment a join task t on t.id = a.task_id "
                f"where a.person = :n and a.state in {still} and t.state <> 'sealed'",
                n=name,
            )
        ]
        database.many(
            "update task set handed = handed - 1 where id = :task", [{"task": t} for t in free]
        )
        database.run(
            f"update assignment set state = 'dropped' where person = :n and state in {still}",
            n=name,
        )
        database.run("update person set role = 'former' where name = :n", n=name)
        note(store, "dropped", None, name, f"{len(free)} tasks are free again")
    return len(free)
