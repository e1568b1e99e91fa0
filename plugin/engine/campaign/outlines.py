"""Objects that a campaign's annotators agree on, task by task, from the outlines they drew."""

from __future__ import annotations

import itertools
import json

import numpy as np

from .. import rasters, report
from ..consensus import objects
from ..errors import ConcordError
from ..progress import SILENT, Progress
from .quality import by_task
from .results import Gathered


def drawn(vote, grid) -> list:
    """The outlines of one vote on its task's grid; regions of the mask when none were kept."""
    if vote.shapes:
        features = json.loads(vote.shapes)["features"]
        return objects.outlines([(f["geometry"], f["properties"]["class"]) for f in features], grid)
    regions = rasters.polygons(vote.mask, grid, (vote.mask > 0) & (vote.mask < 255))
    return objects.outlines([(shape, int(code)) for shape, code in regions], grid)


def settle(found: Gathered, least: float = objects.SAME, support: float = 0.5,
           progress: Progress = SILENT) -> tuple:  # fmt: skip
    """([(task, Agreed, [GeoJSON polygons])], report values) of the tasks with two votes or more.

    Args:
        least: IoU from which two outlines are one object.
        support: share of a task's annotators that must have drawn an object.
    """
    tasks = {t: cast for t, cast in by_task(found.votes).items() if len(cast) > 1}
    if not tasks:
        raise ConcordError("No task has two submitted votes yet; objects need two annotators.")
    rows: list = []
    pairs: dict = {}
    seen: dict = {}
    for done, (task, cast) in enumerate(sorted(tasks.items())):
        progress.report(done, len(tasks), "Matching outlines", "tasks")
        grid = found.settings.grid.sub(found.windows[task])
        people = sorted(cast)
        work = {p: drawn(cast[p], grid) for p in people}
        for agreed in objects.agree([work[p] for p in people], least, support):
            shapes = [s for s, _ in rasters.polygons(agreed.mask.astype(np.uint8), grid,
                                                     agreed.mask)]  # fmt: skip
            rows.append((task, agreed, shapes))
            for a in agreed.people:
                seen[people[a]] = seen.get(people[a], 0) + 1
        for one, other in itertools.combinations(people, 2):
            shape = (grid.height, grid.width)
            figures = objects.compare(work[one], work[other], shape, found.settings.tolerance)
            pairs.setdefault((one, other), []).append(figures)
    return rows, _values(found, rows, pairs, seen, len(tasks))


def _mean(figures: list, key: str) -> float | None:
    known = [f[key] for f in figures if f[key] is not None]
    return float(np.mean(known)) if known else None


def _values(found: Gathered, rows, pairs: dict, seen: dict, tasks: int) -> dict:
    names = found.scheme.names
    kinds: dict = {}
    for _task, agreed, _shapes in rows:
        name = names.get(agreed.code, "undecided")
        kinds[name] = kinds.get(name, 0) + 1
    return {
        "title": found.settings.title,
        "tasks": tasks,
        "objects": len(rows),
        "classes": dict(sorted(kinds.items())),
        "pairs": [
            {"one": one, "other": other, "tasks": len(figures),
             **{k: _mean(figures, k) for k in ("extent", "count", "edge", "same_class")},
             "matched": sum(f["matched"] for f in figures),
             "only_one": sum(f["only_first"] for f in figures),
             "only_other": sum(f["only_second"] for f in figures)}
            for (one, other), figures in sorted(pairs.items())
        ],
        "drew": dict(sorted(seen.items())),
    }  # fmt: skip


def write_report(path: str, values: dict) -> dict:
    """Agreement of outlines as HTML and JSON: extent, count and edge apart."""
    keys = ("one", "other", "tasks", "extent", "count", "edge", "same_class", "matched",
            "only_one", "only_other")  # fmt: skip
    sections = [
        report.Section(
            "Pairs of annotators", header=("one", "other", "tasks", "extent", "count", "edge",
                                           "same class", "matched", "only one", "only other"),
            rows=tuple(tuple(p[k] for k in keys) for p in values["pairs"]),
            text="Extent is the IoU of the labelled areas, count the smaller over the larger "
            "number, edge the share of edge pixels that meet within the tolerance.",
        ),
        report.Section("Objects by class", header=("class", "objects"),
                       rows=tuple(values["classes"].items())),
        report.Section("Objects of the consensus that somebody drew", header=("person", "objects"),
                       rows=tuple(values["drew"].items())),
    ]  # fmt: skip
    lead = f"{values['objects']} objects in {values['tasks']} tasks."
    return report.write(path, values, values["title"], lead, sections)
