"""How well the border of a mask runs along what changes in the picture.

Of the masks that a click may mean, the one whose border lies on edges, with little change inside,
is the likelier object; a network's own expectation of its masks hardly tells them apart.
"""

from __future__ import annotations

import numpy as np

CONTENT = "_edges"  # name under which an encoding carries the strength of edges
_INSIDE = 2  # pixels from the border that are no longer border
_LEAST = 9  # pixels that a mean is taken of
_FLOOR = 1.0  # of the change per pixel, in grey values: less is noise


def strength(square: np.ndarray, side: int) -> np.ndarray:
    """(side, side) change per pixel of a square picture (n, n, 3) of uint8, in grey values.

    ``n`` must be a multiple of ``side``; the mean of blocks is looked at.
    """
    step = square.shape[0] // side
    blocks = square.reshape(side, step, side, step, 3).mean((1, 3), dtype=np.float32)
    down, right = np.gradient(blocks, axis=(0, 1))
    return np.sqrt((down**2 + right**2).sum(2)).astype(np.float32)


def evidence(mask: np.ndarray, change: np.ndarray) -> float:
    """Logarithm of the change along a mask's border over that inside it; 0 for an empty mask.

    Args:
        mask: (rows, cols) bool.
        change: (rows, cols) as `strength` gives it.
    """
    rows, cols = np.any(mask, 1).nonzero()[0], np.any(mask, 0).nonzero()[0]
    if not rows.size:
        return 0.0
    from scipy import ndimage

    pad = 3
    part = (
        slice(max(0, rows[0] - pad), rows[-1] + 1 + pad),
        slice(max(0, cols[0] - pad), cols[-1] + 1 + pad),
    )
    mask, change = mask[part], change[part]
    # What the picture's own border cuts off is no border of the object.
    eroded = ndimage.binary_erosion(mask, border_value=1)
    border = (mask & ~eroded) | (ndimage.binary_dilation(mask) & ~mask)
    core = ndimage.binary_erosion(eroded, iterations=_INSIDE - 1, border_value=1)
    inside = change[core] if core.sum() >= _LEAST else change[mask]
    near = ndimage.maximum_filter(change, 3)[border]  # masks lie a pixel beside the edge
    if not near.size:
        return 0.0
    return float(np.log((near.mean() + _FLOOR) / (inside.mean() + _FLOOR)))
