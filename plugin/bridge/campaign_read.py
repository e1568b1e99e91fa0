"""Everything a consensus or a report needs, read from a store in one go as plain values."""

from __future__ import annotations

from ..engine import jobs
from ..engine.campaign.results import Gathered
from ..engine.progress import SILENT, Progress
from .campaign_db import Address
from .campaign_store import Store


def gather(where: Address, progress: Progress = SILENT) -> Gathered:
    """Read a campaign as its lead sees it; outside the main thread, where a cancel is answered
    also while the store keeps one waiting."""

    def read() -> Gathered:
        with Store(where) as store:
            return of_store(store, progress)

    return jobs.answered(read, progress)


def of_store(store: Store, progress: Progress = SILENT) -> Gathered:
    """The same from an open store."""
    progress.report(0, 3, "Reading the campaign")
    tasks = store.tasks()
    progress.report(1, 3, "Reading the votes")
    votes = store.votes()
    progress.report(2, 3, "Reading reviews")
    return Gathered(
        store.settings,
        store.scheme,
        {task.id: task.window for task in tasks},
        {task.id: task.state for task in tasks},
        votes,
        store.gold(),
        store.reviews() if store.role != "annotator" else [],
        store.overview(),
        store.flags(),
        store.event_count(),
    )
