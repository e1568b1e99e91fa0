"""Relief, a meandering river, ponds and a gravel pit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import noise
from .covers import INDEX


@dataclass
class Terrain:
    """Ground without plants or people; every array is (size, size).

    elevation: metres; river_distance: pixels from the river's middle line;
    water: cover codes where water or its gravel lies, -1 elsewhere.
    """

    elevation: np.ndarray
    river_distance: np.ndarray
    water: np.ndarray


def meander(rng: np.random.Generator, size: int) -> tuple:
    """Middle line of a river: rows, columns and curvature (1/px) every half pixel.

    A sine-generated curve (Langbein and Leopold, 1966, USGS Professional Paper 422-H): the
    direction, not the offset, swings with the way along the river, as in real meanders.
    """
    step = 0.5
    count = int(5 * size / step)
    along = (np.arange(count) - count // 2) * step
    wave = rng.uniform(150, 190)
    phase = 2 * np.pi * along / wave
    for _ in range(3):
        phase = phase + rng.uniform(0.5, 1.0) * np.sin(
            2 * np.pi * along / (wave * rng.uniform(1.7, 4.3)) + rng.uniform(0, 2 * np.pi)
        )
    swing = 0.95 + 0.35 * np.sin(2 * np.pi * along / (wave * 2.9) + rng.uniform(0, 2 * np.pi))
    heading = rng.uniform(-0.45, 0.45) + (np.pi / 2 if rng.random() < 0.3 else 0.0)
    direction = heading + swing * np.sin(phase)
    rows = np.cumsum(np.sin(direction)) * step
    cols = np.cumsum(np.cos(direction)) * step
    middle = count // 2
    rows += size * rng.uniform(0.38, 0.62) - rows[middle]
    cols += size * rng.uniform(0.38, 0.62) - cols[middle]
    return rows, cols, np.gradient(direction) / step


def _nearest_on_river(size: int, rows: np.ndarray, cols: np.ndarray) -> tuple:
    """Distance of each pixel to the river's line (px) and the index of the nearest point.

    The canvas is wider than the scene, so that the valley of a bend just outside still counts.
    """
    from scipy import ndimage

    margin = 64
    side = size + 2 * margin
    r, c = np.rint(rows).astype(int) + margin, np.rint(cols).astype(int) + margin
    inside = np.flatnonzero((r >= 0) & (r < side) & (c >= 0) & (c < side))
    point = np.full((side, side), -1, np.int32)
    point[r[inside], c[inside]] = inside
    distance, (nr, nc) = ndimage.distance_transform_edt(point < 0, return_indices=True)
    cut = (slice(margin, -margin), slice(margin, -margin))
    return distance[cut].astype(np.float32), point[nr[cut], nc[cut]]


def build(seed: int, size: int) -> Terrain:
    """The ground of the scene for a seed."""
    rng = noise.stream(seed, "terrain")
    shape = (size, size)
    rows, cols, curvature = meander(rng, size)
    distance, nearest = _nearest_on_river(size, rows, cols)

    hills = 60 * noise.fractal(rng, shape, 330, 3) + 7 * noise.smooth(rng, shape, 28)
    valley = 1 - np.exp(-((np.maximum(distance - 12, 0) / 150) ** 1.3))
    fall = (cols[nearest] - cols[nearest].min()) * 0.012
    elevation = 205 - fall + valley * (62 + hills) + 0.5 * noise.smooth(rng, shape, 7)

    water = np.full(shape, -1, np.int16)
    yy, xx = np.mgrid[0:size, 0:size]
    turn = np.gradient(cols)[nearest] * (yy - rows[nearest])
    turn -= np.gradient(rows)[nearest] * (xx - cols[nearest])
    inner = np.sign(turn) == np.sign(curvature[nearest])
    width = 4.4 + 0.7 * noise.smooth(rng, shape, 60) + 0.35 * noise.smooth(rng, shape, 6)
    strength = np.abs(curvature[nearest]) * 32
    bar = inner & (strength > 0.7) & (distance < width + 3.2 * np.minimum(strength, 1.6))
    water[bar & (noise.smooth(rng, shape, 14) > -0.5)] = INDEX["gravel"]
    water[distance < width] = INDEX["river"]

    _ponds(rng, size, distance, water)
    return Terrain(elevation.astype(np.float32), distance, water)


def _ponds(rng, size: int, river_distance: np.ndarray, water: np.ndarray) -> None:
    """Paint ponds, and for the last one a gravel pit around it, into ``water``."""
    wanted = max(2, round(size / 150))
    yy, xx = np.mgrid[0:size, 0:size]
    taken = []
    for number in range(wanted):
        pit = number == wanted - 1
        radius = rng.uniform(9, 14) if pit else rng.uniform(4.5, 13)
        if number == 0:
            radius = min(30.0, size / 24)
        near_river = rng.random() < 0.6
        for _ in range(60):
            row, col = rng.uniform(0.08, 0.92, 2) * size
            away = river_distance[int(row), int(col)]
            spaced = all(np.hypot(row - r, col - c) > 60 for r, c in taken)
            if spaced and away > radius + 16 and (away < 90) == near_river:
                break
        taken.append((row, col))
        angle = np.arctan2(yy - row, xx - col)
        wobble = 1 + 0.22 * np.cos(2 * angle + rng.uniform(0, 6.3))
        wobble += 0.10 * np.cos(3 * angle + rng.uniform(0, 6.3))
        wobble += 0.05 * np.cos(7 * angle + rng.uniform(0, 6.3))
        reach = np.hypot(yy - row, xx - col) / (radius * wobble)
        if pit:
            rim = 1.7 + 0.3 * noise.smooth(rng, water.shape, 8)
            water[(reach < rim) & (water < 0)] = INDEX["gravel"]
        water[reach < 1] = INDEX["pond"]
