"""Confident learning (Northcutt, Jiang and Chuang 2021) with probabilities out of other blocks."""

from __future__ import annotations

import numpy as np

from ..progress import SILENT, Progress
from .guided import GuidedEngine
from .model import FEATURE_HALO, CrossModel
from .opinion import Opinion, Patch, from_shares, shares_of
from .source import windows_over


class ConfidentEngine:
    """Relabels a pixel when the model is as sure of another class as it usually is of that
    class's own pixels. Finds confusion and omission; does harm where the image cannot tell."""

    id = "confident"

    def __init__(self, radius: int = 4):
        self._guided = GuidedEngine(radius)
        self.model = CrossModel()
        self.halo = FEATURE_HALO
        self.thresholds = np.zeros(0)
        self.noise = 0.0
        self.settings = "extra-trees, two halves of a checkerboard; thresholds are class means"

    def prepare(self, source, progress: Progress = SILENT) -> None:
        self.model.prepare(source, progress)
        self._thresholds(source)

    def _thresholds(self, source) -> None:
        """Mean self-confidence of every class, and the share of pixels that fail it."""
        codes = self.model.codes
        sums, counts = np.zeros(len(codes)), np.zeros(len(codes))
        kept = []
        for window in windows_over(source, 256, 24):
            patch = source.patch(window)
            answer, known = self.model.posterior(patch, 3)
            for i, code in enumerate(codes):
                here = (patch.labels == code) & known[i]
                sums[i] += answer[i][here].sum()
                counts[i] += here.sum()
            kept.append((patch.labels, answer))
        self.thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), 1.1)
        wrong = total = 0
        for labels, answer in kept:
            over = np.where(answer >= self.thresholds[:, None, None], answer, 0.0)
            best = codes[over.argmax(axis=0)]
            off = (over.max(axis=0) > 0) & (best != labels) & np.isin(labels, codes)
            wrong, total = wrong + int(off.sum()), total + int(np.isin(labels, codes).sum())
        self.noise = wrong / total if total else 0.0

    def propose(self, patch: Patch) -> Opinion:
        codes = np.array(patch.codes, np.int64)
        if not self.model.works:
            return from_shares(shares_of(patch.labels, codes), codes, patch.labels)
        answer, known = self.model.posterior(patch)
        over = np.where(answer >= self.thresholds[:, None, None], answer, 0.0)
        index = np.full(256, -1, np.int64)
        index[codes] = np.arange(len(codes))
        old = index[patch.labels]
        judged = np.take_along_axis(known, np.maximum(old, 0)[None], 0)[0] & (old >= 0)
        own = np.take_along_axis(answer, np.maximum(old, 0)[None], 0)[0]
        best = over.argmax(axis=0)
        top = over.max(axis=0)
        moves = judged & (top > own) & (best != old)
        proposed = np.where(moves, codes[best], patch.labels).astype(np.uint8)
        lead = np.where(moves, top - own, 0.0).astype(np.float32)
        return Opinion(proposed, np.where(moves, top, own).astype(np.float32), lead)
