"""Object detection: boxes of YOLO and DETR-like heads, suppressed over tile borders.

Heads (hyperparameter ``detector``): ``yolov8`` (batch, 4 + classes, boxes), ``yolov5``
(batch, boxes, 5 + classes) and ``boxes`` (three outputs: corners, scores, classes from 0 on).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import ConcordError
from ...taxonomy import ClassDef, Taxonomy, colour_of
from ..values import classes_of
from .layer import Layer


@dataclass
class Found:
    """One object: class number, score, outline as [(col, row)] of the image, its box."""

    place: int
    score: float
    outline: list
    box: tuple  # left, top, right, bottom in pixels of the image


class Boxes:
    """Boxes with class and score; the raster result burns them as class codes."""

    family = "objects"
    scale = 1

    def __init__(self, model, unsure: bool = False):
        self.model, self.card = model, model.card
        self.classes, _ = classes_of(self.card)
        if not self.classes:
            self.classes = (ClassDef(1, "object", colour_of(1)),)
        self.confidence = self.card.number("confidence", 0.5)
        self.overlap = self.card.number("iou", 0.5)

    def layers(self):
        taxonomy = Taxonomy(self.card.id, self.card.title, self.classes)
        return {"main": Layer(1, "uint8", None, None, 0, taxonomy.colours, taxonomy.names)}

    def find(self, raw: list, size: tuple) -> list:
        """Objects of one tile in its own pixels.

        Args:
            raw: what the graph gave.
            size: (rows, cols) of the tile.
        """
        boxes, scores, places = self.decoded(raw)[:3]
        return [
            Found(int(places[i]), float(scores[i]), _corners(boxes[i]), tuple(map(float, boxes[i])))
            for i in self.suppressed(boxes, scores, places)
        ]

    def decoded(self, raw: list) -> tuple:
        """(boxes (n, 4) as corners, scores (n,), class numbers (n,), the rest of each row)."""
        kind = str(self.card.hyper.get("detector") or "yolov8")
        if kind == "boxes":
            boxes, scores, places = (np.asarray(part, np.float32).squeeze() for part in raw[:3])
            boxes, scores = boxes.reshape(-1, 4), scores.reshape(-1)
            rest, places = np.zeros((len(scores), 0), np.float32), places.reshape(-1).astype(int)
        elif kind in ("yolov5", "yolov8"):
            boxes, scores, places, rest = self._yolo(np.asarray(raw[0], np.float32), kind)
        else:
            raise ConcordError(
                f"The card's detector '{kind}' is not known; use yolov8, yolov5 or boxes."
            )
        good = (scores >= self.confidence) & np.isfinite(boxes).all(axis=1)
        good &= (places >= 0) & (places < len(self.classes))
        return boxes[good], scores[good], places[good], rest[good]

    def _yolo(self, out: np.ndarray, kind: str) -> tuple:
        count = len(self.classes)
        if out.ndim != 3:
            raise ConcordError(
                f"{self.model.path.name} gives {out.ndim} dimensions; a detector's answer needs 3."
            )
        rows = out[0].T if kind == "yolov8" else out[0]
        first = 4 if kind == "yolov8" else 5
        if rows.shape[1] < first + count:
            raise ConcordError(
                f"{self.model.path.name} answers {rows.shape[1]} numbers a box, too few for the "
                f"{count} classes of its card; correct the card."
            )
        shares = rows[:, first : first + count]
        if kind == "yolov5":
            shares = shares * rows[:, 4:5]
        middle, half = rows[:, :2], rows[:, 2:4] / 2
        boxes = np.concatenate([middle - half, middle + half], axis=1)
        return boxes, shares.max(axis=1), shares.argmax(axis=1), rows[:, first + count :]

    def suppressed(self, boxes, scores, places) -> list:
        """Indices that stay, best first: of boxes of one class that overlap, the best one."""
        order = np.lexsort((boxes[:, 1], boxes[:, 0], -scores)) if len(scores) else []
        kept: list = []
        for i in order:
            rivals = [k for k in kept if places[k] == places[i]]
            if not rivals or overlap(boxes[i], boxes[rivals]).max() <= self.overlap:
                kept.append(int(i))
        return kept

    def merged(self, found: list) -> list:
        """Objects of all tiles without the doubles in their overlaps."""
        if not found:
            return []
        boxes = np.array([f.box for f in found])
        scores = np.array([f.score for f in found])
        return [found[i] for i in self._near(boxes, scores, [f.place for f in found])]

    def _near(self, boxes, scores, places) -> list:
        # A grid of cells as large as the largest box: rivals lie in neighbouring cells only.
        side = max(1.0, float((boxes[:, 2:] - boxes[:, :2]).max()))
        cells: dict = {}
        kept = []
        for i in np.lexsort((boxes[:, 1], boxes[:, 0], -scores)):
            home = tuple((boxes[i, :2] // side).astype(int))
            near = [
                k
                for x in (-1, 0, 1)
                for y in (-1, 0, 1)
                for k in cells.get((home[0] + x, home[1] + y), ())
                if places[k] == places[i]
            ]
            if not near or overlap(boxes[i], boxes[near]).max() <= self.overlap:
                kept.append(int(i))
                cells.setdefault(home, []).append(i)
        return kept

    def summary_of(self, found: list) -> dict:
        """Counts a class for the report."""
        counts = np.bincount([f.place for f in found], minlength=len(self.classes))
        return {
            "objects": len(found),
            "classes": [
                {"code": c.code, "name": c.name, "objects": int(n)}
                for c, n in zip(self.classes, counts)
            ],
        }


def overlap(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of a box with several."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    area = np.prod(box[2:] - box[:2])
    total = area + np.prod(others[:, 2:] - others[:, :2], axis=1) - shared
    return shared / np.maximum(total, 1e-9)


def _corners(box) -> list:
    left, top, right, bottom = map(float, box)
    return [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
