"""The map and the image an engine looks at: windows of rasters, or arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..grid import Window
from .opinion import Patch

_MOST_BANDS = 10  # beyond, principal components take their place
_COMPONENTS = 8


@dataclass(frozen=True)
class Scaling:
    """How bands become standardised planes: centre and spread of each, then a projection.

    ``axes`` (planes, bands) is None when the bands themselves serve.
    """

    centre: np.ndarray
    spread: np.ndarray
    axes: np.ndarray | None

    def apply(self, bands: np.ndarray) -> tuple:
        """(planes (n, rows, cols) of float32 with 0 for no data, valid (rows, cols))."""
        valid = np.isfinite(bands).all(axis=0)
        planes = (bands - self.centre[:, None, None]) / self.spread[:, None, None]
        planes = np.clip(np.where(valid, planes, 0.0), -4.0, 4.0).astype(np.float32)
        if self.axes is not None:
            planes = np.einsum("pb,brc->prc", self.axes, planes).astype(np.float32)
        return planes, valid


def scaling_of(view: np.ndarray) -> Scaling:
    """Scaling from an overview (bands, rows, cols): medians, and half of the 10-90 % range."""
    pixels = view.reshape(len(view), -1)
    pixels = pixels[:, np.isfinite(pixels).all(axis=0)]
    if not pixels.size:
        return Scaling(np.zeros(len(view)), np.ones(len(view)), None)
    low, centre, high = np.percentile(pixels, (10, 50, 90), axis=1)
    spread = np.where(high > low, (high - low) / 2, 1.0)
    axes = None
    if len(view) > _MOST_BANDS:
        scaled = np.clip((pixels - centre[:, None]) / spread[:, None], -4, 4)
        _, vectors = np.linalg.eigh(np.cov(scaled))
        axes = vectors[:, ::-1][:, :_COMPONENTS].T
        axes = axes * np.sign(axes.sum(axis=1, keepdims=True) + 1e-12)
    return Scaling(centre.astype(np.float32), spread.astype(np.float32), axes)


class RasterSource:
    """A scene and a class raster on one grid.

    Args:
        scene: image bands; labels: class raster on the same grid.
        planes: the composite that segment engines see.
        codes: class codes of the taxonomy, sorted.
    """

    def __init__(self, scene, labels, planes, codes):
        self._scene, self.labels, self._planes = scene, labels, planes
        self.codes = tuple(codes)
        self.width, self.height = scene.grid.width, scene.grid.height
        self.names = list(dict.fromkeys([*planes.bands, *scene.names]))
        self.scaling = scaling_of(scene.overview(self.names, 512))

    def patch(self, window: Window) -> Patch:
        from ..segment.composite import stretch

        raw = self._scene.read(self.names, window)
        bands, valid = self.scaling.apply(raw)
        at = {name: plane for name, plane in zip(self.names, raw)}
        picture = np.stack(
            [stretch(at[b], *lim) for b, lim in zip(self._planes.bands, self._planes.limits)], -1
        )
        return Patch(picture, valid, self.labels.read(window), self.codes, bands, window)


class ArraySource:
    """The same from arrays: bands (n, rows, cols) in any unit and labels (rows, cols)."""

    def __init__(self, bands: np.ndarray, labels: np.ndarray, codes=()):
        self.labels = labels
        self.codes = tuple(codes or (int(c) for c in np.unique(labels) if c not in (0, 255)))
        self.height, self.width = labels.shape
        self.scaling = scaling_of(bands)
        self._bands, self._valid = self.scaling.apply(bands)
        shown = (list(range(len(bands))) * 3)[:3] if len(bands) < 4 else [3, 0, 1]
        low, high = np.nanpercentile(bands[shown], (2, 98), axis=(1, 2))
        width = np.where(high > low, high - low, 1.0)[:, None, None]
        scaled = np.clip((bands[shown] - low[:, None, None]) / width, 0, 1) * 255
        self._picture = np.nan_to_num(scaled).astype(np.uint8).transpose(1, 2, 0)

    def patch(self, window: Window) -> Patch:
        part = window.slices
        return Patch(
            self._picture[part], self._valid[part], self.labels[part], self.codes,
            self._bands[(slice(None), *part)], window,
        )  # fmt: skip


class PatchSource:
    """One patch taken for the whole map, for an engine that is asked without preparation."""

    def __init__(self, patch: Patch):
        self._patch = patch
        self.height, self.width = patch.labels.shape
        self.codes = patch.codes

    def patch(self, window: Window) -> Patch:
        part, own = window.slices, self._patch
        bands = None if own.bands is None else own.bands[(slice(None), *part)]
        return Patch(own.picture[part], own.valid[part], own.labels[part], own.codes, bands, window)


def windows_over(source, size: int, most: int) -> list:
    """At most ``most`` square windows spread evenly over a map, always the same ones."""
    across = max(1, -(-source.width // size))
    down = max(1, -(-source.height // size))
    total = across * down
    chosen = np.unique(np.linspace(0, total - 1, min(most, total)).round().astype(int))
    made = []
    for number in chosen:
        row, col = divmod(int(number), across)
        made.append(Window(col * size, row * size, size, size).clipped(source.width, source.height))
    return made
