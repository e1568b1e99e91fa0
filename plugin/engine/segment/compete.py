"""Which proposals stay where several masks want the same ground."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from .. import rasters
from ..grid import Grid, Window
from . import looks
from .places import Place

_OVERLAP = 0.3  # of a mask that better ones may cover


def competed(found: list, examples: list, grid: Grid, known=()) -> list:
    """Without masks that better ones, examples or labels cover; numbered from 1.

    What reaches onto a label ends at its border.
    """
    if not found:
        return []
    factor = min(answer.place.factor for answer in found)
    windows = [answer.place.window for answer in found]
    col, row = min(w.col for w in windows), min(w.row for w in windows)
    right, below = max(w.col + w.width for w in windows), max(w.row + w.height for w in windows)
    whole = Place(Window(col, row, right - col, below - row), factor)
    labelled = np.zeros(whole.shape, bool)
    for example in examples:
        labelled |= looks.onto(example.mask, example.place, whole)
    if known:
        labelled |= rasters.burn([(shape, 1) for shape in known], whole.grid(grid)).astype(bool)
    taken, kept = labelled.copy(), []
    for answer in sorted(found, key=lambda one: -one.score):
        view = taken[_slices(answer.place, whole)]
        times = max(1, answer.place.factor // factor)
        mask = np.repeat(np.repeat(answer.mask, times, 0), times, 1)
        mask = mask[: view.shape[0], : view.shape[1]]
        view = view[: mask.shape[0], : mask.shape[1]]
        if (view & mask).sum() <= _OVERLAP * mask.sum():
            view |= mask
            free = answer.mask & ~looks.onto(labelled, whole, answer.place)
            kept.append(replace(answer, object=len(kept) + 1, mask=_largest(free)))
    return kept


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest part of a mask: the rest are slivers beside a label."""
    numbers, count = ndimage.label(mask)
    return numbers == np.argmax(np.bincount(numbers.ravel())[1:]) + 1 if count > 1 else mask


def _slices(place: Place, whole: Place) -> tuple:
    top = (place.window.row - whole.window.row) // whole.factor
    left = (place.window.col - whole.window.col) // whole.factor
    times = max(1, place.factor // whole.factor)
    rows, cols = place.shape
    return slice(top, top + rows * times), slice(left, left + cols * times)
