"""Six kinds of noise in three levels, seeded, laid on a map that is taken as right."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

LEVELS = {
    "uniform": (0.05, 0.15, 0.30),  # share of pixels with a random other class
    "shift": (2, 4, 8),  # pixels, whole map, down and to the right
    "blocks": (4, 8, 16),  # most frequent class of squares of so many pixels
    "confusion": (0.03, 0.10, 0.20),  # share of the map in blobs of a confused class
    "omission": (0.25, 0.5, 1.0),  # share of the small objects that are swallowed
    "stale": (0.02, 0.06, 0.12),  # share of the map in one patch of an older state
}


def _codes(truth: np.ndarray) -> np.ndarray:
    return np.array([c for c in np.unique(truth) if c not in (0, 255)])


def _uniform(truth, share, rng):
    codes = _codes(truth)
    index = np.searchsorted(codes, truth)
    other = codes[(index + rng.integers(1, len(codes), truth.shape)) % len(codes)]
    return np.where(rng.random(truth.shape) < share, other, truth)


def _shift(truth, pixels, rng):
    rows, cols = truth.shape
    padded = np.pad(truth, ((pixels, 0), (pixels, 0)), mode="edge")
    return padded[:rows, :cols]


def _blocks(truth, size, rng):
    out = truth.copy()
    codes = _codes(truth)
    off_row, off_col = rng.integers(0, size, 2)
    for row in range(-off_row, truth.shape[0], size):
        for col in range(-off_col, truth.shape[1], size):
            part = (slice(max(0, row), row + size), slice(max(0, col), col + size))
            counts = [(truth[part] == c).sum() for c in codes]
            if sum(counts):
                out[part] = codes[int(np.argmax(counts))]
    return out


def _blobs(shape, share, rng, sigma):
    field = ndimage.gaussian_filter(rng.standard_normal(shape), sigma)
    return field > np.quantile(field, 1 - share)


def _confusion(truth, share, rng):
    """In blobs of about 12 pixels, each class becomes the class it is always confused with."""
    codes = _codes(truth)
    partner = dict(zip(codes, np.roll(codes, 1)))
    other = np.select([truth == c for c in codes], [partner[c] for c in codes], truth)
    return np.where(_blobs(truth.shape, share, rng, 6), other, truth)


def _omission(truth, share, rng):
    """Components below the 80 % quantile of size (at most 1 % of the map) take the class around."""
    out = truth.copy()
    found = []
    for code in _codes(truth):
        parts, count = ndimage.label(truth == code)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        boxes = ndimage.find_objects(parts)
        found += [
            (parts, i, boxes[i - 1]) for i in range(1, count + 1)
            if 6 <= sizes[i] <= truth.size * 0.01
        ]  # fmt: skip
    order = rng.permutation(len(found))[: max(1, round(share * len(found)))]
    for number in order if found else ():
        parts, i, where = found[number]
        grown = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in where)
        mask = parts[grown] == i
        ring = ndimage.binary_dilation(mask) & ~mask
        around = truth[grown][ring]
        around = around[(around != 0) & (around != 255)]
        if around.size:
            out[grown][mask] = np.bincount(around).argmax()
    return out


def _stale(truth, share, rng):
    """One compact patch shows the map's most frequent class, as before a change."""
    codes = _codes(truth)
    main = codes[np.argmax([(truth == c).sum() for c in codes])]
    others = ndimage.gaussian_filter((truth != main).astype(float), 3)
    field = ndimage.gaussian_filter(rng.standard_normal(truth.shape), 20)
    field = field / field.std() + 3 * others
    patch = field > np.quantile(field, 1 - share)
    return np.where(patch, main, truth)


_MAKERS = {
    "uniform": _uniform, "shift": _shift, "blocks": _blocks, "confusion": _confusion,
    "omission": _omission, "stale": _stale,
}  # fmt: skip


def lay(truth: np.ndarray, kind: str, level: float, seed: int) -> np.ndarray:
    """The map with one kind of noise; no data stays no data."""
    rng = np.random.default_rng(seed)
    noisy = _MAKERS[kind](truth, level, rng)
    return np.where((truth == 0) | (truth == 255), truth, noisy).astype(np.uint8)
