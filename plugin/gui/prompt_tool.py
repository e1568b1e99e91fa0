"""The map tool that collects prompts. It holds no data: everything leaves as a signal."""

from __future__ import annotations

from qgis.core import QgsPointXY, QgsRectangle, QgsWkbTypes
from qgis.gui import QgsMapCanvas, QgsMapMouseEvent, QgsRubberBand
from qgis.PyQt.QtCore import QPoint, Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QApplication

from ..bridge.text import tr
from .keyed_tool import KeyedTool
from .keys import PromptKeys

ADD, REMOVE = 1, 0
MOST = 8  # points that a stroke becomes; the model is slow with more and no better
CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier


class PromptTool(KeyedTool):
    """Left click adds, right click removes, left drag makes a box, Shift and drag a stroke.

    Keys steer the proposal; what a key means is PromptKeys'. All coordinates are in the canvas CRS.
    """

    clicked = pyqtSignal(QgsPointXY, int)
    boxed = pyqtSignal(QgsRectangle)
    stroked = pyqtSignal(list)
    pointed = pyqtSignal(QgsPointXY)
    hovered = pyqtSignal(QgsPointXY)
    accepted = pyqtSignal()
    dropped = pyqtSignal()
    undone = pyqtSignal()
    cycled = pyqtSignal(int)
    grown = pyqtSignal(int)
    similar = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas, keys: PromptKeys | None = None):
        super().__init__(canvas, keys)
        self.setToolName(tr("Concord prompts"))
        self._pressed: QPoint | None = None
        self._stroke: list[QPoint] | None = None
        self._band: QgsRubberBand | None = None
        self._does.update(
            {
                "accept": self.accepted.emit,
                "drop": self._escape,
                "undo": self.undone.emit,
                "next": lambda: self.cycled.emit(1),
                "previous": lambda: self.cycled.emit(-1),
                "grow": lambda: self.grown.emit(1),
                "shrink": lambda: self.grown.emit(-1),
                "refine": self._refine,
                "similar": self.similar.emit,
            }
        )

    def _escape(self) -> None:
        if self._pressed is not None:
            self._forget_drag()
        else:
            self.dropped.emit()

    def _refine(self) -> None:
        if self._here is not None:
            self.pointed.emit(self._here)

    # mouse

    def canvasPressEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = event.pos()
            self._stroke = [event.pos()] if event.modifiers() & SHIFT else None

    def canvasMoveEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802
        self._here = self.toMapCoordinates(event.pos())
        if self._pressed is None:
            if event.buttons() == Qt.MouseButton.NoButton:
                self.hovered.emit(self._here)
            return
        if self._stroke is not None:
            self._stroke.append(event.pos())
            self._draw_stroke()
        elif self._is_drag(event.pos()):
            self._draw_box(self._box(event.pos()))

    def canvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802
        if event.button() == Qt.MouseButton.RightButton:
            self.clicked.emit(self.toMapCoordinates(event.pos()), REMOVE)
            return
        if event.button() != Qt.MouseButton.LeftButton or self._pressed is None:
            return
        if self._is_drag(event.pos()):
            box, stroke = self._box(event.pos()), self._stroke
            self._forget_drag()
            if stroke is not None:
                self.stroked.emit(self._spread([*stroke, event.pos()]))
            elif box.width() > 0 and box.height() > 0:
                self.boxed.emit(box)
            return
        point = self.toMapCoordinates(self._pressed)
        self._forget_drag()
        if event.modifiers() & ALT:
            self.pointed.emit(point)
        else:
            self.clicked.emit(point, REMOVE if event.modifiers() & CONTROL else ADD)

    def wheelEvent(self, event) -> None:  # noqa: N802
        if event.modifiers() & SHIFT:
            turn = event.angleDelta().y() or event.angleDelta().x()
            if turn:
                self.grown.emit(1 if turn > 0 else -1)
            event.accept()
        else:
            event.ignore()  # the canvas zooms

    def _is_drag(self, position: QPoint) -> bool:
        reached = max(
            (spot - self._pressed).manhattanLength() for spot in [position, *(self._stroke or ())]
        )
        return reached >= QApplication.startDragDistance()

    def _box(self, position: QPoint) -> QgsRectangle:
        first = self.toMapCoordinates(self._pressed)
        return QgsRectangle(first, self.toMapCoordinates(position))

    def _spread(self, stroke: list[QPoint]) -> list:
        """At most MOST points, evenly spaced along a stroke."""
        lengths = [0.0]
        for one, other in zip(stroke, stroke[1:]):
            lengths.append(lengths[-1] + (other - one).manhattanLength())
        count = max(2, min(MOST, int(lengths[-1] // 12) + 1))
        wanted = [lengths[-1] * i / (count - 1) for i in range(count)]
        nearest = [min(range(len(lengths)), key=lambda k: abs(lengths[k] - w)) for w in wanted]
        return [self.toMapCoordinates(stroke[k]) for k in dict.fromkeys(nearest)]

    # what is being dragged

    def _fresh_band(self, kind) -> QgsRubberBand:
        if self._band is None:
            self._band = QgsRubberBand(self.canvas(), kind)
            self._band.setStrokeColor(QColor("#ffffff"))
            self._band.setFillColor(QColor(255, 255, 255, 40))
            self._band.setWidth(2)
        self._band.reset(kind)
        return self._band

    def _draw_box(self, box: QgsRectangle) -> None:
        band = self._fresh_band(QgsWkbTypes.GeometryType.PolygonGeometry)
        band.setLineStyle(Qt.PenStyle.DashLine)
        for x, y in (
            (box.xMinimum(), box.yMinimum()),
            (box.xMinimum(), box.yMaximum()),
            (box.xMaximum(), box.yMaximum()),
            (box.xMaximum(), box.yMinimum()),
        ):
            band.addPoint(QgsPointXY(x, y))

    def _draw_stroke(self) -> None:
        band = self._fresh_band(QgsWkbTypes.GeometryType.LineGeometry)
        band.setStrokeColor(QColor("#41e06f"))
        band.setWidth(5)
        for spot in self._stroke:
            band.addPoint(self.toMapCoordinates(spot))

    def _forget_drag(self) -> None:
        self._pressed = self._stroke = None
        if self._band is not None:
            self.canvas().scene().removeItem(self._band)
            self._band = None
