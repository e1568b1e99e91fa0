"""Composites of dated scenes: median, medoid or greenest pixel of what is clear, with a count."""

from __future__ import annotations

import contextlib
import datetime
import warnings

import numpy as np

from .. import rasters, sensors
from ..errors import ConcordError
from ..grid import Grid
from ..progress import SILENT, Progress
from ..scene import Scene
from .clear import CLEAR, ClearReader
from .dated import Dated, group

METHODS = ("median", "medoid", "maxndvi")
_TILE = 256


def run(
    inputs,
    output: str,
    *,
    method: str = "median",
    sensor: str = "auto",
    grid: Grid | None = None,
    progress: Progress = SILENT,
) -> dict:
    """Write one image from the clear pixels of several dates and return the report.

    Bands are those that every date has, float32 in physical units, NaN where no date is clear;
    the band ``count`` holds how many dates are clear, and ``date`` (medoid, maxndvi) the day
    number of the date that was taken, counted from the first. The medoid is the clear date
    nearest to the others in all bands (Flood 2013), so that its bands belong together.

    Raises:
        ConcordError: fewer than two dates, or no band in common.
    """
    if method not in METHODS:
        raise ConcordError(f"The method '{method}' is not known; use {', '.join(METHODS)}.")
    dates, skipped = group(inputs)
    chosen = _sensor(dates, sensor)
    used = [dated for dated in dates if chosen in dated.images]
    if len(used) < 2:
        raise ConcordError(
            f"{inputs[0]} holds {len(used)} date of {chosen}; a composite needs at least two."
        )
    place = grid or min(
        (info.grid for info, _ in used[0].images[chosen]), key=rasters.metres_per_pixel
    )
    with contextlib.ExitStack() as stack:
        scenes = [stack.enter_context(_scene(dated, chosen, place)) for dated in used]
        names = [n for n in scenes[0].names if all(n in scene.names for scene in scenes)]
        _check(method, names)
        masks = [stack.enter_context(ClearReader(_only(d, chosen), place)) for d in used]
        extra = ["count"] if method == "median" else ["count", "date"]
        units = scenes[0].units(names) + ["1", "day"][: len(extra)]
        days = _days(used)
        with rasters.Writer(
            output,
            place,
            len(names) + len(extra),
            "float32",
            tags=sensors.kept(scenes),
            names=names + extra,
            units=units,
            nodata=np.nan,
        ) as writer:
            tiles = list(place.tiles(_TILE))
            for done, tile in enumerate(tiles):
                progress.report(done, len(tiles), "Compositing")
                cube = np.stack([scene.read(names, tile.core) for scene in scenes])
                state = np.stack([mask.read(tile.core) for mask in masks])
                cube[(state != CLEAR)[:, None].repeat(len(names), axis=1)] = np.nan
                writer.write(_compose(method, cube, names, days), tile.core)
        methods = [mask.method for mask in masks]
        told = [text for scene in scenes for text in scene.warnings]
    return {
        "output": str(output),
        "method": method,
        "sensor": chosen,
        "dates": [{"date": d.date, "clear_by": m} for d, m in zip(used, methods)],
        "bands": names + extra,
        "grid": place.describe(),
        "skipped": skipped,
        "warnings": list(dict.fromkeys(told)),
    }


def _sensor(dates: list, wanted: str) -> str:
    """The sensor asked for, else the one with most dates, optical before radar."""
    counts, optical = {}, {}
    for dated in dates:
        for sensor, files in dated.images.items():
            counts[sensor] = counts.get(sensor, 0) + 1
            optical[sensor] = any(known.kind == "optical" for _, known in files)
    if wanted != "auto" and wanted in counts:
        return wanted
    if wanted != "auto" or not counts:
        there = ", ".join(sorted(counts)) or "masks only"
        raise ConcordError(f"The folder holds no dated imagery of '{wanted}'; it has {there}.")
    return max(sorted(counts), key=lambda sensor: (counts[sensor], optical[sensor]))


def _only(dated: Dated, sensor: str) -> Dated:
    return Dated(dated.date, dated.masks, {sensor: dated.images[sensor]})


def _scene(dated: Dated, sensor: str, grid: Grid) -> Scene:
    files = dated.images[sensor]
    found = [known for _, known in files]
    scene = Scene([info.path for info, _ in files], grid, recognised=found)
    scene.check_units()
    return scene


def _check(method: str, names: list) -> None:
    if not names:
        raise ConcordError("The dates have no band in common; choose dates of one product.")
    near = "nir" if "nir" in names else "nir08"
    if method == "maxndvi" and "ndvi" not in names and not {near, "red"} <= set(names):
        raise ConcordError(
            "maxndvi needs the bands nir and red, or ndvi; choose median or medoid instead."
        )


def _days(dates: list) -> np.ndarray:
    days = [datetime.date.fromisoformat(dated.date) for dated in dates]
    return np.array([(day - days[0]).days for day in days], np.float32)


def _compose(method: str, cube: np.ndarray, names: list, days: np.ndarray) -> np.ndarray:
    """(bands + extra, rows, cols) from (dates, bands, rows, cols), NaN where not clear."""
    whole = np.isfinite(cube).all(axis=1)
    count = whole.sum(axis=0).astype(np.float32)
    if method == "median":
        cube = np.where(whole[:, None], cube, np.nan)
        with warnings.catch_warnings():  # pixels that no date shows
            warnings.simplefilter("ignore", RuntimeWarning)
            return np.concatenate([np.nanmedian(cube, axis=0), count[None]])
    merit = _greenness(cube, names) if method == "maxndvi" else -_distances(cube, whole)
    merit = np.where(whole, merit, -np.inf)
    best = np.argmax(merit, axis=0)
    picked = np.take_along_axis(cube, best[None, None], axis=0)[0]
    some = count > 0
    picked = np.where(some, picked, np.nan)
    return np.concatenate([picked, count[None], np.where(some, days[best], np.nan)[None]])


def _greenness(cube: np.ndarray, names: list) -> np.ndarray:
    if "ndvi" in names:
        return cube[:, names.index("ndvi")]
    near = cube[:, names.index("nir" if "nir" in names else "nir08")]
    red = cube[:, names.index("red")]
    with np.errstate(divide="ignore", invalid="ignore"):
        index = (near - red) / (near + red)
    # Beyond 1 one of the two is negative, which an overcorrected atmosphere leaves, not leaves.
    return np.where(np.abs(index) <= 1, index, -2.0)


def _distances(cube: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Sum of Euclidean distances of each date to all other clear ones, (dates, rows, cols)."""
    filled = np.where(whole[:, None], cube, 0.0)
    total = np.zeros(whole.shape, np.float32)
    for i in range(len(cube)):
        for j in range(i + 1, len(cube)):
            both = whole[i] & whole[j]
            gap = np.where(both, np.sqrt(((filled[i] - filled[j]) ** 2).sum(axis=0)), 0.0)
            total[i] += gap
            total[j] += gap
    return total
