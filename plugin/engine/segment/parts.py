"""What of a mask was pointed at, and whether there is anything to point at.

A network that is asked for what is under a click also marks what looks like it elsewhere, and where
there is nothing under the click it still marks something.
"""

from __future__ import annotations

import numpy as np

from .prompts import Prompt

_NEAR = 2  # pixels beside a mask, or beside data, that a click may miss it by


def on_data(valid: np.ndarray, prompt: Prompt) -> bool:
    """True when every click on the object, and some of the box, lies on data.

    Args:
        valid: (rows, cols) bool, False without data.
        prompt: in pixels of it.
    """
    if prompt.box is not None and not valid[_inside(prompt.box)].any():
        return False
    return all(valid[_around(spot)].any() for spot in _clicks(prompt))


def pointed_at(mask: np.ndarray, prompt: Prompt) -> np.ndarray:
    """The parts of a mask that clicks on the object lie in or beside; nothing when none does.

    The whole mask when a box that it touches says how far the object reaches, or when clicks that
    take away left only what is beside the others.

    Args:
        mask: (rows, cols) bool.
        prompt: in pixels of the mask.
    """
    spots = _clicks(prompt)
    if prompt.box is not None:
        return mask if mask[_inside(prompt.box)].any() else np.zeros_like(mask)
    if not spots:
        return mask
    from scipy import ndimage

    numbers, count = ndimage.label(mask)
    kept = np.zeros(count + 1, bool)
    for spot in spots:
        here = numbers[_around(spot, 0)]
        kept[here if here.any() else numbers[_around(spot)]] = True
    kept[0] = False
    if not kept.any() and 0 in prompt.labels:  # a click may take away what lies under another
        return mask
    return kept[numbers]


def _clicks(prompt: Prompt) -> list:
    return [spot for spot, label in zip(prompt.points, prompt.labels) if label == 1]


def _around(spot: tuple, reach: int = _NEAR) -> tuple:
    """The pixels around a position, as slices; none where that lies outside."""
    col, row = int(np.floor(spot[0])), int(np.floor(spot[1]))
    return (
        slice(max(0, row - reach), max(0, row + reach + 1)),
        slice(max(0, col - reach), max(0, col + reach + 1)),
    )


def _inside(box: tuple) -> tuple:
    """The pixels that a box touches, as slices."""
    left, top, right, bottom = box
    cols = slice(max(0, int(np.floor(left))), max(0, int(np.floor(right)) + 1))
    return slice(max(0, int(np.floor(top))), max(0, int(np.floor(bottom)) + 1)), cols
