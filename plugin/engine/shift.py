"""Misregistration between the sensors of a scene, by phase correlation of gradients.

Windows spread over the scene are compared at full resolution; the median of those that agree is
the shift (Kuglin and Hines 1975; sub-pixel peak by a matrix DFT, Guizar-Sicairos et al. 2008).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .grid import Window
from .progress import SILENT, Progress

LIMIT = 0.5  # pixels of the scene's grid
_SIDE, _PER_AXIS, _FEWEST = 256, 3, 3
_FARTHEST = 16.0  # pixels; peaks beyond are chance
_STEADY = 0.75  # pixels of scatter between windows that still count as one shift
_PREFERRED = ("nir", "nir08", "red", "green", "pan", "vv", "hh", "surface", "elevation")


def check(scene, progress: Progress = SILENT) -> list:
    """Shift of every sensor or date against the first one, [] when there is only one.

    Each entry: ``reference`` and ``moved`` as {"sensor", "band", "file"}, ``dx`` and ``dy`` in
    pixels of the scene's grid (positive: the moved image lies too far right and down),
    ``pixels``, ``spread``, ``windows`` and ``reliable``.
    """
    groups = _groups(scene)
    if len(groups) < 2:
        return []
    first, *others = groups
    found = []
    for number, other in enumerate(others):
        progress.report(number, len(others), "Checking the registration")
        found.append(_compare(scene, first, other))
    return found


def warnings(shifts: list) -> list:
    """A sentence for every shift that can be trusted and is above the limit."""
    return [
        f"{s['moved']['sensor']} ({s['moved']['band']}) lies {s['pixels']:.1f} pixels off "
        f"{s['reference']['sensor']} ({s['reference']['band']}); check its position before "
        "labelling"
        for s in shifts
        if s["reliable"] and s["pixels"] > LIMIT
    ]


def _groups(scene) -> list:
    """[{band: source}] of one sensor, folder and pixel size each, the finest and fullest first.

    Bands of one product are compared too where their pixel sizes differ by up to 2.5 times:
    some archives cut the 20 m bands half a pixel off. Coarser ones show too few edges.
    """
    groups = {}
    for name, source in scene.sources.items():
        place = source.path if source.sensor == "scene" else str(Path(source.path).parent)
        key = (source.sensor, place, round(scene.native_size(name), 9))
        groups.setdefault(key, {})[name] = source
    finest = min(key[2] for key in groups)
    order = sorted(groups, key=lambda key: (key[2] > 1.2 * finest, -len(groups[key])))
    reach = [2.5 if key[0] == order[0][0] else 4.5 for key in order]
    return [groups[key] for key, limit in zip(order, reach) if key[2] <= limit * finest]


def _pair(first: dict, other: dict) -> tuple:
    """The two bands that look most alike: the same name, else the nearest wavelength."""
    shared = [name for name in _PREFERRED if name in first and name in other]
    if shared:
        return shared[0], shared[0]

    def best(group: dict) -> str:
        return next((n for n in _PREFERRED if n in group), next(iter(group)))

    one = best(first)
    waves = {n: s.band.wavelength for n, s in other.items() if s.band.wavelength}
    own = first[one].band.wavelength
    if own and waves:
        return one, min(waves, key=lambda n: abs(waves[n] - own))
    return one, best(other)


def _compare(scene, first: dict, other: dict) -> dict:
    one, two = _pair(first, other)
    offsets = []
    for window in _windows(scene.grid):
        planes = scene.read([one, two], window)
        offset = between(planes[0], planes[1])
        if offset is not None:
            offsets.append(offset)
    dx, dy, spread, agreeing = _consensus(offsets)
    return {
        "reference": _described(scene, one),
        "moved": _described(scene, two),
        "dx": round(dx, 2),
        "dy": round(dy, 2),
        "pixels": round(float(np.hypot(dx, dy)), 2),
        "spread": round(spread, 2),
        "windows": agreeing,
        "reliable": bool(agreeing >= _FEWEST and agreeing > len(offsets) / 2),
    }


def _described(scene, name: str) -> dict:
    source = scene.sources[name]
    return {"sensor": source.sensor, "band": name, "file": source.path}


def _windows(grid) -> list:
    """Up to nine windows spread over the grid, none larger than 256 pixels."""
    side = min(_SIDE, grid.width, grid.height)
    if side >= 64 and min(grid.width, grid.height) < 2 * _SIDE:
        side = max(64, min(grid.width, grid.height) // 2)

    def starts(length: int) -> list:
        count = min(_PER_AXIS, max(1, 2 * length // side - 1))
        return [round(i * (length - side) / max(1, count - 1)) for i in range(count)]

    return [Window(c, r, side, side) for r in starts(grid.height) for c in starts(grid.width)]


def _consensus(offsets: list) -> tuple:
    """(dx, dy, spread, number of windows) of the offsets that agree with their median."""
    if not offsets:
        return 0.0, 0.0, 0.0, 0
    values = np.array(offsets)
    middle = np.median(values, axis=0)
    near = np.hypot(*(values - middle).T) <= _STEADY
    if not near.any():
        return float(middle[0]), float(middle[1]), float(values.std(axis=0).max()), 0
    kept = values[near]
    dx, dy = kept.mean(axis=0)
    return float(dx), float(dy), float(kept.std(axis=0).max()), int(near.sum())


def between(reference: np.ndarray, moved: np.ndarray) -> tuple | None:
    """(dx, dy) in pixels by which ``moved`` lies right and down of ``reference``, or None."""
    from skimage.registration import phase_cross_correlation

    valid = np.isfinite(reference) & np.isfinite(moved)
    if valid.mean() < 0.8 or min(reference.shape) < 32:
        return None
    one, two = _edges(reference), _edges(moved)
    if one is None or two is None:
        return None
    result = phase_cross_correlation(one, two, upsample_factor=20, normalization=None)
    dy, dx = (-float(value) for value in result[0])
    return (dx, dy) if np.hypot(dx, dy) <= _FARTHEST else None


def _edges(plane: np.ndarray) -> np.ndarray | None:
    """Strength of the gradient, tapered to the window's edge; None for an even plane."""
    filled = np.where(np.isfinite(plane), plane, np.nanmedian(plane)).astype(np.float64)
    low, high = np.percentile(filled, (2, 98))
    if high <= low:
        return None
    filled = np.clip((filled - low) / (high - low), 0.0, 1.0)
    down, right = np.gradient(filled)
    strength = np.hypot(down, right)
    strength -= strength.mean()
    rows, cols = plane.shape
    return strength * np.outer(np.hanning(rows), np.hanning(cols))
