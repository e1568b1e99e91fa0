"""The prompts of one object and the proposals they bring, shown on the canvas."""

from __future__ import annotations

from dataclasses import dataclass

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsFeature,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsRectangle,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.gui import QgsMapCanvas, QgsRubberBand, QgsVertexMarker
from qgis.PyQt.QtCore import QObject, Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor

from ..bridge.text import tr
from .prompt_tool import ADD
from .runner import Outcome, Runner

ALGORITHM = "concord:segmentprompts"
PROPOSED = QColor("#ff2fd6")  # no map has it: a proposal never looks like a label
POLYGON = QgsWkbTypes.GeometryType.PolygonGeometry


@dataclass(frozen=True)
class Candidate:
    """One mask for the object, in the CRS the algorithm gave it in."""

    geometry: QgsGeometry
    crs: QgsCoordinateReferenceSystem
    score: float | None


class PromptSession(QObject):
    """Collects prompts in the canvas CRS, asks for masks in the background, drops stale answers."""

    changed = pyqtSignal()
    failed = pyqtSignal(str)

    def __init__(self, canvas: QgsMapCanvas, parent: QObject | None = None):
        super().__init__(parent)
        self.canvas = canvas
        self.runner = Runner(self)
        self.object = 1
        self.settings: dict = {}
        self.colour = QColor(PROPOSED)
        self._history: list = []
        self._turn = 0  # answers to an earlier turn are stale
        self._waiting = False
        self._items: list = []
        self.candidates: list[Candidate] = []
        self._chosen = 0

    # prompts

    @property
    def points(self) -> list[tuple[QgsPointXY, int]]:
        """Points with label 1 (adds) or 0 (removes), in the order they were set."""
        return [content for kind, content in self._history if kind == "point"]

    @property
    def box(self) -> QgsRectangle | None:
        """The last box drawn; a new one takes the place of the old."""
        boxes = [content for kind, content in self._history if kind == "box"]
        return boxes[-1] if boxes else None

    @property
    def empty(self) -> bool:
        return not self._history

    def add_point(self, point: QgsPointXY, label: int) -> None:
        self._history.append(("point", (QgsPointXY(point), int(label))))
        self._ask()

    def set_box(self, box: QgsRectangle) -> None:
        self._history.append(("box", QgsRectangle(box)))
        self._ask()

    def undo(self) -> None:
        """Take the last prompt back."""
        if self._history:
            self._history.pop()
            self._ask()

    def clear(self) -> None:
        """Drop prompts and proposal; nothing was written yet."""
        self._history.clear()
        self._ask()

    def next_object(self) -> None:
        """Start afresh on the next object."""
        self.object += 1
        self.clear()

    # proposals

    @property
    def busy(self) -> bool:
        return self._waiting or self.runner.busy

    @property
    def chosen(self) -> Candidate | None:
        """The candidate that is shown."""
        return self.candidates[self._chosen] if self.candidates else None

    def describe(self) -> str:
        """Where the object stands, in one line."""
        if self.empty:
            return tr("Click an object on the map.")
        parts = [tr("Object {n}").format(n=self.object)]
        adding = sum(label == ADD for _point, label in self.points)
        if self.points:
            removing = len(self.points) - adding
            parts.append(tr("{a} added, {r} removed").format(a=adding, r=removing))
        if self.box is not None:
            parts.append(tr("box"))
        if self.busy:
            parts.append(tr("looking…"))
        elif self.chosen is not None:
            if self.chosen.score is not None:
                parts.append(tr("score {s:.2f}").format(s=self.chosen.score))
            if len(self.candidates) > 1:
                place, count = self._chosen + 1, len(self.candidates)
                parts.append(tr("candidate {i} of {n}").format(i=place, n=count))
        elif not adding and self.box is None:
            parts.append(tr("add a point inside the object"))
        return " · ".join(parts)

    def cycle(self, step: int) -> None:
        """Show the next candidate for the same object."""
        if len(self.candidates) > 1:
            self._chosen = (self._chosen + step) % len(self.candidates)
            self._draw()
            self.changed.emit()

    def _ask(self) -> None:
        self._turn += 1
        self._draw()
        usable = self.box is not None or any(label == ADD for _point, label in self.points)
        if not usable or not self.settings:
            self._waiting = False
            self.runner.cancel()
            self.candidates, self._chosen = [], 0
            self._draw()
        elif self.runner.busy:
            self._waiting = True
            self.runner.cancel()
        else:
            self._start()
        self.changed.emit()

    def _start(self) -> None:
        turn, self._waiting = self._turn, False
        crs = self.canvas.mapSettings().destinationCrs()
        points = memory_layer("Point", crs, ("object", "label"))
        for point, label in self.points:
            add_feature(points, QgsGeometry.fromPointXY(point), [self.object, label])
        parameters = dict(self.settings, CANDIDATES=3, OUTPUT="memory:")
        if self.box is not None:
            boxes = memory_layer("Polygon", crs, ("object",))
            add_feature(boxes, QgsGeometry.fromRect(self.box), [self.object])
            parameters["BOXES" if self.points else "PROMPTS"] = boxes
        if self.points:
            parameters["PROMPTS"] = points
        self.runner.start(ALGORITHM, parameters, lambda outcome: self._answered(turn, outcome))

    def _answered(self, turn: int, outcome: Outcome) -> None:
        if turn != self._turn:
            if self._waiting:
                self._start()
            self.changed.emit()
            return
        if outcome.ok:
            self.candidates, self._chosen = read_candidates(outcome), 0
            if not self.candidates:
                self.failed.emit(tr("No object there; move the point or draw a box."))
        else:
            self.candidates, self._chosen = [], 0
            if not outcome.cancelled:
                self.failed.emit(outcome.message)
        self._draw()
        self.changed.emit()

    # drawing

    def _draw(self) -> None:
        scene = self.canvas.scene()
        for item in self._items:
            scene.removeItem(item)
        self._items = []
        if self.box is not None:
            band = QgsRubberBand(self.canvas, POLYGON)
            band.setToGeometry(QgsGeometry.fromRect(self.box))
            band.setStrokeColor(QColor("#ffffff"))
            band.setFillColor(QColor(0, 0, 0, 0))
            band.setLineStyle(Qt.PenStyle.DashLine)
            band.setWidth(2)
            self._items.append(band)
        self._draw_proposal()
        for point, label in self.points:
            for colour, width in (("#000000", 5), ("#41e06f" if label == ADD else "#ff5a47", 3)):
                marker = QgsVertexMarker(self.canvas)
                kinds = QgsVertexMarker.IconType
                marker.setIconType(kinds.ICON_CROSS if label == ADD else kinds.ICON_X)
                marker.setColor(QColor(colour))
                marker.setPenWidth(width)
                marker.setIconSize(14)
                marker.setCenter(point)
                self._items.append(marker)

    def _draw_proposal(self) -> None:
        if self.chosen is None:
            return
        fill = QColor(self.colour)
        fill.setAlpha(110)
        try:
            shape = QgsGeometry(self.chosen.geometry)
            crs = self.canvas.mapSettings().destinationCrs()
            shape.transform(QgsCoordinateTransform(self.chosen.crs, crs, QgsProject.instance()))
        except QgsCsException:
            self.failed.emit(tr("The proposal cannot be shown in the CRS of the map."))
            return
        band = QgsRubberBand(self.canvas, POLYGON)
        band.setToGeometry(shape)
        band.setFillColor(fill)
        band.setStrokeColor(PROPOSED)
        band.setSecondaryStrokeColor(QColor(0, 0, 0, 160))
        band.setWidth(3)
        self._items.append(band)

    def recolour(self, colour: QColor) -> None:
        """Show the proposal in the colour of its class."""
        self.colour = colour
        self._draw()

    def release(self) -> None:
        """Take everything off the canvas and stop."""
        self.settings = {}
        self._history.clear()
        self.candidates = []
        self._turn += 1
        self._waiting = False
        self.runner.release()
        self._draw()


def memory_layer(kind: str, crs, fields: tuple) -> QgsVectorLayer:
    """An empty memory layer with whole-number fields."""
    spec = "&".join(f"field={name}:integer" for name in fields)
    layer = QgsVectorLayer(f"{kind}?{spec}", "prompts", "memory")
    layer.setCrs(crs)
    return layer


def add_feature(layer: QgsVectorLayer, geometry: QgsGeometry, values: list) -> None:
    feature = QgsFeature(layer.fields())
    feature.setGeometry(geometry)
    feature.setAttributes(values)
    layer.dataProvider().addFeature(feature)


def read_candidates(outcome: Outcome) -> list[Candidate]:
    """The masks of a run: by their `candidate` number when they have one, else the best first."""
    layer = outcome.layer("OUTPUT")
    if layer is None:
        return []
    names = [field.name() for field in layer.fields()]
    found = []
    for feature in layer.getFeatures():
        if feature.geometry().isEmpty():
            continue
        score = feature["score"] if "score" in names else None
        score = float(score) if isinstance(score, (int, float)) else None
        order = feature["candidate"] if "candidate" in names else -(score or 0.0)
        order = order if isinstance(order, (int, float)) else 0
        found.append((order, Candidate(feature.geometry(), layer.crs(), score)))
    return [candidate for _order, candidate in sorted(found, key=lambda pair: pair[0])]
