"""What a user would have told concord-prompt so far: clicks or a box, then corrections."""

from __future__ import annotations

import numpy as np
import prompt_batches
import torch

ROUNDS = (0.48, 0.23, 0.16, 0.13)  # how often a target has had 0, 1, 2, 3 answers already
BOXED = 0.28  # of the targets


class Prompts:
    """The prompts of one batch: points or a box, then corrections, with the last answer."""

    def __init__(self, points, boxes, masks, rng, device="cpu"):
        count = len(points)
        self.rng, self.device = rng, device
        self.truth = masks.reshape(count, *masks.shape[2:])
        self.half = self.truth[:, ::2, ::2]
        room = 2 + 1 + len(ROUNDS)
        self.coords = np.zeros((count, room, 2), np.float32)
        self.labels = np.full((count, room), -1, np.float32)
        boxed = rng.random(count) < BOXED
        self.coords[~boxed, 2], self.labels[~boxed, 2] = points[~boxed], 1
        self.coords[boxed, :2] = boxes[boxed].reshape(-1, 2, 2)
        self.labels[boxed, :2] = (2, 3)
        self.rounds = rng.choice(len(ROUNDS), count, p=ROUNDS)
        side = masks.shape[-1] // 2
        self.mask = torch.zeros(count, 1, side, side, device=device)
        self.has = torch.zeros(count, device=device)
        self._outlines()

    def _outlines(self) -> None:
        """Some targets start from an old outline that is somewhat wrong, with a correction."""
        for k in np.flatnonzero(self.rng.random(len(self.half)) < 0.05):
            shift = tuple(int(v) for v in self.rng.integers(-5, 6, 2))
            old = np.roll(self.half[k], shift, (0, 1))
            self.labels[k] = -1
            self.correct(k, 2, old)
            self.mask[k, 0] = torch.from_numpy(np.where(old, 8.0, -8.0).astype(np.float32))
            self.has[k] = 1

    def correct(self, k: int, slot: int, found: np.ndarray) -> None:
        x, y, label = prompt_batches.correction(found, self.half[k], self.rng)
        if label >= 0:
            self.coords[k, slot] = (2 * x + 0.5, 2 * y + 0.5)
            self.labels[k, slot] = label

    def tensors(self, chosen) -> tuple:
        return (
            torch.from_numpy(self.coords[chosen]).to(self.device),
            torch.from_numpy(self.labels[chosen]).to(self.device),
            self.mask[chosen],
            self.has[chosen],
        )

    def answered(self, chosen: np.ndarray, logits, scores, number: int) -> None:
        """Keep the best masks as mask prompts and click on their largest errors."""
        best = logits[torch.arange(len(chosen)), scores.argmax(1)].float()
        kept = self.rng.random(len(chosen)) > 0.08
        for i, k in enumerate(chosen):
            self.correct(k, 3 + number, (best[i] > 0).cpu().numpy())
            self.mask[k, 0], self.has[k] = best[i] * float(kept[i]), float(kept[i])
