"""Multi-label segmentation: every class is there or not, several may be."""

from __future__ import annotations

import numpy as np

from ...errors import ConcordError
from .dense import Dense, masked
from .layer import Layer

ABSENT, PRESENT = 1, 2


class MultiLabel(Dense):
    """One band a class: 0 no data, 1 absent, 2 present; probabilities by the sigmoid."""

    def __init__(self, model, unsure: bool = False):
        super().__init__(model, unsure)
        self.names = [c.name for c in self.card.classes]
        self.counts = np.zeros(len(self.names), np.int64)
        self.seen = 0

    def activated(self, found, place):
        if len(found) != len(self.names):
            raise ConcordError(
                f"{self.model.path.name} answers {len(found)} classes but its card names "
                f"{len(self.names)}; correct the card."
            )
        return 1 / (1 + np.exp(-found)) if self.card.activation == "logits" else found

    def layers(self):
        count = len(self.names)
        categories = {ABSENT: "absent", PRESENT: "present"}
        colours = {ABSENT: (235, 235, 235), PRESENT: (204, 51, 17)}
        return {
            "main": Layer(count, "uint8", self.names, None, 0, colours, categories),
            "probabilities": Layer(count, "float32", self.names, ["probability"] * count, np.nan),
        }

    def finish(self, planes, keep):
        count = len(self.names)
        if planes is None:
            there = np.zeros((count, *keep.shape), np.uint8)
        else:
            limit = self.card.number("threshold", 0.5)
            there = np.where(keep, np.where(planes >= limit, PRESENT, ABSENT), 0).astype(np.uint8)
        return {"main": there, "probabilities": lambda: masked(planes, keep, count)}

    def tally(self, arrays):
        self.counts += (arrays["main"] == PRESENT).sum(axis=(1, 2))
        self.seen += int((arrays["main"][0] > 0).sum())

    def summary(self):
        return {
            "labelled": self.seen,
            "classes": [
                {"code": c.code, "name": c.name, "pixels": int(n),
                 "share": float(n / self.seen) if self.seen else 0.0}
                for c, n in zip(self.card.classes, self.counts)
            ],
        }  # fmt: skip
