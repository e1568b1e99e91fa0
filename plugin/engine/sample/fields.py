"""Blocks of land between roads, cut into parcels, and what grows on each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import noise
from .covers import INDEX
from .terrain import Terrain

CROPS = ("ripe wheat", "green cereal", "maize", "beet", "rapeseed", "young maize")
CROP_WEIGHTS = (0.28, 0.19, 0.20, 0.12, 0.07, 0.14)


@dataclass
class Parcels:
    """block, parcel: labels (size, size) from 0; angle: direction of each parcel's rows (rad)."""

    block: np.ndarray
    parcel: np.ndarray
    angle: np.ndarray


def parcels(seed: int, size: int) -> Parcels:
    """Cut the scene into blocks (Voronoi cells of a jittered grid) and these into parcels."""
    from scipy import ndimage

    rng = noise.stream(seed, "parcels")
    spacing = min(150.0, size / 2.2)
    margin = int(spacing)
    side = size + 2 * margin
    sites = np.full((side, side), -1, np.int32)
    count = 0
    for row in np.arange(spacing / 2, side, spacing):
        for col in np.arange(spacing / 2, side, spacing):
            r, c = np.array([row, col]) + rng.uniform(-0.42, 0.42, 2) * spacing
            r, c = int(np.clip(r, 0, side - 1)), int(np.clip(c, 0, side - 1))
            sites[r, c] = count
            count += 1
    _, (nr, nc) = ndimage.distance_transform_edt(sites < 0, return_indices=True)
    cells = sites[nr, nc]
    # A gentle bend, since roads and field edges follow the land.
    bend = 6.0
    yy, xx = np.mgrid[0:size, 0:size].astype(np.float32)
    yy += bend * noise.smooth(rng, (size, size), 70)
    xx += bend * noise.smooth(rng, (size, size), 70)
    rows = np.clip(np.rint(yy) + margin, 0, side - 1).astype(int)
    cols = np.clip(np.rint(xx) + margin, 0, side - 1).astype(int)
    _, block = np.unique(cells[rows, cols], return_inverse=True)
    block = block.reshape(size, size).astype(np.int32)

    grain = noise.smooth(rng, (size, size), 420) * 0.55 + rng.uniform(0, np.pi)
    parcel = np.zeros((size, size), np.int32)
    angles = []
    for number in range(block.max() + 1):
        at = np.flatnonzero(block.ravel() == number)
        turn = rng.normal(0, 0.16) + (np.pi / 2 if rng.random() < 0.4 else 0.0)
        angle = float(grain.ravel()[at].mean()) + turn
        along = xx.ravel()[at] * np.cos(angle) + yy.ravel()[at] * np.sin(angle)
        across = -xx.ravel()[at] * np.sin(angle) + yy.ravel()[at] * np.cos(angle)
        _cut(rng, parcel, at, along, across, angle, angles)
    return Parcels(block, parcel, np.array(angles, np.float32))


def _cut(rng, parcel, at, along, across, angle, angles) -> None:
    """Split one block into belts and each belt into parcels; append their row angles."""
    # A block is farmed in one manner: narrow strips, common fields or large ones.
    low, high = ((5, 11), (10, 26), (24, 58))[rng.choice(3, p=(0.16, 0.56, 0.28))]
    belts = _edges(rng, along.min(), along.max(), 32, 62)
    belt = np.searchsorted(belts, along)
    for number in range(len(belts) + 1):
        inside = belt == number
        if not inside.any():
            continue
        cuts = _edges(rng, across[inside].min(), across[inside].max(), low, high)
        parcel.ravel()[at[inside]] = np.searchsorted(cuts, across[inside]) + len(angles)
        angles.extend([angle] * (len(cuts) + 1))


def _edges(rng, start: float, stop: float, low: float, high: float) -> np.ndarray:
    """Cut positions from ``start`` to ``stop`` with random gaps."""
    gaps = rng.uniform(low, high, int((stop - start) / low) + 2)
    edges = start + np.cumsum(gaps) - rng.uniform(0, low)
    return edges[edges < stop]


def grow(seed: int, terrain: Terrain, land: Parcels) -> np.ndarray:
    """Cover codes (size, size): forest, meadows, crops, bare soil, hedges; no water yet."""
    rng = noise.stream(seed, "grow")
    shape = land.parcel.shape
    count = len(land.angle)
    area = np.maximum(np.bincount(land.parcel.ravel(), minlength=count), 1)

    def mean(values):
        return np.bincount(land.parcel.ravel(), values.ravel(), minlength=count) / area

    by_parcel = _crops(rng, count, mean(terrain.river_distance), area)
    cover = by_parcel[land.parcel]
    _edges_of_fields(rng, land.parcel, cover)

    height = (terrain.elevation - terrain.elevation.mean()) / (terrain.elevation.std() + 1e-6)
    slope = np.hypot(*np.gradient(terrain.elevation)) / 10
    wish = 1.0 * noise.smooth(rng, shape, 120) + 0.55 * height
    wish += 6 * np.minimum(slope, 0.25) + 0.13 * noise.smooth(rng, shape, 9)
    wish -= 1.2 * np.exp(-terrain.river_distance / 40)
    limit = np.quantile(wish, 0.80)
    # Wild edges where the wish is strong, edges along parcels where people drew the line.
    wood = (wish > limit + 0.25) | (mean(wish) > limit - 0.02)[land.parcel]
    copse = (rng.random(count) < 0.018) & (area < 900)
    wood |= copse[land.parcel]
    stands = noise.smooth(rng, shape, 34) + 0.5 * noise.smooth(rng, shape, 7) + 0.7 * height
    cover[wood] = np.where(stands > 0.75, INDEX["conifer"], INDEX["broadleaf"])[wood]
    clearing = wood & (noise.smooth(rng, shape, 17) > 2.25)
    cover[clearing] = INDEX["meadow"]
    bank = terrain.river_distance < 8.5 + 2.5 * noise.smooth(rng, shape, 9)
    bank &= noise.smooth(rng, shape, 22) > -0.15
    cover[(terrain.river_distance < 11) & ~wood] = INDEX["meadow"]
    cover[bank] = INDEX["broadleaf"]
    return cover


def _crops(rng, count: int, river_distance: np.ndarray, area: np.ndarray) -> np.ndarray:
    """One cover code a parcel: wet ground is meadow, the rest crops, grass or bare soil."""
    grass = rng.random(count) < np.where(river_distance < 55, 0.72, 0.21)
    bare = rng.random(count) < 0.12
    crop = np.array([INDEX[name] for name in CROPS])
    chosen = crop[rng.choice(len(CROPS), count, p=CROP_WEIGHTS)]
    soil = np.where(rng.random(count) < 0.7, INDEX["ploughed soil"], INDEX["pale soil"])
    chosen = np.where(bare, soil, chosen)
    mown = np.where(rng.random(count) < 0.35, INDEX["mown meadow"], INDEX["meadow"])
    return np.where(grass, mown, chosen).astype(np.int16)


def _edges_of_fields(rng, parcel: np.ndarray, cover: np.ndarray) -> None:
    """Hedges and grass margins along some parcels, painted into ``cover``."""
    edge = np.zeros(parcel.shape, bool)
    edge[:-1] |= parcel[:-1] != parcel[1:]
    edge[:, :-1] |= parcel[:, :-1] != parcel[:, 1:]
    kind = rng.random(parcel.max() + 1)[parcel]
    gaps = noise.smooth(rng, parcel.shape, 5)
    hedge = edge & (kind < 0.10)
    cover[edge & (kind > 0.80)] = INDEX["meadow"]
    cover[(hedge | (noise.near(hedge) & (gaps > 0.9))) & (gaps > -1.0)] = INDEX["hedge"]
