"""Labelled pixels: where they are, which of them are used, and what the classifier sees there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import rasters
from ..errors import ConcordError
from ..grid import Grid, Window
from ..labels import ClassRaster
from ..progress import Progress
from ..scene import Scene
from ..taxonomy import IGNORE, NO_DATA
from . import features

_TILE = 512
_PER_TILE = 4000  # pixels of one class kept of one tile, so that a full label raster fits


class PolygonLabels:
    """Polygons in the grid's CRS as [(GeoJSON geometry, code)]; later ones win."""

    def __init__(self, shapes, grid: Grid):
        self._shapes, self._grid = list(shapes), grid
        self.codes = sorted({int(code) for _, code in self._shapes})

    def read(self, window: Window) -> np.ndarray:
        return rasters.burn(self._shapes, self._grid.sub(window))

    def close(self) -> None:
        """Nothing is open."""


class RasterLabels:
    """A class raster read by nearest pixel on the scene's grid."""

    def __init__(self, path: str, grid: Grid):
        self.raster = ClassRaster(path, grid)

    def read(self, window: Window) -> np.ndarray:
        return self.raster.read(window)

    def close(self) -> None:
        self.raster.close()


@dataclass
class Samples:
    """Labelled pixels: codes (n,), pixel positions (n, 2) as row and column, features (n, f)."""

    codes: np.ndarray
    places: np.ndarray
    values: np.ndarray
    labelled: dict  # class code -> labelled pixels in all


def choose(labels, scene: Scene, most: int, seed: int, progress: Progress):
    """(codes, places, counts): at most ``most`` labelled pixels, balanced by √frequency."""
    counts = np.zeros(256, np.int64)
    codes, places = [], []
    tiles = list(scene.grid.tiles(_TILE))
    for number, tile in enumerate(tiles):
        progress.report(number, len(tiles), "Reading labels")
        found = labels.read(tile.core)
        rng = np.random.default_rng((seed, number))
        for code in np.unique(found):
            if code in (NO_DATA, IGNORE):
                continue
            rows, cols = np.nonzero(found == code)
            counts[code] += rows.size
            if rows.size > _PER_TILE:
                picked = np.sort(rng.choice(rows.size, _PER_TILE, replace=False))
                rows, cols = rows[picked], cols[picked]
            places.append(np.stack([rows + tile.core.row, cols + tile.core.col], axis=1))
            codes.append(np.full(rows.size, code, np.uint8))
    if not codes:
        raise ConcordError("The labels do not touch the image; choose labels inside it.")
    codes, places = np.concatenate(codes), np.concatenate(places)
    present = np.unique(codes)
    if present.size < 2:
        raise ConcordError(
            f"The labels hold one class only (code {present[0]}); label at least two."
        )
    keep = _balanced(codes, present, most, np.random.default_rng(seed))
    return codes[keep], places[keep], {int(c): int(counts[c]) for c in present}


def _balanced(codes, present, most: int, rng) -> np.ndarray:
    weights = np.sqrt([np.count_nonzero(codes == c) for c in present])
    quotas = np.maximum(1, (most * weights / weights.sum()).astype(int))
    kept = []
    for code, quota in zip(present, quotas):
        places = np.flatnonzero(codes == code)
        kept.append(rng.choice(places, min(quota, places.size), replace=False))
    return np.sort(np.concatenate(kept))


def fill_of(scene: Scene, bands) -> np.ndarray:
    """The mean of each band, which stands where there are no data."""
    view = scene.glance(list(bands))
    means = [float(p[np.isfinite(p)].mean()) if np.isfinite(p).any() else 0.0 for p in view]
    return np.array(means, np.float32)


def collect(labels, scene: Scene, plan: features.Plan, most: int, seed: int, progress: Progress):
    """The ``Samples`` of a scene; pixels without data are left out."""
    codes, places, counts = choose(labels, scene, most, seed, progress.part(0, 30))
    reader = features.Reader(plan, scene, fill_of(scene, plan.bands))
    values = np.full((len(codes), len(plan.names)), np.nan, np.float32)
    order = np.lexsort((places[:, 1] // _TILE, places[:, 0] // _TILE))
    keys = (places // _TILE)[order]
    starts = np.flatnonzero(np.any(np.diff(keys, axis=0, prepend=-1), axis=1))
    reading = progress.part(30, 100)
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(order)])):
        reading.report(number, len(starts), "Computing features")
        chosen = order[start:end]
        values[chosen] = _of_tile(reader, places[chosen])
    good = np.isfinite(values).all(axis=1)
    if np.unique(codes[good]).size < 2:
        raise ConcordError("Fewer than two classes have labels where the image has data; add some.")
    return Samples(codes[good], places[good], values[good], counts)


def _of_tile(reader: features.Reader, places) -> np.ndarray:
    """Features (n, f) at pixel positions that lie close together; NaN where data are missing."""
    window = around(places)
    computed, good = reader.read(window)
    rows, cols = places[:, 0] - window.row, places[:, 1] - window.col
    found = computed[:, rows, cols].T.copy()
    found[~good[rows, cols]] = np.nan
    return found


def around(places) -> Window:
    """The window that holds pixel positions (n, 2), rows and columns."""
    row, col = (int(v) for v in places.min(axis=0))
    below, right = (int(v) + 1 for v in places.max(axis=0))
    return Window(col, row, right - col, below - row)
