"""Clear coverage of a series: how much of the place each date shows, and each pixel's share."""

from __future__ import annotations

import contextlib

import numpy as np

from .. import rasters, report
from ..errors import ConcordError
from ..grid import Grid
from ..progress import SILENT, Progress
from ..segment.composite import stretch
from .clear import CLEAR, NO_DATA, ONLY_DATA, SIMPLE_TEST, ClearReader
from .dated import group

THRESHOLD = 50.0  # percent of the place that a date must show to count as good
_TILE, _LONGEST = 512, 480
_NAMES, _UNITS = ("clear_share", "clear_dates", "dates"), ("%", "1", "1")


def run(
    inputs,
    clear: str | None = None,
    *,
    grid: Grid | None = None,
    threshold: float = THRESHOLD,
    progress: Progress = SILENT,
) -> tuple:
    """Count clear pixels of every date and write the CLEAR raster.

    ``clear`` has three uint8 bands: percent of the dates with data on which the pixel is clear
    (255 where no date has data), how many dates are clear, how many have data (254 at most).

    Returns:
        (report values, heat map as (rows, cols) float32 percent, at most 480 pixels a side).
    """
    dates, skipped = group(inputs)
    place = grid or _grid(dates)
    counts = np.zeros((len(dates), 3), np.int64)  # clear, clouded, no data
    step = max(1, -(-max(place.width, place.height) // _LONGEST))
    heat = np.full((-(-place.height // step), -(-place.width // step)), np.nan, np.float32)
    readers = [ClearReader(dated, place) for dated in dates]
    try:
        with _maybe_writer(clear, place) as writer:
            tiles = list(place.tiles(_TILE // step * step or step))
            for done, tile in enumerate(tiles):
                progress.report(done, len(tiles), "Counting clear pixels")
                states = np.stack([reader.read(tile.core) for reader in readers])
                for code, column in ((CLEAR, 0), (0, 1), (NO_DATA, 2)):
                    counts[:, column] += (states == code).sum(axis=(1, 2))
                share = _share(states)
                top, left = tile.core.row // step, tile.core.col // step
                small = share[::step, ::step]
                heat[top : top + small.shape[0], left : left + small.shape[1]] = small
                if writer is not None:
                    writer.write(_bytes(states, share), tile.core)
    finally:
        for reader in readers:
            reader.close()
    return _values(dates, readers, counts, place, threshold, skipped, clear), heat


def _maybe_writer(path: str | None, grid: Grid):
    if path is None:
        return contextlib.nullcontext()
    return rasters.Writer(path, grid, 3, "uint8", names=_NAMES, units=_UNITS, nodata=255)


def _grid(dates: list) -> Grid:
    """The grid of the finest file of the first date that has masks, else imagery.

    Raises:
        ConcordError: a date lies elsewhere.
    """
    first = next((d for d in dates if d.masks), dates[0])
    infos = [rasters.info(mask.path) for mask in first.masks]
    infos = infos or [info for files in first.images.values() for info, _ in files]
    place = min((info.grid for info in infos), key=rasters.metres_per_pixel)
    for dated in dates:
        paths = [mask.path for mask in dated.masks]
        paths = paths or [info.path for files in dated.images.values() for info, _ in files]
        if not any(_touch(rasters.info(path).grid, place) for path in paths):
            raise ConcordError(
                f"{paths[0]} ({dated.date}) lies outside the place of the first date; put scenes "
                "of one place into one folder."
            )
    return place


def _touch(one: Grid, other: Grid) -> bool:
    bounds = one.bounds
    if not rasters.same_crs(one.crs, other.crs):
        bounds = rasters.transform_bounds(bounds, one.crs, other.crs)
    left, bottom, right, top = other.bounds
    return bounds[0] < right and bounds[2] > left and bounds[1] < top and bounds[3] > bottom


def _share(states: np.ndarray) -> np.ndarray:
    """Percent of the dates with data that are clear, NaN where there is no data."""
    seen = (states != NO_DATA).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(seen > 0, 100.0 * (states == CLEAR).sum(axis=0) / seen, np.nan)


def _bytes(states: np.ndarray, share: np.ndarray) -> np.ndarray:
    seen = np.minimum((states != NO_DATA).sum(axis=0), 254)
    clear = np.minimum((states == CLEAR).sum(axis=0), 254)
    percent = np.where(np.isfinite(share), np.round(share), 255)
    return np.stack([percent, clear, seen]).astype(np.uint8)


def _values(dates, readers, counts, place, threshold, skipped, clear) -> dict:
    entries = []
    for dated, reader, (good, bad, missing) in zip(dates, readers, counts.tolist()):
        total = max(1, good + bad + missing)
        entries.append(
            {
                "date": dated.date,
                "clear": round(100.0 * good / total, 2),
                "not_clear": round(100.0 * bad / total, 2),
                "no_data": round(100.0 * missing / total, 2),
                "verdict": "high" if 100.0 * good / total >= threshold else "low",
                "method": reader.method,
                "images": {
                    sensor: [info.path for info, _ in files]
                    for sensor, files in dated.images.items()
                },
            }
        )
    notes = []
    drafts = [e["date"] for e in entries if SIMPLE_TEST in e["method"] or ONLY_DATA in e["method"]]
    if drafts:
        notes.append(
            f"{len(drafts)} of {len(entries)} dates have no quality layer; their clear share is a "
            "draft from the image itself."
        )
    notes += dict.fromkeys(text for reader in readers for text in reader.warnings)
    return {
        "dates": entries,
        "threshold": threshold,
        "mean_clear": round(float(np.mean([e["clear"] for e in entries])), 2),
        "good_dates": sum(e["verdict"] == "high" for e in entries),
        "grid": place.describe(),
        "clear": clear,
        "skipped": skipped,
        "notes": notes,
    }


def write_report(path: str, values: dict, heat: np.ndarray) -> dict:
    """Bars a date, greyed under the threshold, and the heat map; see ``report.write``."""
    grey = stretch(heat, 0.0, 100.0)
    rows = tuple(
        (e["date"], e["clear"], e["not_clear"], e["no_data"], e["verdict"], e["method"])
        for e in values["dates"]
    )
    sections = [
        report.Section(
            "Clear coverage a date",
            f"Green is clear, grey a date under {values['threshold']:g} % clear.",
            pictures=(("Clear share of each date, 0 to 100 %", _bars(values)),),
            notes=tuple(values["notes"]),
        ),
        report.Section(
            "Dates",
            header=("Date", "Clear %", "Not clear %", "No data %", "Verdict", "Told by"),
            rows=rows,
        ),
        report.Section(
            "Where the place is clear",
            "White is clear on every date, black on none.",
            pictures=(
                ("Clear share of the dates a pixel", rasters.png(np.stack([grey] * 3, axis=2))),
            ),
        ),
    ]
    lead = (
        f"{values['good_dates']} of {len(values['dates'])} dates show at least "
        f"{values['threshold']:g} % of the place; the mean is {values['mean_clear']:.1f} %."
    )
    return report.write(path, values, "Clear coverage", lead, sections)


def _bars(values: dict) -> bytes:
    """One row of pixels a date: green to its clear share, grey when the verdict is low."""
    high = max(3, 240 // len(values["dates"]))
    picture = np.full((high * len(values["dates"]), 300, 3), 245, np.uint8)
    for i, entry in enumerate(values["dates"]):
        colour = (46, 158, 91) if entry["verdict"] == "high" else (170, 170, 170)
        picture[i * high : (i + 1) * high - 1, : round(3 * entry["clear"])] = colour
    return rasters.png(picture)
