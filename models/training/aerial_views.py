"""Other light, other cameras, other scales for aerial pictures."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def light(rng, image: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Gain, offset, gamma, saturation, blur and noise on (bands, rows, cols) float32 in 0-1."""
    count = len(image)
    image = image ** np.exp(rng.normal(0, 0.18 * strength))
    gain = np.exp(rng.normal(0, 0.12 * strength) + rng.normal(0, 0.07 * strength, count))
    offset = rng.normal(0, 0.03 * strength) + rng.normal(0, 0.015 * strength, count)
    image = image * gain[:, None, None] + offset[:, None, None]
    grey = image[:3].mean(0)
    image[:3] = grey + (image[:3] - grey) * rng.uniform(1 - 0.4 * strength, 1 + 0.3 * strength)
    if rng.random() < 0.25:
        image = ndimage.gaussian_filter(image, (0, *(rng.uniform(0.3, 1.0),) * 2))
    noise = rng.standard_normal(image.shape) * rng.uniform(0, 0.02)
    return np.clip(image + noise, 0, 1).astype(np.float32)


def window(rng, shape: tuple, side: int, scales: tuple) -> tuple:
    """(slices of a random square, its side) that becomes ``side`` pixels at a random scale."""
    size = int(round(side / np.exp(rng.uniform(*np.log(scales)))))
    size = min(size, *shape[-2:])
    row, col = (int(rng.integers(n - size + 1)) for n in shape[-2:])
    return (..., slice(row, row + size), slice(col, col + size)), size


def resized(plane: np.ndarray, side: int, order: int) -> np.ndarray:
    """A square (rows, cols) or (bands, rows, cols) brought to ``side`` pixels."""
    if plane.shape[-1] == side:
        return plane
    factor = side / plane.shape[-1]
    if factor < 1 and order:  # smooth before thinning out, as a coarser camera does
        blur = 0.4 / factor
        plane = ndimage.gaussian_filter(plane, (0,) * (plane.ndim - 2) + (blur, blur))
    zoom = (1,) * (plane.ndim - 2) + (factor, factor)
    made = ndimage.zoom(plane, zoom, order=order, grid_mode=True, mode="nearest")
    return made[..., :side, :side]
