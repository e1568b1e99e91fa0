"""Moving windows over planes with gaps."""

from __future__ import annotations

import numpy as np


def shifted(plane: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """The neighbour ``rows`` below and ``cols`` to the right; edges and gaps repeat the centre."""
    height, width = plane.shape
    row = np.clip(np.arange(height) + rows, 0, height - 1)
    col = np.clip(np.arange(width) + cols, 0, width - 1)
    neighbour = plane[np.ix_(row, col)]
    return np.where(np.isfinite(neighbour), neighbour, plane)


def mean_within(plane: np.ndarray, reach: int) -> np.ndarray:
    """Mean of the finite values in a square of ``2 * reach + 1``; NaN where there are none."""
    from scipy.ndimage import uniform_filter

    valid = np.isfinite(plane)
    side = 2 * reach + 1
    filled = np.where(valid, plane, 0.0).astype(np.float64)
    total = uniform_filter(filled, side, mode="nearest")
    if valid.all():
        return total.astype(np.float32)
    share = uniform_filter(valid.astype(np.float64), side, mode="nearest")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(share > 1e-9, total / share, np.nan).astype(np.float32)
