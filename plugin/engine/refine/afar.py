"""Likeness of a region to the pixels of its new class farther away than its own neighbours."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..grid import Window
from .partition import CELL, Partition

REACH = 40  # pixels
_FEW = 5  # pixels of either side, below which nothing is said
_LARGEST = 2048  # pixels of a region's box; a larger one is no object


def unlike_afar(source, regions: Partition, which: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """(len(which),): distance of each region's bands to those of its new class within REACH, in
    spreads of the two; infinite where there is none of that class.

    Args:
        source: the map. regions: prepared. which: numbers of joined regions.
        codes: the class code that each of them would get.
    """
    out = np.full(len(which), np.inf)
    for place, box in enumerate(_boxes(source, regions, which)):
        if box is None or max(box.width, box.height) > _LARGEST:
            continue
        window = box.grown(REACH + 1).clipped(source.width, source.height)
        patch = source.patch(window)
        inside = regions.numbers(window) == which[place]
        away = ndimage.distance_transform_edt(~inside)
        near = (away > 1.5) & (away <= REACH) & (patch.labels == codes[place]) & patch.valid
        core = inside & ndimage.binary_erosion(inside)
        own = core if core.sum() > _FEW else inside
        if min(own.sum(), near.sum()) < _FEW:
            continue
        ours, theirs = patch.bands[:, own], patch.bands[:, near]
        spread = (ours.var(axis=1) + theirs.var(axis=1)) / 2 + 0.01
        off = (ours.mean(axis=1) - theirs.mean(axis=1)) ** 2 / spread
        out[place] = round(float(np.sqrt(off.mean())), 4)
    return out


def _boxes(source, regions: Partition, which: np.ndarray) -> list:
    """The window of each region, None for one that is nowhere."""
    boxes: list = [None] * len(which)
    if not len(which):
        return boxes
    wanted = np.zeros(len(regions.sums) + 1, np.int32)  # the last entry is for -1, no region
    wanted[which] = np.arange(1, len(which) + 1)
    for row in range(0, source.height, CELL):
        for col in range(0, source.width, CELL):
            cell = Window(col, row, CELL, CELL).clipped(source.width, source.height)
            found = ndimage.find_objects(wanted[regions.numbers(cell)])
            for place, part in enumerate(found):
                if part is not None:
                    boxes[place] = _joined(boxes[place], part, cell)
    return boxes


def _joined(box: Window | None, part: tuple, cell: Window) -> Window:
    """A box that also holds ``part``, slices within ``cell``."""
    top, left = part[0].start + cell.row, part[1].start + cell.col
    below, right = part[0].stop + cell.row, part[1].stop + cell.col
    if box is not None:
        top, left = min(top, box.row), min(left, box.col)
        below, right = max(below, box.row + box.height), max(right, box.col + box.width)
    return Window(left, top, right - left, below - top)
