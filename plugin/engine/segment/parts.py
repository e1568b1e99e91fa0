"""Of a mask in several parts, those that were pointed at.

A network that is asked for what is under a click also marks what looks like it elsewhere.
"""

from __future__ import annotations

import numpy as np

from .prompts import Prompt


def pointed_at(mask: np.ndarray, prompt: Prompt) -> np.ndarray:
    """The parts of a mask that clicks on the object lie in.

    The whole mask when a box says how far the object reaches, or when no click lies in it.

    Args:
        mask: (rows, cols) bool.
        prompt: in pixels of the mask.
    """
    spots = [spot for spot, label in zip(prompt.points, prompt.labels) if label == 1]
    if prompt.box is not None or not spots:
        return mask
    from scipy import ndimage

    numbers, count = ndimage.label(mask)
    if count < 2:
        return mask
    high, wide = mask.shape
    kept = np.zeros(count + 1, bool)
    for x, y in spots:
        kept[numbers[min(max(int(y), 0), high - 1), min(max(int(x), 0), wide - 1)]] = True
    kept[0] = False
    return kept[numbers] if kept.any() else mask
