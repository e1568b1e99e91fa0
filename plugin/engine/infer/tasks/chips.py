"""One answer for a whole tile: scene classification and embeddings."""

from __future__ import annotations

import numpy as np

from ...errors import ConcordError
from ...taxonomy import Taxonomy
from ..values import activate, classes_of
from .layer import Layer


class Chips:
    """Base: the result has one pixel a tile."""

    family = "chips"
    scale = 1

    def __init__(self, model, unsure: bool = False):
        self.model, self.card = model, model.card

    def vector(self, raw: list) -> np.ndarray:
        """The graph's first output as one float32 vector."""
        found = np.asarray(raw[0], np.float32)
        if found.ndim < 2:
            raise ConcordError(
                f"{self.model.path.name} gives {found.ndim} dimensions; a chip's answer needs two "
                "(batch, values)."
            )
        values = found[0].reshape(-1)
        if not np.isfinite(values).all():
            raise ConcordError(
                f"{self.model.path.name} returned values that are not numbers; check the unit "
                "and scale of the bands against its card."
            )
        return values


class ChipClasses(Chips):
    """A class a chip, and its probabilities."""

    def __init__(self, model, unsure: bool = False):
        super().__init__(model, unsure)
        self.classes, self.shift = classes_of(self.card)
        self.codes = np.array([c.code for c in self.classes], np.uint8)
        self.counts = np.zeros(256, np.int64)

    def vector(self, raw):
        shares = activate(super().vector(raw)[:, None, None], self.card.activation)[:, 0, 0]
        if len(shares) != len(self.codes):
            raise ConcordError(
                f"{self.model.path.name} answers {len(shares)} classes but its card names "
                f"{len(self.codes)}; correct the card."
            )
        return shares

    def layers(self):
        taxonomy = Taxonomy(self.card.id, self.card.title, self.classes)
        names = [c.name for c in self.classes]
        return {
            "main": Layer(1, "uint8", None, None, 0, taxonomy.colours, taxonomy.names),
            "probabilities": Layer(
                len(names), "float32", names, ["probability"] * len(names), np.nan
            ),
        }

    def finish(self, vectors: np.ndarray, keep: np.ndarray) -> dict:
        """(values, rows, cols) of all chips, and which chips have data."""
        labels = np.where(keep, self.codes[np.nan_to_num(vectors).argmax(axis=0)], 0)
        self.counts += np.bincount(labels.ravel(), minlength=256)
        return {"main": labels[None].astype(np.uint8),
                "probabilities": np.where(keep, vectors, np.nan)}  # fmt: skip

    def summary(self):
        from .classes import _shares

        return {"labelled": int(self.counts[1:255].sum()), "code_shift": self.shift,
                "classes": _shares(self.classes, self.counts)}  # fmt: skip


class Embeddings(Chips):
    """A vector a chip, one band a value."""

    count = 0

    def layers(self):
        names = [f"value {i}" for i in range(1, self.count + 1)]
        return {"main": Layer(self.count, "float32", names, None, np.nan)}

    def finish(self, vectors, keep):
        self.count = len(vectors)
        return {"main": np.where(keep, vectors, np.nan).astype(np.float32)}

    def summary(self):
        return {"classes": [], "values_per_chip": self.count}
