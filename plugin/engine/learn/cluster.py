"""Draft classes without labels: principal components or MNF, then k-means.

MNF: Green et al. 1988, IEEE TGRS 26 (1); noise from differences of neighbouring pixels.
k-means: scipy.cluster.vq with k-means++ starts.
"""

from __future__ import annotations

import numpy as np

from .. import rasters
from ..errors import ConcordError
from ..grid import Window
from ..progress import SILENT, Progress
from ..scene import Scene
from ..taxonomy import ClassDef, Taxonomy, colour_of

TRANSFORMS = ("pca", "mnf", "none")
_TILE = 1024
_SAMPLE = 512  # longest side of the view that components and centres are learnt from
_STARTS = 3


def cluster(inputs, output: str, clusters: int, transform: str = "pca", components: int = 0,
            bands=(), extent: tuple | None = None, seed: int = 0,
            progress: Progress = SILENT) -> dict:  # fmt: skip
    """Write a uint8 raster of classes 1..clusters, ordered by size, and return the report.

    Args:
        components: how many components are kept; 0 keeps those with 99 % of the variance.
        extent: ((left, bottom, right, top), CRS text); None for the whole image.
    """
    if not 2 <= clusters <= 254:
        raise ConcordError(f"{clusters} clusters cannot be told apart; ask for 2 to 254.")
    if transform not in TRANSFORMS:
        raise ConcordError(
            f"The transform '{transform}' is not known; use {', '.join(TRANSFORMS)}."
        )
    with Scene(inputs) as scene:
        names = scene.require(list(bands) or scene.names)
        area = scene.grid.window
        if extent is not None:
            area = scene.grid.window_of(rasters.bounds_on(scene.grid, *extent))
        mean, axes, share = _learnt(_view(scene, names, area), transform, components)
        centres = _centres(_view(scene, names, area), mean, axes, clusters, seed)
        classes = tuple(ClassDef(i, f"cluster {i}", colour_of(i)) for i in range(1, clusters + 1))
        scheme = Taxonomy("clusters", "Clusters", classes)
        grid = scene.grid.sub(area)
        counts = np.zeros(256, np.int64)
        with rasters.Writer(output, grid, 1, "uint8", nodata=0, colours=scheme.colours,
                            categories=scheme.names) as writer:  # fmt: skip
            tiles = list(scene.grid.tiles(_TILE, 0, area))
            for number, tile in enumerate(tiles):
                progress.report(number, len(tiles), "Clustering")
                codes = _codes(scene.read(names, tile.core), mean, axes, centres)
                counts += np.bincount(codes.ravel(), minlength=256)
                core = tile.core
                place = Window(core.col - area.col, core.row - area.row, core.width, core.height)
                writer.write(codes, place)
    return {
        "inputs": [str(p) for p in inputs],
        "bands": list(names),
        "transform": transform,
        "components": int(axes.shape[1]),
        "explained": share,
        "classes": [
            {"code": c.code, "name": c.name, "pixels": int(counts[c.code])} for c in classes
        ],
    }


def _view(scene: Scene, names, area: Window) -> np.ndarray:
    step = max(1.0, max(area.width, area.height) / _SAMPLE)
    shape = (max(2, round(area.height / step)), max(2, round(area.width / step)))
    return scene.read(names, area, shape).astype(np.float64)


def _learnt(view: np.ndarray, transform: str, components: int) -> tuple:
    """(mean (b,), axes (b, c) that also bring components to unit variance, share explained)."""
    good = np.isfinite(view).all(axis=0)
    table = view[:, good].T
    if len(table) < 2:
        raise ConcordError("The image has no data here; choose another extent.")
    mean, spread = table.mean(axis=0), table.std(axis=0) + 1e-9
    level = (table - mean) / spread
    count = len(spread)
    if transform == "none":
        return mean, np.diag(1 / spread), 1.0
    covariance = np.atleast_2d(np.cov(level.T))
    if transform == "mnf":
        values, axes = _noise_adjusted(view, spread, covariance)
    else:
        values, axes = np.linalg.eigh(covariance)
    order = np.argsort(values)[::-1]
    values, axes = np.clip(values[order], 1e-12, None), axes[:, order]
    share = np.cumsum(values) / values.sum()
    kept = min(count, components or int(np.searchsorted(share, 0.99) + 1))
    return mean, axes[:, :kept] / spread[:, None], float(share[kept - 1])


def _noise_adjusted(view, spread, covariance) -> tuple:
    """Eigenvalues and axes by the ratio of signal to noise."""
    from scipy.linalg import eigh

    step = (view[:, :, 1:] - view[:, :, :-1]) / spread[:, None, None]
    good = np.isfinite(step).all(axis=0)
    noise = np.atleast_2d(np.cov(step[:, good])) / 2 + 1e-6 * np.eye(len(spread))
    return eigh(covariance, noise)


def _centres(view, mean, axes, clusters: int, seed: int) -> np.ndarray:
    """k-means centres, the largest cluster first; the best of a few starts."""
    from scipy.cluster.vq import kmeans2, vq

    good = np.isfinite(view).all(axis=0)
    points = (view[:, good].T - mean) @ axes
    if len(np.unique(points.round(9), axis=0)) < clusters:
        raise ConcordError(
            f"The image has fewer than {clusters} different values here; ask for fewer clusters."
        )
    best = None
    for start in range(_STARTS):
        rng = np.random.default_rng(seed + start)
        centres, _ = kmeans2(points, clusters, 50, minit="++", seed=rng, missing="warn")
        near, distance = vq(points, centres)
        error = float((distance**2).sum())
        if best is None or error < best[0]:
            best = (error, centres, np.bincount(near, minlength=clusters))
    return best[1][np.argsort(-best[2], kind="stable")]


def _codes(image, mean, axes, centres) -> np.ndarray:
    """Codes 1..k of the nearest centre, 0 where a band lacks data."""
    bands, rows, cols = image.shape
    table = image.reshape(bands, -1).T
    good = np.isfinite(table).all(axis=1)
    points = (np.where(good[:, None], table, mean) - mean) @ axes
    squares = (centres**2).sum(axis=1) - 2 * points @ centres.T
    codes = squares.argmin(axis=1) + 1
    return np.where(good, codes, 0).reshape(rows, cols).astype(np.uint8)
