"""Where to label: a chip grid or given polygons, and which of those places become tasks."""

from __future__ import annotations

import numpy as np

from ..errors import ConcordError
from ..grid import Grid, Window
from ..labels import ClassRaster
from ..progress import SILENT, Progress
from .values import Site

METHODS = ("all", "random", "stratified", "uncertainty")


def chip_sites(grid: Grid, chip: int, within: Window | None = None) -> list:
    """Whole chips of ``chip`` x ``chip`` pixels; what is left at the edges is no place.

    Raises:
        ConcordError: the area is smaller than one chip.
    """
    area = within or grid.window
    if chip < 8:
        raise ConcordError(f"A chip of {chip} pixels is too small; use 8 or more.")
    if area.width < chip or area.height < chip:
        raise ConcordError(
            f"The area is {area.width} x {area.height} pixels, smaller than one chip of {chip}; "
            "draw a larger extent or choose smaller chips."
        )
    sites = []
    for row in range(area.row, area.row + area.height - chip + 1, chip):
        for col in range(area.col, area.col + area.width - chip + 1, chip):
            sites.append(Site(Window(col, row, chip, chip), len(sites)))
    return sites


def polygon_sites(grid: Grid, boxes) -> list:
    """One site per box (left, bottom, right, top); boxes that overlap are one place."""
    windows = [grid.window_of(box, "A site") for box in boxes]
    if not windows:
        raise ConcordError("The layer of sites has no polygon; draw at least one.")
    place = list(range(len(windows)))
    for i, a in enumerate(windows):
        for j in range(i):
            b = windows[j]
            apart = (
                a.col >= b.col + b.width
                or b.col >= a.col + a.width
                or a.row >= b.row + b.height
                or b.row >= a.row + a.height
            )
            if not apart and place[i] != place[j]:
                old, new = place[i], place[j]
                place = [new if p == old else p for p in place]
    return [Site(window, number) for window, number in zip(windows, place)]


def _shuffled(sites, seed: int) -> list:
    order = np.random.default_rng(seed).permutation(len(sites))
    return [sites[i] for i in order]


def stratify(sites, strata: str, grid: Grid, progress: Progress = SILENT) -> list:
    """Sites with the most common class of an existing map as their stratum."""
    found = []
    with ClassRaster(strata, grid) as raster:
        names = raster.info.categories
        for done, site in enumerate(sites):
            progress.report(done, len(sites), "Reading the map of strata")
            counts = np.bincount(raster.read(site.window).ravel(), minlength=256)
            counts[0] = counts[255] = 0
            code = int(counts.argmax()) if counts.any() else 0
            name = names.get(code) or (f"class {code}" if code else "no data")
            found.append(Site(site.window, site.place, name, site.score))
    return found


def score(sites, uncertainty: str, grid: Grid, progress: Progress = SILENT) -> list:
    """Sites with the mean of a raster of uncertainty or disagreement as their score."""
    from .. import rasters

    found = []
    with rasters.Raster(uncertainty, grid, "nearest") as raster:
        for done, site in enumerate(sites):
            progress.report(done, len(sites), "Reading the map of doubt")
            values = raster.read(site.window, [1])[0].astype(float)
            good = values[np.isfinite(values)]
            mean = float(good.mean()) if good.size else 0.0
            found.append(Site(site.window, site.place, site.stratum, mean))
    return found


def _stratified(sites, count: int, seed: int) -> list:
    """The same number from every stratum; small strata give all and the others more."""
    groups: dict = {}
    for site in _shuffled(sites, seed):
        groups.setdefault(site.stratum, []).append(site)
    chosen: list = []
    while len(chosen) < count and groups:
        for name in sorted(groups):
            if len(chosen) < count:
                chosen.append(groups[name].pop())
        groups = {name: rest for name, rest in groups.items() if rest}
    return chosen


def choose(sites, method: str, count: int = 0, seed: int = 0) -> list:
    """The sites that become tasks, in row order; ``count`` 0 stands for all.

    Args:
        method: all, random, stratified (needs strata) or uncertainty (highest score first).
    """
    if method not in METHODS:
        raise ConcordError(f"The sampling '{method}' is not known; use {', '.join(METHODS)}.")
    if count < 0:
        raise ConcordError("The number of sites is negative; give 0 for all or a number.")
    if method == "all" or count == 0 or count >= len(sites):
        return list(sites)
    if method == "random":
        chosen = _shuffled(sites, seed)[:count]
    elif method == "stratified":
        chosen = _stratified(sites, count, seed)
    else:
        chosen = sorted(_shuffled(sites, seed), key=lambda site: -site.score)[:count]
    return sorted(chosen, key=lambda site: (site.window.row, site.window.col))
