"""From imagery, names and wishes to a plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import crosswalk, rasters, taxonomy
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
    tolerance: int = 1
    min_agreement: float = 0.8
    minutes: float = 10.0
    min_posterior: float = 0.0
    costs: str = ""  # "code=cost;…"
    gold_taxonomy: str = ""  # of the gold raster, when it is not the campaign's


def costs_of(text: str, scheme: taxonomy.Taxonomy) -> dict:
    """{class code: cost} of ``code or name=cost;…``; classes that are not named cost 1.

    Raises:
        ConcordError: an unknown class, or a cost that is no number of 0 or more.
    """
    codes = {name.casefold(): code for code, name in scheme.names.items()}
    found = {}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        name, _, cost = (piece.strip() for piece in part.rpartition("="))
        code = int(name) if name.isdigit() else codes.get(name.casefold())
        try:
            value = float(cost)
        except ValueError:
            value = -1.0
        if code not in scheme.codes or not 0 <= value < float("inf"):
            raise ConcordError(
                f"The cost '{part}' is not understood; write class=cost with a class of "
                f"{scheme.title} and a number of 0 or more, such as {scheme.codes[0]}=2."
            )
        found[code] = value
    return found


def plan(wishes: Wishes, progress: Progress = SILENT) -> Plan:
    """Lay the chips, sample, find gold, and hand out the work.

    Raises:
        ConcordError: one sentence that names what cannot be planned and the remedy.
    """
    people = team(wishes.annotators, wishes.reviewers, wishes.lead)
    scheme = taxonomy.load(wishes.taxonomy)
    costs = costs_of(wishes.costs, scheme)
    walk = _walk(wishes, scheme)
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
    answers = _gold(wishes, sites, grid, walk or scheme, progress.part(60, 95))
    names = [p.name for p in people if p.role == "annotator"]
    copies = assign.copies_of(len(sites), wishes.copies, wishes.overlap, wishes.seed)
    if wishes.pool:
        tasks = assign.pool(sites, copies, names, set(answers))
    else:
        tasks = assign.balance(sites, copies, names, sorted(answers), wishes.seed)
    settings = Settings(
        wishes.title, grid, wishes.chip, tuple(wishes.imagery), scheme.as_json(),
        wishes.stages, wishes.reveal, wishes.seed, wishes.tolerance, wishes.min_agreement,
        minutes=wishes.minutes, min_posterior=wishes.min_posterior, costs=costs,
    )  # fmt: skip
    notes = (*(walk.losses if walk else ()), *_notes(wishes, names, tasks, answers))
    gold = {i + 1: mask for i, mask in answers.items()}
    return Plan(settings, people, tuple(tasks), gold, notes)


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


def _walk(wishes: Wishes, scheme) -> crosswalk.Crosswalk | None:
    """From the gold raster's classes to the campaign's; None when they are the same."""
    if not wishes.gold or not wishes.gold_taxonomy:
        return None
    return crosswalk.between(taxonomy.load(wishes.gold_taxonomy), scheme)


def _gold(wishes: Wishes, sites, grid, classes, progress: Progress) -> dict:
    """{index of site: known classes} of the sites that test people, hidden among the others.

    ``classes``: the raster's scheme, or the Crosswalk from it to the campaign's.
    """
    if not wishes.gold:
        return {}
    known = {}
    walk = classes if isinstance(classes, crosswalk.Crosswalk) else None
    scheme = walk.source if walk else classes
    with ClassRaster(wishes.gold, grid) as raster:
        for index, site in enumerate(sites):
            progress.report(index, len(sites), "Looking for known answers")
            mask = raster.read(site.window)
            scheme.check(np.unique(mask), wishes.gold)
            mask = walk.apply(mask) if walk else mask
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
