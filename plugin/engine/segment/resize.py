"""Resizing in numpy: pictures as Pillow does it, to the bit, and logits as torch does it.

`segment-anything` resizes pictures with Pillow's bilinear filter on bytes and masks with torch's
bilinear interpolation; both are repeated here, so that a model exported from it sees and says the
same as in torch.
"""

from __future__ import annotations

import math

import numpy as np

_BITS = 22  # Pillow's fixed-point precision for bytes (libImaging/Resample.c)


def fitted(rows: int, cols: int, longest: int) -> tuple:
    """(rows, cols) with the longest side brought to ``longest``, rounded as SAM rounds."""
    scale = longest / max(rows, cols)
    return int(rows * scale + 0.5), int(cols * scale + 0.5)


def _taps(size: int, target: int) -> tuple:
    """First pixel (target,) and fixed-point weights (target, taps) of Pillow's triangle filter."""
    scale = size / target
    support = max(scale, 1.0)
    centre = (np.arange(target) + 0.5) * scale
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    end = np.minimum((centre + support + 0.5).astype(np.int64), size)
    count = int((end - first).max())
    offsets = np.arange(count)
    distance = np.abs((offsets + first[:, None] - centre[:, None] + 0.5) / support)
    weights = np.where(offsets < (end - first)[:, None], np.clip(1.0 - distance, 0, None), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    return first, np.floor(weights * (1 << _BITS) + 0.5).astype(np.int64)


def _along_rows(image: np.ndarray, target: int) -> np.ndarray:
    size = image.shape[0]
    if size == target:
        return image
    first, weights = _taps(size, target)
    shape = (target,) + (1,) * (image.ndim - 1)
    total = np.full((target, *image.shape[1:]), 1 << (_BITS - 1), np.int64)
    for tap in range(weights.shape[1]):
        rows = np.minimum(first + tap, size - 1)
        total += image[rows].astype(np.int64) * weights[:, tap].reshape(shape)
    return np.clip(total >> _BITS, 0, 255).astype(np.uint8)


def picture(image: np.ndarray, shape: tuple) -> np.ndarray:
    """(rows, cols, bands) of uint8 resized to ``shape``, equal to Pillow's bilinear to the bit."""
    wide = _along_rows(np.swapaxes(image, 0, 1), shape[1])
    return _along_rows(np.swapaxes(wide, 0, 1), shape[0])


def logits(planes: np.ndarray, shape: tuple) -> np.ndarray:
    """(..., rows, cols) float32 to ``shape``: bilinear, corners not aligned, as torch does it."""
    for axis, target in ((-2, shape[0]), (-1, shape[1])):
        size = planes.shape[axis]
        if size == target:
            continue
        spot = np.maximum((np.arange(target) + 0.5) * (size / target) - 0.5, 0)
        low = np.minimum(np.floor(spot).astype(np.int64), size - 1)
        high = np.minimum(low + 1, size - 1)
        share = (spot - low).astype(np.float32)
        share = share[:, None] if axis == -2 else share
        below, above = np.take(planes, low, axis), np.take(planes, high, axis)
        planes = below + (above - below) * share
    return planes


def coarser(mask: np.ndarray, shape: tuple) -> np.ndarray:
    """(rows, cols) averaged over blocks; the sides must be multiples of ``shape``'s."""
    rows, cols = mask.shape[0] // shape[0], mask.shape[1] // shape[1]
    blocks = mask[: rows * shape[0], : cols * shape[1]].reshape(shape[0], rows, shape[1], cols)
    return blocks.mean(axis=(1, 3), dtype=np.float32)


def level_of(map_units_per_pixel: float, pixel: float) -> int:
    """The pyramid level (0, 1, 2 ...: decimated by 2**level) that a map scale asks for."""
    if not (map_units_per_pixel > 0 and pixel > 0 and math.isfinite(map_units_per_pixel)):
        return 0
    return max(0, min(12, int(math.floor(math.log2(map_units_per_pixel / pixel) + 1e-6))))
