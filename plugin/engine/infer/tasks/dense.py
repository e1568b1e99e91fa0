"""What adapters that answer for every pixel share."""

from __future__ import annotations

import numpy as np

from ...errors import ConcordError


class Dense:
    """Base: ``planes`` runs where the model runs, ``finish`` after cropping or blending.

    Args:
        model: a ``session.Model``.
        unsure: whether uncertainty is asked for.
    """

    family = "dense"
    scale = 1  # pixels of the answer for one of the image, along a side

    def __init__(self, model, unsure: bool = False):
        self.model, self.card, self.unsure = model, model.card, unsure

    def planes(self, raw: list, size: tuple) -> np.ndarray:
        """Float32 (planes, rows, cols) of all outputs, checked.

        Args:
            raw: what the graph gave.
            size: (rows, cols) that the planes must have.
        """
        parts = []
        for place, out in enumerate(self._wanted(raw)):
            found = self.model.planes(out, self._axes(place))
            self._check_size(found, size)
            parts.append(self.activated(found, place))
        planes = np.concatenate(parts) if len(parts) > 1 else parts[0]
        if not all_finite(planes):
            raise ConcordError(
                f"{self.model.path.name} returned values that are not numbers; check the unit "
                "and scale of the bands against its card."
            )
        return planes

    def _wanted(self, raw: list) -> list:
        return raw[: max(1, len(self.card.outputs))]

    def _axes(self, place: int) -> str:
        outputs = self.card.outputs
        return outputs[place].axes if place < len(outputs) else self.card.output_axes

    def _check_size(self, found: np.ndarray, size: tuple) -> None:
        rows, cols = found.shape[1:]
        if (rows, cols) != (size[0] * self.scale, size[1] * self.scale):
            raise ConcordError(
                f"{self.model.path.name} answers {cols} x {rows} pixels for "
                f"{size[1]} x {size[0]}; Concord maps need the same size."
            )

    def activated(self, found: np.ndarray, place: int) -> np.ndarray:
        """One output's planes as they are blended."""
        return found

    def votes(self, planes: np.ndarray) -> np.ndarray | None:
        """(rows, cols) uint8 that overlapping tiles are compared by; None for no comparison."""
        return None

    # --- what a subclass gives

    def layers(self) -> dict:
        """{"main", "probabilities", "unsure": Layer} that it can write."""
        raise NotImplementedError

    def finish(self, planes: np.ndarray | None, keep: np.ndarray) -> dict:
        """{layer name: (bands, rows, cols)}; everything empty when ``planes`` is None."""
        raise NotImplementedError

    def tally(self, arrays: dict) -> None:
        """Count what was finished; called in order, in the process that writes."""

    def summary(self) -> dict:
        """What the report says of the result."""
        return {}


def masked(planes: np.ndarray | None, keep: np.ndarray, count: int) -> np.ndarray:
    """Float32 with NaN where nothing is kept."""
    if planes is None:
        return np.full((count, *keep.shape), np.nan, np.float32)
    return np.where(keep, planes, np.nan).astype(np.float32)


def all_finite(values: np.ndarray) -> bool:
    """Whether there is no NaN and no infinity; a finite sum spares looking at every number."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum())) or bool(np.isfinite(values).all())


def winners(scores: np.ndarray) -> np.ndarray:
    """``scores.argmax(axis=0)`` as uint8, several times as fast; there must be no NaN."""
    best = scores[0].copy()
    place = np.zeros(best.shape, np.uint8)
    ahead = np.empty(best.shape, bool)
    for number in range(1, len(scores)):
        np.greater(scores[number], best, out=ahead)
        np.copyto(place, number, where=ahead)
        np.maximum(best, scores[number], out=best)
    return place
