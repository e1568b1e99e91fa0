"""A campaign's consensus, chips and reports, from what a store gave as plain values."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from .. import report
from ..consensus import run
from ..errors import ConcordError
from ..progress import SILENT, Progress
from ..taxonomy import Taxonomy
from . import drawings, mosaic, quality
from .values import Settings


@dataclass(frozen=True)
class Gathered:
    """What was submitted: ``votes`` newest per person and task, ``windows`` {task: Window}."""

    settings: Settings
    scheme: Taxonomy
    windows: dict
    states: dict
    votes: list
    gold: dict = field(default_factory=dict)
    reviews: list = field(default_factory=list)
    overview: dict = field(default_factory=dict)
    flags: dict = field(default_factory=dict)
    events: int = 0

    @property
    def people(self) -> list:
        return sorted({vote.person for vote in self.votes})

    @property
    def codes(self) -> list:
        return sorted(self.scheme.codes)

    def decided(self) -> dict:
        """{task: mask} of the last review of each task."""
        return {review[0]: review[6] for review in self.reviews}


def check(found: Gathered) -> None:
    """Refuse what no consensus can come from."""
    if not found.votes:
        raise ConcordError("Nobody has submitted any task yet; label and submit some first.")
    if len(found.people) < 2:
        raise ConcordError(
            f"Only {found.people[0]} has submitted work; a consensus needs two annotators."
        )


def combine(found: Gathered, output: str, *, method: str = "dawidskene", gold: str | None = None,
            agreement: str | None = None, model: str | None = None,
            progress: Progress = SILENT) -> tuple:  # fmt: skip
    """Write the consensus of a campaign like ``run.combine``; decided tasks overlay it.

    Gold is taken from the campaign unless a raster is given.
    """
    check(found)
    voted = {vote.task for vote in found.votes}
    grid, corner = mosaic.area_of(found.settings.grid, (found.windows[t] for t in voted))
    with tempfile.TemporaryDirectory(prefix="concord-") as folder:
        paths = []
        for number, person in enumerate(found.people):
            pieces = ((found.windows[v.task], v.mask) for v in found.votes if v.person == person)
            path = Path(folder, f"{number:03d}.tif")
            paths.append(mosaic.write(path, pieces, grid, corner, found.scheme, progress))
        if method == "gold" and not gold:
            answers = [(found.windows[t], m) for t, m in found.gold.items() if t in voted]
            if not answers:
                raise ConcordError(
                    "No submitted task has a known answer; choose another method or a GOLD raster."
                )
            gold = mosaic.write(Path(folder, "gold.tif"), answers, grid, corner, found.scheme)
        decided = mosaic.Settled(
            [(found.windows[t], m) for t, m in found.decided().items()], corner
        )
        values, scheme = run.combine(
            paths, output, method=method, gold=gold, agreement=agreement, model=model,
            tolerance=found.settings.tolerance, scheme=found.scheme, settled=decided,
            progress=progress,
        )  # fmt: skip
    for entry, person in zip(values["annotators"], found.people):
        entry.update(name=person, file="")
    values["campaign"] = found.settings.title
    values["tasks"] = len(voted)
    values["decided_tasks"] = len(decided)
    return values, scheme


def judged(found: Gathered, method: str = "dawidskene", progress: Progress = SILENT) -> dict:
    """Every number of the campaign's report: people, queue, gold, drift, agreement, states."""
    check(found)
    people, codes = found.people, found.codes
    known = "dawidskene" if method in ("gold", "crowdlab") else method
    result, _ = quality.pooled(found.votes, people, codes, known, progress.part(0, 30))
    width, height = found.settings.grid.pixel_size
    queue = quality.queue(
        found.votes, people, codes, result, width * height, found.settings.costs, found.flags,
        progress.part(30, 80),
    )  # fmt: skip
    scores = quality.gold_scores(found.votes, found.gold, codes, found.settings.tolerance)
    return {
        "title": found.settings.title,
        "method": result.method,
        "overview": found.overview,
        "gold": scores,
        "thresholds": {
            "agreement": found.settings.min_agreement,
            "undecided": found.settings.max_undecided,
            "posterior": found.settings.min_posterior,
        },
        "course": quality.course(found.votes, people, codes, result),
        "calibration": quality.calibration(found.votes, found.gold, people, codes, result),
        "agreement_over_time": quality.agreement_over_time(found.votes),
        "queue": [{**doubt.__dict__, "state": found.states.get(doubt.task, "")} for doubt in queue],
        "map": [
            (w.col, w.row, w.width, w.height, found.states.get(task, ""))
            for task, w in found.windows.items()
        ],
        "stage_change": quality.stage_change(found.reviews),
        "classes": [{"code": c.code, "name": c.name} for c in found.scheme.classes],
        "events": found.events,
        "notes": list(result.notes),
    }


def write_report(path: str, values: dict) -> dict:
    """The lead's report as HTML and JSON."""
    view = values["overview"]
    progress = tuple(
        (p["name"], p["tasks"], p["submitted"], p["flags"], p["seconds"] / max(p["submitted"], 1))
        for p in view.get("people", [])
    )
    gold = tuple(
        (g["name"], g["tasks"], g["accuracy"], g["accuracy_inside"], g["low"], g["high"])
        for g in values["gold"]
    )
    course = tuple(
        (c["name"], c["accuracy"], c["low"], c["high"], *c["agreement"], c["drift"])
        for c in values["course"]
    )
    queue = tuple(
        (q["task"], q["state"], q["weight"], q["entropy"], q["agreement"], q["voters"], q["flags"])
        for q in values["queue"][:50]
    )
    time = tuple(
        (t["until"][:16], t["tasks"], t["agreement"]) for t in values["agreement_over_time"]
    )
    parts = [f"quarter {i + 1}" for i in range(4)]
    sections = [
        report.Section("Progress", header=("person", "tasks", "submitted", "flags", "seconds each"),
                       rows=progress, notes=values["notes"],
                       text=f"About {view.get('hours_left', 0)} hours of work remain."),
        report.Section("Tasks by state", header=("state", "tasks"),
                       rows=tuple(sorted(view.get("tasks", {}).items()))),
        report.Section("Known answers", header=("person", "tasks", "accuracy",
                       "away from edges", "low", "high"), rows=gold,
                       text="95 % intervals over whole tasks, because neighbouring pixels are no "
                       "independent trials."),
        report.Section("Plots", drawings=tuple(drawings.of_report(values))),
        *_confusions(values),
        report.Section("Agreement with the consensus",
                       header=("person", "all", "low", "high", *parts, "drift"), rows=course,
                       text="A little flattering, because a person's own vote is part of the "
                       "consensus; 95 % intervals over whole tasks."),
        report.Section("Agreement of pairs over time", header=("until", "tasks", "agreement"),
                       rows=time),
        report.Section("Most doubtful tasks", header=("task", "state", "weight", "entropy",
                       "agreement", "voters", "flags"), rows=queue),
        report.Section("Changes between reviews", header=("task", "from", "to", "share changed"),
                       rows=tuple(values["stage_change"])),
    ]  # fmt: skip
    lead = f"{sum(view.get('tasks', {}).values())} tasks, {values['events']} events."
    return report.write(path, values, values["title"], lead, sections)


def _confusions(values: dict) -> list:
    names = [c["name"] for c in sorted(values["classes"], key=lambda c: c["code"])]
    return [
        report.Section(
            f"{g['name']}: known class (rows) and vote", header=("", *names),
            rows=tuple((name, *row) for name, row in zip(names, g["confusion"])),
        )
        for g in values["gold"]
    ]  # fmt: skip
