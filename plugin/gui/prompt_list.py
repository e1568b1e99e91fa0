"""The prompts of one object in the order in which they were given."""

from __future__ import annotations

from qgis.core import QgsGeometry, QgsPointXY, QgsRectangle

from ..bridge.text import tr
from .prompt_tool import ADD


class PromptList:
    """Points, strokes, boxes and old outlines in the canvas CRS; the last one can be taken back."""

    def __init__(self):
        self._kept: list = []

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def empty(self) -> bool:
        return not self._kept

    def add(self, kind: str, content) -> None:
        """Keep a prompt: `point` (point, label), `stroke` [(point, label)], `box` or `shape`."""
        self._kept.append((kind, content))

    def pop(self) -> str:
        """Take the last prompt back; its kind."""
        return self._kept.pop()[0]

    def clear(self) -> None:
        self._kept.clear()

    def _last(self, kind: str):
        found = [content for name, content in self._kept if name == kind]
        return found[-1] if found else None

    @property
    def points(self) -> list[tuple[QgsPointXY, int]]:
        """Points with label 1 (adds) or 0 (removes), in the order they were set."""
        found = []
        for name, content in self._kept:
            found += [content] if name == "point" else content if name == "stroke" else []
        return found

    @property
    def box(self) -> QgsRectangle | None:
        """The last box drawn; a new one takes the place of the old."""
        return self._last("box")

    @property
    def shape(self) -> QgsGeometry | None:
        """The old outline that is being refined."""
        return self._last("shape")

    @property
    def usable(self) -> bool:
        """True when they point at something; points that remove do not."""
        adding = any(label == ADD for _point, label in self.points)
        return adding or self.box is not None or self.shape is not None

    def words(self) -> list[str]:
        """What was given, for the panel."""
        found = []
        if self.points:
            adding = sum(label == ADD for _point, label in self.points)
            removing = len(self.points) - adding
            found.append(tr("{a} added, {r} removed").format(a=adding, r=removing))
        if self.box is not None:
            found.append(tr("box"))
        if self.shape is not None:
            found.append(tr("old outline"))
        return found

    def text(self) -> str:
        """One line for the label's attribute table."""
        parts = [f"{p.x():.8g} {p.y():.8g} {label}" for p, label in self.points]
        if self.box is not None:
            b = self.box
            spots = (b.xMinimum(), b.yMinimum(), b.xMaximum(), b.yMaximum())
            parts.append("box " + " ".join(f"{value:.8g}" for value in spots))
        if self.shape is not None:
            parts.append("outline")
        return "; ".join(parts)

    def state(self) -> dict:
        """Plain values for the journal."""
        return {
            "points": [[p.x(), p.y(), label] for p, label in self.points],
            "box": None if self.box is None else self.box.asWktPolygon(),
            "shape": None if self.shape is None else self.shape.asWkt(),
        }

    def resume(self, state: dict) -> None:
        """The other way round."""
        self.clear()
        if state.get("shape"):
            self.add("shape", QgsGeometry.fromWkt(state["shape"]))
        if state.get("box"):
            self.add("box", QgsGeometry.fromWkt(state["box"]).boundingBox())
        for x, y, label in state.get("points", ()):
            self.add("point", (QgsPointXY(x, y), int(label)))
