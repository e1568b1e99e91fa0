"""A model taught by examples judges segments of the image; the map only breaks ties.

For maps whose errors the map itself cannot reveal: the user labels some areas rightly, and the
model that learns from them is asked about every segment.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from skimage import segmentation

from ..progress import SILENT, Progress
from ..taxonomy import IGNORE, NO_DATA
from .guided import box
from .model import FEATURE_HALO, CrossModel
from .opinion import Opinion, Patch, from_shares
from .partition import Partition

_SEGMENT = 0.7  # weight of the segment's mean against the pixel's own surroundings
_AROUND = 4
_UNITS = 1000  # probabilities are summed as whole numbers, so that order cannot matter


class TaughtEngine:
    """Trees trained on the examples with equal weight for every class; their answers are averaged
    over Felzenszwalb segments.

    Args:
        examples: a Source with labels known to be right, 0 elsewhere.
        scale: Felzenszwalb's scale.
        network: a ``Network`` that was trained elsewhere, in place of examples.
    """

    id = "taught"
    halo = FEATURE_HALO + _AROUND + 2

    def __init__(self, examples, scale: float, folder: Path | None = None, network=None):
        self._examples, self._scale, self.folder = examples, scale, folder
        self._network = network
        self.model = network or CrossModel(balanced=True, trees=40)
        judge = network.title if network else "extra-trees taught by the examples"
        self.settings = f"{judge}, averaged over segments of scale {scale:g}"

    def prepare(self, source, progress: Progress = SILENT) -> None:
        self._source = source
        if self._network is None:
            self.model.prepare(source, progress, self._examples)
        else:
            self._network.prepare(progress)
        self.partition = Partition(self._cut, self._sums, self.folder)
        if self.model.works:
            self.partition.prepare(source, progress)

    def _cut(self, patch: Patch) -> np.ndarray:
        return segmentation.felzenszwalb(
            patch.picture, scale=self._scale, sigma=0.8, min_size=30, channel_axis=-1
        )

    def _sums(self, patch: Patch, numbers: np.ndarray, regions: int) -> np.ndarray:
        use = (numbers >= 0) & patch.valid
        answer, _ = self.model.posterior(patch, 2)
        which = numbers[use]
        return np.stack(
            [
                np.bincount(which, np.rint(plane[use] * _UNITS), minlength=regions)
                for plane in answer
            ],
            axis=1,
        )

    def propose(self, patch: Patch) -> Opinion:
        codes = self.model.codes
        if not self.model.works:
            zero = np.zeros(patch.labels.shape, np.float32)
            return Opinion(patch.labels, zero, zero)
        sums = self.partition.sums
        means = sums / np.maximum(sums.sum(axis=1, keepdims=True), 1)
        means = np.concatenate([means, np.zeros((1, len(codes)))])
        whole = means[self.partition.numbers(patch.window)].transpose(2, 0, 1)
        answer, known = self.model.posterior(patch, 2)
        near = box(answer, _AROUND)
        near /= np.maximum(near.sum(axis=0), 1e-6)
        mixed = np.round(_SEGMENT * whole + (1 - _SEGMENT) * near, 3)
        opinion = from_shares(mixed, codes, patch.labels)
        # A class that the model has not learnt stays.
        own = [known[place] & (patch.labels == code) for place, code in enumerate(codes)]
        own.append(known.any(axis=0) & np.isin(patch.labels, (NO_DATA, IGNORE)))
        keeps = ~patch.valid | ~np.any(own, axis=0)
        proposed = np.where(keeps, patch.labels, opinion.proposed)
        return Opinion(proposed, opinion.confidence, np.where(keeps, 0.0, opinion.lead))
