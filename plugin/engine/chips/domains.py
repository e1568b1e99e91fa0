"""Splitting by what a chip belongs to: a polygon, its field's value, a date or a scene."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import ConcordError
from . import split

KINDS = ("blocks", "layer", "scene", "date")
_SAME = {
    "train": "train", "training": "train", "val": "validate", "valid": "validate",
    "validate": "validate", "validation": "validate", "test": "test",
}  # fmt: skip


@dataclass(frozen=True)
class Region:
    """A polygon that gives its chips a domain: GeoJSON (Multi)Polygon in the labels' CRS."""

    value: str
    geometry: dict


def inside(geometry: dict, spots: np.ndarray) -> np.ndarray:
    """True for spots (n, 2) inside a GeoJSON polygon; holes count as outside."""
    polygons = geometry["coordinates"]
    if geometry["type"] == "Polygon":
        polygons = [polygons]
    found = np.zeros(len(spots), bool)
    for rings in polygons:
        odd = np.zeros(len(spots), bool)
        for ring in rings:
            odd ^= _in_ring(np.asarray(ring, float)[:, :2], spots)
        found |= odd
    return found


def _in_ring(ring: np.ndarray, spots: np.ndarray) -> np.ndarray:
    """Crossing number of a ray to the right."""
    odd = np.zeros(len(spots), bool)
    x, y = spots[:, 0], spots[:, 1]
    for (x1, y1), (x2, y2) in zip(ring[:-1], ring[1:]):
        crosses = (y1 > y) != (y2 > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            at = x1 + (y - y1) * (x2 - x1) / (y2 - y1)
        odd ^= crosses & (x < at)
    return odd


def of_chips(planned: list, kind: str, regions, images: list) -> list:
    """The domain of every chip, '' for none."""
    spots = np.array([p.chip.centre for p in planned])
    if kind == "layer":
        if not regions:
            raise ConcordError(
                "The split by layer needs polygons; choose SPLIT_LAYER and its field."
            )
        names = np.full(len(planned), "", object)
        for region in regions:
            names[(names == "") & inside(region.geometry, spots)] = region.value
        return names.tolist()
    if kind == "date" and not any(image.dates for image in images):
        raise ConcordError(
            "The split by date needs images with a date in their file names; rename them as in "
            "scene_20240131.tif."
        )
    return [_main(p.chip.bounds, images, kind) for p in planned]


def _main(bounds: tuple, images: list, kind: str) -> str:
    """The image that covers most of a chip, by name or date."""
    best, name = 0.0, ""
    for image in images:
        left, bottom, right, top = getattr(image, "bounds", bounds)
        width = min(right, bounds[2]) - max(left, bounds[0])
        height = min(top, bounds[3]) - max(bottom, bounds[1])
        area = max(0.0, width) * max(0.0, height)
        label = image.name if kind == "scene" else " ".join(image.dates)
        if area > best + 1e-9 and label:
            best, name = area, label
    return name


def assign(planned: list, names: list, shares: tuple, seed: int, codes) -> tuple:
    """(chips with domain and split, chips without a domain).

    Domains called train, validate (val) and test are taken at their word; others are dealt whole.
    """
    own = [replace(p, domain=n, block=(n,)) for p, n in zip(planned, names) if n]
    outside = [p for p, n in zip(planned, names) if not n]
    values = sorted({p.domain for p in own})
    if not own:
        raise ConcordError("No chip lies in a split polygon; choose another layer.")
    if {v.lower() for v in values} <= set(_SAME):
        return [replace(p, split=_SAME[p.domain.lower()]) for p in own], outside
    return split.deal(own, shares, seed, codes, "domain"), outside
