"""Majority of the neighbours: the class that fills most of a square window."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..progress import SILENT, Progress
from .opinion import Opinion, Patch, Source, from_shares


class ModeEngine:
    """Mode filter; repairs salt-and-pepper noise, blind to the image."""

    id = "mode"

    def __init__(self, size: int = 7):
        self.size = size
        self.halo = size // 2
        self.settings = f"window of {size} by {size} pixels"

    def prepare(self, source: Source, progress: Progress = SILENT) -> None:
        """Nothing: every window speaks for itself."""

    def propose(self, patch: Patch) -> Opinion:
        codes = np.array(patch.codes, np.int64)
        labelled = np.isin(patch.labels, codes)
        total = self._mean(labelled)
        shares = np.stack([self._mean(patch.labels == code) for code in codes])
        np.divide(shares, total, out=shares, where=total > 0)
        return from_shares(shares, codes, patch.labels)

    def _mean(self, plane: np.ndarray) -> np.ndarray:
        """Share of the window, counted exactly so that ties are ties."""
        area = self.size * self.size
        mean = ndimage.uniform_filter(plane.astype(np.float64), self.size, mode="constant")
        return np.round(mean * area) / area
