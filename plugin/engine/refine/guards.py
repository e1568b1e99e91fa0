"""What holds a change back, and how many pixels each guard held."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..errors import ConcordError
from ..taxonomy import IGNORE, NO_DATA
from .opinion import Opinion, Patch

SMALL = 64  # pixels up to which a component of the map is a small object
_LEAST = 6  # pixels; less is speckle, not an object
_GONE = 0.8  # share of an object that must want to change before the guard looks at it
_CONTRAST = 1.0  # difference to the surroundings, in spreads, at which the image supports it
_MOST_MMU = 400


@dataclass(frozen=True)
class Guards:
    """What may change.

    Args:
        unsure: codes whose pixels may be relabelled; empty for all.
        protect: codes that are never removed.
        margin: by how much of the votes the new class must lead the old one, 0-1.
        smallest: minimum mapping unit in pixels; no change may leave a smaller patch. 0 for none.
        objects: keep small objects of the map that stand out in the image.
    """

    unsure: tuple = ()
    protect: tuple = ()
    margin: float = 0.0
    smallest: int = 0
    objects: bool = True

    def __post_init__(self):
        if not 0.0 <= self.margin <= 1.0:
            raise ConcordError(
                f"The margin {self.margin:g} is not a share; give a number from 0 to 1."
            )
        if not 0 <= self.smallest <= _MOST_MMU:
            raise ConcordError(
                f"The minimum mapping unit of {self.smallest} pixels is too large; give at most "
                f"{_MOST_MMU} pixels."
            )

    @property
    def halo(self) -> int:
        """How far the guards look around a pixel."""
        return max(SMALL + 4 if self.objects else 0, self.smallest + 1 if self.smallest else 0)


NAMES = ("unsure", "protected", "margin", "small_object", "mapping_unit")


def decide(patch: Patch, opinion: Opinion, guards: Guards) -> tuple:
    """(after (rows, cols), {guard: mask of the changes it held back})."""
    before, proposed = patch.labels, opinion.proposed
    wants = (proposed != before) & (proposed != NO_DATA)
    for gap in (NO_DATA, IGNORE):  # filled only on demand
        wants &= (before != gap) | (gap in guards.unsure)
    held = {}
    everywhere = np.ones(before.shape, bool)
    simple = {
        "unsure": np.isin(before, guards.unsure) if guards.unsure else everywhere,
        "protected": ~np.isin(before, guards.protect) if guards.protect else everywhere,
        "margin": opinion.lead >= guards.margin if guards.margin > 0 else everywhere,
    }
    for name, allowed in simple.items():
        held[name] = wants & ~allowed
        wants = wants & allowed
    held["small_object"] = _supported(patch, wants) if guards.objects else ~everywhere
    wants = wants & ~held["small_object"]
    held["mapping_unit"] = _too_small(before, proposed, wants, guards.smallest)
    wants = wants & ~held["mapping_unit"]
    return np.where(wants, proposed, before).astype(np.uint8), held


def _supported(patch: Patch, wants: np.ndarray) -> np.ndarray:
    """Changes that would remove a small object which the image shows."""
    held = np.zeros(wants.shape, bool)
    if patch.bands is None or not wants.any():
        return held
    touched = np.unique(patch.labels[wants])
    for code in touched:
        if code in (NO_DATA, IGNORE):
            continue
        parts, count = ndimage.label(patch.labels == code)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        lost = np.bincount(parts[wants], minlength=count + 1)
        small = (sizes >= _LEAST) & (sizes <= SMALL) & (lost >= _GONE * sizes)
        small[0] = False
        boxes = ndimage.find_objects(parts) if small.any() else []
        for number in np.flatnonzero(small):
            grown = tuple(slice(max(0, s.start - 2), s.stop + 2) for s in boxes[number - 1])
            inside = parts[grown] == number
            if _stands_out(patch.bands[(slice(None), *grown)], inside, patch.valid[grown]):
                held[grown] |= inside & wants[grown]
    return held


def _stands_out(bands: np.ndarray, inside: np.ndarray, valid: np.ndarray) -> bool:
    """True when some band differs from the ring of two pixels around by more than its spread."""
    ring = ndimage.binary_dilation(inside, iterations=2) & ~inside & valid
    inside = inside & valid
    if inside.sum() < _LEAST or ring.sum() < _LEAST:
        return False
    own, around = bands[:, inside], bands[:, ring]
    spread = np.sqrt((own.var(axis=1) + around.var(axis=1)) / 2) + 1e-3
    contrast = np.abs(own.mean(axis=1) - around.mean(axis=1)) / spread
    return bool(contrast.max() >= _CONTRAST)


def _too_small(before, proposed, wants, smallest: int) -> np.ndarray:
    """Changes that would leave a patch of the new map under the minimum mapping unit."""
    if smallest < 2 or not wants.any():
        return np.zeros(wants.shape, bool)
    from skimage.measure import label

    after = np.where(wants, proposed, before).astype(np.int32)
    parts = label(after, connectivity=1, background=-1)
    sizes = np.bincount(parts.ravel())
    return wants & (sizes[parts] < smallest)
