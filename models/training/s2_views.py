"""Views of the Sentinel-2 scenes under other sun, air, scale and neighbours, for distillation.

Teacher and student see the same view, however odd: a student that follows its teacher everywhere
learns the teacher's rule and not only its answers on a few scenes (Beyer et al., 2022, Knowledge
distillation: a good teacher is patient and consistent, arXiv 2106.05237).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import s2_scenes as s2
from scipy import ndimage

# L1C = SLOPE * L2A + OFFSET, fitted on the only pair of one date (ssl4eo-s12, 2020-06-04).
SLOPE = np.array([0.59, 0.64, 0.74, 0.78, 0.69, 0.75, 0.81, 0.86, 0.87, 0.76], np.float32)
OFFSET = np.array([80, 56, 37, 37, 32, 42, 44, 39, 7, 2], np.float32) / 1e3
HAZE = np.array([1.0, 0.75, 0.5, 0.3, 0.45, 0.4, 0.35, 0.25, 0.1, 0.05], np.float32)
SIDE, EDGE = 128, 16  # pixels of a crop, and those at its rim that teach nothing
COUNT = 900


@dataclass(frozen=True)
class Crop:
    """image (10, SIDE, SIDE) L1C, soft (9, SIDE, SIDE) what to say, weight (SIDE, SIDE)."""

    image: np.ndarray
    soft: np.ndarray
    weight: np.ndarray


def column(values) -> np.ndarray:
    return np.asarray(values, np.float32)[:, None, None]


def to_l1c(image: np.ndarray, rng=None) -> np.ndarray:
    """Surface reflectance as a satellite would see it through the air, roughly."""
    lift = 1.0 if rng is None else rng.uniform(0.6, 1.2)
    return column(1 - (1 - SLOPE) * lift) * image + column(OFFSET * lift)


def to_l2a(image: np.ndarray, rng) -> np.ndarray:
    """The way back, with the air taken off more or less well."""
    lift = rng.uniform(0.5, 1.15)
    return np.maximum(image - column(OFFSET * lift), 1e-4) / column(1 - (1 - SLOPE) * lift)


def pieces(scenes: list) -> list:
    """(image, level, hand) of what may be trained on, held-out pixels cut away, none left inside.

    A piece of sen1floods is one square, mirrored at its rim so that the teacher has context.
    """
    found = []
    for scene in scenes:
        if scene.held.all():
            continue
        if not scene.held.any():
            found.append((scene.image, scene.level, scene.hand))
        elif scene.name.startswith("majortom"):
            found.append((scene.image[:, :, : int(np.argmax(scene.held[0]))], scene.level,
                          scene.hand[:, : int(np.argmax(scene.held[0]))]))  # fmt: skip
        else:
            for row in range(0, scene.held.shape[0], s2.BLOCK):
                for col in range(0, scene.held.shape[1], s2.BLOCK):
                    part = (slice(row, row + s2.BLOCK), slice(col, col + s2.BLOCK))
                    if not scene.held[part].any():
                        found.append((scene.image[(slice(None), *part)], scene.level,
                                      scene.hand[part]))  # fmt: skip
    return [_wide(*piece) for piece in found]


def _wide(image, level, hand, least: int = 200):
    pads = [(max(0, least - n + 1) // 2,) * 2 for n in hand.shape]
    image = np.pad(image, ((0, 0), *pads), mode="symmetric")
    return image, level, np.pad(hand, pads, constant_values=-1)


def _cut(rng, pieces: list, shares: np.ndarray) -> tuple:
    """A crop of one piece at a scale of 0.75 to 1.35, as L1C, with its hand labels."""
    image, level, hand = pieces[rng.choice(len(pieces), p=shares)]
    size = int(SIDE / (rng.uniform(0.75, 1.35) if rng.random() < 0.5 else 1.0))
    size = min(size, *hand.shape)
    row, col = (int(rng.integers(n - size + 1)) for n in hand.shape)
    part = (slice(row, row + size), slice(col, col + size))
    image, hand = image[(slice(None), *part)], hand[part]
    if size != SIDE:
        factor = SIDE / size
        image = np.stack([ndimage.zoom(p, factor, order=1) for p in image])[:, :SIDE, :SIDE]
        hand = ndimage.zoom(hand, factor, order=0)[:SIDE, :SIDE]
    return (to_l1c(image, rng) if level == "L2A" else image), hand


def _blob(rng) -> np.ndarray:
    """A mask with soft-edged patches over about half of the crop."""
    noise = ndimage.gaussian_filter(rng.standard_normal((SIDE, SIDE)), rng.uniform(4, 20))
    return noise > np.quantile(noise, rng.uniform(0.3, 0.7))


def _air(rng, image: np.ndarray) -> np.ndarray:
    """Other sun, other air, another slope of the spectrum, sensor noise."""
    if rng.random() < 0.25:
        return image
    slope = rng.normal(0, 0.12) * (np.asarray(s2.WAVELENGTHS) - 0.9)
    gain = np.exp(rng.normal(0, 0.15) + slope + rng.normal(0, 0.05, 10))
    image = image * column(gain) + column(HAZE * rng.uniform(-0.02, 0.03))
    noise = rng.standard_normal(image.shape) * rng.uniform(0, 0.004)
    return np.clip(image + noise, 1e-4, 2).astype(np.float32)


def _corrected(soft: np.ndarray, hand: np.ndarray) -> np.ndarray:
    """The teacher's answer, moved towards the hand label where it cannot be cloud."""
    clear = soft[s2.SNOW] < 0.3
    water = (hand == s2.WATER) & clear
    soft = np.where(water, 0.15 * soft, soft)
    soft[s2.WATER] += 0.85 * water
    soft[s2.WATER] *= np.where((hand == -2) & clear, 0.1, 1.0)
    for code in (s2.TREES, s2.CROPS, s2.BUILT):
        sure = (hand == code) & clear
        soft = np.where(sure, 0.7 * soft, soft)
        soft[code] += 0.3 * sure
    return soft / soft.sum(0)


def real(scenes: list, teacher) -> list:
    """The pieces themselves, as they are, with the teacher's word on each; any size."""
    found = []
    for image, level, hand in pieces(scenes):
        image = to_l1c(image) if level == "L2A" else image
        soft = _corrected(teacher(image), hand)
        weight = np.zeros(hand.shape, np.float32)
        weight[EDGE:-EDGE, EDGE:-EDGE] = 1
        found.append(Crop(image.astype(np.float32), soft.astype(np.float16), weight))
    return found


def crops(scenes: list, teacher, count: int = COUNT, seed: int = 11) -> list:
    """``count`` crops, single ones and mixtures of two, with the teacher's word on each."""
    rng = np.random.default_rng(seed)
    parts = pieces(scenes)
    shares = np.array([min(h.size, 600_000) for _, _, h in parts], float) ** 0.5
    shares /= shares.sum()
    found = []
    for _ in range(count):
        image, hand = _cut(rng, parts, shares)
        other = rng.random()
        if other < 0.45:
            second, hand2 = _cut(rng, parts, shares)
            if other < 0.3:
                mask = _blob(rng)
                image, hand = np.where(mask, second, image), np.where(mask, hand2, hand)
            else:
                part = rng.uniform(0.25, 0.75)
                image, hand = part * image + (1 - part) * second, np.full_like(hand, -1)
        image = _air(rng, image.astype(np.float32))
        soft = _corrected(teacher(image), hand)
        weight = np.zeros(hand.shape, np.float32)
        weight[EDGE:-EDGE, EDGE:-EDGE] = 1
        weight *= (image > 1e-3).any(0)
        found.append(Crop(image.astype(np.float16), soft.astype(np.float16), weight))
        if len(found) % 100 == 0:
            print(f"  {len(found)} of {count} crops", flush=True)
    return found
