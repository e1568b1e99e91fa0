"""What a model receives of an image, to be looked at: wrong normalisation shows here first."""

from __future__ import annotations

import numpy as np

from .. import rasters
from ..scene import Scene
from .card import Card
from .values import scale


def view(card: Card, scene: Scene, longest: int = 256) -> tuple:
    """(PNG of the first three bands, [{band, minimum, median, maximum}]) after the card's scaling.

    This is what the network gets to see; wrong normalisation shows in the numbers.
    """
    entry = card.inputs[0]
    names = scene.require(list(dict.fromkeys(entry.bands)))
    seen = scene.overview(names, longest)
    whole = np.stack([seen[names.index(band)] for band in entry.bands])
    scaled = scale(whole.copy(), entry)
    rows = []
    for band, plane in zip(entry.bands, scaled):
        finite = plane[np.isfinite(plane)]
        said = (finite.min(), np.median(finite), finite.max()) if finite.size else (None,) * 3
        low, middle, high = (None if v is None else float(v) for v in said)
        rows.append({"band": band, "minimum": low, "median": middle, "maximum": high})
    order = [entry.bands.index(b) for b in ("red", "green", "blue") if b in entry.bands]
    order = order if len(order) == 3 else (list(range(len(scaled))) * 3)[:3]
    return rasters.png(np.stack([_stretched(scaled[i]) for i in order], axis=-1)), rows


def _stretched(plane: np.ndarray) -> np.ndarray:
    finite = plane[np.isfinite(plane)]
    if not finite.size:
        return np.zeros(plane.shape, np.uint8)
    low, high = np.percentile(finite, (2, 98))
    part = (np.nan_to_num(plane, nan=low) - low) / max(high - low, 1e-9)
    return (255 * np.clip(part, 0, 1)).astype(np.uint8)
