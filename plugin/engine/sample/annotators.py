"""Labels as people and products make them: a noisy land-cover map and three annotators."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import noise
from .covers import BARE, BUILT, CROPS, GRASS, INDEX, TREES, WATER
from .landscape import Landscape

CLASSES = 6
# What a whole parcel of a class is mistaken for, with the share of each mistake.
MISTAKES = {
    CROPS: ((GRASS, 0.75), (BARE, 0.25)),
    GRASS: ((CROPS, 0.80), (TREES, 0.20)),
    BARE: ((CROPS, 0.70), (BUILT, 0.30)),
    TREES: ((GRASS, 1.0),),
}
# Crops that stand green look like grass to somebody in a hurry.
GREEN = ("green cereal", "maize", "beet")


@dataclass(frozen=True)
class Care:
    """How well somebody labels: the share of right pixels aimed at, and the kinds of mistake.

    jitter: how far edges stray (px); smallest: objects with fewer pixels are overlooked;
    mode: side of the window in which only the commonest class is drawn (1 = every pixel);
    confuses_green: green crops are taken for grass before any other mistake is made;
    skipped: share of the scene left unlabelled.
    """

    right: float
    jitter: float
    smallest: int
    mode: int = 1
    confuses_green: bool = False
    skipped: float = 0.0


PEOPLE = {
    "anna": Care(right=0.95, jitter=0.30, smallest=3, skipped=0.010),
    "ben": Care(right=0.88, jitter=0.75, smallest=9, skipped=0.020),
    "cleo": Care(right=0.72, jitter=1.60, smallest=30, mode=3, confuses_green=True, skipped=0.035),
}
PRODUCT_RIGHT = 0.825
SALT = 0.012


def annotate(seed: int, land: Landscape, name: str) -> np.ndarray:
    """Class codes (size, size) uint8 as one of PEOPLE would draw them; 0 = left unlabelled."""
    care = PEOPLE[name]
    rng = noise.stream(seed, "annotator " + name)
    labels = overlook(land.truth, care.smallest)
    if care.mode > 1:
        labels = common(labels, care.mode)
    labels = stray(rng, labels, care.jitter)
    labels = mistake(rng, land, labels, care.right, care.confuses_green)
    blobs = noise.smooth(rng, labels.shape, 18)
    labels[blobs > np.quantile(blobs, 1 - care.skipped)] = 0
    return labels


def product(seed: int, land: Landscape) -> np.ndarray:
    """A land-cover map (size, size) uint8 of a coarser sensor, 15-20 % of its pixels wrong.

    Made of 3 x 3 blocks (30 m), moved against the image, without small objects, with whole
    parcels and some blobs mistaken and single wrong pixels.
    """
    rng = noise.stream(seed, "product")
    labels = overlook(land.truth, 12)
    labels = noise.shifted(labels, 1, 1)
    labels = blocks(labels, 3)
    blobs = noise.smooth(rng, labels.shape, 24)
    labels[(blobs > 2.1) & (labels == GRASS)] = TREES
    labels[(blobs < -2.1) & (labels == TREES)] = GRASS
    labels = mistake(rng, land, labels, PRODUCT_RIGHT + SALT * 0.6, False)
    salt = rng.random(labels.shape) < SALT
    labels[salt] = rng.integers(1, CLASSES + 1, int(salt.sum()))
    return labels


def overlook(truth: np.ndarray, smallest: int) -> np.ndarray:
    """Objects of fewer than ``smallest`` pixels get the class that lies nearest."""
    from scipy import ndimage

    lost = np.zeros(truth.shape, bool)
    for code in range(1, CLASSES + 1):
        labelled, count = ndimage.label(truth == code)
        small = np.bincount(labelled.ravel(), minlength=count + 1) < smallest
        small[0] = False
        lost |= small[labelled]
    if lost.all():
        return truth.copy()
    rows, cols = ndimage.distance_transform_edt(lost, return_distances=False, return_indices=True)
    return truth[rows, cols]


def common(labels: np.ndarray, side: int) -> np.ndarray:
    """The commonest class in a moving window of ``side`` pixels; ties go to the lower code."""
    from scipy import ndimage

    votes = [
        ndimage.uniform_filter((labels == code).astype(np.float32), side, mode="nearest")
        for code in range(1, CLASSES + 1)
    ]
    return (np.argmax(np.round(votes, 4), axis=0) + 1).astype(np.uint8)


def blocks(labels: np.ndarray, side: int) -> np.ndarray:
    """The commonest class of each block of ``side`` x ``side`` pixels, on the same grid."""
    height, width = labels.shape
    padded = np.pad(labels, ((0, -height % side), (0, -width % side)), mode="edge")
    rows, cols = padded.shape[0] // side, padded.shape[1] // side
    cells = padded.reshape(rows, side, cols, side)
    votes = [(cells == code).sum((1, 3)) for code in range(1, CLASSES + 1)]
    coarse = (np.argmax(votes, axis=0) + 1).astype(np.uint8)
    return np.repeat(np.repeat(coarse, side, 0), side, 1)[:height, :width]


def stray(rng, labels: np.ndarray, jitter: float) -> np.ndarray:
    """Edges moved by a smooth random displacement of ``jitter`` pixels (standard deviation)."""
    height, width = labels.shape
    down = jitter * noise.smooth(rng, labels.shape, 9)
    right = jitter * noise.smooth(rng, labels.shape, 9)
    rows = np.rint(np.arange(height)[:, None] + down).astype(int)
    cols = np.rint(np.arange(width)[None, :] + right).astype(int)
    return labels[np.clip(rows, 0, height - 1), np.clip(cols, 0, width - 1)]


def mistake(rng, land: Landscape, labels, right: float, confuses_green: bool) -> np.ndarray:
    """Take whole parcels for another class until only ``right`` of all pixels are right."""
    count = len(land.angle)
    size = labels.size
    classes = np.bincount(
        land.parcel.ravel() * 8 + land.truth.ravel(), minlength=8 * count
    ).reshape(count, 8)
    main = classes.argmax(1)
    taken_for = np.zeros(count, np.uint8)
    draw = rng.random(count)
    for code, partners in MISTAKES.items():
        low = 0.0
        for partner, share in partners:
            chosen = (main == code) & (draw >= low) & (draw < low + share + 1e-9)
            taken_for[chosen] = partner
            low += share
    order = rng.random(count) + 0.6 * (main == TREES) + 2.0 * (main == WATER)
    if confuses_green:
        cover = land.cover.ravel()
        green = np.isin(cover, [INDEX[name] for name in GREEN])
        share = np.bincount(land.parcel.ravel(), green, minlength=count) / classes.sum(1).clip(1)
        taken_for[(share > 0.5) & (main == CROPS)] = GRASS
        order[share > 0.5] -= 1.0

    belongs = labels == main[land.parcel]
    right_now = np.bincount(
        land.parcel.ravel(), (belongs & (labels == land.truth)).ravel(), minlength=count
    )
    right_then = np.bincount(
        land.parcel.ravel(),
        (belongs & (taken_for[land.parcel] == land.truth)).ravel(),
        minlength=count,
    )
    right_now[taken_for == 0] = 0
    right_then[taken_for == 0] = 0
    queue = np.argsort(order, kind="stable")
    allowed = (labels == land.truth).sum() - right * size
    lost = np.cumsum((right_now - right_then)[queue])
    flipped = np.zeros(count, bool)
    flipped[queue[lost <= allowed]] = True
    flipped &= taken_for > 0
    change = belongs & flipped[land.parcel]
    return np.where(change, taken_for[land.parcel], labels).astype(np.uint8)
