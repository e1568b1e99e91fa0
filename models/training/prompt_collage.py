"""Collages: real roofs of the training blocks on other real ground, recoloured and turned.

There are some fifty training roofs. Each is seen here on many grounds, in many colours, sizes and
lights, so that a network learns what belongs to a roof rather than these roofs' surroundings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from prompt_scenes import Scene
from scipy import ndimage

SIDE = 512
_TRIES, _MOST = 40, 14  # places tried, and roofs at most, in a collage


@dataclass(frozen=True)
class Roof:
    """``picture`` (rows, cols, 3) uint8 of a window, ``mask`` where the building is in it."""

    picture: np.ndarray
    mask: np.ndarray


def roofs(picture: np.ndarray, numbers: np.ndarray, margin: int = 3) -> list:
    """Every numbered building of a (rows, cols, 3) picture with a side of 24 pixels or more."""
    found = []
    for number, place in enumerate(ndimage.find_objects(numbers), 1):
        if place is None:
            continue
        rows, cols = (slice(max(0, part.start - margin), part.stop + margin) for part in place)
        mask = numbers[rows, cols] == number
        if min(mask.shape) >= 24 + 2 * margin:
            found.append(Roof(picture[rows, cols].copy(), mask))
    return found


def _read(layer: np.ndarray, rows: np.ndarray, cols: np.ndarray, order: int) -> np.ndarray:
    return ndimage.map_coordinates(layer, [rows, cols], order=order, mode="constant")


def _ground(ground: tuple, rng) -> tuple:
    """A turned and scaled part of (picture, numbers): (SIDE, SIDE, 3) float32, (SIDE, SIDE)."""
    picture, numbers = ground
    zoom = np.exp(rng.uniform(np.log(0.6), np.log(1.6)))
    zoom = max(zoom, 1.02 * SIDE / min(picture.shape[:2]))
    half = SIDE / 2 / zoom
    row = rng.uniform(half, max(half, picture.shape[0] - half))
    col = rng.uniform(half, max(half, picture.shape[1] - half))
    steps = (np.arange(SIDE) - (SIDE - 1) / 2) / zoom
    rows, cols = np.meshgrid(row + steps, col + steps, indexing="ij")
    if rng.random() < 0.5:
        rows, cols = rows.T, cols.T
    top, left = int(max(0, row - half - 2)), int(max(0, col - half - 2))
    low, right = int(row + half + 3), int(col + half + 3)
    part = picture[top:low, left:right].astype(np.float32)
    seen = [_read(part[..., k], rows - top, cols - left, 1) for k in range(3)]
    kept = _read(numbers[top:low, left:right], rows - top, cols - left, 0)
    return np.stack(seen, -1) / 255, kept.astype(np.int32)


def _recoloured(picture: np.ndarray, rng) -> np.ndarray:
    """A roof of another paint: its planes mixed, lifted and of another contrast."""
    middle = picture.mean((0, 1))
    contrast = np.exp(rng.normal(0, 0.25))
    if rng.random() < 0.5:
        goal = middle * np.exp(rng.normal(0, 0.2, 3))
    else:
        goal = rng.uniform(0.15, 0.9) * (1 + rng.normal(0, 0.18, 3))
    order = rng.permutation(3) if rng.random() < 0.3 else np.arange(3)
    return np.clip((picture - middle)[..., order] * contrast + goal, 0, 1)


def _turned(roof: Roof, rng) -> tuple:
    """(picture, mask) of a roof at another size and turn, both float32, the mask 0 to 1."""
    longest = max(roof.mask.shape)
    zoom = np.exp(rng.uniform(np.log(26), np.log(230))) / longest
    angle, flip = rng.uniform(0, 2 * np.pi), rng.choice([-1.0, 1.0])
    side = int(np.ceil(np.hypot(*roof.mask.shape) * zoom)) + 4
    blur = 0.5 * max(0.0, 1 / zoom - 1)
    steps = (np.arange(side) - (side - 1) / 2) / zoom
    y, x = np.meshgrid(steps, steps * flip, indexing="ij")
    rows = (roof.mask.shape[0] - 1) / 2 + y * np.cos(angle) - x * np.sin(angle)
    cols = (roof.mask.shape[1] - 1) / 2 + y * np.sin(angle) + x * np.cos(angle)
    picture = ndimage.gaussian_filter(roof.picture.astype(np.float32) / 255, (blur, blur, 0))
    planes = np.stack([_read(picture[..., k], rows, cols, 1) for k in range(3)], -1)
    return planes, _read(roof.mask.astype(np.float32), rows, cols, 1)


def scene(seed: int, bank: list, grounds: list) -> Scene:
    """One collage of roofs of ``bank`` on one of ``grounds`` [(picture, building numbers)]."""
    rng = np.random.default_rng(seed)
    image, things = _ground(grounds[int(rng.integers(len(grounds)))], rng)
    sun = rng.uniform(-1, 1, 2)
    count, last = 0, int(things.max(initial=0))
    for _ in range(_TRIES):
        if count == _MOST:
            break
        planes, soft = _turned(bank[int(rng.integers(len(bank)))], rng)
        side = soft.shape[0]
        if side > SIDE:
            continue
        row, col = (int(v) for v in rng.integers(0, SIDE - side + 1, 2))
        here = (slice(row, row + side), slice(col, col + side))
        mask = soft > 0.5
        if mask.sum() < 60 or (things[here][mask] > 0).any():
            continue
        count += 1
        if rng.random() < 0.7:
            _shade(image, mask, row, col, sun * side * rng.uniform(0.03, 0.15), rng)
        paint = _recoloured(planes, rng) if rng.random() < 0.8 else planes
        image[here] += (paint - image[here]) * soft[..., None].astype(np.float32)
        things[here][mask] = last + count
    light = np.exp(rng.normal(0, 0.1, 3))
    picture = np.clip(image * light * 255, 0, 255).astype(np.uint8)
    return Scene(f"collage {seed}", picture, [(things, 2.0)], ((0, 1, 2),), (0.4, 1.4))


def _shade(image: np.ndarray, mask: np.ndarray, row: int, col: int, away, rng) -> None:
    """Darken what lies in a roof's shadow."""
    dark = np.zeros(image.shape[:2], np.float32)
    side = mask.shape[0]
    for step in np.linspace(0.2, 1, 5):
        top, left = int(row + away[0] * step), int(col + away[1] * step)
        r0, c0 = max(0, top), max(0, left)
        r1, c1 = min(SIDE, top + side), min(SIDE, left + side)
        part = mask[r0 - top : r1 - top, c0 - left : c1 - left]
        dark[r0:r1, c0:c1] = np.maximum(dark[r0:r1, c0:c1], part)
    dark = ndimage.gaussian_filter(dark, 1.0)[..., None]
    image *= 1 - dark * rng.uniform(0.3, 0.65)
