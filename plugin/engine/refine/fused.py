"""Edge-aware labels mixed with a pixel model that was trained on other blocks of the map."""

from __future__ import annotations

import numpy as np

from ..progress import SILENT, Progress
from .guided import Guide, GuidedEngine, PrincipalGuide, corner_of, normalised
from .model import FEATURE_HALO, CrossModel
from .opinion import Opinion, Patch, from_shares

_SMOOTH = 4  # radius in pixels of the filter over the model's answer


class FusedEngine:
    """Repairs most kinds of noise; the share of the labels decides how much they are believed.

    Args:
        labels_share: weight of the smoothed labels, 0-1; the model has the rest.
        radius: of the guided filter over the labels.
        balanced: train the model with equal weight for every class.
        examples: a Source with labels known to be right, to train on in place of the map.
    """

    id = "fused"

    def __init__(
        self, labels_share: float = 0.5, radius: int = 8, balanced: bool = False, examples=None,
        step: int = 2,
    ):  # fmt: skip
        self.share = labels_share
        self._guided = GuidedEngine(radius)
        self._guide = PrincipalGuide()
        self._examples, self._step = examples, step
        self.model = CrossModel(balanced=balanced, trust=self._trusted)
        self.halo = max(self._guided.halo, FEATURE_HALO + 2 * _SMOOTH + 6)
        taught = "examples" if examples is not None else "the other half of a checkerboard"
        self.settings = (
            f"{labels_share:.0%} smoothed labels (radius {radius}), {1 - labels_share:.0%} model "
            f"of 30 extra-trees trained on {taught}"
        )

    def prepare(self, source, progress: Progress = SILENT) -> None:
        self._guided.prepare(source)
        self._guide.prepare(source)
        self.model.prepare(source, progress, self._examples)

    def _trusted(self, patch: Patch) -> np.ndarray:
        """Pixels whose label the guided filter would keep."""
        return self._guided.propose(patch).proposed == patch.labels

    def evidence(self, patch: Patch) -> tuple:
        """(labels' shares, model's probabilities), both (classes, rows, cols)."""
        shares = self._guided.shares(patch)
        answer, known = self.model.posterior(patch, self._step)
        answer = Guide(self._guide.of(patch), _SMOOTH, 1e-3, corner_of(patch)).filter(answer)
        answer = normalised(answer)
        # A class that this half has not learnt gets the labels' own share, so that it can stay.
        answer = np.where(known, answer, shares)
        return shares, answer

    def propose(self, patch: Patch) -> Opinion:
        codes = np.array(patch.codes, np.int64)
        if not self.model.works:
            return self._guided.propose(patch)
        shares, answer = self.evidence(patch)
        mixed = self.share * shares + (1.0 - self.share) * answer
        return from_shares(np.round(mixed, 4), codes, patch.labels)
