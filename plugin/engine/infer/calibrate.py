"""A straight line from what a regression model answers to what was measured at points."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np

from .. import files, rasters
from ..errors import ConcordError
from ..grid import Window
from . import describe
from . import item as items
from .session import Model

FOLDS = 5
LEAST = 10  # points


@dataclass(frozen=True)
class Line:
    """measured = slope * answered + offset, by least squares.

    ``rmse_before`` and ``rmse_after`` are of points that the line had not seen: the points are
    cut into five strips along their longer side, and each strip is judged by a line through the
    other four, because neighbours in a strip are too alike for a random fold.
    """

    slope: float
    offset: float
    points: int
    rmse_before: float
    rmse_after: float
    correlation: float

    def as_json(self) -> dict:
        return {key: round(value, 9) for key, value in asdict(self).items()}


def fit(answered, measured, places) -> Line:
    """The line through (n,) answers and measurements at (n, 2) map coordinates.

    Raises:
        ConcordError: fewer than ten points, or answers that are all the same.
    """
    x, y = np.asarray(answered, float), np.asarray(measured, float)
    if len(x) < LEAST:
        raise ConcordError(
            f"Only {len(x)} points lie on data of the prediction; a line needs at least {LEAST}."
        )
    if np.ptp(x) == 0:
        raise ConcordError("The prediction has one value at all points; a line cannot be fitted.")
    places = np.asarray(places, float)
    along = places[:, int(np.argmax(np.ptp(places, axis=0)))]
    strip = np.argsort(np.argsort(along, kind="stable"), kind="stable") * FOLDS // len(x)
    judged = np.empty_like(y)
    for fold in range(FOLDS):
        out = strip == fold
        if np.ptp(x[~out]) == 0:
            judged[out] = y[~out].mean()
            continue
        slope, offset = np.polyfit(x[~out], y[~out], 1)
        judged[out] = slope * x[out] + offset
    slope, offset = np.polyfit(x, y, 1)
    correlation = float(np.corrcoef(x, y)[0, 1]) if np.ptp(y) else 0.0
    return Line(float(slope), float(offset), len(x), _rmse(x, y), _rmse(judged, y), correlation)


def _rmse(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(np.mean((a - b) ** 2)))


def at_points(path: str, points: list, band: int = 1) -> tuple:
    """(values, places, kept): a raster's finite values at (x, y) in its CRS, nearest pixel.

    ``kept`` (n,) bool tells which points lie on data.
    """
    values = np.full(len(points), np.nan)
    with rasters.Raster(path) as raster:
        grid = rasters.require_crs(raster.info).grid
        nodata = raster.info.bands[band - 1].nodata
        for number, (x, y) in enumerate(points):
            col, row = (int(np.floor(v)) for v in grid.colrow(x, y))
            if 0 <= col < grid.width and 0 <= row < grid.height:
                value = float(raster.read(Window(col, row, 1, 1), [band])[0, 0, 0])
                values[number] = np.nan if value == nodata else value
    kept = np.isfinite(values)
    return values[kept], np.asarray(points, float).reshape(-1, 2)[kept], kept


def calibrated(model: Model, line: Line) -> dict:
    """The model's MLM item with the line in it; a line that is there already is carried on.

    Raises:
        ConcordError: the model is no regression.
    """
    if model.card.kind != "regression":
        raise ConcordError(
            f"{model.path.name} is made for '{model.card.task}'; only numbers can be calibrated."
        )
    item = _item(model)
    hyper = item["properties"].setdefault("mlm:hyperparameters", {})
    slope, offset = (float(v) for v in hyper.get("calibration") or (1.0, 0.0))
    hyper["calibration"] = [line.slope * slope, line.slope * offset + line.offset]
    hyper["calibration_of"] = line.as_json()
    items.from_item(item, "the calibrated card")
    return item


def _item(model: Model) -> dict:
    inside = model.metadata.get(items.KEY)
    if inside:
        return json.loads(inside)
    beside = items.sidecar(model.path)
    return files.read_json(beside) if beside.is_file() else describe.draft(model.card)
