"""Principal components and minimum noise fraction of all bands of a scene."""

from __future__ import annotations

import numpy as np

from ..errors import ConcordError
from .base import Derived, Planes

_SAMPLE = 512  # pixels a side of the decimated view that the statistics come from


def components(name: str, match, scene) -> list:
    """The first planes of PCA (standardised bands) or MNF (Green et al. 1988).

    MNF takes the noise from differences of neighbouring pixels and orders planes by
    signal-to-noise, PCA by variance. Statistics come from a decimated view of the whole scene.
    """
    kind = match.group(1)
    wanted = int(match.group(2)[1:]) if match.group(2) else 3
    bands = list(scene.names)
    if not 1 <= wanted <= len(bands):
        raise ConcordError(
            f"{name} asks for {wanted} planes but the scene has {len(bands)} bands; ask for fewer."
        )
    view = scene.overview(bands, _SAMPLE)
    mean, matrix, shares = _pca(view) if kind == "pca" else _mnf(view)
    made = []
    for number in range(wanted):
        made.append(
            Derived(
                f"{kind}_{number + 1}",
                tuple(bands),
                "1",
                "principal component" if kind == "pca" else "minimum noise fraction, Green 1988",
                _projection(bands, mean, matrix[number]),
                figures={"share": round(float(shares[number]), 4)},
            )
        )
    return made


def _projection(bands, mean, weights):
    def compute(planes: Planes) -> np.ndarray:
        total = np.zeros(planes[bands[0]].shape, np.float32)
        for band, middle, weight in zip(bands, mean, weights):
            total += (planes[band] - np.float32(middle)) * np.float32(weight)
        return total

    return compute


def _pixels(view: np.ndarray) -> np.ndarray:
    """(bands, n) of the pixels where every band has data."""
    flat = view.reshape(view.shape[0], -1).astype(np.float64)
    flat = flat[:, np.isfinite(flat).all(axis=0)]
    if flat.shape[1] <= 2 * view.shape[0]:
        raise ConcordError(
            "Too few pixels have data in every band for PCA or MNF; leave out the bands that "
            "cover little."
        )
    return flat


def _steady(matrix: np.ndarray) -> np.ndarray:
    """Rows with the sign of their largest weight made positive, so that runs agree."""
    largest = matrix[np.arange(len(matrix)), np.abs(matrix).argmax(axis=1)]
    return matrix * np.where(largest < 0, -1.0, 1.0)[:, None]


def _pca(view: np.ndarray) -> tuple:
    """(mean, weights a plane, share of variance)."""
    flat = _pixels(view)
    mean, spread = flat.mean(axis=1), flat.std(axis=1)
    spread = np.where(spread > 0, spread, 1.0)
    values, vectors = np.linalg.eigh(np.corrcoef(flat / spread[:, None]) if len(flat) > 1 else 1.0)
    order = np.argsort(values)[::-1]
    return mean, _steady((vectors[:, order] / spread[:, None]).T), values[order] / values.sum()


def _mnf(view: np.ndarray) -> tuple:
    """(mean, weights a plane, share of the signal-to-noise sum)."""
    flat = _pixels(view)
    mean = flat.mean(axis=1)
    steps = (view[:, :, 1:] - view[:, :, :-1]).reshape(view.shape[0], -1).astype(np.float64)
    steps = steps[:, np.isfinite(steps).all(axis=0)]
    noise = np.cov(steps) / 2.0
    noise += np.eye(len(noise)) * max(np.trace(noise) / len(noise) * 1e-6, 1e-12)
    noise_values, noise_vectors = np.linalg.eigh(noise)
    whiten = noise_vectors / np.sqrt(np.maximum(noise_values, 1e-12))
    values, vectors = np.linalg.eigh(whiten.T @ np.cov(flat) @ whiten)
    order = np.argsort(values)[::-1]
    return mean, _steady((whiten @ vectors[:, order]).T), values[order] / values.sum()
