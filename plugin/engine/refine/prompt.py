"""SAModified's vote with regions from a promptable model (arXiv 2412.12552).

The model is prompted by the map's own components (their innermost point) and by a grid of points;
each answer becomes a region; unsure pixels take the most frequent class of their region. What the
paper leaves open is a parameter here: which pixels are unsure, the least purity, the smallest
region, which mask wins where two overlap (the smaller), and ties (the old class stays).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage

from ..grid import Window
from ..progress import SILENT, Progress
from .opinion import Opinion, Patch, Source
from .partition import Partition, votes_of
from .segments import by_vote

_STEP = 32  # pixels between grid prompts
_LEAST_REGION = 30
_LARGEST_SHARE = 0.25  # of a piece that a region may fill
_PURITY = 0.5
_EDGE = 4  # pixels from a class border within which a pixel is unsure
_PIECE = 256  # pixels a side that the model sees at once
_SURE = 0.5  # the model's own score that a mask needs


class PromptEngine:
    """Regions of a promptable model vote; by default only near class borders and in small
    components.

    Args:
        prompter: an object with ``encode`` and ``predict``; None for the one without weights.
        unsure: ``edges`` (near borders and in components under the smallest region) or ``all``.
        purity: share of a region's votes that the winner needs.
    """

    id = "prompt"
    halo = 2 * _EDGE + 2

    def __init__(
        self, prompter=None, unsure: str = "edges", purity: float = _PURITY,
        folder: Path | None = None,
    ):  # fmt: skip
        if prompter is None:
            from ..segment.regions import RegionPrompter

            prompter = RegionPrompter()
        self._prompter, self._unsure, self._purity = prompter, unsure, purity
        self.folder = folder
        self.settings = (
            f"{prompter.id} prompted by map components and every {_STEP} pixels; unsure: {unsure}; "
            f"purity {purity:g}; regions of at least {_LEAST_REGION} pixels, the smaller on top; "
            "a tie keeps the old class"
        )

    def prepare(self, source: Source, progress: Progress = SILENT) -> None:
        self._progress = progress
        self.partition = Partition(self._cut, votes_of, self.folder)
        self.partition.prepare(source, progress)

    def propose(self, patch: Patch) -> Opinion:
        opinion = by_vote(patch, self.partition, self._purity)
        if self._unsure == "all":
            return opinion
        sure = ~_unsure_pixels(patch.labels)
        proposed = np.where(sure, patch.labels, opinion.proposed)
        return Opinion(proposed, opinion.confidence, np.where(sure, 0.0, opinion.lead))

    def _cut(self, patch: Patch) -> np.ndarray:
        rows, cols = patch.labels.shape
        out = np.full((rows, cols), -1, np.int32)
        first = 0
        for top in range(0, rows, _PIECE):
            for left in range(0, cols, _PIECE):
                self._progress.check()
                part = Window(left, top, _PIECE, _PIECE).clipped(cols, rows).slices
                painted = self._regions(patch.picture[part], patch.valid[part], patch.labels[part])
                out[part] = np.where(painted >= 0, painted + first, -1)
                first += int(painted.max(initial=-1)) + 1
        return out

    def _regions(self, picture, valid, labels) -> np.ndarray:
        """Masks painted from the largest to the smallest; -1 where there is none."""
        from ..segment.prompts import Prompt

        painted = np.full(labels.shape, -1, np.int32)
        if not valid.any():
            return painted
        encoding = self._prompter.encode(picture, valid)
        masks = []
        covered = np.zeros(labels.shape, bool)
        for row, col in _points(labels, valid):
            if covered[row, col]:
                continue  # an answer that is there already serves this prompt too
            found = self._prompter.predict(encoding, Prompt(((col + 0.5, row + 0.5),), (1,)))
            fitting = [
                c for c in found
                if c.score >= _SURE * max(x.score for x in found)
                and _LEAST_REGION <= c.mask.sum() <= _LARGEST_SHARE * c.mask.size
            ]  # fmt: skip
            if fitting:
                best = max(fitting, key=lambda c: c.score)
                masks.append(best.mask)
                covered |= best.mask
        masks.sort(key=lambda mask: -int(mask.sum()))
        for number, mask in enumerate(masks):
            painted[mask & valid] = number
        return painted


def _points(labels: np.ndarray, valid: np.ndarray) -> list:
    """Innermost points of the map's components, largest component last, then the grid."""
    found = []
    for code in np.unique(labels):
        if code in (0, 255):
            continue
        parts, count = ndimage.label((labels == code) & valid)
        if not count:
            continue
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        depth = ndimage.distance_transform_edt(parts > 0)
        wanted = [i for i in range(1, count + 1) if sizes[i] >= _LEAST_REGION]
        spots = ndimage.maximum_position(depth, parts, wanted) if wanted else []
        found += [(int(sizes[i]), spot) for i, spot in zip(wanted, spots)]
    found.sort(key=lambda item: (item[0], item[1]))
    points = [(int(r), int(c)) for _, (r, c) in found]
    half = _STEP // 2
    points += [
        (r, c) for r in range(half, labels.shape[0], _STEP)
        for c in range(half, labels.shape[1], _STEP) if valid[r, c]
    ]  # fmt: skip
    return points


def _unsure_pixels(labels: np.ndarray) -> np.ndarray:
    """Near a border between classes; small components are near one everywhere."""
    size = 2 * _EDGE + 1
    low = ndimage.minimum_filter(labels, size, mode="nearest")
    return low != ndimage.maximum_filter(labels, size, mode="nearest")
