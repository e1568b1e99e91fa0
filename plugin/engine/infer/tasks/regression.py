"""Regression: numbers with a unit, and a straight calibration line where the card gives one."""

from __future__ import annotations

import numpy as np

from ...errors import ConcordError
from .dense import Dense, masked
from .layer import Layer


class Regression(Dense):
    """Float32, one band an output plane; NaN where there are no data.

    Hyperparameters: ``output_names``, ``output_unit``, ``output_scale`` and ``calibration``
    ([slope, offset], applied after the scale).
    """

    def __init__(self, model, unsure: bool = False):
        super().__init__(model, unsure)
        self.low, self.high, self.sum, self.count = np.inf, -np.inf, 0.0, 0
        self.names = list(self.card.hyper.get("output_names") or ()) or self._numbered()

    def _numbered(self) -> list:
        outputs = self.card.outputs or (None,)
        names = []
        for place, output in enumerate(outputs):
            count = self.model.planes_of(place)
            title = output.name if output is not None and output.name else "value"
            names += [title] if count == 1 else [f"{title} {i}" for i in range(1, count + 1)]
        return (
            names
            if len(set(names)) == len(names)
            else [f"value {i}" for i in range(1, len(names) + 1)]
        )

    def activated(self, found, place):
        values = found * np.float32(self.card.number("output_scale", 1.0))
        line = self.card.hyper.get("calibration")
        if isinstance(line, (list, tuple)) and len(line) == 2:
            values = values * np.float32(line[0]) + np.float32(line[1])
        return values

    def planes(self, raw, size):
        found = super().planes(raw, size)
        if len(found) != len(self.names):
            raise ConcordError(
                f"{self.model.path.name} answers {len(found)} numbers a pixel but its card names "
                f"{len(self.names)}; correct output_names in the card."
            )
        return found

    def layers(self):
        unit = str(self.card.hyper.get("output_unit") or "")
        count = len(self.names)
        return {"main": Layer(count, "float32", self.names, [unit] * count, np.nan)}

    def finish(self, planes, keep):
        return {"main": masked(planes, keep, len(self.names))}

    def tally(self, arrays):
        finite = arrays["main"][np.isfinite(arrays["main"])]
        if finite.size:
            self.low = min(self.low, float(finite.min()))
            self.high = max(self.high, float(finite.max()))
            self.sum += float(finite.sum(dtype=np.float64))
            self.count += finite.size

    def summary(self):
        if not self.count:
            return {"labelled": 0, "classes": []}
        values = {"minimum": self.low, "maximum": self.high, "mean": self.sum / self.count}
        return {"labelled": self.count // len(self.names), "classes": [], "values": values}
