"""Views of the Sentinel-2 scenes under other sun, air, scale and neighbours, for distillation.

Teacher and student see the same view, however odd: a student that follows its teacher everywhere
learns the teacher's rule and not only its answers on a few scenes (Beyer et al., 2022, Knowledge
distillation: a good teacher is patient and consistent, arXiv 2106.05237).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import s2_net
import s2_scenes as s2
from scipy import ndimage

SLOPE, OFFSET = (np.array(c, np.float32) for c in (s2_net.SLOPE, s2_net.OFFSET))
AIR = (0.85, 1.1)  # how thick the air may be
HAZE = np.array([1.0, 0.75, 0.5, 0.3, 0.45, 0.4, 0.35, 0.25, 0.1, 0.05], np.float32)
SIDE = 96  # pixels of a view
PLAIN = 0.5  # share of the views that show a scene as it is


@dataclass(frozen=True)
class View:
    """image (10, SIDE, SIDE) at L1C, ground the same at L2A, hand (SIDE, SIDE) as in a scene."""

    image: np.ndarray
    ground: np.ndarray
    hand: np.ndarray


def column(values) -> np.ndarray:
    return np.asarray(values, np.float32)[:, None, None]


def to_l1c(image: np.ndarray) -> np.ndarray:
    """Surface reflectance as a satellite would see it through the air, roughly."""
    return column(SLOPE) * image + column(OFFSET)


def to_l2a(image: np.ndarray, rng) -> np.ndarray:
    """The way back, with the air taken off more or less well."""
    lift = rng.uniform(*AIR)
    return np.maximum(image - column(OFFSET * lift), 1e-4) / column(1 - (1 - SLOPE) * lift)


def pieces(scenes: list) -> list:
    """(image, ground, hand) of what may be trained on, held-out pixels cut away, none left inside.

    image is L1C, as it was or as it would have been; ground is L2A, or None where none is known.
    A piece of sen1floods is one square, mirrored at its rim so that the teacher has context.
    """
    found = []
    grounds = {s.name: s.image for s in scenes if s.level == "L2A"}
    above = {s.name for s in scenes if s.level == "L1C"}
    for scene in scenes:
        if scene.held.all() or (scene.level == "L2A" and _at(scene, "L1C") in above):
            continue
        image, ground = scene.image, grounds.get(_at(scene, "L2A"))
        if scene.level == "L2A":
            image, ground = to_l1c(scene.image), scene.image
        for part in _parts(scene):
            kept = None if ground is None else ground[(slice(None), *part)]
            found.append(_wide(image[(slice(None), *part)], kept, scene.hand[part]))
    return found


def _at(scene, level: str) -> str:
    """The name of the same scene at another level."""
    return scene.name.replace("L1C", level).replace("L2A", level)


def _parts(scene) -> list:
    """Slices of rows and columns without a held-out pixel."""
    rows, cols = scene.held.shape
    if not scene.held.any():
        return [(slice(0, rows), slice(0, cols))]
    if scene.name.startswith("majortom"):
        return [(slice(0, rows), slice(0, int(np.argmax(scene.held[0]))))]
    side = s2.BLOCK
    squares = [(slice(r, r + side), slice(c, c + side))
               for r in range(0, rows, side) for c in range(0, cols, side)]  # fmt: skip
    return [square for square in squares if not scene.held[square].any()]


def _wide(image, ground, hand, least: int = 200):
    pads = [(max(0, least - n + 1) // 2,) * 2 for n in hand.shape]
    image, ground = (
        None if p is None else np.pad(p, ((0, 0), *pads), mode="symmetric") for p in (image, ground)
    )
    return image, ground, np.pad(hand, pads, constant_values=-1)


def _cut(rng, pieces: list, shares: np.ndarray, plain: bool) -> tuple:
    """A part of one piece at L1C and L2A with its hand labels, scaled by 0.75 to 1.35."""
    image, ground, hand = pieces[rng.choice(len(pieces), p=shares)]
    scaled = not plain and rng.random() < 0.5
    size = min(int(SIDE / rng.uniform(0.75, 1.35)) if scaled else SIDE, *hand.shape)
    row, col = (int(rng.integers(n - size + 1)) for n in hand.shape)
    part = (..., slice(row, row + size), slice(col, col + size))
    image, hand = image[part], hand[part]
    if ground is None:
        ground = to_l2a(image, rng)
    else:
        ground = ground[part]
    if size != SIDE:
        factor = SIDE / size
        both = np.concatenate([image, ground])
        both = np.stack([ndimage.zoom(p, factor, order=1) for p in both])[:, :SIDE, :SIDE]
        image, ground = both[:10], both[10:]
        hand = ndimage.zoom(hand, factor, order=0)[:SIDE, :SIDE]
    return image, ground, hand


def corrected(soft: np.ndarray, hand: np.ndarray) -> np.ndarray:
    """The teacher's answer, moved towards the hand label of water where it cannot be cloud."""
    clear = soft[s2.SNOW] < 0.3
    water = (hand == s2.WATER) & clear
    soft = np.where(water, 0.15 * soft, soft)
    soft[s2.WATER] += 0.85 * water
    soft[s2.WATER] *= np.where((hand == -2) & clear, 0.1, 1.0)
    return soft / soft.sum(0)


def _blob(rng) -> np.ndarray:
    """A mask with soft-edged patches over about half of the view."""
    noise = ndimage.gaussian_filter(rng.standard_normal((SIDE, SIDE)), rng.uniform(4, 20))
    return noise > np.quantile(noise, rng.uniform(0.3, 0.7))


def _light(rng, image: np.ndarray, ground: np.ndarray) -> tuple:
    """Other sun, another slope of the spectrum and sensor noise in both, haze in the image."""
    if rng.random() < 0.25:
        return image, ground
    slope = rng.normal(0, 0.12) * (np.asarray(s2.WAVELENGTHS) - 0.9)
    gain = column(np.exp(rng.normal(0, 0.15) + slope + rng.normal(0, 0.05, 10)))
    noise = rng.standard_normal(image.shape) * rng.uniform(0, 0.004)
    haze = column(HAZE * rng.uniform(-0.01, 0.03))
    return image * gain + haze + noise, ground * gain + noise


def recoloured(rng, image: np.ndarray, ground: np.ndarray) -> tuple:
    """Pixels (10, n) at L1C and L2A, most of them of colours that no scene here has.

    What tells the levels apart must be the air, not the few places that were seen at either.
    """
    n = image.shape[1]
    slope = rng.normal(0, 0.5, n) * column(np.asarray(s2.WAVELENGTHS) - 0.9)[..., 0]
    other = ground * np.exp(rng.normal(0, 0.4, n) + slope + rng.normal(0, 0.12, (10, n)))
    lift = rng.uniform(*AIR, n)
    above = (1 - (1 - SLOPE[:, None]) * lift) * other + OFFSET[:, None] * lift
    own = rng.random(n) < 0.3
    return np.where(own, image, above), np.where(own, ground, np.maximum(other, 1e-4))


def stream(scenes: list, seed: int = 11):
    """Views without end: scenes as they are, and mixtures of them under another light."""
    rng = np.random.default_rng(seed)
    parts = pieces(scenes)
    shares = np.array([min(h.size, 600_000) for *_, h in parts], float) ** 0.5
    shares /= shares.sum()
    while True:
        plain = rng.random() < PLAIN
        image, ground, hand = _cut(rng, parts, shares, plain)
        other = 1.0 if plain else rng.random()
        if other < 0.45:
            image2, ground2, hand2 = _cut(rng, parts, shares, plain)
            if other < 0.3:
                mask = _blob(rng)
                hand = np.where(mask, hand2, hand)
            else:
                mask, hand = rng.uniform(0.25, 0.75), np.full_like(hand, -1)
            image = mask * image2 + (1 - mask) * image
            ground = mask * ground2 + (1 - mask) * ground
        if not plain:
            image, ground = _light(rng, image, ground)
        yield View(*(np.clip(p, 1e-4, 2).astype(np.float32) for p in (image, ground)), hand)
