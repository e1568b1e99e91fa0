"""What the Campaign panel asks of a store in one go, outside the main thread: values, no layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..engine import rasters
from ..engine.campaign import clear
from ..engine.errors import ConcordError
from .campaign_calls import PATIENCE
from .campaign_db import Address
from .campaign_looks import TaskRow, Vote
from .campaign_store import Store
from .text import tr

NOBODY = ("A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O")


@dataclass
class Entered:
    """An open campaign and what is shown of it at once."""

    store: Store
    people: list  # (name, role, kind)
    overview: dict


@dataclass
class Desk:
    """A task to label: what was kept of it, why it came back, and how clear its dates are."""

    task: TaskRow | None
    overview: dict
    kept: Vote | None = None
    returned: str = ""
    clear: list = field(default_factory=list)


@dataclass
class Shown:
    """One vote to look at; `title` is a letter or a name."""

    title: str
    person: str
    mask: np.ndarray  # (rows, cols) uint8
    path: str


def enter(where: Address, person: str = "") -> Entered:
    """Open a campaign. Raises ConcordError."""
    store = Store(where, person, PATIENCE)
    try:
        return Entered(store, store.people(), store.overview())
    except BaseException:
        store.close()
        raise


def next_task(store: Store) -> Desk:
    """Lock my next task and read what I need to label it."""
    task = store.next_task()
    if task is None:
        return Desk(None, store.overview())
    dates = clear.of_window(store.settings.imagery, store.settings.grid.sub(task.window))
    kept, why = store.latest(task.id), store.returned_because(task.id)
    return Desk(task, store.overview(), kept, why, dates)


def votes_of(store: Store, number: int, folder: Path, blind: bool) -> tuple:
    """(TaskRow, [Shown]) of a task, each vote as a class raster in `folder`."""
    task, votes = store.task(number), store.votes(number)
    if blind:  # an order that does not follow the names
        votes.sort(key=lambda v: (v.mask.astype(np.int64).sum() * 7919 % 104729, v.person))
    grid, scheme = store.settings.grid.sub(task.window), store.scheme
    Path(folder).mkdir(parents=True, exist_ok=True)
    shown = []
    for letter, vote in zip(NOBODY, votes):
        path = Path(folder) / f"vote-{store.ident[:8]}-{number}-{letter}.tif"
        rasters.write(path, vote.mask, grid, names=["class"], nodata=0, categories=scheme.names,
                      colours=scheme.colours)  # fmt: skip
        title = tr("Vote {x}").format(x=letter) if blind else vote.person
        shown.append(Shown(title, vote.person, vote.mask, str(path)))
    return task, shown


def seal_all(store: Store, numbers: list, reason: str) -> tuple:
    """Seal tasks one by one: (those sealed, the sentence that ended it or '')."""
    sealed = []
    for number in numbers:
        try:
            store.seal(number, reason)
        except ConcordError as error:
            return sealed, str(error)
        sealed.append(number)
    return sealed, ""
