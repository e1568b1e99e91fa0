"""Points on objects of the sample scene, as a user would click them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import noise
from .covers import CROPS, INDEX
from .landscape import Landscape

WANTED = (("building", 4), ("pond", 3), ("field", 5))


@dataclass(frozen=True)
class Prompt:
    """One click: object number from 1, label 1 (part of it) or 0 (not), pixel row and column."""

    object: int
    label: int
    row: int
    col: int
    kind: str


def choose(seed: int, land: Landscape) -> tuple:
    """About twelve objects: (list of Prompt, true masks as object numbers (size, size) uint8)."""
    from scipy import ndimage

    rng = noise.stream(seed, "prompts")
    ponds = ndimage.label(land.cover == INDEX["pond"])[0]
    covers = land.cover.astype(np.int64) + len(INDEX) * land.parcel
    field = np.where(
        land.truth == CROPS, np.unique(covers, return_inverse=True)[1].reshape(covers.shape) + 1, 0
    )
    sources = {
        "building": _best(rng, land.building, 4, 10, 80),
        "pond": _best(rng, ponds, 3, 25, 8000),
        "field": _best(rng, field, 5, 120, 2500, largest=False),
    }
    prompts, masks = [], np.zeros(land.cover.shape, np.uint8)
    for kind, _ in WANTED:
        for mask in sources[kind]:
            number = int(masks.max()) + 1
            masks[mask] = number
            prompts += _clicks(rng, number, mask, kind)
    return prompts, masks


def _best(rng, labels: np.ndarray, wanted: int, low: int, high: int, largest: bool = True) -> list:
    """Masks of up to ``wanted`` objects of low..high pixels that do not touch the border."""
    from scipy import ndimage

    area = np.bincount(labels.ravel())
    area[0] = 0
    edge = np.unique(np.r_[labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    area[edge] = 0
    fit = np.flatnonzero((area >= low) & (area <= high))
    order = fit[np.argsort(-area[fit], kind="stable")] if largest else rng.permutation(fit)
    masks = []
    for number in order:
        mask = labels == number
        # A mask in two pieces is not what one click means.
        if ndimage.label(mask)[1] == 1:
            masks.append(mask)
        if len(masks) == wanted:
            break
    return masks


def _clicks(rng, number: int, mask: np.ndarray, kind: str) -> list:
    """A click where the object is thickest, and one beside it that is not part of it."""
    from scipy import ndimage

    rows, cols = np.nonzero(mask)
    reach = 8
    r0, c0 = max(0, rows.min() - reach), max(0, cols.min() - reach)
    part = mask[r0 : rows.max() + reach + 1, c0 : cols.max() + reach + 1]
    inside = ndimage.distance_transform_edt(part)
    row, col = np.unravel_index(np.argmax(inside), part.shape)
    prompts = [Prompt(number, 1, int(row + r0), int(col + c0), kind)]
    outside = ndimage.distance_transform_edt(~part)
    beside = np.argwhere((outside > 3.5) & (outside < 6.5))
    if len(beside):
        row, col = beside[rng.integers(len(beside))]
        prompts.append(Prompt(number, 0, int(row + r0), int(col + c0), kind))
    return prompts
