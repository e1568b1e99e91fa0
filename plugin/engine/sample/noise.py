"""Random fields and stamps that every part of the sample scene uses."""

from __future__ import annotations

import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """An independent generator for one part of the scene.

    Each part has its own stream, so that a change in one part leaves the others as they were.
    """
    return np.random.default_rng([seed, *name.encode("ascii")])


def smooth(rng: np.random.Generator, shape: tuple, scale: float) -> np.ndarray:
    """A Gaussian random field, float32 of ``shape``, mean 0, standard deviation 1.

    ``scale`` is the width of its hills in pixels. Made on a larger canvas, because the
    Fourier filter repeats itself and opposite edges would otherwise be alike.
    """
    margin = int(min(2 * scale, 96))
    big = (shape[0] + margin, shape[1] + margin)
    spectrum = np.fft.rfft2(rng.standard_normal(big))
    fy = np.fft.fftfreq(big[0])[:, None]
    fx = np.fft.rfftfreq(big[1])[None, :]
    spectrum *= np.exp(-2 * (np.pi * scale / 2.5) ** 2 * (fy**2 + fx**2))
    field = np.fft.irfft2(spectrum, s=big)[: shape[0], : shape[1]]
    return ((field - field.mean()) / (field.std() + 1e-12)).astype(np.float32)


def fractal(rng: np.random.Generator, shape: tuple, scale: float, octaves: int = 4) -> np.ndarray:
    """Smooth fields added up, each half as wide and half as high as the one before."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        total += smooth(rng, shape, max(scale / 2**octave, 1.0)) * 0.5**octave
    return total / total.std()


def shifted(array: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """The array moved by whole pixels; the edge is repeated."""
    height, width = array.shape[:2]
    r = np.clip(np.arange(height) - rows, 0, height - 1)
    c = np.clip(np.arange(width) - cols, 0, width - 1)
    return array[r[:, None], c[None, :]]


def near(mask: np.ndarray) -> np.ndarray:
    """Pixels of ``mask`` and their four neighbours."""
    out = mask.copy()
    out[1:] |= mask[:-1]
    out[:-1] |= mask[1:]
    out[:, 1:] |= mask[:, :-1]
    out[:, :-1] |= mask[:, 1:]
    return out


def rectangle(shape: tuple, row: float, col: float, length: float, width: float, angle: float):
    """(rows, cols) of the pixels whose centres lie in a turned rectangle; may be empty.

    ``angle`` in radians turns the long side from the column axis towards the row axis.
    """
    reach = int(np.ceil(np.hypot(length, width) / 2)) + 1
    r0, r1 = max(0, int(row) - reach), min(shape[0], int(row) + reach + 1)
    c0, c1 = max(0, int(col) - reach), min(shape[1], int(col) + reach + 1)
    if r0 >= r1 or c0 >= c1:
        return np.empty(0, int), np.empty(0, int)
    rr, cc = np.mgrid[r0:r1, c0:c1]
    dr, dc = rr - row, cc - col
    along = dc * np.cos(angle) + dr * np.sin(angle)
    across = -dc * np.sin(angle) + dr * np.cos(angle)
    inside = (np.abs(along) <= length / 2) & (np.abs(across) <= width / 2)
    return rr[inside], cc[inside]


def line(shape: tuple, start: tuple, end: tuple) -> tuple:
    """(rows, cols) of a one-pixel line between two (row, col) positions, clipped."""
    steps = int(2 * max(abs(end[0] - start[0]), abs(end[1] - start[1]))) + 2
    rows = np.rint(np.linspace(start[0], end[0], steps)).astype(int)
    cols = np.rint(np.linspace(start[1], end[1], steps)).astype(int)
    keep = (rows >= 0) & (rows < shape[0]) & (cols >= 0) & (cols < shape[1])
    return rows[keep], cols[keep]
