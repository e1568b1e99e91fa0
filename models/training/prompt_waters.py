"""Water as satellites see it: generated rivers, lakes and floods, optical or as radar; real ones.

Large, branching, thin or speckled water is rare in the labelled scenes and common in the work:
a river runs through the whole picture, a flood has islands, radar has speckle for texture.
"""

from __future__ import annotations

import numpy as np
from prompt_generated import SIDE, Canvas, _colour, ground, noise, tree
from prompt_scenes import Scene, components
from scipy import ndimage

_STEPS = 900  # points of a river's middle line


def rivers_of(green: np.ndarray, swir: np.ndarray, least: float = 0.0) -> np.ndarray:
    """Numbered water bodies (rows, cols) by MNDWI (Xu, 2006, Int. J. Remote Sensing 27:3025).

    Args:
        green, swir: digital numbers or reflectance of Sentinel-2's bands 3 and 11.
        least: MNDWI of water at least.
    """
    green, swir = green.astype(np.float32), swir.astype(np.float32)
    index = (green - swir) / np.maximum(green + swir, 1e-6)
    return components((index > least).astype(int), opening=1)


def _course(rng, wide: float) -> np.ndarray:
    """A river's mask: a meandering line from side to side, wider here and there."""
    along = np.linspace(-0.1, 1.1, _STEPS) * SIDE
    phase, turns = rng.uniform(0, 2 * np.pi, 3), rng.uniform(0.5, 5, 3)
    waves = [np.sin(along / SIDE * 2 * np.pi * turns[k] * (k + 1) + phase[k]) for k in range(3)]
    bend = sum(rng.uniform(5, 60) / (k + 1) * wave for k, wave in enumerate(waves))
    angle, middle = rng.uniform(0, np.pi), rng.uniform(0.2, 0.8, 2) * SIDE
    across = bend - bend.mean()
    rows = middle[0] + (along - SIDE / 2) * np.sin(angle) + across * np.cos(angle)
    cols = middle[1] + (along - SIDE / 2) * np.cos(angle) - across * np.sin(angle)
    ri, ci = np.rint(rows).astype(int), np.rint(cols).astype(int)
    good = (ri >= 0) & (ri < SIDE) & (ci >= 0) & (ci < SIDE)
    line = np.zeros((SIDE, SIDE), bool)
    line[ri[good], ci[good]] = True
    if not line.any():
        return line
    widths = wide * np.exp(0.35 * noise(rng, SIDE, 60))
    return ndimage.distance_transform_edt(~line) < widths


def _lake(rng) -> np.ndarray:
    """A lake or flood: a level of smooth noise, with arms and islands."""
    relief = noise(rng, SIDE, rng.uniform(40, 160)) + rng.uniform(0.1, 0.5) * noise(rng, SIDE, 15)
    return relief > np.quantile(relief, rng.uniform(0.6, 0.95))


def _radar(rng, image: np.ndarray, wet: np.ndarray) -> np.ndarray:
    """The scene as backscatter: dark water, brighter land, speckle of some looks; four planes."""
    land = 0.35 + rng.uniform(0.2, 0.9) * (image.mean(2) - image.mean())
    looks = rng.uniform(2, 12)
    planes = []
    for level in (1.0, rng.uniform(0.6, 1.0), rng.uniform(0.8, 1.2), 1.0):
        power = np.where(wet, rng.uniform(0.02, 0.12), land * level + 0.02 * noise(rng, SIDE, 8))
        power = np.clip(power, 0.01, None) * rng.gamma(looks, 1 / looks, (SIDE, SIDE))
        planes.append(np.log(power + 1e-3))
    stack = np.stack(planes, -1)
    low, high = np.percentile(stack, (1, 99))
    return (stack - low) / (high - low)


def scene(seed: int) -> Scene:
    """One generated scene of rivers and lakes, a third of them as radar sees it."""
    rng = np.random.default_rng(seed)
    canvas = Canvas(rng)
    ground(canvas)
    water = np.zeros((SIDE, SIDE), bool)
    for _ in range(int(rng.integers(1, 4))):
        water |= _course(rng, np.exp(rng.uniform(np.log(1.5), np.log(26))))
    if rng.random() < 0.5:
        water |= _lake(rng)
    if rng.random() < 0.6:  # wet banks, sand or reed
        bank = ndimage.binary_dilation(water, iterations=int(rng.integers(1, 6)))
        canvas.paint(bank, _colour(rng, ("field", "tree", "road")[int(rng.integers(3))]))
    murk = rng.uniform(0, 0.08) * noise(rng, SIDE, 60) + rng.uniform(0, 0.02) * noise(rng, SIDE, 3)
    canvas.paint(water, _colour(rng, "water"), murk.astype(np.float32))
    for _ in range(int(rng.integers(0, 30))):
        tree(canvas, rng.uniform(3, 10))
    wet = water & (canvas.things == 0)
    image = ndimage.gaussian_filter(canvas.image, (rng.choice([0.4, 0.8, 1.2]),) * 2 + (0,))
    if rng.random() < 0.35:
        image = _radar(rng, image, wet)
    else:
        image = image * rng.uniform(0.6, 1.2) + rng.uniform(-0.05, 0.15)
        image = image + rng.normal(0, rng.uniform(0.002, 0.03), image.shape)
    planes = np.clip(image * 255, 0, 255).astype(np.uint8)
    bodies = components(wet.astype(int))
    land = components((~water).astype(int), opening=1)  # islands and banks
    fields = np.where(wet | (canvas.things > 0), 0, canvas.fields).astype(np.int32)
    layers = [(bodies.astype(np.int32), 3.0), (land.astype(np.int32), 0.5), (fields, 0.7)]
    return Scene(f"waters {seed}", planes, layers, ((0, 1, 2), (3, 0, 1)), (0.4, 1.6), 1.0)
