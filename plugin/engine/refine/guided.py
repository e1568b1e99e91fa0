"""Edge-aware smoothing of the class planes: the guided filter of He, Sun and Tang (2013)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..progress import SILENT, Progress
from .opinion import Opinion, Patch, from_shares, shares_of
from .source import windows_over

_STEPS = 4096  # shares are rounded, so that sums in another order cannot change an answer


def box(plane: np.ndarray, radius: int) -> np.ndarray:
    """Mean over a square window of 2 * radius + 1 pixels, last two axes, edges repeated."""
    size = 2 * radius + 1
    out = ndimage.uniform_filter1d(plane, size, axis=-2, mode="nearest")
    return ndimage.uniform_filter1d(out, size, axis=-1, mode="nearest")


class Guide:
    """A guide plane (rows, cols) whose box statistics are worked out once, at half resolution
    (the fast guided filter, He and Sun 2015).

    Args:
        radius: of the window in pixels.
        eps: variance of the guide (0-1) below which the window counts as flat.
        corner: row and column of the plane in the map; squares of two pixels are counted from the
            map's corner, so that windows that start elsewhere give the same answer.
    """

    def __init__(self, plane: np.ndarray, radius: int, eps: float, corner: tuple = (0, 0)):
        rows, cols = plane.shape
        self._pad = [(at % 2, (size + at % 2) % 2) for at, size in zip(corner, (rows, cols))]
        self._radius = max(1, radius // 2)
        # The four pixels of a square as planes of their own: steps of two are slow to sum over.
        self._parts = [np.ascontiguousarray(part) for part in self._quarters(plane)]
        self._half = _mean(self._parts)
        self._mean = box(self._half, self._radius)
        square = _mean([part * part for part in self._parts])
        variance = box(square, self._radius) - self._mean * self._mean
        self._scale = 1.0 / (np.maximum(variance, 0.0) + eps)

    def _quarters(self, plane: np.ndarray) -> list:
        if any(sum(pad) for pad in self._pad):
            plane = np.pad(plane, self._pad, mode="edge")
        return [plane[row::2, col::2] for row in (0, 1) for col in (0, 1)]

    def filter(self, shares: np.ndarray) -> np.ndarray:
        """Shares (classes, rows, cols) smoothed so that their edges follow the guide's."""
        (top, below), (left, right) = self._pad
        rows, cols = shares.shape[1:]
        out = np.zeros_like(shares)
        whole = np.empty((rows + top + below, cols + left + right), shares.dtype)
        quarters = [whole[row::2, col::2] for row in (0, 1) for col in (0, 1)]
        for plane, target in zip(shares, out):
            if not plane.any():
                continue  # a class that is not here
            parts = self._quarters(plane)
            slope = _mean([part * own for part, own in zip(parts, self._parts)])
            mean = box(_mean(parts), self._radius)
            slope = box(slope, self._radius)
            slope -= self._mean * mean
            slope *= self._scale
            mean -= slope * self._mean
            slope, mean = box(slope, self._radius), box(mean, self._radius)
            for own, quarter in zip(self._parts, quarters):
                np.multiply(own, slope, out=quarter)
                quarter += mean
            target[:] = whole[top : top + rows, left : left + cols]
        return out


def _mean(parts: list) -> np.ndarray:
    """Mean of the four pixels of every square."""
    out = parts[0] + parts[1]
    out += parts[2]
    out += parts[3]
    out *= 0.25
    return out


class PrincipalGuide:
    """The first principal component of a scene, brought to 0-1, from a sample of its pixels."""

    def __init__(self):
        self._axis, self._low, self._width = None, 0.0, 1.0

    def prepare(self, source) -> None:
        pixels = []
        for window in windows_over(source, 256, 24):
            patch = source.patch(window)
            pixels.append(patch.bands[:, patch.valid][:, ::7])
        values = np.concatenate(pixels, axis=1)
        if values.shape[1] < 2:
            self._axis = np.ones(len(values), np.float32)
            return
        _, vectors = np.linalg.eigh(np.atleast_2d(np.cov(values)))
        axis = vectors[:, -1] * (1.0 if vectors[:, -1].sum() >= 0 else -1.0)
        low, high = np.percentile(axis @ values, (1, 99))
        self._axis = axis.astype(np.float32)
        self._low, self._width = float(low), float(high - low) or 1.0

    def of(self, patch: Patch) -> np.ndarray:
        plane = np.tensordot(self._axis, patch.bands, 1)
        return np.clip((plane - self._low) / self._width, 0.0, 1.0)


def corner_of(patch: Patch) -> tuple:
    """Row and column of a patch in its map."""
    return (patch.window.row, patch.window.col) if patch.window is not None else (0, 0)


def normalised(shares: np.ndarray) -> np.ndarray:
    """Shares cut to 0-1, brought to the sum 1 where there is any, and rounded."""
    np.clip(shares, 0.0, 1.0, out=shares)
    total = shares.sum(axis=0)
    total[total < 1e-6] = 1.0
    shares /= total
    shares *= _STEPS
    np.rint(shares, out=shares)
    shares *= 1.0 / _STEPS
    return shares


class GuidedEngine:
    """Repairs speckle, small shifts and blocks along the edges of the image; keeps the rest.

    Args:
        radius: of the filter in pixels.
        eps: how little contrast (variance of the 0-1 guide) counts as no edge.
    """

    id = "guided"

    def __init__(self, radius: int = 8, eps: float = 1e-3):
        self._radius, self._eps = radius, eps
        self.halo = 2 * radius + 6
        self.settings = f"guided by the first principal component, radius {radius}, eps {eps:g}"
        self._guide = PrincipalGuide()

    def prepare(self, source, progress: Progress = SILENT) -> None:
        self._guide.prepare(source)

    def shares(self, patch: Patch) -> np.ndarray:
        """(classes, rows, cols): the smoothed share of each class."""
        planes = shares_of(patch.labels, np.array(patch.codes, np.int64))
        guide = Guide(self._guide.of(patch), self._radius, self._eps, corner_of(patch))
        smooth = normalised(guide.filter(planes))
        return smooth if patch.valid.all() else np.where(patch.valid, smooth, planes)

    def propose(self, patch: Patch) -> Opinion:
        codes = np.array(patch.codes, np.int64)
        return from_shares(self.shares(patch), codes, patch.labels)
