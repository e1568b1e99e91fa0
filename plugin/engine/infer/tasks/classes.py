"""Semantic segmentation: one class a pixel and output, binary maps and change maps included."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...errors import ConcordError
from ...taxonomy import Taxonomy
from ..values import activate, classes_of
from .dense import Dense, masked, winners
from .layer import Layer

UNSURE = ("entropy", "margin", "flips", "dates")


class Classes(Dense):
    """Class codes (uint8, 0 where empty), probabilities, entropy and margin.

    A graph with several outputs gives one band of codes for each.
    """

    def __init__(self, model, unsure: bool = False):
        super().__init__(model, unsure)
        outputs = self.card.outputs or (replace_classes(self.card),)
        found = [classes_of(replace(self.card, classes=o.classes)) for o in outputs]
        self.sets = [classes for classes, _ in found]
        self.shifts = [shift for _, shift in found]
        self.codes = [np.array([c.code for c in classes], np.uint8) for classes in self.sets]
        self.starts = np.cumsum([0, *(len(c) for c in self.codes)])
        self.counts = np.zeros((len(self.sets), 256), np.int64)

    def activated(self, found, place):
        scores = activate(found, self.card.activation)
        if len(scores) != len(self.codes[place]):
            raise ConcordError(
                f"{self.model.path.name} answers {len(scores)} classes but its card names "
                f"{len(self.codes[place])}; correct the card."
            )
        return scores

    def _part(self, planes, place):
        return planes[self.starts[place] : self.starts[place + 1]]

    def _winners(self, scores) -> np.ndarray:
        limit = self.card.number("threshold", 0.5)
        if len(scores) == 2 and self.card.activation in ("sigmoid", "logits") and limit != 0.5:
            return (scores[1] >= limit).astype(np.uint8)
        return winners(scores)

    def votes(self, planes):
        return self._winners(self._part(planes, 0))

    def layers(self):
        names = [c.name for classes in self.sets for c in classes]
        if len(self.sets) > 1:
            names = [f"{i}: {c.name}" for i, classes in enumerate(self.sets, 1) for c in classes]
        taxonomy = Taxonomy(self.card.id, self.card.title, self.sets[0])
        main = None if len(self.sets) == 1 else [o.name or "classes" for o in self.card.outputs]
        return {
            "main": Layer(len(self.sets), "uint8", main, None, 0, taxonomy.colours, taxonomy.names),
            "probabilities": Layer(
                len(names), "float32", names, ["probability"] * len(names), np.nan
            ),
            "unsure": Layer(len(UNSURE), "float32", list(UNSURE), None, np.nan),
        }

    def finish(self, planes, keep, votes=None):
        """``votes`` are those of the same pixels, where they are known."""
        count = int(self.starts[-1])
        if planes is None:
            labels = np.zeros((len(self.sets), *keep.shape), np.uint8)
            return self._finished(labels, None, keep, count)
        labels = np.empty((len(self.sets), *keep.shape), np.uint8)
        for i, codes in enumerate(self.codes):
            first = votes if i == 0 and votes is not None else None
            best = self._winners(self._part(planes, i)) if first is None else first
            np.take(codes, best, out=labels[i], mode="clip")
        if not keep.all():
            labels[:, ~keep] = 0
        return self._finished(labels, planes, keep, count)

    def _finished(self, labels, planes, keep, count):
        arrays = {"main": labels}
        shares = None if planes is None else planes[:count]
        arrays["probabilities"] = lambda: masked(shares, keep, count)
        if self.unsure:
            arrays["unsure"] = lambda: masked(
                None if planes is None else unsure(self._part(planes, 0), planes[count:]),
                keep, len(UNSURE),
            )  # fmt: skip
        return arrays

    def tally(self, arrays):
        for place, labels in enumerate(arrays["main"]):
            self.counts[place] += np.bincount(labels.ravel(), minlength=256)

    def summary(self):
        labelled = int(self.counts[0, 1:255].sum())
        values = {
            "labelled": labelled,
            "classes": _shares(self.sets[0], self.counts[0]),
            "code_shift": self.shifts[0],
        }
        if len(self.sets) > 1:
            values["outputs"] = [_shares(c, n) for c, n in zip(self.sets, self.counts)]
        return values


def replace_classes(card):
    """A card without a list of outputs as its one output."""
    from ..card import CardOutput

    return CardOutput("", card.output_axes, card.classes)


def _shares(classes, counts) -> list:
    labelled = int(counts[1:255].sum())
    return [
        {
            "code": c.code,
            "name": c.name,
            "pixels": int(counts[c.code]),
            "share": float(counts[c.code] / labelled) if labelled else 0.0,
        }
        for c in classes
    ]


def unsure(shares: np.ndarray, spreads: np.ndarray) -> np.ndarray:
    """(4, rows, cols): entropy 0-1, one minus the lead of the best class, spreads of the copies.

    Args:
        spreads: (2, rows, cols) of flips and of dates, or (0, rows, cols) when neither was run.
    """
    clipped = np.clip(shares, 1e-12, 1)
    entropy = -(clipped * np.log(clipped)).sum(axis=0) / np.log(max(2, len(shares)))
    if len(shares) > 1:
        two = np.partition(shares, len(shares) - 2, axis=0)[-2:]
        lead = 1 - (two[1] - two[0])
    else:
        lead = np.zeros_like(entropy)
    none = np.zeros_like(entropy)
    flips, dates = spreads if len(spreads) else (none, none)
    return np.stack([entropy, lead, flips, dates]).astype(np.float32)
