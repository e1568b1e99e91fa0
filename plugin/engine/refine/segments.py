"""Majority of the map's classes inside segments of the image (the vote of SAModified, with
segments from scikit-image in place of SAM's; arXiv 2412.12552)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage import segmentation

from ..grid import Window
from ..progress import SILENT, Progress
from .opinion import Opinion, Patch, Source
from .partition import Partition, votes_of
from .source import PatchSource

# Felzenszwalb's scale in an image of 1 m pixels, chosen on chips 0-3 of chesapeake in infrared:
# accuracy there is 87.0 % at 200, 88.1 % at 400, 90.1 % at 800, 89.1 % at 1200; on chips 4-7 it is
# 86.6 to 86.9 % at all four. On sample scenes of 10 m (seeds 11, 12) 10 to 60 is best and 400 does
# harm, because a field has fewer pixels there: hence the exponent.
_SCALE_AT_1_M = 800.0
_EXPONENT = 1.3
_LEAST_SCALE = 10.0
_PIXELS = 150  # pixels of a superpixel that slic and watershed aim at
# At 8 and unsmoothed, noise cut superpixels into crumbs, which scikit-image gives to a neighbour:
# of 27 that a noisy picture of 64 x 64 pixels was to have, 2 were left and voted for everything.
_COMPACT = 15.0


def default_scale(metres: float) -> float:
    """Felzenszwalb's scale for pixels of ``metres``, so that objects keep their ground size."""
    return max(_LEAST_SCALE, min(_SCALE_AT_1_M, _SCALE_AT_1_M / metres**_EXPONENT))


class SegmentEngine:
    """Segment vote; repairs shifts and blocks, harms small objects that segments swallow.

    Args:
        method: slic, felzenszwalb or watershed.
        scale: Felzenszwalb's scale; larger gives larger segments.
        folder: where cut cells are kept; None for memory.
    """

    halo = 0  # regions are cut for the whole map before any tile is answered

    def __init__(self, method: str, scale: float, folder: Path | None = None):
        self.id = method
        self._scale, self.folder = scale, folder
        aim = f"scale {scale:g}" if method == "felzenszwalb" else f"about {_PIXELS} pixels each"
        self.settings = f"segments of {aim}"
        self.partition: Partition | None = None

    def prepare(self, source: Source, progress: Progress = SILENT) -> None:
        self.partition = Partition(self._cut, votes_of, self.folder)
        self.partition.prepare(source, progress)

    def propose(self, patch: Patch) -> Opinion:
        if self.partition is None:
            own = PatchSource(patch)
            partition = Partition(self._cut, votes_of)
            partition.prepare(own)
            return by_vote(own.patch(Window(0, 0, own.width, own.height)), partition)
        return by_vote(patch, self.partition)

    def _cut(self, patch: Patch) -> np.ndarray:
        picture = patch.picture
        wanted = max(2, picture.shape[0] * picture.shape[1] // _PIXELS)
        if self.id == "slic":
            return segmentation.slic(
                picture, n_segments=wanted, compactness=_COMPACT, sigma=1.0, start_label=0,
                channel_axis=-1,
            )  # fmt: skip
        if self.id == "felzenszwalb":
            return segmentation.felzenszwalb(
                picture, scale=self._scale, sigma=0.8, min_size=30, channel_axis=-1
            )
        return basins(picture, wanted)


def basins(picture: np.ndarray, wanted: int) -> np.ndarray:
    """Watershed basins of the gradient, about ``wanted`` of them, from markers on a lattice."""
    weights = np.array([0.2125, 0.7154, 0.0721], np.float32)  # of luminance, as skimage's
    grey = ndimage.gaussian_filter(picture.astype(np.float32) @ weights, 1.0)
    slope = np.hypot(ndimage.sobel(grey, 0), ndimage.sobel(grey, 1))
    steps = np.clip(slope * (255.0 / max(float(slope.max()), 1e-6)), 0, 255).astype(np.uint8)
    cut = segmentation.watershed(steps, markers=wanted)
    return cut - 1


def by_vote(patch: Patch, partition: Partition, purity: float = 0.0) -> Opinion:
    """Each region's most frequent class; a tie, or too little purity, keeps the old one.

    Args:
        purity: share of the votes that the winner needs.
    """
    codes = np.array(patch.codes, np.int64)
    numbers = partition.numbers(patch.window)
    index = np.full(256, -1, np.int64)
    index[codes] = np.arange(len(codes))
    old = index[patch.labels]
    table = partition.sums
    total = table.sum(axis=1, keepdims=True)
    shares = np.divide(table, total, out=np.zeros(table.shape), where=total > 0)
    shares = np.concatenate([shares, np.zeros((1, len(codes)))])  # for pixels in no region
    best, top = shares.argmax(axis=1), shares.max(axis=1)
    own = np.where(old >= 0, shares[numbers, np.maximum(old, 0)], 0.0)
    keeps = (own >= top[numbers]) | ~patch.valid | (numbers < 0) | (top[numbers] < purity)
    proposed = np.where(keeps, patch.labels, codes[best][numbers]).astype(np.uint8)
    lead = np.where(keeps, 0.0, top[numbers] - own).astype(np.float32)
    confidence = np.where(keeps, own, top[numbers]).astype(np.float32)
    return Opinion(proposed, confidence, lead)
