"""The three planes a promptable model sees, with a stretch taken from the whole scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ConcordError
from ..grid import Window
from ..scene import Scene


@dataclass(frozen=True)
class Composite:
    """Three band names and their stretch limits (low, high) in physical units."""

    bands: tuple
    limits: tuple

    @property
    def text(self) -> str:
        """What is stored with every label made from it."""
        parts = [f"{b} {low:.4g}..{high:.4g}" for b, (low, high) in zip(self.bands, self.limits)]
        return "; ".join(parts)

    def render(self, scene: Scene, window: Window | None = None, shape=None) -> tuple:
        """(image (rows, cols, 3) of uint8, valid (rows, cols)) of a window."""
        unique = list(dict.fromkeys(self.bands))
        planes = dict(zip(unique, scene.read(unique, window, shape)))
        stretched = [stretch(planes[b], *lim) for b, lim in zip(self.bands, self.limits)]
        valid = np.all([np.isfinite(plane) for plane in planes.values()], axis=0)
        return np.stack(stretched, axis=-1), valid


def stretch(plane: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values between ``low`` and ``high`` as 0-255, no data as 0."""
    width = high - low if high > low else 1.0
    scaled = np.clip((plane - low) / width, 0, 1) * 255
    return np.where(np.isfinite(plane), scaled, 0).astype(np.uint8)


def of_scene(scene: Scene, bands=()) -> Composite:
    """A composite of named bands (one, two or three), 2-98 % stretch of the whole scene.

    Raises:
        ConcordError: an unknown band, more than three, or no data at all.
    """
    names = scene.require(list(bands)) if bands else scene.default_composite()
    if len(names) > 3:
        raise ConcordError(
            f"A composite has three bands, {len(names)} were given; name at most three."
        )
    names = (names * 3)[:3]
    unique = list(dict.fromkeys(names))
    view = scene.overview(unique)
    limits = {}
    for name, plane in zip(unique, view):
        finite = plane[np.isfinite(plane)]
        if not finite.size:
            raise ConcordError(f"The band {name} has no data; choose another for the composite.")
        low, high = np.percentile(finite, (2, 98))
        limits[name] = (float(low), float(high))
    return Composite(tuple(names), tuple(limits[name] for name in names))
