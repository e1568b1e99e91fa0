"""Instance segmentation with mask prototypes: boxes, coefficients, and masks that they mix.

Bolya et al. 2019, YOLACT, https://arxiv.org/abs/1904.02689; the layout is that of YOLO-seg
exports: (batch, 4 + classes + coefficients, boxes) and (batch, coefficients, rows, cols).
"""

from __future__ import annotations

import numpy as np

from ...errors import ConcordError
from ...grid import Grid
from .boxes import Boxes, Found


class Instances(Boxes):
    """Outlines of objects; a mask stays inside its box."""

    def find(self, raw, size):
        if len(raw) < 2 or np.ndim(raw[1]) != 4:
            raise ConcordError(
                f"{self.model.path.name} has no mask prototypes; its card should say "
                "object-detection."
            )
        boxes, scores, places, rest = self.decoded(raw)
        prototypes = np.asarray(raw[1], np.float32)[0]
        if len(scores) and rest.shape[1] != len(prototypes):
            raise ConcordError(
                f"{self.model.path.name} gives {rest.shape[1]} mask coefficients for "
                f"{len(prototypes)} prototypes; correct the classes in its card."
            )
        found = []
        for i in self.suppressed(boxes, scores, places):
            outline = self._outline(np.tensordot(rest[i], prototypes, 1), boxes[i], size)
            if outline:
                found.append(Found(int(places[i]), float(scores[i]), outline,
                                   tuple(map(float, boxes[i]))))  # fmt: skip
        return found

    def _outline(self, mask: np.ndarray, box, size) -> list:
        """The largest outline of a mask's positive part inside its box, in the tile's pixels."""
        from ... import rasters

        rows, cols = mask.shape
        step = (size[1] / cols, size[0] / rows)
        left, top = int(max(0, box[0] // step[0])), int(max(0, box[1] // step[1]))
        right = min(cols, int(np.ceil(box[2] / step[0])))
        bottom = min(rows, int(np.ceil(box[3] / step[1])))
        inside = np.zeros(mask.shape, np.uint8)
        inside[top:bottom, left:right] = mask[top:bottom, left:right] > 0
        if not inside.any():
            return []
        grid = Grid("", (step[0], 0.0, 0.0, 0.0, step[1], 0.0), cols, rows)
        shapes = [s for s, _ in rasters.polygons(inside, grid, inside > 0)]
        ring = max((s["coordinates"][0] for s in shapes), key=_area)
        return [(float(x), float(y)) for x, y in ring]


def _area(ring) -> float:
    xs, ys = np.array(ring).T
    return abs(float(np.dot(xs[:-1], ys[1:]) - np.dot(xs[1:], ys[:-1]))) / 2
