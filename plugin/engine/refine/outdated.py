"""Map objects that no longer look like their class on the new image, ranked (the idea of
MapFormer, arXiv 2303.17859, without a network: only the old map and the new image are needed).

Each class has a robust spectral model on the new image; each object (4-connected component of the
map) is scored by how much better another class explains its pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage

from ..progress import SILENT, Progress
from .opinion import Opinion, Patch, Source
from .partition import Partition
from .source import windows_over

_LEAST = 30  # pixels of a class below which it has no model
_TRIM = 0.8  # share of a class's pixels, the nearest to its centre, that shape its model
_FLOOR = -25.0  # log likelihood below which a pixel is an outlier of every class alike


class OutdatedEngine:
    """Proposes a new class for whole objects; finds change and swapped classes, not borders."""

    id = "outdated"
    halo = 0
    settings = "robust Gaussian of each class, trimmed to 80 %; objects are map components"

    def __init__(self, folder: Path | None = None):
        self.folder = folder
        self._models: dict = {}

    def prepare(self, source: Source, progress: Progress = SILENT) -> None:
        self._codes = np.array(source.codes, np.int64)
        self._fit(source)
        self.partition = Partition(_components, self._evidence, self.folder, exact=True)
        self.partition.prepare(source, progress)

    def _fit(self, source) -> None:
        gathered: dict = {int(code): [] for code in self._codes}
        rng = np.random.default_rng(0)
        for window in windows_over(source, 256, 48):
            patch = source.patch(window)
            pixels = patch.bands.reshape(len(patch.bands), -1)
            for code in gathered:
                where = np.flatnonzero(((patch.labels == code) & patch.valid).ravel())
                if len(where) > 1500:
                    where = rng.choice(where, 1500, replace=False)
                gathered[code].append(pixels[:, where])
        for code, parts in gathered.items():
            values = np.concatenate(parts, axis=1) if parts else np.zeros((1, 0))
            if values.shape[1] >= _LEAST:
                self._models[code] = _robust(values)

    def _evidence(self, patch: Patch, numbers: np.ndarray, regions: int) -> np.ndarray:
        """(regions, classes + 1): sums of log likelihood under each class, and pixel counts."""
        use = (numbers >= 0) & patch.valid
        which = numbers[use]
        out = np.zeros((regions, len(self._codes) + 1))
        pixels = patch.bands[:, use]
        for i, code in enumerate(self._codes):
            if int(code) in self._models:
                likely = np.maximum(_log_likelihood(pixels, self._models[int(code)]), _FLOOR)
                # Rounded, so that sums in another order stay the same.
                likely = np.round(likely, 3)
                out[:, i] = np.bincount(which, likely, minlength=regions)
            else:
                out[:, i] = np.bincount(which, minlength=regions) * (2 * _FLOOR)
        out[:, -1] = np.bincount(which, minlength=regions)
        return out

    def propose(self, patch: Patch) -> Opinion:
        codes, sums = self._codes, self.partition.sums
        means = sums[:, :-1] / np.maximum(sums[:, -1:], 1)
        means = np.concatenate([means, np.zeros((1, len(codes)))])
        odds = np.exp(means - means.max(axis=1, keepdims=True))
        odds = np.round(odds / odds.sum(axis=1, keepdims=True), 4)
        numbers = self.partition.numbers(patch.window)
        index = np.full(256, -1, np.int64)
        index[codes] = np.arange(len(codes))
        old = index[patch.labels]
        own = np.where(old >= 0, odds[numbers, np.maximum(old, 0)], 1.0)
        top, best = odds.max(axis=1)[numbers], codes[odds.argmax(axis=1)][numbers]
        keeps = (numbers < 0) | (old < 0) | (own >= top) | ~patch.valid
        proposed = np.where(keeps, patch.labels, best).astype(np.uint8)
        lead = np.where(keeps, 0.0, top - own).astype(np.float32)
        return Opinion(proposed, np.where(keeps, own, top).astype(np.float32), lead)


def _components(patch: Patch) -> np.ndarray:
    """Numbers of the 4-connected components of equal class; -1 for no data and ignore."""
    out = np.full(patch.labels.shape, -1, np.int32)
    first = 0
    for code in np.unique(patch.labels):
        if code in (0, 255):
            continue
        parts, count = ndimage.label(patch.labels == code)
        here = parts > 0
        out[here] = parts[here] + (first - 1)
        first += count
    return out


def _robust(values: np.ndarray) -> tuple:
    """(centre, inverse covariance, log determinant) of pixels (bands, n), outliers left out."""
    centre = np.median(values, axis=1)
    spread = np.median(np.abs(values - centre[:, None]), axis=1) * 1.4826 + 1e-3
    off = (((values - centre[:, None]) / spread[:, None]) ** 2).sum(axis=0)
    kept = values[:, off <= np.quantile(off, _TRIM)]
    centre = kept.mean(axis=1)
    cov = np.atleast_2d(np.cov(kept))
    # Shrunk towards its diagonal, so that few pixels in many bands still give an inverse; and
    # widened, because trimming makes a class look narrower than it is.
    cov = 1.5 * (0.9 * cov + 0.1 * np.diag(np.diag(cov))) + 0.01 * np.eye(len(cov))
    sign, logdet = np.linalg.slogdet(cov)
    return centre, np.linalg.inv(cov), float(logdet)


def _log_likelihood(pixels: np.ndarray, model: tuple) -> np.ndarray:
    centre, inverse, logdet = model
    off = pixels - centre[:, None]
    return -0.5 * (np.einsum("bn,bc,cn->n", off, inverse, off, optimize=True) + logdet)
