"""From imagery, names and wishes to a plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import rasters, taxonomy
from ..errors import ConcordError
from ..grid import Window
from ..labels import ClassRaster
from ..progress import SILENT, Progress
from . import assign, sampling
from .values import Plan, Settings, team

_KNOWN = 0.5  # share of a chip that must have a known answer before it can test people


@dataclass(frozen=True)
class Wishes:
    """What the lead asked for; see the parameters of `concord:createcampaign`."""

    imagery: tuple
    taxonomy: str
    annotators: tuple
    title: str = "Campaign"
    reviewers: tuple = ()
    lead: str = ""
    chip: int = 256
    extent: tuple | None = None  # ((left, bottom, right, top), CRS text)
    boxes: tuple = ()
    sampling: str = "all"
    count: int = 0
    strata: str | None = None
    uncertainty: str | None = None
    copies: int = 3
    overlap: float = 1.0
    gold: str | None = None
    gold_share: float = 0.1
    pool: bool = False
    stages: int = 1
    reveal: str = "seal"
    seed: int = 0


def plan(wishes: Wishes, progress: Progress = SILENT) -> Plan:
    """Lay the chips, sample, find gold, and hand out the work.

    Raises:
        ConcordError: one sentence that names what cannot be planned and the remedy.
    """
    people = team(wishes.annotators, wishes.reviewers, wishes.lead)
    scheme = taxonomy.load(wishes.taxonomy)
    if not 0 <= wishes.stages <= 3:
        raise ConcordError("There are 0 to 3 review stages; correct the number.")
    if not wishes.imagery:
        raise ConcordError("A campaign needs imagery to look at; add at least one raster.")
    grid = rasters.require_crs(rasters.info(wishes.imagery[0])).grid
    sites = _sites(wishes, grid)
    if wishes.strata:
        sites = sampling.stratify(sites, wishes.strata, grid, progress.part(0, 30))
    elif wishes.sampling == "stratified":
        raise ConcordError("Stratified sampling needs a map of strata; choose one under STRATA.")
    if wishes.uncertainty:
        sites = sampling.score(sites, wishes.uncertainty, grid, progress.part(30, 60))
    elif wishes.sampling == "uncertainty":
        raise ConcordError("Sampling by uncertainty needs a raster of it; choose UNCERTAINTY.")
    sites = sampling.choose(sites, wishes.sampling, wishes.count, wishes.seed)
    answers = _gold(wishes, sites, grid, scheme, progress.part(60, 95))
    names = [p.name for p in people if p.role == "annotator"]
    copies = assign.copies_of(len(sites), wishes.copies, wishes.overlap, wishes.seed)
    if wishes.pool:
        tasks = assign.pool(sites, copies, names, set(answers))
    else:
        tasks = assign.balance(sites, copies, names, sorted(answers), wishes.seed)
    settings = Settings(
        wishes.title, grid, wishes.chip, tuple(wishes.imagery), scheme.as_json(),
        wishes.stages, wishes.reveal, wishes.seed,
    )  # fmt: skip
    return Plan(
        settings, people, tuple(tasks), {i + 1: mask for i, mask in answers.items()},
        _notes(wishes, names, tasks, answers),
    )  # fmt: skip


def _sites(wishes: Wishes, grid) -> list:
    if wishes.boxes:
        return sampling.polygon_sites(grid, wishes.boxes)
    within = None
    if wishes.extent is not None:
        bounds, crs = wishes.extent
        if crs and not rasters.same_crs(crs, grid.crs):
            bounds = rasters.transform_bounds(bounds, crs, grid.crs)
        within = grid.window_of(bounds)
    return sampling.chip_sites(grid, wishes.chip, within)


def _gold(wishes: Wishes, sites, grid, scheme, progress: Progress) -> dict:
    """{index of site: known classes} of the sites that test people, hidden among the others."""
    if not wishes.gold:
        return {}
    known = {}
    with ClassRaster(wishes.gold, grid) as raster:
        for index, site in enumerate(sites):
            progress.report(index, len(sites), "Looking for known answers")
            mask = raster.read(site.window)
            scheme.check(np.unique(mask), wishes.gold)
            if ((mask > 0) & (mask < 255)).mean() >= _KNOWN:
                known[index] = mask
    if not known:
        raise ConcordError(
            f"The gold raster {wishes.gold} knows no chip of this campaign well enough; choose "
            "another raster or area."
        )
    wanted = max(1, round(len(sites) * wishes.gold_share))
    order = np.random.default_rng(wishes.seed).permutation(sorted(known))
    return {int(i): known[int(i)] for i in sorted(order[:wanted])}


def _notes(wishes: Wishes, names, tasks, answers) -> tuple:
    notes = []
    if len(names) == 2:
        notes.append(
            "With two annotators nobody's care can be estimated from agreement alone; use gold "
            "tasks, or read the agreement only."
        )
    if wishes.gold and not wishes.pool:
        notes.append(f"{len(answers)} tasks have known answers and go to everybody.")
    work = assign.loads(tasks)
    if work:
        notes.append(f"Work per person: {min(work.values())} to {max(work.values())} tasks.")
    return tuple(notes)


def window_bounds(grid, window: Window):
    """(left, bottom, right, top) of a task in map units."""
    return grid.sub(window).bounds


def summary(plan_: Plan) -> dict:
    """Plain values of a plan for a report."""
    strata: dict = {}
    for task in plan_.tasks:
        strata[task.site.stratum] = strata.get(task.site.stratum, 0) + 1
    return {
        "title": plan_.settings.title,
        "tasks": len(plan_.tasks),
        "copies": sum(task.copies for task in plan_.tasks),
        "gold": len(plan_.gold),
        "strata": {k: v for k, v in sorted(strata.items()) if k},
        "work": dict(sorted(assign.loads(plan_.tasks).items())),
        "people": [p.__dict__ for p in plan_.people],
        "notes": list(plan_.notes),
    }
