"""Where the next labels help most: the model's doubt times the distance to what it was taught."""

from __future__ import annotations

import numpy as np

from .. import rasters
from ..grid import Grid, Window
from ..progress import Progress
from . import features
from .samples import fill_of

_TILE = 512
_TAUGHT = 3000  # training pixels that distances are measured to
_MANY, _AXES = 40, 12  # from so many features on, so many principal axes stand for them


def write(path: str, scene, plan, learned, samples, step: int, progress: Progress) -> dict:
    """Write a float32 raster 0-1 with one value for every ``step`` x ``step`` pixels.

    Doubt is the entropy of the probabilities (0 sure, 1 none of the classes); distance is that to
    the nearest training pixel in standardised features, 1 from its 95th percentile on.
    """
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(0)
    taught = samples.values
    if len(taught) > _TAUGHT:
        taught = taught[np.sort(rng.choice(len(taught), _TAUGHT, replace=False))]
    turn = _axes(taught)
    tree = cKDTree(turn(taught))
    reader = features.Reader(plan, scene, fill_of(scene, plan.bands))
    grid = _coarse(scene.grid, step)
    doubt = np.full((grid.height, grid.width), np.nan, np.float32)
    distance = doubt.copy()
    tiles = list(scene.grid.tiles(max(step, _TILE // step * step)))
    for number, tile in enumerate(tiles):
        progress.report(number, len(tiles), "Where to label next")
        values, good, place = _sampled(reader, tile.core, step)
        if good.any():
            shares = learned.probabilities(values[good])
            one, other = doubt[place.slices], distance[place.slices]
            one[good] = entropy(shares.T)
            other[good] = tree.query(turn(values[good]))[0]
    finite = distance[np.isfinite(distance)]
    far = float(np.percentile(finite, 95)) if finite.size else 1.0
    wanted = doubt * np.minimum(distance / max(far, 1e-6), 1)
    rasters.write(path, wanted.astype(np.float32), grid, names=["label next"], nodata=np.nan)
    return {"step": step, "mean_doubt": float(np.nanmean(doubt)) if finite.size else None}


def entropy(shares: np.ndarray) -> np.ndarray:
    """Shannon entropy of probabilities along axis 0, as a share of the greatest possible."""
    shares = np.clip(shares, 1e-12, 1)
    return (-(shares * np.log(shares)).sum(axis=0) / np.log(max(2, len(shares)))).astype(np.float32)


def _coarse(grid: Grid, step: int) -> Grid:
    a, b, c, d, e, f = grid.transform
    width, height = -(-grid.width // step), -(-grid.height // step)
    return Grid(grid.crs, (a * step, b * step, c, d * step, e * step, f), width, height)


def _axes(taught: np.ndarray):
    """A function to standardised features; to their first principal axes where there are many.

    Distances in hundreds of features are slow to look up and all alike.
    """
    centre, spread = taught.mean(axis=0), taught.std(axis=0) + 1e-6
    if taught.shape[1] <= _MANY:
        return lambda values: (values - centre) / spread
    axes = np.linalg.eigh(np.cov(((taught - centre) / spread).T))[1][:, -_AXES:]
    return lambda values: ((values - centre) / spread) @ axes


def _sampled(reader: features.Reader, core: Window, step: int) -> tuple:
    """Features (r, c, f) of every ``step``-th pixel of a window, which are good, the place."""
    computed, good = reader.read(core)
    part = (
        slice(min(step // 2, core.height - 1), core.height, step),
        slice(min(step // 2, core.width - 1), core.width, step),
    )
    good = good[part]
    place = Window(core.col // step, core.row // step, good.shape[1], good.shape[0])
    return computed[(slice(None), *part)].transpose(1, 2, 0), good, place
