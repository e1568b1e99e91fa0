"""Parcel tables: per parcel, date and band the median and percentiles of its inner pixels.

As Sen4AgriNet and EuroCropsML have it. Pixels whose centre is nearer to the parcel's edge than the
inner buffer are left out, because they are mixed; a parcel without a pixel has a count of 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import files, rasters, sensors
from ..errors import ConcordError
from ..grid import Grid
from ..progress import SILENT, Progress
from . import domains, stac, tables

HEADER = ("parcel", "class", "image", "date", "band", "unit", "valid", "median", "p10", "p90")


@dataclass(frozen=True)
class Parcel:
    """A parcel: id, class value, GeoJSON (Multi)Polygon in a CRS given beside."""

    id: str
    value: str
    geometry: dict


def table(
    parcels: list,
    crs: str,
    imagery,
    output: str,
    buffer: float = 0.5,
    date: str = "",
    progress: Progress = SILENT,
) -> dict:
    """Write the table (.csv or .parquet) and return {"rows", "parcels", "empty"}.

    Args:
        buffer: inner buffer in pixels of each image.

    Raises:
        ConcordError: no parcel, no image, or Parquet without pyarrow.
    """
    if not parcels:
        raise ConcordError("There is no parcel; choose a polygon layer.")
    if not imagery:
        raise ConcordError("No image was given; choose at least one raster.")
    counts = {"rows": 0, "parcels": len(parcels), "empty": 0}
    rows = _rows(parcels, crs, imagery, buffer, date, counts, progress)
    if str(output).lower().endswith(".parquet"):
        tables.require_parquet()
        kept = list(rows)
        columns = {name: [row[i] for row in kept] for i, name in enumerate(HEADER)}
        with files.atomic_file(output) as temporary:
            Path(temporary).write_bytes(tables.parquet(columns))
    else:
        with files.atomic_file(output) as temporary:
            with open(temporary, "w", encoding="utf-8", newline="") as out:
                for line in tables.csv_lines(HEADER, rows):
                    out.write(line)
    return counts


def _rows(parcels, crs, imagery, buffer, date, counts: dict, progress: Progress) -> Iterator:
    total = len(parcels) * len(imagery)
    for number, path in enumerate(imagery):
        info = rasters.require_crs(rasters.info(path))
        recognised = sensors.recognise(info)
        when = date or stac.date_in(Path(path).name)
        moved = [_moved(p.geometry, crs, info.grid.crs) for p in parcels]
        with rasters.Raster(path) as raster:
            for done, (parcel, geometry) in enumerate(zip(parcels, moved)):
                progress.report(number * len(parcels) + done, total, "Reading parcels", "parcels")
                values = _inner(raster, info.grid, geometry, recognised, buffer)
                counts["empty"] += not values.shape[1]
                for band, own in zip(recognised.bands, values):
                    counts["rows"] += 1
                    yield (parcel.id, parcel.value, Path(path).stem, when, band.name, band.unit,
                           *_figures(own, band))  # fmt: skip


def _figures(values: np.ndarray, band) -> tuple:
    """(count, median, 10th, 90th percentile) in the band's unit; None without a value."""
    own = values[np.isfinite(values)]
    if band.nodata is not None:
        own = own[own != band.nodata]
    if not own.size:
        return 0, None, None, None
    scaled = own * band.scale + band.offset
    low, middle, high = np.percentile(scaled, (10, 50, 90))
    return int(own.size), round(float(middle), 6), round(float(low), 6), round(float(high), 6)


def _moved(geometry: dict, source: str, target: str) -> dict:
    def ring(spots):
        return [list(s) for s in rasters.transform_points([s[:2] for s in spots], source, target)]

    if geometry["type"] == "Polygon":
        return {"type": "Polygon", "coordinates": [ring(r) for r in geometry["coordinates"]]}
    return {
        "type": "MultiPolygon",
        "coordinates": [[ring(r) for r in part] for part in geometry["coordinates"]],
    }


def _inner(raster, grid: Grid, geometry: dict, recognised, buffer: float) -> np.ndarray:
    """(bands, pixels) whose centres lie inside by at least ``buffer`` pixels."""
    parts = geometry["coordinates"]
    rings = parts if geometry["type"] == "Polygon" else [r for part in parts for r in part]
    spots = [spot for r in rings for spot in r]
    xs, ys = zip(*spots)
    empty = np.zeros((len(recognised.bands), 0))
    try:
        window = grid.window_of((min(xs), min(ys), max(xs), max(ys)))
    except ConcordError:
        return empty  # the image does not cover it
    rows, cols = np.mgrid[window.row : window.row + window.height,
                          window.col : window.col + window.width] + 0.5  # fmt: skip
    a, b, c, d, e, f = grid.transform
    centres = np.stack([(a * cols + b * rows + c).ravel(), (d * cols + e * rows + f).ravel()], 1)
    inside = domains.inside(geometry, centres)
    if buffer > 0 and inside.any():
        reach = buffer * min(grid.pixel_size)
        inside[inside] = _distance(centres[inside], rings) >= reach * (1 - 1e-9)
    if not inside.any():
        return empty
    array = raster.read(window, [band.index for band in recognised.bands]).astype(float)
    return array.reshape(len(array), -1)[:, inside]


def _distance(spots: np.ndarray, rings: list) -> np.ndarray:
    """Distance of spots (n, 2) to the nearest edge of any ring."""
    best = np.full(len(spots), np.inf)
    for ring in rings:
        ends = np.asarray(ring, float)[:, :2]
        for one, other in zip(ends[:-1], ends[1:]):
            along = other - one
            length = float(along @ along)
            share = np.clip((spots - one) @ along / length, 0, 1) if length else 0.0
            near = one + np.multiply.outer(share, along) if length else one
            best = np.minimum(best, np.hypot(*(spots - near).T))
    return best
